"""Pictures of other depths than 8 bits: greys that stay greys, and masks with the numbers that are stored."""

import io

import numpy as np
import pytest
from PIL import Image
from support.pictures import png_of_greys

from experiments.data.folders import picture_folder
from experiments.files.pixels import rgb_pixels
from experiments.files.rasters import colours_of, decoded, numbers_of
from ntkexec.errors import ExperimentError

RAMP = np.linspace(0, 65535, 8).astype(np.uint16)[None]
GREYS = [0, 36, 73, 109, 146, 182, 219, 255]


def stored(image, kind, **options):
    made = io.BytesIO()
    image.save(made, kind, **options)
    return made.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        stored(Image.fromarray(RAMP), "PNG"),
        stored(Image.fromarray(RAMP), "TIFF"),
        b"P5 8 1 65535\n" + RAMP.astype(">u2").tobytes(),
        b"P2 8 1 7\n0 1 2 3 4 5 6 7\n",
        b"P2 8 1 700\n0 100 200 300 400 500 600 700\n",
    ],
    ids=["png", "tiff", "pgm", "pgm of 3 bits", "pgm of 10 bits"],
)
def test_greys_of_any_depth_stay_greys(tmp_path, content):
    for found in (colours_of(content), np.asarray(decoded(content, "RGBA"))[..., :3]):
        np.testing.assert_allclose(found[0], np.repeat(np.array(GREYS)[:, None], 3, 1), atol=1)
    path = tmp_path / "class" / "one.png"
    path.parent.mkdir()
    path.write_bytes(content)
    for one in (path, str(path)):
        np.testing.assert_array_equal(rgb_pixels(one), found)
    batch, _ = picture_folder(str(tmp_path)).batch(np.array([0]), size=1)
    assert (batch < 2).all()  # white is 2.2 or more


@pytest.mark.parametrize("wrong", [3, None, ""])
def test_what_is_no_path_is_refused_in_words(wrong):
    for read in (rgb_pixels, colours_of, numbers_of):
        with pytest.raises(ExperimentError, match="is no file: a path is, as text or as a Path"):
            read(wrong)
    with pytest.raises(ExperimentError, match="is no folder"):
        picture_folder(wrong)


def test_greys_of_16_bits_stand_upright_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = stored(Image.fromarray(RAMP), "PNG", exif=exif)
    assert decoded(content, "RGBA").getexif()[0x0112] == 6


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_numbers_without_a_white_are_refused(kind):
    content = stored(Image.fromarray(RAMP.astype(kind)), "TIFF")
    with pytest.raises(
        ExperimentError, match=r"a\.tif has pixels of the kind [IF], of which nobody"
    ):
        colours_of(content, "a.tif")


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_masks_hold_the_numbers_that_are_stored(bits):
    numbers = np.arange(2**bits, dtype=np.uint8).reshape(1, -1)
    np.testing.assert_array_equal(numbers_of(png_of_greys(numbers, bits)), numbers)
    palette = Image.frombytes("P", numbers.shape[::-1], numbers.tobytes())
    palette.putpalette([channel for one in range(2**bits) for channel in (255 - one, 7, one)])
    np.testing.assert_array_equal(numbers_of(stored(palette, "PNG", bits=bits)), numbers)
    said = f"P5 {2**bits} 1 {2**bits - 1}\n".encode()
    np.testing.assert_array_equal(numbers_of(said + numbers.tobytes()), numbers)


def test_masks_of_16_bits_and_those_whose_least_is_white_are_refused():
    with pytest.raises(ExperimentError, match="kind I;16, not numbers of 8 bits"):
        numbers_of(stored(Image.fromarray(RAMP), "PNG"))
    inverted = stored(Image.fromarray(np.zeros((2, 2), np.uint8)), "TIFF", tiffinfo={262: 0})
    with pytest.raises(ExperimentError, match="a picture has greys of which 0 is white"):
        numbers_of(inverted)
