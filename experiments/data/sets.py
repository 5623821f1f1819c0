"""What the catalogue says of a data set, and of the forms in which it may lie."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Place:
    """One form in which a set may lie below the user's folder of data.

    Args:
        path: of a file or a folder, below that folder.
        files: that must be in it, where it is a folder.
        reader: of this form, as `module:function` below `experiments.data.formats`; empty where there is none
            yet. It takes the path, the set's name and the key.
        key: the set's name in the public files, where that is another.
    """

    path: str
    files: tuple[str, ...] = ()
    reader: str = ""
    key: str = ""

    def __str__(self) -> str:
        if not self.files:
            return self.path
        inner = self.files[0] if len(self.files) == 1 else f"{self.files[0]}, ..."
        return f"{self.path}/{inner}"


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A real data set, of which the project ships nothing.

    Args:
        name: by which it is loaded.
        kind: of data, for lists.
        what: it is, in one line.
        places: in which it is looked for, in this order.
        address: public, from which it can be had.
        citation: of those who made it.
        package: a Python package that carries it, with version and file; empty if none is known.
        reference: a published figure and whose; empty if none is known.
        caution: what is wrong with a form of it that goes around; mostly nothing.
    """

    name: str
    kind: str
    what: str
    places: tuple[Place, ...]
    address: str
    citation: str
    package: str = ""
    reference: str = ""
    caution: str = ""
