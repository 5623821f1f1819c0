"""Servers that nobody vouches for: what one does cannot cost the key, the hour or the answer."""

import dataclasses
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from experiments.files.words import LONGEST
from experiments.vision.lvlm_count import endpoint, transport
from experiments.vision.lvlm_count.endpoint import Endpoint
from experiments.vision.lvlm_count.transport import EndpointError

PICTURE = np.zeros((3, 3, 3), np.uint8)
KEY = "sk-0123456789"
TWELVE = json.dumps({"choices": [{"message": {"content": '{"count": 12}'}}]}).encode()


def http(content=TWELVE, status="200 OK", *headers):
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + content


@dataclasses.dataclass
class Raw:
    """A server that answers every request with the same bytes, or as a function sends them."""

    answer: bytes | Callable[[socket.socket], None]
    wrap: Callable[[socket.socket], socket.socket] = lambda opened: opened

    def __post_init__(self):
        self.seen = []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}/v1"
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                opened, _ = self.listening.accept()
            except OSError:
                return
            with opened:
                opened.settimeout(5)
                try:
                    opened = self.wrap(opened)
                    self.seen.append(read_request(opened))
                    if isinstance(self.answer, bytes):
                        opened.sendall(self.answer)
                    else:
                        self.answer(opened)
                except OSError:
                    pass
                finally:
                    opened.close()

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


def read_request(opened):
    found = b""

    def more():
        if not (part := opened.recv(1 << 16)):
            raise OSError("the asker has gone")
        return part

    while b"\r\n\r\n" not in found:
        found += more()
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += more()
    return head.decode()


@pytest.fixture
def raw():
    made = []

    def start(answer):
        made.append(Raw(answer))
        return made[-1]

    yield start
    for server in made:
        server.close()


def asking(url, **more):
    options = {"key": KEY, "retries": 0, "timeout": 2.0, "sleep": lambda seconds: None, **more}
    return Endpoint(url, "m", **options)


def refusal(url, **more):
    with pytest.raises(EndpointError) as found:
        asking(url, **more).count([PICTURE], "discs")
    words = str(found.value)
    assert KEY not in words
    assert words.isprintable()
    assert len(words) < 2 * LONGEST
    return words


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_nobody_else_is_asked(raw, status):
    other = raw(http())
    server = raw(http(b"", f"{status} Moved", f"Location: {other.url}/chat/completions"))
    words = refusal(server.url, retries=3)
    assert "redirects are not followed" in words
    assert other.url in words
    assert (len(server.seen), other.seen) == (1, [])


def test_where_a_redirect_leads_is_shown_without_its_secrets_and_escaped(raw):
    server = raw(http(b"", "302 Moved", f"Location: http://me:{KEY}@there/\x1b[2J?key={KEY}"))
    assert r"http://***@there/\x1b[2J?***" in refusal(server.url)


def dripping(before, pause=0.02):
    def answer(opened):
        opened.sendall(before)
        for _ in range(500):
            opened.sendall(b"x")
            time.sleep(pause)

    return answer


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"HTTP/1.1 ",
        b"HTTP/1.1 200 OK\r\nX-Header: ",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 500 No\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 302 Moved\r\nLocation: http://",
    ],
)
def test_a_server_that_drips_is_left_at_the_deadline(raw, before):
    server = raw(dripping(before))
    start = time.monotonic()
    words = refusal(server.url, timeout=0.3)
    assert time.monotonic() - start < 2  # the drips would last ten seconds
    assert "within 0.3 s" in words or "no count" in words


def test_no_thread_is_left_behind_by_a_server_that_drips(raw):
    before = threading.active_count()
    server = raw(dripping(b"HTTP/1.1 200 OK\r\nX-Header: "))
    refusal(server.url, timeout=0.2)
    deadline = time.monotonic() + 5
    while threading.active_count() > before + 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before + 1  # the server's own


def test_a_silent_server_is_left_at_the_deadline(raw):
    server = raw(lambda opened: time.sleep(0.6))
    start = time.monotonic()
    assert "within 0.2 s" in refusal(server.url, timeout=0.2)
    assert time.monotonic() - start < 2


def test_an_answer_has_a_largest_size(raw):
    largest = transport.LARGEST
    padded = TWELVE + b" " * (largest - len(TWELVE))
    assert asking(raw(http(padded)).url).count([PICTURE], "discs") == [12]
    assert f"more than {largest} bytes" in refusal(raw(http(padded + b" ")).url)


def test_only_the_beginning_of_a_refusal_is_read(raw):
    def endless(opened):
        opened.sendall(b"HTTP/1.1 401 No\r\n\r\nwrong key")
        for _ in range(100_000):
            opened.sendall(b"!" * 1000)

    words = refusal(raw(endless).url, timeout=5)
    assert words.count("!") <= LONGEST
    assert "refused, status 401: wrong key!!!" in words


@pytest.fixture
def certified(tmp_path, monkeypatch):
    """What a server with a certificate does to its sockets; the certificate is trusted."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    words += f" -keyout {key} -out {certificate} -subj /CN=here -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(words.split(), check=True, capture_output=True, timeout=60)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return lambda opened: context.wrap_socket(opened, server_side=True)


def test_over_tls_all_of_it_holds_too(raw, certified):
    def tls(answer):
        server = raw(answer)
        server.wrap = certified
        return server.url.replace("http:", "https:")

    assert asking(tls(http())).count([PICTURE], "discs") == [12]
    assert "not followed" in refusal(tls(http(b"", "302 Moved", "Location: https://there/")))
    for before in (b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"):
        start = time.monotonic()
        assert "within 0.3 s" in refusal(tls(dripping(before)), timeout=0.3)
        assert time.monotonic() - start < 2


def test_a_certificate_that_nobody_vouches_for_is_refused(raw, certified, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    server = raw(http())
    server.wrap = certified
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(server.url.replace("http:", "https:"))
    assert server.seen == []


# Answers that once led to a traceback, to a wrong count, or to the key on a terminal.
CORPUS = {
    "no HTTP": b"220 mail.example ready\r\n",
    "nothing": b"",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "a status of 10^9": b"HTTP/1.1 1000000000 OK\r\n\r\n",
    "an endless line": b"HTTP/1.1 200 " + b"x" * 70_000,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    "a cut body": http()[:-5],
    "chunks of no number": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a cut chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}",
    "deep JSON": http(b"[" * 100_000),
    "deep objects": http(b'{"a":' * 50_000),
    "deep JSON that ends": http(b"[" * 900 + b"]" * 900),
    "no UTF-8": http(b"\xff\xfe\xfd"),
    "a number": http(b"12"),
    "a number of 10,000 digits": http(b"1" * 10_000),
    "null": http(b"null"),
    "no choice": http(b'{"choices": []}'),
    "a choice of 12": http(b'{"choices": [{"message": {"content": 12}}]}'),
    "half of a pair": http(b'{"choices": [{"message": {"content": "\\ud800 12"}}]}'),
    "a cut reply": http(TWELVE.replace(b"}}]", b'}, "finish_reason": "length"}]')),
    "the key": http(f"wrong key {KEY}".encode(), "400 No"),
    "the key in a reply": http(TWELVE.replace(b'\\"count\\"', KEY.encode())),
    "a terminal's commands": http(b"\x1b]0;mine\x07\x1b[2J\x9b", "400 No"),
    "words without end": http(b"a" * 100_000, "400 No"),
    "nothing, busy": http(b"", "503 Busy"),
    "an empty place to go": http(b"", "302 Moved"),
    "a stay": http(b"", "304 Same"),
}


@pytest.mark.parametrize("name", CORPUS)
def test_what_once_broke_the_adapter_is_refused(raw, name):
    assert refusal(raw(CORPUS[name]).url)


@pytest.mark.parametrize("tokens", ["-5", "1e9", "true", "1" * 400, "NaN", '"7"', "[]"])
def test_tokens_that_are_no_number_count_as_none(raw, tokens):
    usage = b', "usage": {"total_tokens": ' + tokens.encode() + b"}}"
    asked = asking(raw(http(TWELVE[:-1] + usage)).url)
    assert asked.count([PICTURE], "discs") == [12]
    assert asked.tokens == 0


def test_too_many_twice_is_no_count_of_zero(server):
    url, script, seen = server
    script.append((200, json.dumps({"can_not_count_because_too_many": True, "count": 0})))
    assert "estimates no number" in refusal(url, retries=3)
    assert len(seen) == 2


def test_a_key_s_last_line_end_is_none_of_it(monkeypatch, raw):
    monkeypatch.setenv(endpoint.KEY_VARIABLE, f"{KEY}\n")
    server = raw(http())
    asking(server.url, key=None).count([PICTURE], "discs")
    assert f"Authorization: Bearer {KEY}\r\n" in server.seen[0] + "\r\n"


# The fuzzer: bytes of answers, damaged.


def damaged(chance):
    content = bytearray(chance.choice([http(), chance.choice([*CORPUS.values()])])[:4000])
    for _ in range(chance.randint(0, 4)):
        place = chance.randrange(len(content) + 1)
        what = chance.randrange(4)
        if what == 0:
            content[place : place + 1] = bytes([chance.randrange(256)])
        elif what == 1:
            del content[place : place + chance.randint(1, 40)]
        elif what == 2:
            content[place:place] = chance.choice((b"\r\n", b"\0", b"}", b'"', b": ", b"\xff", b"9"))
        else:
            content[place:place] = content[place : place + 30]
    return bytes(content)


def try_answers(seed, number):
    chance, current, said = random.Random(seed), [b""], []
    server = Raw(lambda opened: opened.sendall(current[0]))
    counted = 0
    try:
        for _ in range(number):
            current[0] = damaged(chance)
            try:
                (found,) = asking(server.url).count([PICTURE], "discs")
            except EndpointError as refused:
                said.append(str(refused))
                continue
            counted += 1
            assert str(found).encode() in current[0]
    finally:
        server.close()
    assert all(words.isprintable() and KEY not in words for words in said)
    return counted


def test_damaged_answers_are_counted_or_refused():
    assert try_answers(0, 300) > 10


@pytest.mark.slow
def test_many_damaged_answers_are_counted_or_refused():
    assert try_answers(int(os.environ.get("NTKEXEC_FUZZ_SEED", "1")), 20_000) > 500
