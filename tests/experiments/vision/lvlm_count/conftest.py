"""What tests of experiments share: a server that plays a vision model, and small data sets."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from experiments.vision.lvlm_count import endpoint, scenes


@pytest.fixture
def server():
    """A model on this machine that gives scripted (status, reply) and keeps what it was sent."""
    script, seen = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, dict(self.headers), json.loads(body)))
            status, reply = script.pop(0) if len(script) > 1 else script[0]
            if isinstance(reply, str):
                reply = {"choices": [{"message": {"content": reply}}]}
            content = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/v1", script, seen
        http.shutdown()
        thread.join()


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content) if isinstance(content, str) else path.write_bytes(content)


def icons(number, seed=0, size=96, radii=(4, 5)):
    generator = np.random.default_rng(seed)
    return scenes.scene({"red": number}, generator=generator, size=size, radii=radii)


@pytest.fixture
def shells():
    """FSC-147's only picture."""
    return icons(21, 3, 256, (10, 11))


@pytest.fixture
def data(tmp_path, shells):
    """All four data sets, small, as they are distributed."""
    rows = []
    for i, number in enumerate((24, 20), 1):
        image = endpoint.png(icons(number, i).image)
        write(tmp_path / f"emoji-count/images/image_{i:05}.png", image)
        for kind, answer in (("two-thirty", 3), ("six-thirty", number - 3)):
            rows.append(
                {
                    "id": len(rows) + 1,
                    "class": "clock time",
                    "image_file": f"image_{i:05}.png",
                    "object_of_interest": kind,
                    "answer": answer,
                }
            )
    write(tmp_path / "emoji-count/benchmark_data.json", json.dumps(rows))

    made = shells
    centres = [np.argwhere(made.objects == i + 1).mean(0)[::-1].tolist() for i in range(21)]
    box = [[10, 20], [10, 36], [30, 36], [30, 20]]
    fsc = tmp_path / "fsc-147"
    write(fsc / "images_384_VarV2/2.jpg", endpoint.png(made.image))
    notes = {"2.jpg": {"points": centres, "box_examples_coordinates": [box] * 3, "H": 96, "W": 96}}
    write(fsc / "annotation_FSC147_384.json", json.dumps(notes))
    names = {"train": [], "val": [], "test": ["2.jpg"]}
    write(fsc / "Train_Test_Val_FSC_147.json", json.dumps(names))
    write(fsc / "ImageClasses_FSC147.txt", "2.jpg\tsea shells\n")

    voc = tmp_path / "voc-2007/VOCdevkit/VOC2007"
    things = [("bird", 1, 1, 10, 12), ("bird", 31, 41, 50, 60), ("diningtable", 1, 1, 60, 90)]
    xml = "".join(
        f"<object><name>{kind}</name><difficult>0</difficult><bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for kind, a, b, c, d in things
    )
    write(voc / "Annotations/000001.xml", f"<annotation><size/>{xml}</annotation>")
    write(voc / "ImageSets/Main/test.txt", "000001\n")
    write(voc / "JPEGImages/000001.jpg", endpoint.png(icons(5).image))

    table = 'image_name,number_vector,median,max\nA_1,"[26, 24]",25,26\nA_2,[],,\nA_3,[21],21,21\n'
    write(tmp_path / "penguins/penguin.csv", table)
    return tmp_path
