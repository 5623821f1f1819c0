"""LVLM-Count on the paper's data sets: the studies, on small pictures and with a scripted model."""

import dataclasses
import json

import pytest
from experiments.vision.lvlm_count.config import FULL, QUICK, TINY

from experiments.harness.experiment import NotMeasured, Record, Trial
from experiments.vision.lvlm_count import claims_pictures, pictures
from ntkexec.check import carry_out
from ntkexec.errors import ExperimentError


def test_without_data_or_model_nothing_stands_in(data):
    with pytest.raises(NotMeasured, match="--scale full"):
        pictures.emoji(QUICK, Trial("emoji", 0, data=data))
    with pytest.raises(NotMeasured, match="emoji-count"):
        pictures.emoji(FULL, Trial("emoji", 0))
    with pytest.raises(NotMeasured, match="a vision model"):
        pictures.asked("fsc-147")(FULL, Trial("fsc-147", 0, data=data))
    with_model = dataclasses.replace(FULL, endpoint="http://127.0.0.1:9/v1", model="m")
    with pytest.raises(NotMeasured, match="fsc-147"):
        pictures.asked("fsc-147")(with_model, Trial("fsc-147", 0))
    with pytest.raises(ExperimentError, match="model"):
        dataclasses.replace(FULL, endpoint="http://127.0.0.1:9/v1")


def check(name):
    return next(c for c in claims_pictures.CHECKS if c.name == name)


def judged(found, study):
    return Record(0, {study: found})


def test_emoji_pictures_are_divided_around_icons(data):
    config = dataclasses.replace(TINY, emoji_pictures=2)
    found = pictures.emoji(config, Trial("emoji", 0, data=data))
    assert {(r["icons"], r["found"], r["split"], r["on_lines"]) for r in found["pictures"]} == {
        (24, 24, 0, 0),
        (20, 20, 0, 0),
    }
    for name in ("emoji-division", "emoji-masks"):
        subject = check(name)
        assert carry_out(subject, [judged(found, "emoji")]).verdict == "holds"
        twin = dataclasses.replace(subject, measure=subject.broken)
        assert carry_out(twin, [judged(found, "emoji")]).verdict == "fails"


@pytest.mark.parametrize("dataset, asked", [("emoji-count", 4), ("fsc-147", 1), ("voc-2007", 2)])
def test_a_model_is_asked_of_whole_and_of_divided_pictures(data, server, dataset, asked):
    url, script, seen = server
    script.append((200, json.dumps({"can_not_count_because_too_many": False, "count": 2})))
    config = dataclasses.replace(TINY, questions=9, endpoint=url, model="m")
    found = pictures.asked(dataset)(config, Trial(dataset, 0, data=data))
    rows = found["questions"]
    assert len(rows) == asked
    assert all(row["direct"] == 2 for row in rows)
    assert all(row["divided"] == 2 * row["parts"] for row in rows)
    assert max(row["parts"] for row in rows) > 1
    # One request for the whole and one for each part; the undivided ones are asked twice.
    assert found["spent"]["requests"] == len(seen)
    assert found["spent"]["requests"] == sum(1 + row["parts"] for row in rows)


def test_a_model_s_gain_is_judged_from_many_objects_on():
    rows = [{"answer": n, "direct": n - 9, "divided": n - 2, "parts": 3} for n in (20, 30, 40)]
    rows += [{"answer": 3, "direct": 3, "divided": 30, "parts": 1}]
    record = judged({"questions": rows}, "fsc-147")
    found = carry_out(check("fsc-147-model"), [record])
    assert (found.verdict, found.measurement.value) == ("holds", 7)
    twin = dataclasses.replace(found.check, measure=found.check.broken)
    assert carry_out(twin, [record]).verdict == "fails"
    with pytest.raises(NotMeasured, match="fewer than two"):
        check("fsc-147-model").measure([judged({"questions": rows[2:]}, "fsc-147")])
