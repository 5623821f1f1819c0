"""The words of errors: what may have been meant, and strangers' words made harmless."""

from ntkexec.errors import clean, did_you_mean, shown


def test_near_words_are_named_and_far_ones_are_not():
    known = ["karate", "florentine", "petersen"]
    assert did_you_mean("karat", known) == "; did you mean 'karate'?"
    assert did_you_mean("florentin", iter(known)) == "; did you mean 'florentine'?"
    assert did_you_mean("abc", ["abd", "abe"]) == "; did you mean 'abe' or 'abd'?"
    assert did_you_mean("zzz", known) == did_you_mean("", known) == ""


def test_what_cannot_be_printed_is_escaped_also_in_what_may_have_been_meant():
    assert did_you_mean("name", ["nam\x1b"]) == r"; did you mean 'nam\x1b'?"
    assert clean("a\u202eb\n") == r"a\u202eb\n"
    assert len(shown("x" * 1000)) < 90
