"""A server that plays a vision model."""

import json

import pytest

from experiments.vision.lvlm_count.server import replying


@pytest.fixture
def server():
    """A model on this machine that gives scripted (status, reply) and keeps what it was sent."""
    script, seen = [], []

    def answer(body):
        seen.append((body.pop("path"), body.pop("headers"), body))
        status, reply = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(reply, str):
            reply = {"choices": [{"message": {"content": reply}}]}
        return status, reply if isinstance(reply, bytes) else json.dumps(reply).encode()

    with replying(answer) as address:
        yield address, script, seen
