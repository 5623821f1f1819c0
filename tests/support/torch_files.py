"""Files as `torch.save` writes them, written without PyTorch: the old form and the archive."""

import collections
import io
import pickle
import zipfile

import numpy as np

from experiments.data.formats.torch_weights import MAGIC, PROTOCOL, STORAGES

KINDS = {np.dtype(code): kind for kind, code in STORAGES.items() if kind != "BFloat16Storage"}


class Name:
    """Stands for something of a module that is not here."""

    def __init__(self, module, name):
        self.module, self.name = module, name

    def __call__(self, *_):
        raise AssertionError("only named")


class Storage:
    def __init__(self, key, numbers, kind=None):
        self.key, self.numbers = key, np.ascontiguousarray(numbers).ravel()
        self.kind = kind or KINDS[self.numbers.dtype]


class Tensor:
    """A view of a storage, which several may share."""

    def __init__(self, storage, offset, shape, strides):
        self.storage, self.arguments = storage, (offset, shape, strides)

    def __reduce__(self):
        hooks = collections.OrderedDict()
        arguments = (self.storage, *self.arguments, False, hooks)
        return Name("torch._utils", "_rebuild_tensor_v2"), arguments


class Other:
    """Whatever a file may ask for."""

    def __init__(self, module, name, *arguments):
        self.called = Name(module, name), arguments

    def __reduce__(self):
        return self.called


def tensor(key, array, kind=None):
    array = np.array(array, order="C")
    strides = [step // array.itemsize for step in array.strides]
    return Tensor(Storage(key, array, kind), 0, array.shape, tuple(strides))


class Pickler(pickle._Pickler):
    def __init__(self, file, view):
        super().__init__(file, protocol=2)
        self.view, self.storages = view, {}

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Name):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        self.storages[obj.key] = obj
        kind = Name("torch", obj.kind)
        return ("storage", kind, obj.key, "cpu", obj.numbers.size, *self.view)


def pickled(obj, view):
    file = io.BytesIO()
    made = Pickler(file, view)
    made.dump(obj)
    return file.getvalue(), made.storages


def legacy(obj, little=True):
    """Five pickles and the numbers."""
    body, storages = pickled(obj, (None,))
    system = {"protocol_version": PROTOCOL, "little_endian": little, "type_sizes": {"int": 4}}
    parts = [pickled(one, ())[0] for one in (MAGIC, PROTOCOL, system)] + [body]
    parts.append(pickled(list(storages), ())[0])
    for storage in storages.values():
        parts += [storage.numbers.size.to_bytes(8, "little"), storage.numbers.tobytes()]
    return b"".join(parts)


def archive(obj, order=b"little", compression=zipfile.ZIP_STORED, copies=0):
    """A zip of the pickle and a member for every storage; copies name the last one's bytes again."""
    body, storages = pickled(obj, ())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        made.writestr("model/data.pkl", body)
        made.writestr("model/byteorder", order)
        for storage in storages.values():
            made.writestr(f"model/data/{storage.key}", storage.numbers.tobytes())
        made.writestr("model/version", b"3\n")
        for copy in range(copies):
            twin = zipfile.ZipInfo(f"model/copy{copy}")
            last = made.filelist[-2 - copy]
            for field in ("header_offset", "CRC", "compress_size", "file_size"):
                setattr(twin, field, getattr(last, field))
            made.filelist.append(twin)
    return file.getvalue()
