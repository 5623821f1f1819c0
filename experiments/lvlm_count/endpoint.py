"""Counting by a vision model behind an OpenAI-compatible HTTP interface."""

import base64
import dataclasses
import io
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

from experiments.lvlm_count.segment import Image
from ntkexec.errors import ExperimentError, MissingExtraError

KEY_VARIABLE = "OPENAI_API_KEY"
SCHEMA = {
    "type": "object",
    "properties": {
        "can_not_count_because_too_many": {"type": "boolean"},
        "count": {"type": "integer"},
    },
    "required": ["can_not_count_because_too_many", "count"],
    "additionalProperties": False,
}


class EndpointError(ExperimentError):
    """A model's server refuses, is not there, or does not answer with a count."""


@dataclasses.dataclass
class Endpoint:
    """A counter that asks a server, one request for each picture, one after another.

    Args:
        url: up to and without `/chat/completions`, for example `http://localhost:8000/v1`.
        model: its name there.
        key: sent as a bearer token; by default `OPENAI_API_KEY` of the environment, or none.
        retries: further attempts after 429, 5xx, no answer, or an answer without a count.
        timeout: seconds to wait for one answer.
        wait: seconds before the first further attempt, doubled for each next.
        sleep: waits; another one for tests.
        requests, sent_bytes, tokens: counted so far; tokens as far as the server reports them.
    """

    url: str
    model: str
    key: str | None = dataclasses.field(default=None, repr=False)
    retries: int = 3
    timeout: float = 60.0
    wait: float = 1.0
    sleep: Callable[[float], None] = time.sleep
    requests: int = 0
    sent_bytes: int = 0
    tokens: int = 0

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise EndpointError(f"{self.url!r} is no address; it begins with http:// or https://")
        if not self.model:
            raise EndpointError("an endpoint needs the name of a model")
        if self.key is None:
            self.key = os.environ.get(KEY_VARIABLE)

    def count(self, pictures: Sequence[Image], target: str) -> list[int]:
        """The model's count for each picture.

        Raises:
            EndpointError: with the status and the server's words, when it refuses or all attempts
                are used up.
        """
        return [self._one(picture, target) for picture in pictures]

    def _one(self, picture: Image, target: str) -> int:
        address = "data:image/png;base64," + base64.b64encode(png(picture)).decode()
        question = f"How many {target} are in the picture? If there are none, say zero."
        found, too_many = self._asked(question, address)
        if found == 0 and too_many:
            rough = f"Roughly how many {target} are in the picture? Give your best estimate."
            found, _ = self._asked(rough, address)
        return found

    def _asked(self, question: str, address: str) -> tuple[int, bool]:
        body = json.dumps(
            {
                "model": self.model,
                "temperature": 1,
                "max_tokens": 256,
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "count", "strict": True, "schema": SCHEMA},
                },
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": question},
                            {"type": "image_url", "image_url": {"url": address}},
                        ],
                    }
                ],
            }
        ).encode()
        reason = ""
        for attempt in range(self.retries + 1):
            if attempt:
                self.sleep(self.wait * 2 ** (attempt - 1))
            self.requests += 1
            self.sent_bytes += len(body)
            try:
                return parsed(self._sent(body))
            except urllib.error.HTTPError as error:
                with error:
                    words = error.read(300).decode(errors="replace").strip()
                reason = f"status {error.code}: {words}"
                if error.code != 429 and error.code < 500:
                    raise EndpointError(f"{self.url} refused, {reason}") from error
            except (OSError, ValueError) as error:
                # URLError and timeouts are OSErrors; JSON that is none is a ValueError.
                reason = str(error) or type(error).__name__
        raise EndpointError(
            f"{self.url} gave no count in {self.retries + 1} attempts; the last: {reason}"
        )

    def _sent(self, body: bytes) -> str:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        address = self.url.rstrip("/") + "/chat/completions"
        request = urllib.request.Request(address, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=self.timeout) as answer:
            reply = json.loads(answer.read())
        usage = reply.get("usage") if isinstance(reply, dict) else None
        used = usage.get("total_tokens") if isinstance(usage, dict) else None
        self.tokens += used if type(used) is int else 0
        try:
            return str(reply["choices"][0]["message"]["content"])
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"an answer without a message: {str(reply)[:200]}") from error


def parsed(text: str) -> tuple[int, bool]:
    """The count in a reply, and whether there were too many to count.

    A reply that is not the JSON asked for counts if there is exactly one whole number in it.

    Raises:
        ValueError: if there is no count, a negative one, or more than one.
    """
    try:
        reply: Any = json.loads(text)
    except ValueError:
        reply = None
    if isinstance(reply, dict):
        found = reply.get("count")
        if type(found) is not int or found < 0:
            raise ValueError(f"a reply without a count: {text[:200]}")
        return found, reply.get("can_not_count_because_too_many") is True
    numbers = re.findall(r"(?<![\d.-])\d+(?![\d]|\.\d)", text)
    if len(numbers) != 1:
        raise ValueError(f"a reply with {len(numbers)} numbers: {text[:200]}")
    return int(numbers[0]), False


def png(image: Image) -> bytes:
    """The picture as a PNG file.

    Raises:
        MissingExtraError: without Pillow.
    """
    try:
        from PIL import Image as Pillow
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    stream = io.BytesIO()
    Pillow.fromarray(image).save(stream, "PNG")
    return stream.getvalue()
