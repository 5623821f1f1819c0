"""Addresses, keys and words of strangers: no secret and no command for a terminal gets into a message."""

import dataclasses

import pytest

from experiments.files.words import LONGEST, quoted, redacted, shown
from experiments.vision.lvlm_count import endpoint, transport
from experiments.vision.lvlm_count.endpoint import Endpoint
from experiments.vision.lvlm_count.study import QUICK
from experiments.vision.lvlm_count.transport import EndpointError
from ntkexec.cli import main
from ntkexec.errors import ExperimentError

KEY = "sk-0123456789"

# Addresses and keys.


@pytest.mark.parametrize(
    "address",
    [
        f"http://me:{KEY}@here/v1",
        f"https://{KEY}@here/v1",
        f"http://me:{KEY}/x@here/v1",
        f"http://me:{KEY}#@here/v1",
        f"http://here/v1?api_key={KEY}",
        f"http://here/v1#{KEY}",
        f"me:{KEY}@here",
        f"ftp://me:{KEY}@here",
        f"http://[{KEY}@here",
    ],
)
def test_an_address_with_a_secret_is_refused_without_it_and_never_stored(address, tmp_path, capsys):
    with pytest.raises(EndpointError) as found:
        Endpoint(address, "m")
    assert KEY not in str(found.value)
    with pytest.raises(ExperimentError) as found:
        dataclasses.replace(QUICK, endpoint=address, model="m")
    assert KEY not in str(found.value)
    words = ["--set", f"endpoint={address}", "--set", "model=m", "--out", str(tmp_path / "out")]
    assert main(["experiment", "run", "lvlm-count", *words]) == 2
    assert main(["experiment", "run", "lvlm-count", "--set", f"endpont={address}"]) == 2
    said = capsys.readouterr()
    assert KEY not in said.out + said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "http:///v1",
        "http://here:99999/v1",
        "http://here:x/v1",
        "http://[::1/v1",
        "http://here\r\nX: y/v1",
        "http://here /v1",
        "http://h\u00e9re/v1",
        "",
        "here",
        "file:///etc",
    ],
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(EndpointError, match="is no address"):
        transport.checked_address(address)


def test_addresses_stay_as_they_are():
    for address in (
        "http://localhost:8000/v1",
        "https://[::1]:8/v1",
        "HTTP://here",
        "http://a/b@c",
    ):
        assert transport.checked_address(address) == address


@pytest.mark.parametrize("key", [f"{KEY}\nX: y", f"{KEY}\u00e9", f"{KEY} {KEY}"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key, monkeypatch):
    monkeypatch.setenv(endpoint.KEY_VARIABLE, key)
    with pytest.raises(EndpointError, match=endpoint.KEY_VARIABLE) as found:
        Endpoint("http://here/v1", "m")
    assert KEY not in str(found.value)


# Words.


@pytest.mark.slow
def test_words_are_cut_and_escaped():
    assert shown("a\x1b[2J\n\u202eb\ud800") == r"a\x1b[2J\n\u202eb\ud800"
    assert len(shown("x" * 10_000)) == LONGEST
    assert shown("x" * LONGEST) == "x" * LONGEST
    assert quoted("a\nb") == "'a\\nb'"
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == quoted(deep) == "a list nested too deeply"


def test_addresses_are_shown_without_secrets():
    assert redacted("http://a:b@c@here/v1?d=e#f") == "http://***@here/v1?***"
    assert redacted("endpoint=http://a:b@here") == "endpoint=http://***@here"
    assert redacted("http://here/v1") == "http://here/v1"
    assert redacted("size=3") == "size=3"
