"""Several devices on one machine: child processes that have them, and the bytes that programs move.

Useful without the rest: what a program that is divided among devices sends from one to another.

Example:
    ```python
    import jax
    from jax.sharding import Mesh, PartitionSpec as P
    from experiments.kits.mesh.children import run_with_devices
    from experiments.kits.mesh.collectives import collectives_of, total_bytes

    # In a module of one's own, since the child imports it:
    def bytes_of_a_sum(length):
        mesh = Mesh(jax.devices(), ("worker",))
        rows = jax.ShapeDtypeStruct((jax.device_count(), length), "float32")
        total = jax.shard_map(
            lambda row: jax.lax.psum(row, "worker"), mesh=mesh, in_specs=P("worker"), out_specs=P()
        )
        return total_bytes(collectives_of(jax.jit(total).lower(rows).compile()))

    run_with_devices(bytes_of_a_sum, 1000, devices=8)  # {"all-reduce": 7000}
    run_with_devices(bytes_of_a_sum, 1000, devices=4, processes=2)  # the same, over the loopback
    ```
"""
