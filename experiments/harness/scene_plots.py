"""Claims about detectors whose page shows what was found beside what is there.

```python
from experiments.harness.scene_plots import with_scenes

CLAIM = with_scenes(at_least("detects", ...), "detectors", "scenes")
```

where the study `detectors` returns `{"scenes": drawing.compared(scenes, found, most=4), ...}`.
"""

import dataclasses
from typing import TYPE_CHECKING

from experiments.harness.claim import Claim
from experiments.harness.study import Records
from experiments.kits.detection.drawing import comparison
from ntkexec.check import Measurement

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DETAIL = "scenes"


def with_scenes(claim: Claim, study: str, entry: str) -> Claim:
    """The claim, judged as before, with scenes of the first seed drawn on its page.

    Args:
        claim: on records of a study that trained a detector.
        study: whose result holds scenes.
        entry: under which it does, as `drawing.compared` made them.
    """

    def measured(records: Records) -> Measurement:
        found = claim.measure(records)
        details = {**found.details, DETAIL: records[0][study][entry]}
        return dataclasses.replace(found, details=details)

    return dataclasses.replace(claim, measure=measured, plot=scenes_plot)


def scenes_plot(measurement: Measurement) -> "Figure":
    """The truth above, what was found below."""
    return comparison(measurement.details[DETAIL])
