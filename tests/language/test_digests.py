"""The shipped programs are what they were: their digests, at several sizes, and what to build them costs.

Trained ensembles and proofs name a program by its digest; a faster compiler must not change one.
"""

import pytest

from ntkexec.language import cubes
from ntkexec.programs import ALGORITHMS

# The first 16 digits, as an earlier and slower compiler gave them (but for flooding, and what is
# younger).
DIGESTS = [
    ("flooding degree=0 slots=1 message_bits=1 arrival_bits=2", "0e6c1a71db31538d"),
    ("bfs degree=0 slots=1 word=1", "58ba1520de99df55"),
    ("bfs-queue degree=0 slots=1 word=1", "6b4bb5aa8157f514"),
    ("dfs degree=0 slots=1 word=1", "296d785ac93b0a20"),
    ("bellman-ford degree=0 slots=1 word=1", "72870782ed5d7d00"),
    ("flooding degree=1 slots=2 message_bits=1 arrival_bits=2", "fe55b92f3f9e3ba3"),
    ("bfs degree=1 slots=2 word=1", "3dbacd6d53c7c826"),
    ("bfs-queue degree=1 slots=2 word=1", "6b51ad15a926f4e1"),
    ("dfs degree=1 slots=2 word=1", "2bcef86b7dea5d92"),
    ("bellman-ford degree=1 slots=2 word=1", "afb096a4b4524c7b"),
    ("flooding degree=2 slots=3 message_bits=2 arrival_bits=3", "0384ce23cd1f8237"),
    ("bfs degree=2 slots=3 word=2", "3afb7b1aba50fdf4"),
    ("bfs-queue degree=2 slots=3 word=2", "19e843f66cd44dee"),
    ("dfs degree=2 slots=3 word=2", "92e67d46934fea9d"),
    ("bellman-ford degree=2 slots=3 word=2", "6f36226ee13cc46c"),
    ("flooding degree=2 slots=5 message_bits=3 arrival_bits=4", "14c040ea2613b8f5"),
    ("bfs degree=2 slots=5 word=3", "ce53c337f4ea4fcc"),
    ("bfs-queue degree=2 slots=5 word=3", "b658f1add4aeda62"),
    ("dfs degree=2 slots=5 word=3", "37f2f3763ec5b58d"),
    ("bellman-ford degree=2 slots=5 word=3", "119a96dedef9f234"),
    ("flooding degree=3 slots=10 message_bits=4 arrival_bits=5", "33b77a1b16ff3130"),
    ("bfs degree=3 slots=10 word=4", "c8f237f5d8013910"),
    ("bfs-queue degree=3 slots=10 word=4", "ba5a856b9b5e8530"),
    ("dfs degree=3 slots=10 word=4", "14f8061aa3e4ee84"),
    ("bellman-ford degree=3 slots=10 word=4", "8b8356c6b36e700b"),
    ("flooding degree=4 slots=7 message_bits=3 arrival_bits=4", "4ca0576f08a3c682"),
    ("bfs degree=4 slots=7 word=3", "79346c5fe9b2e766"),
    ("bfs-queue degree=4 slots=7 word=3", "b895a4a1e0fa382a"),
    ("dfs degree=4 slots=7 word=3", "a0abcd020c5a1727"),
    ("bellman-ford degree=4 slots=7 word=3", "d7ac9fdea0204039"),
    ("flooding degree=5 slots=6 message_bits=5 arrival_bits=6", "47ecb9869e6180d6"),
    ("bfs degree=5 slots=6 word=5", "c117f0e00d8977fc"),
    ("bfs-queue degree=5 slots=6 word=5", "7aca40887c1157fa"),
    ("dfs degree=5 slots=6 word=5", "f9254e4a72c0eac1"),
    ("bellman-ford degree=5 slots=6 word=5", "2a61653b24725edd"),
    ("flooding degree=6 slots=37 message_bits=2 arrival_bits=3", "abe4c716ac8d7423"),
    ("bfs degree=6 slots=37 word=2", "10fc8b92d9631423"),
    ("bfs-queue degree=6 slots=37 word=2", "2b1305a43a4297d6"),
    ("dfs degree=6 slots=37 word=2", "f17619273f7bd126"),
    ("bellman-ford degree=6 slots=37 word=2", "b0812d0a3767eaab"),
    ("flooding degree=8 slots=9 message_bits=5 arrival_bits=6", "77a5fabfcac6b336"),
    ("bfs degree=8 slots=9 word=5", "050f7e00b6b86127"),
    ("bfs-queue degree=8 slots=9 word=5", "5165c6d74a862419"),
    ("dfs degree=8 slots=9 word=5", "120ee6cc0705f72d"),
    ("bellman-ford degree=8 slots=9 word=5", "330c4e4c5146ccfa"),
    ("dfs-split degree=0 slots=1 word=1 depth_bits=1", "1960c8b2a7102b4b"),
    ("dfs-split degree=1 slots=2 word=1 depth_bits=1", "231c182ecbf2bb4e"),
    ("dfs-split degree=3 slots=10 word=6 depth_bits=5", "1a232ffccdef1548"),
    ("dfs-split degree=4 slots=17 word=3 depth_bits=3", "94dc83140f457212"),
    ("bfs-split degree=0 slots=1 word=1 depth_bits=1", "5cc5ddcfa7ca3831"),
    (
        "flooding-split degree=0 slots=1 message_bits=1 arrival_bits=1 depth_bits=1",
        "7ac885c4327bc149",
    ),
    ("bfs-split degree=1 slots=2 word=1 depth_bits=1", "3d66e4c0596ac881"),
    (
        "flooding-split degree=1 slots=2 message_bits=1 arrival_bits=1 depth_bits=1",
        "e3ee5a7fb45d8a80",
    ),
    ("bfs-split degree=3 slots=10 word=6 depth_bits=5", "04e1ec01cedf2697"),
    (
        "flooding-split degree=3 slots=10 message_bits=6 arrival_bits=6 depth_bits=5",
        "892706bc73b9fd57",
    ),
    ("bfs-split degree=4 slots=17 word=3 depth_bits=3", "fed7e3e092cfecc8"),
    (
        "flooding-split degree=4 slots=17 message_bits=3 arrival_bits=3 depth_bits=3",
        "3b3442aa7c95e0ff",
    ),
    ("leader-election degree=0 slots=1 word=1", "14dbfd3680d370d5"),
    ("leader-election degree=1 slots=2 word=1", "c4870adbe3c6c872"),
    ("leader-election degree=2 slots=5 word=3", "2bfdab4a62ff7ffc"),
    ("leader-election degree=3 slots=10 word=4", "f95b5c10854fe76b"),
    ("leader-election degree=4 slots=6 word=4", "6498f48eb44adda0"),
    ("components degree=0 slots=1 word=1", "14dbfd3680d370d5"),
    ("components degree=1 slots=2 word=1", "c4870adbe3c6c872"),
    ("components degree=2 slots=5 word=3", "2bfdab4a62ff7ffc"),
    ("components degree=3 slots=10 word=4", "f95b5c10854fe76b"),
    ("components degree=4 slots=6 word=4", "6498f48eb44adda0"),
    ("spanning-tree degree=0 slots=1 word=1", "1139811a11050424"),
    ("spanning-tree degree=1 slots=2 word=1", "76c88482dec84504"),
    ("spanning-tree degree=2 slots=5 word=3", "d46675fb7657c04a"),
    ("spanning-tree degree=3 slots=10 word=4", "1661e5f481cf83d5"),
    ("spanning-tree degree=4 slots=6 word=4", "36034468cae1e8df"),
    ("bipartite degree=0 slots=1 word=1", "a35d8f050062d8f1"),
    ("bipartite degree=1 slots=2 word=1", "59d423b5a600b98b"),
    ("bipartite degree=2 slots=5 word=3", "4e6219cd1ffb9be1"),
    ("bipartite degree=3 slots=10 word=4", "a6995221740a7062"),
    ("bipartite degree=4 slots=6 word=4", "449f6cfead755665"),
    ("eccentricity degree=0 slots=1 word=1", "89513a098aea1c88"),
    ("eccentricity degree=1 slots=2 word=1", "469479d06059b4b0"),
    ("eccentricity degree=2 slots=5 word=3", "c7ecce0e35222112"),
    ("eccentricity degree=3 slots=10 word=4", "3bac65a29ba1e50d"),
    ("eccentricity degree=4 slots=6 word=4", "491e18f4015c0c5b"),
    ("neighbourhood-size degree=0 slots=1 word=1", "ea98ae8644507f0a"),
    ("neighbourhood-size degree=1 slots=2 word=1", "b66069b5b48c4188"),
    ("neighbourhood-size degree=2 slots=5 word=3", "fe6130bd82ac3c84"),
    ("neighbourhood-size degree=3 slots=10 word=4", "b82652c681ea0de9"),
    ("neighbourhood-size degree=4 slots=6 word=4", "10d2eab31a30232c"),
    ("triangles degree=0 slots=1 word=1", "7b878ad4ab4555bb"),
    ("triangles degree=1 slots=2 word=1", "643ec17182f23ce4"),
    ("triangles degree=2 slots=5 word=3", "3b0affec243cd79a"),
    ("triangles degree=3 slots=10 word=4", "9c60dd47767af262"),
    ("triangles degree=4 slots=6 word=4", "234ec2e6006c3a91"),
    ("greedy-colouring degree=0 slots=1 word=1", "a66f34d63304f677"),
    ("greedy-colouring degree=1 slots=2 word=1", "3b4a89c76559e166"),
    ("greedy-colouring degree=2 slots=5 word=3", "ddfd5723763de98d"),
    ("greedy-colouring degree=3 slots=10 word=4", "6f3070411d9b76c1"),
    ("greedy-colouring degree=4 slots=6 word=4", "797ad87f433a75ea"),
    ("independent-set degree=0 slots=1 word=1", "695268d14df201e0"),
    ("independent-set degree=1 slots=2 word=1", "43be6aaa3f377bf2"),
    ("independent-set degree=2 slots=5 word=3", "41848cd724d8f7b0"),
    ("independent-set degree=3 slots=10 word=4", "b7b8768dd7fc329f"),
    ("independent-set degree=4 slots=6 word=4", "cc84a04d36392d7b"),
    ("cole-vishkin degree=2 slots=5 word=3", "b7eca0ab7f796158"),
    ("cole-vishkin degree=3 slots=10 word=4", "c2a9f5f47db2c0bf"),
    ("cole-vishkin degree=4 slots=6 word=4", "9beadeec2d8728e4"),
    ("rule-110 degree=0 slots=1 word=1", "63c964adece54d36"),
    ("rule-110 degree=1 slots=2 word=1", "3c4f2498d2ec72bb"),
    ("rule-110 degree=2 slots=5 word=3", "0e4e99b0c4df586d"),
    ("rule-110 degree=3 slots=10 word=4", "23df9400b615c51b"),
    ("rule-110 degree=4 slots=6 word=4", "fb44f48f3d3a35ec"),
    ("life degree=0 slots=1 word=1", "0c3b4c5f5deae154"),
    ("life degree=1 slots=2 word=1", "84cb3c563283ee27"),
    ("life degree=2 slots=5 word=3", "1076b136c5604f61"),
    ("life degree=3 slots=10 word=4", "43ac1314ef63cf11"),
    ("life degree=4 slots=6 word=4", "8e31a568cafd71c4"),
    ("add bits=1", "7c10ac4a01a9a6a2"),
    ("multiply bits=1", "000257ee60256649"),
    ("add bits=2", "57967200a61a1b4d"),
    ("multiply bits=2", "7cecdeaf0a9f373b"),
    ("add bits=3", "b203df158f1d6b2b"),
    ("multiply bits=3", "fce0505a8524c8bd"),
    ("add bits=5", "8f983891e36ea1a5"),
    ("multiply bits=5", "3fc414ded77de1e6"),
    ("add bits=8", "5199c90fc13bb592"),
    ("multiply bits=8", "623880bf05b3fc81"),
    ("add bits=12", "2db9b4af6c70327c"),
    ("multiply bits=12", "521031c670e62736"),
    ("sbn word=1 cells=1 code=1", "d3488d2fd889c67b"),
    ("sbn word=3 cells=2 code=4", "2d22335011ba0785"),
    ("sbn word=8 cells=16 code=20", "f4f25bcea0bbb529"),
    ("sbn word=5 cells=7 code=33", "eafe0e0c87be7fd0"),
]


def built(words):
    name, *sizes = words.split()
    return ALGORITHMS[name].program(
        **{key: int(value) for key, _, value in (size.partition("=") for size in sizes)}
    )


@pytest.mark.parametrize("name", sorted({words.split()[0] for words, _ in DIGESTS}))
def test_programs_have_their_digests(name):
    for words, digest in DIGESTS:
        if words.split()[0] == name:
            assert built(words).digest[:16] == digest, words


@pytest.fixture
def asked(monkeypatch):
    """Questions of whether products cover another that two points did not answer, one after the other."""
    found, decide = [], cubes.is_tautology

    def counting(products):
        found.append(1)
        return decide(products)

    monkeypatch.setattr(cubes, "is_tautology", counting)
    return found


@pytest.mark.parametrize(
    "words",
    [
        "flooding degree=20 slots=21 message_bits=5 arrival_bits=5",
        "bfs degree=20 slots=21 word=5",
        "dfs degree=20 slots=21 word=5",
        "dfs-split degree=20 slots=21 word=5 depth_bits=5",
        "bfs-queue degree=20 slots=21 word=5",
        "bellman-ford degree=20 slots=21 word=5",
    ],
)
def test_a_program_of_degree_twenty_costs_what_it_must(words, asked):
    # Counted, not timed: each is built in well under a second.
    ALGORITHMS[words.split()[0]].program.cache_clear()
    program = built(words)
    assert 0 < len(asked) < program.num_templates


@pytest.mark.parametrize("degree", [10, 20, 40])
def test_there_are_fewer_questions_than_templates_at_every_degree(degree, asked):
    ALGORITHMS["bfs"].program.cache_clear()
    program = ALGORITHMS["bfs"].program(degree=degree, slots=degree + 1, word=5)
    assert 0 < len(asked) < program.num_templates
