"""Asking a server: what it is sent, what is tried again, what ends."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image as Pillow

from experiments.vision.lvlm_count import endpoint, server, transport
from experiments.vision.lvlm_count.endpoint import Endpoint
from experiments.vision.lvlm_count.transport import EndpointError


def reply(count, too_many=False):
    return 200, json.dumps({"can_not_count_because_too_many": too_many, "count": count})


PICTURE = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def asking(url, **more):
    waits = []
    return Endpoint(url, "some-model", sleep=waits.append, **more), waits


def test_the_server_gets_the_exact_pixels_the_schema_and_the_key(server, monkeypatch):
    url, script, seen = server
    monkeypatch.setenv(endpoint.KEY_VARIABLE, "secret")
    script.append(reply(4))
    asked, waits = asking(url)
    assert asked.count([PICTURE, PICTURE], "discs") == [4, 4]
    assert (asked.requests, waits, len(seen)) == (2, [], 2)
    assert "secret" not in repr(asked)
    path, headers, body = seen[0]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert body["model"] == "some-model"
    assert body["response_format"]["json_schema"]["schema"] == endpoint.SCHEMA
    text, picture = body["messages"][0]["content"]
    assert "discs" in text["text"]
    sent = base64.b64decode(picture["image_url"]["url"].removeprefix("data:image/png;base64,"))
    assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(sent))), PICTURE)


def test_passing_trouble_is_tried_again_and_waits_grow(server):
    url, script, _ = server
    script += [(429, "slow down"), (503, "busy"), (200, b"no json"), reply(6)]
    asked, waits = asking(url)
    assert asked.count([PICTURE], "discs") == [6]
    assert waits == [1, 2, 4]


@pytest.mark.parametrize(
    "answer", [(500, "down"), (200, "none"), (200, "3 or 4"), (200, '{"count": -1}'), (200, {})]
)
def test_lasting_trouble_ends_after_all_attempts_and_says_what_it_was(server, answer):
    url, script, seen = server
    script.append(answer)
    asked, _ = asking(url, retries=2)
    with pytest.raises(EndpointError, match="in 3 attempts"):
        asked.count([PICTURE], "discs")
    assert len(seen) == 3


def test_a_refusal_is_not_tried_again(server):
    url, script, seen = server
    script.append((401, b"bad key"))
    with pytest.raises(EndpointError, match="status 401: bad key"):
        asking(url)[0].count([PICTURE], "discs")
    assert len(seen) == 1


def test_tokens_are_counted_as_far_as_they_are_reported(server):
    url, script, _ = server
    message = {"choices": [{"message": {"content": '{"count": 3}'}}]}
    script += [
        (200, {**message, "usage": {"total_tokens": 120}}),
        (200, {**message, "usage": None}),
    ]
    asked, _ = asking(url)
    assert asked.count([PICTURE, PICTURE], "discs") == [3, 3]
    assert asked.tokens == 120


def test_too_many_to_count_is_asked_again_roughly(server):
    url, script, seen = server
    script += [reply(0, True), (200, "about 70 of them")]
    assert asking(url)[0].count([PICTURE], "discs") == [70]
    assert "Roughly" in seen[1][2]["messages"][0]["content"][0]["text"]


def test_a_served_function_is_asked_for_the_exact_pixels_and_the_target():
    seen = []

    def answer(picture, target):
        seen.append((picture, target))
        return 7

    with server.served(answer) as address:
        assert asking(address)[0].count([PICTURE], "red discs") == [7]
    ((picture, target),) = seen
    assert np.array_equal(picture, PICTURE)
    assert target == "red discs"


@pytest.mark.parametrize(
    "body", [b"{}", b'{"messages": [{"content": [{"text": "Why?"}, {}]}]}', b'{"messages": [1]}']
)
def test_a_served_function_is_asked_nothing_else(body):
    with server.served(lambda picture, target: 7) as address:
        answer = transport.post(f"{address}/chat/completions", body, {}, timeout=5)
    assert answer.status == 400
    assert b"no question of how many" in answer.content


def test_no_server_and_no_address_are_named():
    with pytest.raises(EndpointError, match="in 1 attempts"):
        asking("http://127.0.0.1:9/v1", retries=0)[0].count([PICTURE], "discs")
    with pytest.raises(EndpointError, match="'file:///etc'"):
        Endpoint("file:///etc", "m")
