"""The command that looks for objects in a user's own picture by weights that a run has kept."""

import dataclasses
import json
import shutil
import struct
import zlib

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support.ports import claim, port

from experiments.files.pixels import rgb_pixels
from experiments.harness import registry
from experiments.harness.pictures import apart, in_picture, picture_application
from experiments.kits.detection.detections import Detections
from experiments.kits.detection.head import Predictions
from experiments.kits.detection.letterbox import placement
from experiments.kits.detection.weights import kept_weights
from ntkexec.check import Measurement
from ntkexec.cli import main


@dataclasses.dataclass(frozen=True)
class Config:
    width: int = 1


class BrightCells(nn.Module):
    """Sees an object, two cells wide and high, around every middle of a bright cell of 16 pixels."""

    strides = (16,)

    @nn.compact
    def __call__(self, images, *, train=False):
        gain = self.param("gain", nn.initializers.ones, (1,))
        number, height, width, _ = images.shape
        cells = images.reshape(number, height // 16, 16, width // 16, 16, 3).mean((2, 4, 5))
        score = 20 * (cells.reshape(number, -1, 1) - 0.75) * gain[None, None]
        distances = jnp.broadcast_to(jnp.array([-1e4, 0.0, -1e4]), (*score.shape[:2], 4, 3))
        return Predictions(jnp.concatenate([score, -score - 50], -1), distances)


def trained(config, trial):
    kept_weights(trial.folder, "cells", {}, lambda: {"params": {"gain": np.ones(1, np.float32)}})
    return {"value": config.width}


SMALL = claim("small", lambda rs: Measurement(rs[0]["cells"]["value"]), 2, claim="it is small")
EXAMPLE = dataclasses.replace(
    port({"cells": trained}, (SMALL,), Config()),
    application=picture_application(
        "example", study="cells", what="cells", network=lambda _: BrightCells(), names=("cell", "?")
    ),
)


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "find", lambda slug: EXAMPLE)
    monkeypatch.chdir(tmp_path)

    def run(*argv):
        status = main(["--quiet", "experiment", "run", "example", *map(str, argv)])
        return status, *capsys.readouterr()

    return run


def picture(path, size=(128, 64)):
    """Black, but for a white cell of 32 pixels: 16, where the picture is brought to half its size."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[32:64, 64:96] = 255
    Image.fromarray(pixels).save(path, quality=95)
    return pixels


def with_size(png, side):
    """The picture as if it had so many rows and columns."""
    kind = b"IHDR" + struct.pack(">II", side, side) + png[24:29]
    return png[:12] + kind + struct.pack(">I", zlib.crc32(kind)) + png[33:]


def test_objects_are_found_where_they_are_in_the_users_own_pixels(command, tmp_path):
    assert command("--seeds", 1)[0] == 0
    for name in ("mine.png", "yours.jpg"):
        pixels = picture(tmp_path / name)
        status, out, err = command("--image", name, "--json")
        assert (status, err) == (0, "")
        said = json.loads(out)
        # 128 x 64 pixels lie in a square of 64 at half their size, 16 rows from above: the cell's
        # middle is at (40, 40) there, and its object reaches 16 to all sides.
        (found,) = said["objects"]
        np.testing.assert_allclose(found["box"], [48, 16, 112, 64], atol=0.01)
        assert (found["name"], said["scale"]) == ("cell", "quick")
        assert found["score"] > 0.9
        stem = name.partition(".")[0]
        assert json.loads((tmp_path / "results" / f"{stem}-detections.json").read_text()) == said
        drawn = np.asarray(Image.open(tmp_path / "results" / f"{stem}-detections.png"))
        assert drawn.shape == (4 * 64, 4 * 128, 3)
        assert (drawn[64, 200:440] == (230, 25, 75)).all()
        assert np.array_equal(drawn[-1, -1], [0, 0, 0])
        assert pixels.shape == (64, 128, 3)
    status, out, _ = command("--image", "mine.png", "--score", "1")
    assert status == 0
    assert out.startswith("0 objects found by weights of the scale quick\npicture: ")


def test_what_lies_beside_the_picture_is_not_told():
    # 40 x 10 pixels lie in a square of 64 as 16 rows from row 24 on.
    boxes = np.array([[5, 2, 20, 14], [5, 20, 20, 30], [5, 44, 20, 60]], float)
    found = Detections(boxes, np.array([0.9, 0.8, 0.7]), np.array([0, 1, 0]))
    told = in_picture(found, placement(10, 40, 64))
    np.testing.assert_allclose(told.boxes, [[3.125, 0, 12.5, 3.75]])
    assert (told.scores.tolist(), told.labels.tolist()) == ([0.8], [1])


def test_weights_are_trained_as_the_readme_says_and_how_long_that_takes_at_most(
    command, tmp_path, monkeypatch
):
    picture(tmp_path / "mine.png")
    about = dataclasses.replace(EXAMPLE.about, cpu_seconds=70.0)
    monkeypatch.setattr(registry, "find", lambda slug: dataclasses.replace(EXAMPLE, about=about))
    status, _, err = command("--image", "mine.png")
    assert status == 2
    assert "--scale quick --study cells" in " ".join(err.split())
    assert "trains them within 2 minutes of processor time" in " ".join(err.split())


def test_weights_of_other_settings_are_named_and_looked_by_if_they_are_asked_for(command, tmp_path):
    picture(tmp_path / "mine.png")
    assert command("--seeds", 1, "--set", "width=2")[0] == 0
    (weights,) = tmp_path.glob("results/example/cells-*/seed-*/*.safetensors")
    status, _, err = command("--image", "mine.png")
    name = str(weights.relative_to(tmp_path))
    said = f"{name} was trained under other settings; --weights takes it, or `ntkexec experiment"
    # Lines may end within long words.
    assert (status, said.replace(" ", "") in "".join(err.split())) == (2, True)
    status, out, _ = command("--image", "mine.png", "--weights", name, "--json")
    assert status == 0
    told = json.loads(out)
    assert (told["scale"], told["weights"], len(told["objects"])) == ("custom", name, 1)
    assert command("--image", "mine.png", "--weights", name)[1].startswith(
        f"1 object found by {name}"
    )
    # The same configuration, trained by other code or under other versions.
    assert command("--seeds", 1)[0] == 0
    (current,) = set(tmp_path.glob("results/example/cells-*")) - {weights.parents[1]}
    current.rename(current.with_name("cells-000000000000"))
    err = "".join(command("--image", "mine.png")[2].split())
    assert "cells-000000000000" in err
    assert "wastrainedatquickbyothercode;--weightstakesit" in err


def test_weights_that_do_not_fit_are_refused_by_name(command, tmp_path, monkeypatch):
    picture(tmp_path / "mine.png")
    assert command("--seeds", 1)[0] == 0
    (weights,) = tmp_path.glob("results/example/cells-*/seed-*/*.safetensors")
    wide = {"params": {"gain": np.ones(2, np.float32)}}
    kept_weights(weights.parent, "cells", {"wide": True}, lambda: wide)
    (other,) = set(weights.parent.glob("*.safetensors")) - {weights}
    err = " ".join(command("--image", "mine.png", "--weights", other)[2].split())
    assert "another network: params/gain has the shape (2,), and (1,) would fit" in err
    described = weights.parents[1] / "config.json"
    told = json.loads(described.read_text())
    described.write_text(json.dumps({**told, "config": {"height": 1}}))
    err = " ".join(command("--image", "mine.png", "--weights", weights)[2].split())
    assert "under a configuration that example no longer has: " in err
    described.write_text(json.dumps({**told, "study": "another"}))
    err = " ".join(command("--image", "mine.png", "--weights", weights)[2].split())
    assert "another study's config.json" in err
    shutil.rmtree(tmp_path / "results")


def test_all_experiments_take_no_option_of_one_and_names_are_said_once(command, capsys):
    assert main(["--quiet", "experiment", "run", "all", "--image", "mine.png"]) == 2
    assert "'--image' belongs to one experiment, and 'all' names all" in " ".join(
        capsys.readouterr().err.split()
    )
    status, _, err = command("--study", "nothing")
    assert (status, err.count("example has no study"), "example: " in err) == (2, 1, False)
    assert main(["experiment", "run", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "--score 0.3" in shown
    assert "--side 64" in shown


def test_a_thing_is_shown_once_by_its_best_class():
    boxes = np.array([[0, 0, 8, 8], [0, 0, 8, 7], [9, 0, 17, 8], [4, 0, 12, 8]], float)
    found = Detections(boxes, np.array([0.9, 0.8, 0.7, 0.6]), np.array([3, 5, 3, 3]))
    assert apart(found, 0.6).scores.tolist() == [0.9, 0.7, 0.6]
    assert apart(found, 0.9).labels.tolist() == [3, 5, 3, 3]
    assert len(apart(Detections(boxes[:0], np.zeros(0), np.zeros(0, int)), 0.5)) == 0


@pytest.mark.parametrize(
    "words, said",
    [
        (["--image", "mine.png"], "ntkexec experiment run example --scale quick --study cells"),
        (["--image", "nothing.png"], "no such file"),
        (["--image", "."], "no regular file"),
        (["--image", "broken.png"], "cannot read the picture broken.png"),
        (["--image", "words.png"], "cannot read the picture words.png"),
        (["--image", "mine.png", "--score", "2"], "--score is a number from 0 to 1, got '2'"),
        (["--image", "mine.png", "--score", "nan"], "got 'nan'"),
        (["--image", "mine.png", "--side", "70"], "multiple of 32, got 70"),
        (["--image", "mine.png", "--out", "mine.png/x"], "mine.png"),
        (["--score", "0.2"], "needs --image"),
        (
            ["--image", "mine.png", "--question", "what?"],
            "there are --image, --score, --weights, --side",
        ),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing_behind(command, tmp_path, words, said):
    picture(tmp_path / "mine.png")
    whole = (tmp_path / "mine.png").read_bytes()
    (tmp_path / "broken.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "words.png").write_text("no picture")
    # Their first bytes tell how large they are, and no more is read.
    (tmp_path / "huge.png").write_bytes(with_size(whole, 12_000))
    (tmp_path / "vast.png").write_bytes(with_size(whole, 60_000))
    status, out, err = command(*words)
    assert (status, out) == (2, "")
    assert said in " ".join(err.split())
    assert not list(tmp_path.glob("**/*-detections.*"))


def test_photographs_stand_upright_and_transparent_parts_are_white(tmp_path):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :20] = 255
    turned = Image.Exif()
    turned[0x0112] = 6  # its camera was held so that it must be turned clockwise
    Image.fromarray(pixels).save(tmp_path / "photo.jpg", exif=turned, quality=95)
    found = rgb_pixels(tmp_path / "photo.jpg")
    assert found.shape == (60, 40, 3)
    assert found[:16].min() > 200
    assert found[24:].max() < 50
    layer = np.zeros((2, 2, 4), np.uint8)
    layer[0, 0, 3] = 255
    Image.fromarray(layer).save(tmp_path / "layer.png")
    assert rgb_pixels(tmp_path / "layer.png")[..., 0].tolist() == [[0, 255], [255, 255]]
