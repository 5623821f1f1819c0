"""A real language model: tokens a second and memory, with kept keys and values and without them.

`again` is the named rival: the same blocks over the whole text for every new token, which is what decoding
without a cache is. Both must make the same tokens. Every type of number has a process of its own, whose
peak of memory is then its own. Needs `ntkexec[language-models]` and the package that carries the model:

```sh
python -m benchmarks.decoding          # prints one JSON object, writes docs/language-models.md and README.md
python -m benchmarks.decoding --print  # writes nothing
```
"""

import argparse
import json
import multiprocessing
import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import measure
from benchmarks.forgeries import page
from experiments.data.carried import load_carried
from experiments.kits.transformer.cache import generate
from experiments.kits.transformer.decoder import logits, run
from experiments.kits.transformer.weights import Pretrained, pretrained
from ntkexec.runtime import files

ROOT = pathlib.Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "language-models.md", ROOT / "README.md")
MARKS = "<!-- decoding: begin -->\n", "<!-- decoding: end -->\n"
QUESTION = "Explain in a few sentences why the sky is blue and the sunset is red."
PROMPT, MADE, READ = 64, 64, 512
KINDS = ("float32", "bfloat16")


def by_kind(kind: str) -> dict[str, Any]:
    """What one process measures with one type of number."""
    begun = time.perf_counter()
    model = pretrained(load_carried("smollm2-135m", None), kind=jnp.dtype(kind))
    jax.block_until_ready(model.params)
    loading = time.perf_counter() - begun
    prompt = np.resize(model.tokens(QUESTION), PROMPT)[None]

    def kept() -> np.ndarray:
        return generate(model.params, model.shape, prompt, steps=MADE)

    read = np.resize(prompt, READ)[None]
    reading = jax.jit(lambda params, tokens: run(params, model.shape, tokens).last)
    seconds = measure.seconds(kept, repeat=3)
    found: dict[str, Any] = {
        "numbers": kind,
        "loading_seconds": loading,
        "read_a_second": READ / measure.seconds(lambda: reading(model.params, read), repeat=3),
        "made_a_second": MADE / seconds,
        "peak_gigabytes": measure.peak_memory() / 1e9,
    }
    by_again, same = again(model, prompt, kept()[0])
    return {**found, "again_times_slower": by_again / seconds, "same_tokens": same}


def again(model: Pretrained, prompt: np.ndarray, wanted: np.ndarray) -> tuple[float, int]:
    """Seconds without kept keys and values, and how many of the tokens are the same."""
    room = np.zeros((1, PROMPT + MADE), np.int32)
    room[0, :PROMPT] = prompt[0]

    @jax.jit
    def following(params: Any, tokens: Any, place: Any) -> Any:
        last = run(params, model.shape, tokens).last[0, place]
        return logits(params, model.shape, last[None, None])[0, 0].argmax()

    int(following(model.params, room, 0))
    begun = time.perf_counter()
    for place in range(PROMPT, PROMPT + MADE):
        room[0, place] = int(following(model.params, room, place - 1))
    return time.perf_counter() - begun, int((room[0, PROMPT:] == wanted).sum())


def table(rows: list[dict[str, Any]], machine: dict[str, Any]) -> str:
    """The table of the page, with what it was measured on."""
    lines = [
        f"SmolLM2-135M on {machine['cores']} cores (jax {machine['jax']}, {machine['device']}); "
        f"{MADE} tokens made after {PROMPT}, {READ} read at once.",
        "",
        "| numbers | tokens made a second | without a cache | tokens read a second | most memory "
        "| loaded in |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['numbers']} | {row['made_a_second']:.0f} | {row['again_times_slower']:.1f} times slower, "
        f"{row['same_tokens']} of {MADE} tokens the same | {row['read_a_second']:.0f} | "
        f"{row['peak_gigabytes']:.2f} GB | {row['loading_seconds']:.0f} s |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures, prints, and writes the table into both pages."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoding", description=main.__doc__)
    parser.add_argument("--print", action="store_true", dest="printed", help="write no page")
    printed = parser.parse_args().printed
    rows = []
    for kind in KINDS:
        # A fresh process, so that neither compiled code nor memory is another's.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            rows.append(pool.apply(by_kind, (kind,)))
        print(json.dumps(rows[-1]), flush=True)
    if printed:
        return
    measured = table(rows, measure.machine())
    for path in PAGES:
        files.write(path, page(path.read_text(encoding="utf-8"), measured, MARKS).encode())


if __name__ == "__main__":
    main()
