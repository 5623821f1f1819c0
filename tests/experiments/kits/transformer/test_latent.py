"""The harness of fusions: silent for one that is causal, and by name for each that leaks on purpose."""

import numpy as np
import pytest

from experiments.kits.transformer import latent, peers
from ntkexec.errors import ExperimentError

MODELS, TEXTS, LENGTH, VOCABULARY = 3, 4, 9, 7
REAL = np.ones((MODELS, TEXTS, LENGTH), bool)
REAL[:, 1, 6:] = False  # filled up on the right
REAL[:, 2, :2] = False  # and on the left
ACTIVE = np.ones((TEXTS, MODELS), bool)
ACTIVE[:, 2] = [True, False, True, False]
READER = np.array([0, 1, 1, 0])
TABLES = np.random.default_rng(5).normal(size=(MODELS, VOCABULARY, 6))


def drawn(seed=0):
    text = np.random.default_rng(seed).integers(VOCABULARY, size=(TEXTS, LENGTH))
    return np.stack([text] * MODELS)


def attention(*, causal=True, ahead=0, padding=True, active=ACTIVE, mixed=False, listens=True):
    """One attention of the reader to all models' states, whose masks can be put wrong one by one.

    `ahead` is how many tokens too far a peer is seen; `mixed` adds the mean text of the batch.
    """

    def fusion(streams, real):
        states = np.stack(
            [table[one] for table, one in zip(TABLES[: len(streams)], streams, strict=True)], 1
        )
        own = states[np.arange(len(READER)), READER]
        query, key = np.arange(LENGTH)[:, None], np.arange(LENGTH)[None]
        sees = np.ones((len(READER), len(streams), LENGTH, LENGTH), bool)
        if causal:
            for model in range(len(streams)):
                for row, reader in enumerate(READER):
                    shift = 0 if model == reader else ahead
                    sees[row, model] = key <= query + shift
        if padding:
            sees &= np.stack(real, 1)[:, :, None]
        sees &= active[:, : len(streams), None, None]
        if not listens:
            sees &= (READER[:, None] == np.arange(len(streams))[None])[:, :, None, None]
        scores = np.where(sees, np.einsum("btd,bmsd->bmts", own, states), -np.inf)
        top = scores.max((1, 3), keepdims=True)
        weights = np.exp(scores - np.where(np.isfinite(top), top, 0))
        weights /= np.maximum(weights.sum((1, 3), keepdims=True), 1e-30)
        found = own + np.einsum("bmts,bmsd->btd", weights, states)
        return found + (found.mean((0, 1)) if mixed else 0)

    return fusion


def told(fusion, **options):
    options = {"reader": READER, "real": REAL, "active": ACTIVE, **options}
    return latent.causality_report(
        fusion, drawn(), vocabulary=VOCABULARY, generator=np.random.default_rng(1), **options
    )


def test_a_causal_fusion_moves_by_nothing_but_what_it_may_see():
    report = told(attention())
    assert report.leaks(tolerance=0) == ()
    assert report.ignored() == ()
    assert all(getattr(report, name).tried for name in (*latent.FORBIDDEN, *latent.ALLOWED))
    assert report.scale > 0.1


@pytest.mark.parametrize(
    ("wrong", "leaks"),
    [
        ({"causal": False}, ("later", "peers_later")),  # a mask of padding alone
        ({"causal": False, "padding": False}, ("later", "peers_later", "padding")),
        ({"ahead": 1}, ("peers_later",)),
        ({"padding": False}, ("padding",)),
        ({"active": np.ones_like(ACTIVE)}, ("inactive",)),
        ({"active": ACTIVE[:1].repeat(TEXTS, 0)}, ("inactive",)),  # the first text's set for all
        ({"mixed": True}, ("later", "peers_later", "neighbours")),
    ],
    ids=["padding-only", "no mask", "peer ahead", "padding", "inactive", "first row", "batch"],
)
def test_every_leak_is_told_by_its_name(wrong, leaks):
    assert set(leaks) <= set(told(attention(**wrong)).leaks())
    if wrong.get("mixed") is None:
        assert told(attention(**wrong)).leaks() == leaks


def test_a_leak_of_one_token_is_found_where_it_is():
    report = told(attention(ahead=1), cuts=[4])
    model, row, place = report.peers_later.where
    assert model != READER[row]
    assert place == 3  # output 4 of the text sees the peer's token 5, which was changed


def chunked(streams, real):
    """The first token, and then chunks of eight that see themselves whole."""
    length = streams[0].shape[1]
    ends = np.minimum((np.arange(length) + 7) // 8 * 8, length - 1)
    return np.cumsum(streams[0], 1)[:, ends, None].astype(float)


def asked_of_chunks(length, **options):
    generator = np.random.default_rng(0)
    text = generator.integers(5, size=(1, 2, length))
    return latent.causality_report(chunked, text, vocabulary=5, generator=generator, **options)


def test_chunks_that_see_themselves_whole_leak_between_their_ends():
    for length, options, tried in ((57, {}, 57), (201, {}, 64), (57, {"cuts": 8}, 8)):
        report = asked_of_chunks(length, **options)
        assert report.leaks() == ("later",), (length, options)
        assert (report.cuts, report.places) == (tried, length)
        assert str(report).endswith(f"changed after {tried} of {length} places")
    # Nothing moves where a chunk ends, and the report says how little was tried.
    ends = asked_of_chunks(57, cuts=range(1, 58, 8))
    assert ends.leaks() == ()
    assert (ends.cuts, ends.places) == (8, 57)


def test_cuts_that_try_nothing_are_refused():
    with pytest.raises(ExperimentError, match="0 cuts"):
        asked_of_chunks(9, cuts=0)
    with pytest.raises(ExperimentError, match=r"cuts \[0\] come before all"):
        asked_of_chunks(9, cuts=[0, 4])


@pytest.mark.parametrize("length", [5, 9])
def test_one_row_a_text_is_no_leak_and_what_it_reads_must_be_said(length):
    def last(streams, real):  # as many scores as tokens, or fewer
        return np.eye(5)[streams[0]].sum(1) * np.arange(1, 6)

    def told(fusion, **options):
        generator = np.random.default_rng(0)
        text = np.random.default_rng(1).integers(5, size=(1, 3, length))
        known = np.arange(length) >= np.array([0, 2, 0])[:, None]  # filled up on the left
        return latent.causality_report(
            fusion, text, vocabulary=5, generator=generator, real=[known], **options
        )

    def row(streams, real):
        return last([np.where(real[0], streams[0], 0)], real)[:, None]

    for fusion, options in ((last, {}), (row, {}), (last, {"reads": length})):
        with pytest.raises(ExperimentError, match=r"what each may see|one place a text"):
            told(fusion, **options)
    report = told(row, reads=length)
    assert report.leaks() == ()
    assert report.padding.tried == 1
    assert told(row, reads=length - 1).leaks() == ("later",)


def test_outputs_read_up_to_where_their_tokens_end():
    ends = np.array([[2, 3, 7, 9]])
    generator = np.random.default_rng(0)
    report = latent.causality_report(
        lambda streams, real: np.cumsum(streams[0], 1)[..., None].astype(float),
        (np.array([[1, 2, 3, 4]]),), vocabulary=5, generator=generator, places=(ends,),
    )  # fmt: skip
    assert report.leaks() == ()
    assert report.later.tried == 1 + 2 + 3


def test_peers_that_nobody_listens_to_are_told():
    assert told(attention(listens=False)).ignored() == ("peers_earlier",)


def test_what_a_router_has_read_may_be_seen_by_all():
    def routed(streams, real):
        found = attention()(streams, real)
        return (
            found * (1 + (streams[0] * real[0])[:, :3].sum(1))[:, None, None]
        )  # a prompt of three tokens

    assert "later" in told(routed).leaks()
    assert told(routed, prompt=3).leaks() == ()


def test_models_with_other_tokenizers_are_compared_where_their_tokens_end():
    ends = (np.array([[2, 3, 7, 9]]), np.array([[1, 4, 5, 8, 9]]))
    text = (np.array([[1, 2, 3, 4]]), np.array([[4, 3, 2, 1, 0]]))

    def fused(rounded):
        def fusion(streams, real):
            seen = np.searchsorted(ends[1][0], ends[0][0], side="right")
            sums = np.concatenate([[0], np.cumsum(streams[1][0])])
            seen = np.minimum(seen + rounded, 5)
            return (np.cumsum(streams[0][0]) + sums[seen])[None, :, None].astype(float)

        return fusion

    given = {"vocabulary": (5, 6), "places": ends, "reads": ends[0]}
    for rounded, leaks in ((0, ()), (1, ("peers_later",))):
        generator = np.random.default_rng(0)
        report = latent.causality_report(fused(rounded), text, generator=generator, **given)
        assert report.leaks() == leaks


def test_numbers_that_become_none_are_infinitely_far():
    def fusion(streams, real):
        found = streams[0].astype(float)[..., None]
        return np.where(np.roll(streams[0], -1, 1)[..., None] == 0, np.nan, found)

    text = np.ones((1, 2, 5), int)
    generator = np.random.default_rng(0)
    report = latent.causality_report(fusion, text, vocabulary=2, generator=generator)
    assert report.later.most == np.inf
    assert report.leaks() == ("later",)


def test_what_cannot_be_judged_is_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(ExperimentError, match="differently to the same tokens"):
        told(lambda streams, real: generator.normal(size=(TEXTS, LENGTH, 2)))
    constant = told(lambda streams, real: np.zeros((TEXTS, LENGTH, 2)))
    with pytest.raises(ExperimentError, match="no token moves"):
        constant.leaks()
    with pytest.raises(ExperimentError, match="there is one alone"):
        peers.foreign_peers(drawn()[:, :1], generator=generator)
    with pytest.raises(ExperimentError, match=r"readers \[0, 3, 1, 0\]"):
        told(attention(), reader=np.array([0, 3, 1, 0]))
    with pytest.raises(ExperimentError, match="tokens from 0 to 6 are not all of 5"):
        latent.causality_report(attention(), drawn(), vocabulary=5, generator=generator)
    with pytest.raises(ExperimentError, match="masks of shapes"):
        told(attention(), real=REAL[:2])


def test_peers_are_another_texts_and_all_of_one():
    generator = np.random.default_rng(3)
    text = np.arange(TEXTS)[:, None].repeat(LENGTH, 1)
    streams, masks = peers.foreign_peers(
        [text] * MODELS, generator=generator, reader=READER, real=REAL
    )
    for row, reader in enumerate(READER):
        others = {int(streams[m][row, 0]) for m in range(MODELS) if m != reader}
        assert streams[reader][row, 0] == row
        assert len(others) == 1
        other = others.pop()
        assert other != row
        for m in range(MODELS):
            assert (masks[m][row] == REAL[m][row if m == reader else other]).all()
    peer = [int(streams[(reader + 1) % 3][row, 0]) for row, reader in enumerate(READER)]
    assert sorted(peer) == list(range(TEXTS))


@pytest.mark.parametrize("module", [latent, peers])
def test_its_page_runs(module, capsys):
    code = module.__doc__.split("```python\n")[1].split("```")[0]
    exec(code, {})
    said = capsys.readouterr().out
    if module is latent:
        assert said.startswith("('peers_later',)")
    else:
        gain, left = map(float, said.split())
        assert gain == pytest.approx(1.1)
        assert left == pytest.approx(0.3 / 1.1, abs=0.05)
