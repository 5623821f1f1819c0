"""How much the SGS experiment measures."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class SgsConfig:
    """Sizes of all studies.

    Args:
        steps: of the exact trajectories.
        pairs: of pixels, in the estimator's studies with known answers.
        maps: images of blurred noise whose scaling is estimated.
        teachers: regression teachers for each seed.
        profile_teachers: draws of rows, each with a teacher of every profile whose gain is forecast.
        teacher_steps: of training a network on a convolutional teacher's labels.
        teacher_networks: such networks for each seed.
        widths: channels of the networks' convolutions on digits and shapes.
        train_images: of the digits and of the generated shapes.
        train_steps: on them.
        batch: images of one step on them.
        rates: learning rates of which every method takes its best on held-out images.
        refresh: steps between two measurements of the scalings.
        cost_width: channels of the network whose steps are timed.
        cost_repeats: timed pairs of steps.
        cifar: `cifar-10` or `cifar-100`, and with it the data set that must be there; or `none`.
        model: `vgg-11`, `vgg-16` or `resnet-18`, for CIFAR.
        epochs: on CIFAR.
        refresh_epochs: between two measurements of the scalings on CIFAR and ImageNet.
        imagenet: whether ImageNet is trained on, and with it must be there.
        imagenet_epochs: on it.
        imagenet_size: height and width of its crops.
    """

    steps: int = 500
    pairs: int = 50_000
    maps: int = 16
    teachers: int = 60
    profile_teachers: int = 1000
    teacher_steps: int = 300
    teacher_networks: int = 2
    widths: tuple[int, ...] = (8, 8)
    train_images: int = 600
    train_steps: int = 160
    batch: int = 32
    rates: tuple[float, ...] = (0.1,)
    refresh: int = 40
    cost_width: int = 32
    cost_repeats: int = 20
    cifar: str = "none"
    model: str = "resnet-18"
    epochs: int = 200
    refresh_epochs: int = 5
    imagenet: bool = False
    imagenet_epochs: int = 120
    imagenet_size: int = 224

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(
            self,
            **counts,
            widths=bool(self.widths) and min(self.widths) >= 1,
            rates=bool(self.rates) and all(rate > 0 for rate in self.rates),
            cifar=self.cifar in ("none", "cifar-10", "cifar-100"),
            model=self.model in ("vgg-11", "vgg-16", "resnet-18"),
        )
        # Held-out images choose the rate, and the digits are 1,797 in all.
        require(self, train_images=self.train_images <= 1200, pairs=self.pairs >= 1000)


QUICK = SgsConfig()
STANDARD = SgsConfig(
    steps=2000,
    maps=256,
    teachers=200,
    profile_teachers=10_000,
    teacher_steps=1500,
    teacher_networks=8,
    widths=(16, 32),
    train_images=1000,
    train_steps=1200,
    batch=64,
    refresh=100,
    rates=(0.03, 0.1, 0.3),
    cost_width=64,
    cost_repeats=60,
)
FULL = dataclasses.replace(STANDARD, cifar="cifar-100", imagenet=True)
TINY = SgsConfig(
    steps=3,
    pairs=1000,
    maps=2,
    teachers=2,
    profile_teachers=2,
    teacher_steps=2,
    teacher_networks=2,
    widths=(2,),
    train_images=20,
    train_steps=2,
    batch=4,
    refresh=1,
    cost_width=2,
    cost_repeats=2,
    epochs=1,
    imagenet_epochs=1,
    imagenet_size=32,
)
