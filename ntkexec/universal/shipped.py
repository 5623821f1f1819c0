"""What comes with the package: folders of trained ensembles, and their complete certificates beside them."""

from pathlib import Path

from ntkexec.ensemble.loading import StoredEnsemble, read_manifest

FOLDER = Path(__file__).parent / "ensembles"


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The programs for which there is an ensemble, by name."""
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


def proof_of(name: str, folder: Path = FOLDER) -> Path:
    """The complete certificate of a program's ensemble, which `ntkexec.recheck` reads."""
    return folder / f"{name}.json"


def stored(name: str, folder: Path = FOLDER) -> StoredEnsemble:
    """A program's ensemble, of which only the description has been read.

    Raises:
        EnsembleError: there is none, or it is damaged.
    """
    return StoredEnsemble(folder / name, read_manifest(folder / name))
