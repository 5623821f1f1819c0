"""Attributes by tables and callables, what is wrong with them, words as numbers, and the world of figures."""

import itertools

import numpy as np
import pytest

from experiments.kits.detection.attributes import FIELDS, all_classes
from experiments.vision.attrseg import (
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


def test_classes_are_near_if_they_are_in_every_picture():
    given = decompose("abc", {"a": ["x"], "b": ["y"], "c": ["z"]})
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
