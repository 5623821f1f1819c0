"""How much the operator-fusion experiment measures."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.systems.op_fusion.networks import NETWORKS

RESNETS = ("resnet-18", "resnet-50", "resnet-101", "resnet-152")
EFFICIENT = ("efficientnet-b0", "efficientnet-b3")


@dataclasses.dataclass(frozen=True)
class OpFusionConfig:
    """Sizes of all studies.

    Args:
        zoo: networks whose graphs are compared with published parameter counts and whose best plans
            are found.
        networks: from which groups are drawn, for costs and the predictor.
        brr_networks: the same for BRR, which squeeze and excitation does not suit.
        brr_exact: networks whose best plans are found under BRR as well.
        held_out: network on which a predictor trained on the others is tested.
        buffers_kb: buffers of the predictor's groups under LBDF.
        brr_buffers_kb: the same under BRR, which needs less.
        groups: drawn for each network and buffer.
        simulated: groups for each network that are executed row by row.
        repaired: plans for each network whose groups are split until they fit.
        steps: of training a predictor.
        hidden: width of a predictor.
        layers: of a predictor.
        explainer_steps: of training PGExplainer and RG-Explainer.
        mask_steps: of fitting a mask by GNNExplainer.
        search_network: where searches and splitters are compared.
        search_buffer_kb: its buffer.
        plans: that every search looks at.
        large_network: where the largest saving is claimed.
        large_buffer_kb: its buffer.
        large_plans: that NSGA-II looks at there.
        other_networks: where the tree alone is compared with random splitting as well.
        other_buffer_kb: their buffer.
        chains: random ones, for greedy against optimal.
        fusable_buffer_kb: buffer under which best plans of all networks are found.
    """

    zoo: tuple[str, ...] = tuple(NETWORKS)
    networks: tuple[str, ...] = ("vgg16", "squeezenet", "mobilenet-v2", "resnet-18", EFFICIENT[0])
    brr_networks: tuple[str, ...] = ("vgg16", "squeezenet", "mobilenet-v2", "resnet-18")
    brr_exact: tuple[str, ...] = ("vgg16", "resnet-18")
    held_out: str = "mobilenet-v2"
    buffers_kb: tuple[int, ...] = (128, 256, 512, 1024, 2048)
    brr_buffers_kb: tuple[int, ...] = (32, 64, 128, 256)
    groups: int = 80
    simulated: int = 30
    repaired: int = 40
    steps: int = 500
    hidden: int = 32
    layers: int = 4
    explainer_steps: int = 200
    mask_steps: int = 50
    search_network: str = "mobilenet-v2"
    search_buffer_kb: int = 128
    plans: int = 50
    large_network: str = "efficientnet-b3"
    large_buffer_kb: int = 256
    large_plans: int = 40
    other_networks: tuple[str, ...] = ("resnet-18", "squeezenet")
    other_buffer_kb: int = 256
    chains: int = 50
    fusable_buffer_kb: int = 256

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(
            self,
            **counts,
            zoo=bool(self.zoo) and set(self.zoo) <= set(NETWORKS),
            networks=len(self.networks) > 1 and set(self.networks) <= set(NETWORKS),
            brr_networks=bool(self.brr_networks) and set(self.brr_networks) <= set(NETWORKS),
            brr_exact=set(self.brr_exact) <= set(NETWORKS),
            held_out=self.held_out in self.networks,
            buffers_kb=len(self.buffers_kb) > 2 and min(self.buffers_kb) > 0,
            brr_buffers_kb=bool(self.brr_buffers_kb) and min(self.brr_buffers_kb) > 0,
            other_networks=bool(self.other_networks) and set(self.other_networks) <= set(NETWORKS),
            search_network=self.search_network in NETWORKS,
            large_network=self.large_network in NETWORKS,
        )


QUICK = OpFusionConfig()
STANDARD = OpFusionConfig(
    networks=("vgg16", "squeezenet", "mobilenet-v2", *RESNETS[:2], *EFFICIENT),
    brr_networks=("vgg16", "squeezenet", "mobilenet-v2", *RESNETS[:2]),
    brr_exact=("vgg16", "squeezenet", "mobilenet-v2", *RESNETS[:2]),
    mask_steps=100,
    groups=300,
    simulated=150,
    repaired=200,
    steps=3000,
    hidden=128,
    explainer_steps=500,
    plans=500,
    large_plans=500,
    chains=200,
)
FULL = dataclasses.replace(
    STANDARD,
    networks=("vgg16", "squeezenet", "mobilenet-v2", "resnet-18", "resnet-101", *EFFICIENT),
    groups=1500,
    steps=20_000,
    explainer_steps=3000,
    plans=2000,
    large_plans=5000,
)
TINY = OpFusionConfig(
    zoo=("squeezenet", "resnet-18"),
    networks=("squeezenet", "resnet-18"),
    brr_networks=("squeezenet",),
    brr_exact=("resnet-18",),
    held_out="resnet-18",
    buffers_kb=(128, 256, 512),
    brr_buffers_kb=(64,),
    groups=24,
    simulated=3,
    repaired=3,
    steps=2,
    hidden=4,
    layers=1,
    explainer_steps=2,
    mask_steps=2,
    search_network="squeezenet",
    plans=12,
    large_network="squeezenet",
    large_plans=10,
    other_networks=("squeezenet",),
    chains=3,
)
