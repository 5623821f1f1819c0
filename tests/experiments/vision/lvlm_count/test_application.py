"""The command that counts in a user's own picture."""

import json

import numpy as np
import pytest

from experiments.vision.lvlm_count import application
from experiments.vision.lvlm_count.emoji import read_picture
from experiments.vision.lvlm_count.endpoint import png_bytes
from experiments.vision.lvlm_count.scenes import draw_scene
from ntkexec.cli import main


@pytest.fixture
def picture(tmp_path):
    scene = draw_scene({"red": 24, "blue": 9}, generator=np.random.default_rng(5))
    path = tmp_path / "icons.png"
    path.write_bytes(png_bytes(scene.image))
    return path, scene


def test_the_command_counts_by_a_server_and_draws_the_division(server, picture, capsys):
    url, script, seen = server
    script.append((200, json.dumps({"can_not_count_because_too_many": False, "count": 2})))
    path, scene = picture
    words = ["--question", "How many red discs are there?", "--endpoint", url, "--model=m"]
    assert main(["experiment", "run", "lvlm-count", "--image", str(path), *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total"] == 2 * len(found["counts"]) == 2 * (len(seen) - 1)
    assert (sum(found["objects"]), found["segmented"], found["split"]) == (24, 24, 0)
    drawn = read_picture(path.with_name("icons-divided.png"))
    lines = (drawn == application.LINE).all(2)
    assert lines.any()
    assert not (lines & (scene.of("red") > 0)).any()
    assert np.array_equal(drawn[~lines], scene.image[~lines])


@pytest.mark.slow
def test_the_command_trains_its_own_counter_once(picture, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(application, "SIZES", {"num_scenes": 10, "num_steps": 2})
    words = ["experiment", "run", "lvlm-count", "--image", str(picture[0])]
    words += ["--question", "How many icons?", "--out", str(tmp_path)]
    outputs = []
    for _ in range(2):
        assert main(words) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert "objects found by the segmenter: 33" in outputs[0]
    assert len(list((tmp_path / "lvlm-count").glob("*.safetensors"))) == 1


@pytest.mark.parametrize(
    "words, message",
    [
        (["lvlm-count", "--image", "x.png"], "--question"),
        (["lvlm-count", "--sead", "3"], "--sead"),
        (["lvlm-count", "--image", "x.png", "--seeds", "3"], "judges none"),
        (["lvlm-count", "--image"], "--image"),
        (["sgs", "--image", "x.png"], "sgs has none"),
        (["sgs", "lvlm-count", "--image", "x.png"], "2 are named"),
        (["lvlm-count", "--image", "no.png", "--question", "How many icons?"], "no.png"),
        (["lvlm-count", "--image", "x", "--question", "How many?"], "'How many?'"),
        (["lvlm-count", "--image", "x", "--question", "How many x?", "--model=m"], "--endpoint"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(words, message, capsys):
    assert main(["experiment", "run", *words]) == 2
    assert message in capsys.readouterr().err
