"""A server on this machine that plays a vision model: what it answers is a function of yours."""

import base64
import contextlib
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from experiments.files.sources import FORMATS
from experiments.vision.lvlm_count.segmentation import Image

Answer = Callable[[Image, str], int]
"""From a picture and what is asked for to a count."""
Reply = Callable[[dict[str, Any]], tuple[int, bytes]]
"""From a request's body to a status and the bytes of an answer."""
ASKED = re.compile(r"how many (.+?) are in the picture", re.IGNORECASE | re.DOTALL)


@contextlib.contextmanager
def served(answer: Answer) -> Iterator[str]:
    """The address of an OpenAI-compatible server on this machine, for as long as the context lasts.

    It decodes the picture and finds what is asked for as a vision model would have to, and replies in
    the schema that it is asked for. To try an `Endpoint` without a model, or to offer one of yours.

    Args:
        answer: counts, in a thread of the server.
    """

    def reply(body: dict[str, Any]) -> tuple[int, bytes]:
        try:
            picture, target = asked_for(body)
        except (LookupError, TypeError, ValueError, OSError) as error:
            return 400, f"this is no question of how many: {error}".encode()
        count = {"can_not_count_because_too_many": False, "count": answer(picture, target)}
        said = {"choices": [{"message": {"content": json.dumps(count)}}]}
        return 200, json.dumps(said).encode()

    with replying(reply) as address:
        yield address


@contextlib.contextmanager
def replying(reply: Reply) -> Iterator[str]:
    """The address of a server on this machine that answers with any status and bytes."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, content = reply({"path": self.path, "headers": dict(self.headers), **body})
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/v1"
        finally:
            http.shutdown()
            thread.join()


def asked_for(body: dict[str, Any]) -> tuple[Image, str]:
    """The picture and the target in a request's body.

    Raises:
        ValueError: it asks for something else.
    """
    from PIL import Image as Pillow

    text, picture = body["messages"][0]["content"]
    found = ASKED.search(text["text"])
    if not found:
        raise ValueError(f"not a question of how many: {text['text']!r}")
    coded = picture["image_url"]["url"].partition("base64,")[2]
    with Pillow.open(io.BytesIO(base64.b64decode(coded)), formats=FORMATS) as opened:
        return np.asarray(opened.convert("RGB")), found[1]
