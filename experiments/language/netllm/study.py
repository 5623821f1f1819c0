"""All studies: bitrates, viewports and clusters, with a tiny backbone and with a real one."""

from experiments.harness.study import Studies
from experiments.language.netllm import study_abr, study_exact, study_tasks
from experiments.language.netllm.study_config import QUICK, STANDARD, TINY

STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={**study_exact.FUNCTIONS, **study_abr.FUNCTIONS, **study_tasks.FUNCTIONS},
    num_seeds=3,
    slow=(*study_exact.SLOW, *study_abr.SLOW, *study_tasks.SLOW),
)
