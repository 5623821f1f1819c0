"""Counting by a vision model behind an OpenAI-compatible HTTP interface."""

import base64
import dataclasses
import http.client
import io
import json
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from experiments.files.words import redacted, shown
from experiments.vision.lvlm_count.replies import Reply, message, parsed
from experiments.vision.lvlm_count.segmentation import Image
from experiments.vision.lvlm_count.transport import EndpointError, checked_address, post
from ntkexec.errors import MissingExtraError

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
SECRET = 8
"""Characters from which on a key is one; shorter ones stand where none is needed."""
MOST_TOKENS = 10**9
"""Tokens of one answer that are believed."""
TOO_MANY = "the model finds too many to count, and estimates no number"


@dataclasses.dataclass
class Endpoint:
    """A counter that asks a server, one request for each picture, one after another.

    The server is not trusted: redirects are not followed, an answer must be whole in time and of a
    sensible size, its words are cut and escaped where they are repeated, and the key never is.

    Args:
        url: up to and without `/chat/completions`, for example `http://localhost:8000/v1`; without
            user, password or query.
        model: its name there.
        key: sent as a bearer token; by default `OPENAI_API_KEY` of the environment, or none.
        retries: further attempts after 429, 5xx, no answer, or an answer without a count.
        timeout: seconds until one answer is whole.
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
        checked_address(self.url)
        if not self.model:
            raise EndpointError("an endpoint needs the name of a model")
        key = os.environ.get(KEY_VARIABLE, "") if self.key is None else self.key
        self.key = key.strip()
        if not self.key.isascii() or not self.key.isprintable() or " " in self.key:
            raise EndpointError(
                f"the key, by default {KEY_VARIABLE}, is none: no header can hold it"
            )

    def count(self, pictures: Sequence[Image], target: str) -> list[int]:
        """The model's count for each picture.

        Raises:
            EndpointError: with the status and the server's words, when it refuses or all attempts
                are used up.
        """
        return [self._one(picture, target) for picture in pictures]

    def _one(self, picture: Image, target: str) -> int:
        address = "data:image/png;base64," + base64.b64encode(png_bytes(picture)).decode()
        question = f"How many {target} are in the picture? If there are none, say zero."
        found = self._asked(question, address, target)
        if found == Reply(0, too_many=True):
            rough = f"Roughly how many {target} are in the picture? Give your best estimate."
            found = self._asked(rough, address, target)
            if found == Reply(0, too_many=True):
                raise EndpointError(f"{self.url}: {TOO_MANY}")
        return found.count

    def _asked(self, question: str, address: str, target: str) -> Reply:
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
                return parsed(self._sent(body), target)
            except EndpointError:
                raise
            except _Busy as busy:
                reason = str(busy)
            except (OSError, http.client.HTTPException, ValueError) as error:
                # URLError and timeouts are OSErrors; JSON that is none is a ValueError.
                reason = self._said(error) or type(error).__name__
        raise EndpointError(
            f"{self.url} gave no count in {self.retries + 1} attempts; the last: {reason}"
        )

    def _sent(self, body: bytes) -> str:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        where = self.url.rstrip("/") + "/chat/completions"
        answer = post(where, body, headers, timeout=self.timeout)
        if 300 <= answer.status < 400:
            elsewhere = self._said(redacted(answer.location))
            raise EndpointError(
                f"{self.url} redirects to '{elsewhere}' with status {answer.status}, and redirects are "
                "not followed, since the key would go along"
            )
        if answer.status >= 400:
            reason = (
                f"status {answer.status}: {self._said(answer.content.decode(errors='replace'))}"
            )
            if answer.status == 429 or answer.status >= 500:
                raise _Busy(reason)
            raise EndpointError(f"{self.url} refused, {reason}")
        try:
            reply: Any = json.loads(self._without_key(answer.content.decode()))
        except RecursionError as error:
            raise ValueError("an answer that is nested too deeply") from error
        usage = reply.get("usage") if isinstance(reply, dict) else None
        used = usage.get("total_tokens") if isinstance(usage, dict) else None
        self.tokens += used if type(used) is int and 0 <= used <= MOST_TOKENS else 0
        return message(reply)

    def _said(self, words: object) -> str:
        """Words of the server, fit for a message; it may have repeated the key."""
        return shown(self._without_key(str(words)))

    def _without_key(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key and len(self.key) >= SECRET else text


class _Busy(Exception):
    """The server says that another time it may answer."""


def png_bytes(image: Image) -> bytes:
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
