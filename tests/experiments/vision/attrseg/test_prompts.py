"""Attributes by tables and callables, what is wrong with them, words as numbers, and the world of figures."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from experiments.data.rows.segmentation import ROWS
from experiments.kits.detection.attributes import FIELDS, all_classes
from experiments.vision import attrseg
from experiments.vision.attrseg import (
    Decomposition,
    Vocabulary,
    decompose,
    lint_attributes,
    padded_tokens,
    phrase_vectors,
    read_decomposition,
)
from experiments.vision.attrseg.phrases import region_phrase_loss
from experiments.vision.attrseg.worlds import (
    FIELD_OF,
    MOST,
    PHRASES,
    by_patch,
    described,
    families,
    one_field_off,
    truth_of,
    world,
)
from ntkexec.errors import ExperimentError

TABLE = {"dax": ["red", " long  tail", "red", ""], "wug": ("blue", "a dax's horn")}


def test_a_table_and_a_callable_give_the_same_and_a_file_keeps_it(tmp_path):
    found = decompose(TABLE, TABLE, note="asked on a day")
    assert found.attributes == {"dax": ("red", "long tail"), "wug": ("blue", "a dax's horn")}
    assert decompose(TABLE, lambda name: iter(TABLE[name])).attributes == found.attributes
    found.write(tmp_path / "kept.json")
    assert read_decomposition(tmp_path / "kept.json") == found
    (tmp_path / "plain.json").write_text('{"note": ["a"], "attributes": ["b"]}')
    assert read_decomposition(tmp_path / "plain.json").classes == ("note", "attributes")


@pytest.mark.parametrize(
    "by, said",
    [
        ({"dax": ["a"]}, "no attributes of 'wug'"),
        (lambda name: "red", "a list of phrases, got 'red'"),
        (lambda name: None, "a list of phrases, got None"),
        (lambda name: [3], "phrases of up to 200 characters, got 3"),
        (lambda name: [" "], "0 attributes, not 1 to 15"),
        (lambda name: ["x" * 201], "up to 200 characters"),
        (lambda name: map(str, itertools.count()), "more than 15"),
        (lambda name: itertools.repeat("same"), "more than 15"),
    ],
)
def test_attributes_that_are_none_are_refused_with_their_class(by, said):
    with pytest.raises(ExperimentError, match=said):
        decompose(["dax", "wug"], by)


@pytest.mark.parametrize(
    "given, said",
    [
        ({"dax": "red"}, "a tuple of phrases, got 'red'; `decompose"),
        ({"dax": ["red"]}, "a tuple of phrases"),
        ({"dax": ()}, r"at least one and none twice, got \(\)"),
        ({"dax": ("red", "red")}, "none twice"),
        ({"dax": ("red", 3)}, "up to 200 characters, got 3"),
        ({"dax": (" red",)}, "none around them, got ' red'"),
        ({"dax": ("",)}, "got ''"),
        ({"dax": ("x" * 201,)}, "up to 200 characters"),
        ({3: ("red",)}, "the name of a class is a text that is not blank, got 3"),
        ({" ": ("red",)}, "not blank"),
        ({}, "a table of phrases by class"),
        (["dax"], "a table of phrases by class"),
    ],
)
def test_a_decomposition_checks_itself_however_it_is_made(given, said):
    with pytest.raises(ExperimentError, match=said):
        Decomposition(given)


def test_a_text_in_place_of_several_and_a_plain_table_are_refused_in_words():
    with pytest.raises(ExperimentError, match="classes are a list of names, got 'dax'"):
        decompose("dax", TABLE)
    with pytest.raises(ExperimentError, match=r"as `decompose\(table, table\)` makes one"):
        lint_attributes({"dax": ["red"]})
    known = Vocabulary(("red",))
    for call in (Vocabulary.of, known.tokens):
        with pytest.raises(ExperimentError, match="phrases are a list of texts, got 'red'"):
            call("red")
    with pytest.raises(ExperimentError, match="a table of phrases by class, as a Decomposition's"):
        padded_tokens(known, Decomposition({"dax": ("red",)}), most=1, length=1)


def test_files_of_other_things_are_refused_by_name(tmp_path):
    path = tmp_path / "table.json"
    for text in ("[]", "{", '{"a": 3}', '{"a": "b"}', "[" * 100_000, "{}", '{"a": []}', "\xff"):
        path.write_bytes(text.encode("latin1"))
        with pytest.raises(ExperimentError, match=r"table\.json"):
            read_decomposition(path)
    for classes, said in ((["a", "a"], "'a' is there twice"), ([], "no classes")):
        with pytest.raises(ExperimentError, match=said):
            decompose(classes, {"a": ["b"]})


def test_every_kind_of_finding_is_found_and_nothing_else():
    good = decompose(["dax", "wug"], {"dax": ["red", "long tail"], "wug": ["blue", "long tail"]})
    assert lint_attributes(good) == ()
    table = {
        "Pot Dax": ["the pot-dax colour", "long tail", "tail, long", "zzz"],
        "wug": ["red"],
        "gip": ["red", "round"],
        "fep": ["Round", "RED"],
    }
    known = Vocabulary.of(["the pot dax colour long tail red round"])
    found = lint_attributes(decompose(table, table), vocabulary=known)
    assert [(each.kind, each.classes) for each in found] == [
        ("leak", ("Pot Dax",)),
        ("repeated", ("Pot Dax",)),
        ("unknown", ("Pot Dax",)),
        ("contained", ("wug", "gip")),
        ("contained", ("wug", "fep")),
        ("same", ("gip", "fep")),
    ]
    assert str(found[0]).startswith("leak: the name 'Pot Dax' is in")


def test_a_name_is_a_leak_in_any_phrase_of_any_class_and_in_no_longer_word():
    table = {
        "wug": ["a dax's horn", "wugs", "small"],
        "dax": ["like a Wug, but not a pot dax"],
        "pot dax": ["tin"],
        "...": ["..., dotted"],  # a name without a word is in no phrase
    }
    found = lint_attributes(decompose(table, table))
    assert [(each.kind, each.classes) for each in found] == [
        ("leak", ("wug", "dax")),
        ("leak", ("dax", "wug")),
        ("leak", ("dax", "pot dax")),
        ("leak", ("dax",)),
    ]
    assert found[0].message == "the name 'dax' is in \"a dax's horn\", an attribute of 'wug'"


def test_classes_are_near_if_they_are_in_every_picture():
    given = decompose(["a", "b", "c"], {"a": ["x"], "b": ["y"], "c": ["z"]})
    tokens = np.eye(3)[None] * np.array([1.0, 2.0])[:, None, None]
    assert lint_attributes(given, tokens=tokens) == ()
    tokens[0, 1] = [3, 0.1, 0]  # near the first class in one picture of two
    assert lint_attributes(given, tokens=tokens) == ()
    tokens[1, 1] = [1, 0.2, 0]
    (found,) = lint_attributes(given, tokens=tokens)
    assert (found.kind, found.classes) == ("near", ("a", "b"))
    assert "at least 0.981" in found.message
    for wrong in (np.ones((2, 3)), np.ones((0, 3, 3)), np.ones(3)):
        with pytest.raises(ExperimentError, match="tokens of 3 classes"):
            lint_attributes(given, tokens=wrong)
    tokens[0, 0, 0] = np.nan  # would be near nothing
    with pytest.raises(ExperimentError, match="tokens are finite numbers"):
        lint_attributes(given, tokens=tokens)


def test_phrases_are_means_of_the_words_that_are_known():
    known = Vocabulary.of(["Long tail", "red"])
    assert known.words == ("long", "tail", "red")
    tokens = known.tokens(["a red tail", "long"])
    assert tokens.tolist() == [[2, 1], [0, -1]]
    table = np.arange(6.0).reshape(3, 2)
    np.testing.assert_allclose(phrase_vectors(table, tokens), [[3, 4], [0, 1]])
    padded, present = padded_tokens(known, {"a": ["red"], "b": ["tail", "long"]}, most=3, length=2)
    assert padded.tolist()[0] == [[2, -1]] * 3
    assert present.tolist() == [[True, False, False], [True, True, False]]
    for wrong, said in (
        ([[7, -1]], "word 7 is in no table of 3 words"),
        ([[0, 1], [-1, -1]], r"the phrase at \[1\] has no word"),
        ([[0.5]], "whole numbers, got float64"),
    ):
        with pytest.raises(ExperimentError, match=said):
            phrase_vectors(table, wrong)
    for phrase, length, said in (
        ("a zebra", None, "no known word"),
        ("long tail", 1, "more than 1"),
    ):
        with pytest.raises(ExperimentError, match=said):
            known.tokens([phrase], length=length)


def test_the_loss_of_regions_and_phrases_is_a_sum_over_pairs_of_those_that_count():
    generator = np.random.default_rng(0)
    regions, phrases = generator.normal(size=(3, 4)), generator.normal(size=(5, 4))
    matches, counted = generator.random((3, 5)) < 0.4, np.array([True, False, True])
    found = float(
        region_phrase_loss(regions, phrases, matches, sharpness=0.5, bias=-1.0, counted=counted)
    )
    want = 0.0
    for region, match in zip(regions[counted], matches[counted], strict=True):
        for phrase, true in zip(phrases, match, strict=True):
            cosine = region @ phrase / np.linalg.norm(region) / np.linalg.norm(phrase)
            logit = np.exp(0.5) * cosine - 1
            want += np.log1p(np.exp(-logit if true else logit)) / counted.sum()
    assert found == pytest.approx(want, rel=1e-5)


def test_a_world_leaks_no_names_and_separates_all_classes():
    known = world(np.random.default_rng(0))
    assert set(PHRASES) == {word for words in FIELDS.values() for word in words}
    assert len({phrase for told in PHRASES.values() for phrase in told}) == 73
    assert known.held_out.sum() == round(0.4 * len(all_classes()))
    some = decompose(known.decomposition.classes[::9], known.decomposition.attributes)
    assert lint_attributes(some, vocabulary=known.vocabulary) == ()
    assert known.tokens.shape == (432, MOST, 4)
    for row in (0, 77, 431):
        told = known.decomposition.attributes[known.decomposition.classes[row]]
        assert told == described(known.tuples[row])
        for field, (words, number) in enumerate(
            zip(FIELDS.values(), known.tuples[row], strict=True)
        ):
            part = tuple(np.array(told, object)[field == FIELD_OF])
            assert part == PHRASES[words[number]]
    # No word of a phrase is part of a name's vocabulary.
    names = set(known.decomposition.classes)
    assert not names & set(known.vocabulary.words[: -len(names)])


def test_families_are_look_alikes_that_are_allowed_and_masks_are_of_their_classes():
    known = world(np.random.default_rng(1))
    found = families(np.random.default_rng(2), known.tuples, known.held_out, 4)
    assert known.held_out[found.classes].all()
    assert all(len(set(row)) == 4 for row in found.classes.tolist())
    shares = [
        max((known.tuples[row] == known.tuples[first]).sum(1)[row != first].min() for first in row)
        for row in found.classes
    ]
    assert min(shares) >= 2
    truth = truth_of(found)
    for row, mask, labels, objects in zip(
        truth, found.masks, found.labels, found.objects, strict=True
    ):
        for label, one in zip(labels, objects, strict=True):
            assert (row[one] == label).all() if label >= 0 else not one.any()
        assert ((row >= 0) == mask.any(0)).all()
    np.testing.assert_allclose(
        by_patch(found.masks, 4).sum((-2, -1)) * 16, found.masks.sum((-2, -1))
    )


def test_a_wrong_field_makes_no_class_of_the_scene_and_none_twice():
    generator, tuples = np.random.default_rng(3), all_classes()
    # All differ in the border alone, of which there are three: most draws of it clash.
    classes = np.concatenate(
        [np.tile(np.arange(3), (200, 1)), generator.integers(3, 432, size=(200, 1))], 1
    )
    found, field = one_field_off(generator, classes, tuples)
    differs = tuples[found] != tuples[classes]
    np.testing.assert_array_equal(differs, np.arange(4) == field[..., None])
    assert all(len({*row, *other}) == 8 for row, other in zip(classes, found, strict=True))
    assert not (field[:, :3] == 3).any()
    assert len(np.unique(field[:, 3])) == 4


def test_the_page_says_every_place_of_the_real_sets():
    page = " ".join((Path(attrseg.__file__).parent / "README.md").read_text().split())
    for row in ROWS:
        own = [place for place in row.places if place.path == row.name]
        for path in (path for place in own for path in (place.path, *place.files)):
            # The first and the last of the lists are said.
            first = re.sub(r"(trn|val)/fold\d", "trn/fold0", path)
            assert f"`{first}`" in page, path
