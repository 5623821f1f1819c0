"""AttrSeg: classes told by attributes, which are aggregated with the image into one token and a mask."""

from typing import TYPE_CHECKING

from experiments.exports import lazy

if TYPE_CHECKING:
    from experiments.vision.attrseg.decomposition import Decomposition as Decomposition
    from experiments.vision.attrseg.decomposition import decompose as decompose
    from experiments.vision.attrseg.decomposition import read_decomposition as read_decomposition
    from experiments.vision.attrseg.encoders import PixelEncoder as PixelEncoder
    from experiments.vision.attrseg.encoders import fit_word_space as fit_word_space
    from experiments.vision.attrseg.explaining import additive_parts as additive_parts
    from experiments.vision.attrseg.explaining import attribute_maps as attribute_maps
    from experiments.vision.attrseg.layers import Clustering as Clustering
    from experiments.vision.attrseg.layers import Fusion as Fusion
    from experiments.vision.attrseg.linting import lint_attributes as lint_attributes
    from experiments.vision.attrseg.measuring import labelled as labelled
    from experiments.vision.attrseg.measuring import mean_iou as mean_iou
    from experiments.vision.attrseg.measuring import overlaps as overlaps
    from experiments.vision.attrseg.phrases import Vocabulary as Vocabulary
    from experiments.vision.attrseg.phrases import padded_tokens as padded_tokens
    from experiments.vision.attrseg.phrases import phrase_vectors as phrase_vectors
    from experiments.vision.attrseg.segmenter import AttributeSegmenter as AttributeSegmenter
    from experiments.vision.attrseg.segmenter import MeanSegmenter as MeanSegmenter
    from experiments.vision.attrseg.segmenter import enlarged as enlarged
    from experiments.vision.attrseg.segmenter import segmentation_loss as segmentation_loss
    from experiments.vision.attrseg.training import Prompts as Prompts
    from experiments.vision.attrseg.training import fit_segmenter as fit_segmenter

__all__, __getattr__, __dir__ = lazy(
    __name__,
    decomposition=("Decomposition", "decompose", "read_decomposition"),
    encoders=("PixelEncoder", "fit_word_space"),
    explaining=("additive_parts", "attribute_maps"),
    layers=("Clustering", "Fusion"),
    linting=("lint_attributes",),
    measuring=("labelled", "mean_iou", "overlaps"),
    phrases=("Vocabulary", "padded_tokens", "phrase_vectors"),
    segmenter=("AttributeSegmenter", "MeanSegmenter", "enlarged", "segmentation_loss"),
    training=("Prompts", "fit_segmenter"),
)
