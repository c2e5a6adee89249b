"""Damaged and hostile files, made from good ones by a seeded generator, and a watch over what a
reader of them does.

Each generator yields (what was done, bytes) without end.
"""

import copy
import encodings.cp437  # noqa: F401  (zipfile looks it up for some names)
import hashlib
import io
import json
import os
import shutil
import sys
import warnings
import zipfile
from pathlib import Path

import torch

from glocalk.errors import GlocalkError
from report.factory import README, record

ROOT = Path(__file__).parents[1]

MARKUP = [
    "|", "a|b", "a\nb", "<img src=x onerror=alert(1)>", "\x1b[31mred\x1b[0m", r"\input{/etc/x}",
    "`code`", "100 % & more", "abc\u202egnp", "[x](http://evil)", "<!-- table1:end -->", "${HOME}",
]  # fmt: skip
PATHS = [
    "..", "../../outside", "/tmp/outside", "a/b", ".hidden", "~root", "a\\b", "C:x", "a\x00b", "",
    "x" * 300, "../" * 40 + "tmp/outside",
]  # fmt: skip
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"]
NUMBERS = [
    -1, 0, 2**32, 2**63, 2**64, 10**18, -0.5, 1e300, -1e300, 1e-300, float("nan"), float("inf"),
    float("-inf"), True, False,
]  # fmt: skip
OTHERS = [None, [], {}, [[[[]]]], {"a": {"b": 1}}, "1", "NaN", ["x"], [None], {"__class__": "os"}]
CLASSES = [
    "unittest.__main__", "unittest.__main__.main", "os.system", "builtins.exec", "antigravity.x",
    "this.x", "subprocess.Popen", "glocalk.completers.base.Completer", "glocalk.cli.main.main",
    "glocalk.completers.base.Path", "..x", "glocalk", "", "glocalk.completers.baselines.Bias.x",
]  # fmt: skip
ANYTHING = [*MARKUP, *PATHS, *FORMULAS, *NUMBERS, *OTHERS, *CLASSES]


def damages(rng, content, other):
    """Bits flipped, ends cut, parts of another file put in."""
    while True:
        kind = rng.choice(["bit", "cut", "splice", "repeat", "zeros"])
        changed = bytearray(content)
        at, length = rng.randrange(len(content)), rng.randrange(1, 200)
        if kind == "bit":
            for _ in range(rng.choice([1, 1, 8])):
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        elif kind == "cut":
            del changed[at:]
        elif kind == "splice":
            start = rng.randrange(len(other))
            changed[at : at + length] = other[start : start + length]
        elif kind == "repeat":
            changed[at:at] = changed[at : at + length]
        else:
            changed[at : at + length] = bytes(len(changed[at : at + length]))
        if changed != content:
            yield f"{kind} at {at}", bytes(changed)


def json_mutations(rng, content):
    """Fields of a JSON file replaced, removed, doubled or added."""
    while True:
        changed = copy.deepcopy(content)
        places = list(_places(changed))
        container, key = rng.choice(places)
        kind = rng.choice(["replace", "replace", "replace", "remove", "add", "twice", "deep"])
        if kind == "replace":
            value = rng.choice(ANYTHING)
            container[key] = value
            what = f"{key} = {value!r}"[:80]
        elif kind == "remove":
            del container[key]
            what = f"without {key}"
        elif kind == "add":
            name = rng.choice([text for text in ANYTHING if isinstance(text, str)])
            target = rng.choice([c for c, _ in places if isinstance(c, dict)])
            target[name] = rng.choice(ANYTHING)
            what = f"added {name!r}"[:80]
        else:
            what = kind
        text = json.dumps(changed)
        if kind == "twice":
            name, value = rng.choice(list(content.items()))
            text = f"{text[:-1]}, {json.dumps(name)}: {json.dumps(value)}}}"
        elif kind == "deep":
            depth = rng.choice([30, 2000, 200_000])
            text = text[:-1] + ', "config": ' + '{"a":' * depth + "1" + "}" * depth + "}"
        encoded = text.encode()
        if rng.random() < 0.05:
            what, encoded = rng.choice(
                [
                    ("byte order mark", b"\xef\xbb\xbf" + encoded),
                    ("utf-16", text.encode("utf-16")),
                    ("latin-1", encoded.replace(b"table1", b"tabl\xe9")),
                    ("long", b" " * 10_000_000 + encoded),
                ]
            )
        yield what, encoded


def archive_mutations(rng, content, replacements):
    """Parts of a sealed archive of torch replaced, and the archive itself built otherwise.

    Args:
        rng: source of randomness.
        content: what the archive holds.
        replacements: by name of an entry, values to put there besides those for any.
    """
    while True:
        changed = copy.copy(content)
        changed["state"] = dict(changed["state"])
        kind = rng.choice(["entry", "entry", "state", "state", "state", "state", "option", "zip"])
        what, rebuild = kind, None
        if kind == "entry":
            name = rng.choice(list(changed))
            if isinstance(changed[name], torch.Tensor) and rng.random() < 0.8:
                what, changed[name] = _tensor(rng, changed[name])
            else:
                changed[name] = rng.choice([*ANYTHING, *replacements.get(name, []) * 4])
                what = repr(changed[name])[:60]
            what = f"{name}: {what}"
            if rng.random() < 0.1:
                del changed[name]
        elif kind == "state":
            name = rng.choice(list(changed["state"]))
            what, changed["state"][name] = _tensor(rng, changed["state"][name])
            what = f"state {name}: {what}"
            if rng.random() < 0.1:
                changed["state"].pop(name)
            elif rng.random() < 0.1:
                changed["state"]["more"] = torch.zeros(3)
        elif kind == "option" and changed["options"]:
            options = copy.deepcopy(changed["options"])
            container, key = rng.choice(list(_places(options)))
            container[key] = rng.choice([*ANYTHING, 1, 2, 100_000, 10**12])
            changed["options"] = options
            what = f"option {key} = {container[key]!r}"[:80]
        else:
            rebuild = rng.choice(["deflated", "twice", "named", "large", "overlapping"])
            what = rebuild
        yield what, sealed(changed, rebuild)


def _tensor(rng, tensor):
    makers = {
        "NaN": lambda: torch.full_like(tensor.double(), torch.nan),
        "infinite": lambda: torch.full_like(tensor.double(), torch.inf),
        "huge": lambda: torch.full_like(tensor.double(), 1e308),
        "negative": lambda: -tensor - 1,
        "large": lambda: tensor + 2**40,
        "complex": lambda: tensor.to(torch.complex64),
        "boolean": lambda: tensor.bool(),
        "bfloat16": lambda: tensor.to(torch.bfloat16),
        "half": lambda: tensor.half(),
        "double": lambda: tensor.double(),
        "single": lambda: tensor.float(),
        "int": lambda: tensor.int(),
        "sparse": lambda: tensor.double().to_sparse() if tensor.dim() else tensor[None].to_sparse(),
        "meta": lambda: tensor.to("meta"),
        "quantized": lambda: torch.quantize_per_tensor(tensor.float(), 1.0, 0, torch.quint8),
        "parameter": lambda: torch.nn.Parameter(tensor.double()),
        "stride 0": lambda: torch.zeros(1).expand(10**9),
        "stride 0, same shape": lambda: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape),
        "view": lambda: torch.cat([tensor.ravel(), tensor.ravel()])[: tensor.numel()],
        "longer": lambda: torch.cat([tensor.ravel(), tensor.ravel()[:1]]),
        "empty": lambda: tensor.ravel()[:0].clone(),
        "one more dimension": lambda: tensor[None],
        "text": lambda: "x",
        "list": lambda: tensor.tolist(),
    }
    name = rng.choice(list(makers))
    with warnings.catch_warnings(action="ignore"):  # quantized tensors are deprecated
        return name, makers[name]()


def sealed(content, rebuild=None):
    """The bytes of an archive of torch with this content and a valid digest."""
    file = io.BytesIO()
    torch.save(content, file)
    return reseal(_rebuilt(file.getvalue(), rebuild) if rebuild else file.getvalue())


def reseal(body):
    """The bytes with a valid digest at their end."""
    size = hashlib.sha256().digest_size
    body = body[:-2] + size.to_bytes(2, "little")
    return body + hashlib.sha256(body).digest()


def _rebuilt(archive, how):
    source = zipfile.ZipFile(io.BytesIO(archive))
    made = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if how == "deflated" else zipfile.ZIP_STORED
    with zipfile.ZipFile(made, "w", kind) as target:
        for member in source.infolist():
            name = member.filename
            if how == "named" and name.endswith("/version"):
                name = "../../outside"
            target.writestr(name, source.read(member))
        if how == "twice":
            with warnings.catch_warnings(action="ignore"):
                pickled = next(name for name in source.namelist() if name.endswith("data.pkl"))
                target.writestr(pickled, source.read(pickled))
    content = bytearray(made.getvalue())
    entry = content.rfind(b"PK\x01\x02")  # the last in the directory
    if how == "large":
        content[entry + 20 : entry + 28] = (2**31).to_bytes(4, "little") * 2
    elif how == "overlapping":
        content[entry + 42 : entry + 46] = (0).to_bytes(4, "little")
    return bytes(content)


def _places(content):
    """(container, key) of every value inside."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in list(pairs):
        yield content, key
        if isinstance(value, dict | list) and len(value) < 50:
            yield from _places(value)


class Watch:
    """Fails if code between `start` and `stop` writes outside a folder, starts a process or
    imports.

    Python keeps audit hooks for ever, so there is one for all watches.
    """

    _current = None
    _installed = False

    def __init__(self, root):
        self.root = root.resolve()
        self.seen = []

    def __enter__(self):
        if not Watch._installed:
            sys.addaudithook(_audit)
            Watch._installed = True
        self.modules = set(sys.modules)
        Watch._current = self
        return self

    def __exit__(self, *_):
        Watch._current = None
        self.seen += [f"import {name}" for name in set(sys.modules) - self.modules]

    def note(self, event, arguments):
        if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
            self.seen.append(event)
        elif event == "exec" or event == "socket.connect":
            self.seen.append(f"{event} {arguments}")
        elif event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and isinstance(path, str | bytes | os.PathLike):
                self._inside(event, path)
        elif event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chmod"):
            for path in arguments[: 2 if event == "os.rename" else 1]:
                self._inside(event, path)

    def _inside(self, event, path):
        place = Path(os.fsdecode(path)).absolute()
        place = place.parent.resolve() / place.name
        if not place.is_relative_to(self.root):
            self.seen.append(f"{event} {place}")


def _audit(event, arguments):
    if Watch._current is not None:
        Watch._current.note(event, arguments)


def attempt(action, *arguments):
    """What the action returns; None if it is refused in one sentence. Any other error fails."""
    try:
        return action(*arguments)
    except GlocalkError as error:
        sentence = str(error)
        assert sentence.endswith((".", "…", "`")), sentence
        assert sentence.isprintable(), sentence
        assert len(sentence) < 2000
        return None


class Box:
    """A folder with committed and local records, and one file in it that changes.

    Around it lie files that no reader of the box may touch.
    """

    def __init__(self, folder):
        self.around, self.root = folder, folder / "box"
        self.runs, self.reports = self.root / "runs", self.root / "reports"
        self.readme = self.root / "README.md"
        (folder / "outside.txt").write_text("untouched")
        self.before = self.outside()

    def outside(self):
        return {
            str(path): path.read_bytes() if path.is_file() else b""
            for path in self.around.rglob("*")
            if not path.is_relative_to(self.root)
        }

    def clear(self):
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        self.readme.write_text(README)
        record(seed=7).write(self.runs / "good" / "record.json")
        record(seed=8).write(self.reports / "records" / "good.json")

    def put(self, place, content):
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path
