"""Files damaged a little: a few words, bytes or lines flipped, cut, doubled, swapped or replaced."""

import io
import random
import re
import zipfile

# What has gone wrong before, or could: names, numbers, marks and pieces of every format.
TOKENS = [
    *(
        b"#",
        b'"',
        b"'",
        b",",
        b";",
        b"\t",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\x1b[31m",
        b"\x85",
    ),
    *(
        b"\xc2\xa0",
        b"\xe2\x80\xa8",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xff",
        b"\xc3\xa9",
        b"%",
        b"//",
    ),
    *(
        b"0",
        b"1",
        b"2",
        b"-1",
        b"+1",
        b"007",
        b"1.5",
        b"2.9",
        b"1e3",
        b"1d3",
        b"0x10",
        b"1_0",
        b"nan",
    ),
    *(b"inf", b"-3", b"1e999", b"99999999999999999999", b"10000000", b"true", b"false", b"null"),
    *(
        b"a",
        b"b",
        b"Route 66",
        b"owl#Afford",
        b"source",
        b"target",
        b"weight",
        b"directed",
        b"graph",
    ),
    *(b"<graph>", b"</graph>", b"<node/>", b'<node id="a">', b"</node>", b'<edge source="a"/>'),
    *(
        b"<!--",
        b"-->",
        b"&amp;",
        b"&#27;",
        b"node [ id 7 ]",
        b"edge [",
        b"]",
        b"[",
        b"{",
        b"}",
        b":",
    ),
    *(b"pattern", b"integer", b"real", b"symmetric", b"general", b"skew-symmetric", b"complex"),
]


def mutant(rng, data, *, depth=3):
    """A few words, bytes or lines of a file flipped, cut, doubled, swapped, or replaced by something bad."""
    for _ in range(rng.choice([1, 1, 1, *range(1, depth + 1)])):
        words = list(re.finditer(rb"[\w.-]+", data))
        if words and rng.random() < 0.5:
            # A word for another of the same file, or for a number: most formats survive that.
            word = rng.choice(words)
            other = rng.choice(
                [rng.choice(words)[0], rng.choice(TOKENS), b"%d" % rng.randint(0, 5)]
            )
            data = data[: word.start()] + other + data[word.end() :]
            continue
        place, end = sorted(rng.choices(range(len(data) + 1), k=2))
        lines = data.split(b"\n")
        i, j = rng.choices(range(len(lines)), k=2)
        kind = rng.randrange(9)
        if kind == 0 and data:
            place = min(place, len(data) - 1)
            flipped = data[place] ^ 1 << rng.randrange(8)
            data = data[:place] + bytes([flipped]) + data[place + 1 :]
        elif kind == 1:
            data = data[:place] + data[min(end, place + 8) :]
        elif kind in (2, 3):
            data = data[:place] + rng.choice(TOKENS) + data[place:]
        elif kind == 4:
            token = rng.choice(TOKENS)
            data = data[:place] + token + data[place + len(token) :]
        elif kind == 5:
            data = b"\n".join([*lines[: i + 1], lines[j], *lines[i + 1 :]])
        elif kind == 6:
            lines[i], lines[j] = lines[j], lines[i]
            data = b"\n".join(lines)
        elif kind == 7:
            data = b"\n".join([*lines[:i], *lines[i + 1 :]])
        elif rng.random() < 0.2:
            data = data[:place]
    return data


def zip_mutant(rng, data):
    """The same of one array of an archive, its checksums made right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        arrays = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(arrays))
    if rng.random() < 0.1:
        del arrays[name]
    else:
        header = arrays[name].index(b"\n") + 1
        body = arrays[name][header:]
        # A flipped value is read, a flipped header is refused: more of the first.
        if body and rng.random() < 0.6:
            place = rng.randrange(len(body))
            body = body[:place] + bytes([body[place] ^ 1 << rng.randrange(8)]) + body[place + 1 :]
            arrays[name] = arrays[name][:header] + body
        else:
            arrays[name] = mutant(rng, arrays[name], depth=1)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            archive.writestr(name, array)
    return file.getvalue()


def damage_files(written, refused_or_read, seed, number):
    """Damages one of a set's files at a time, tries the set, and mends the file again.

    Args:
        written: the set's name, its folder, and its files.
        refused_or_read: is called with the name, the folder and the damaged file.
        seed: of what is drawn.
        number: of damaged files.
    """
    name, folder, paths = written
    chance = random.Random(seed)
    for _ in range(number):
        path = chance.choice(paths)
        before = path.read_bytes()
        change = zip_mutant if path.suffix == ".npz" and chance.random() < 0.7 else mutant
        path.write_bytes(change(chance, before))
        refused_or_read(name, folder, path)
        path.write_bytes(before)
