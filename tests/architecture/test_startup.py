"""What the benchmark of whole commands counts as compiled."""

from benchmarks.startup import compiled_programs

LOG = """Compiling jit(_train) with global shapes and types (ShapedArray(uint32[1]),).
WARNING:jax._src.compiler:Persistent compilation cache hit for 'jit__train' with key 'jit__train-0a'
Finished XLA compilation of jit(_train) in 0.02 sec
Finished tracing + transforming _run for pjit in 0.1 sec
Finished XLA compilation of jit(_run) in 1.2 sec
"""


def test_code_from_disk_is_not_compiled():
    assert compiled_programs(LOG) == 1
    without_disk = "\n".join(line for line in LOG.splitlines() if "cache hit" not in line)
    assert compiled_programs(without_disk) == 2
    assert compiled_programs("") == 0
