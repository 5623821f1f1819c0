"""`python -m benchmarks.architecture`: draws the layers for docs/architecture.md, from the imports."""

from benchmarks.architecture.imports import imports_of, modules_of
from benchmarks.architecture.layers import PACKAGES, room_graph
from benchmarks.architecture.picture import PICTURE, drawn


def main() -> None:
    """Writes the picture."""
    modules = modules_of(PICTURE.parents[2], PACKAGES)
    PICTURE.write_text(drawn(room_graph(imports_of(modules))), encoding="utf-8")
    print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main()
