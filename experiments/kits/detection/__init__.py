"""Detection and segmentation: boxes, losses, suppression, average precision, regions, scenes, heads.

Useful without the rest: overlaps that can be differentiated, and average precision as COCO counts it.

Example:
    ```python
    import numpy as np
    from experiments.kits.detection.detections import Detections, Objects
    from experiments.kits.detection.precision import average_precision

    truth = Objects(boxes=np.array([[0, 0, 10, 10], [20, 20, 60, 60]]), labels=np.array([0, 1]))
    found = Detections(
        boxes=np.array([[0, 0, 10, 8], [20, 20, 60, 60]]),
        scores=np.array([0.6, 0.9]),
        labels=np.array([0, 1]),
    )
    print(average_precision([found], [truth]).ap)  # 0.85: the first overlaps by 0.8 alone
    ```
"""
