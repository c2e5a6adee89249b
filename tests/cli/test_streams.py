"""What is printed is never lost, and readers may leave."""

import io
import os
import subprocess
import sys
from unittest import mock

import pytest

from command import SMALL, command
from glocalk.cli.streams import with_output


def in_bash(script, cwd):
    return subprocess.run(
        ["bash", "-c", script], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", ["stats data=synthetic", "stats --cfg job", "data status"])
def test_a_reader_that_leaves_ends_a_command_quietly(arguments, tmp_path):
    script = f"{' '.join(command(*arguments.split()))} | head -1; echo ${{PIPESTATUS[0]}}"
    process = in_bash(script, tmp_path)
    assert process.stderr == ""
    first, code = process.stdout.splitlines()
    assert first.strip()
    assert code in ("0", "141")  # 0 where all was written before the reader left


@pytest.mark.slow
def test_a_reader_that_leaves_ends_a_training(tmp_path):
    given = command("train", *SMALL, "model.finetune.epochs=2000")
    process = in_bash(f"{' '.join(given)} | head -1; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert process.stderr == ""
    assert process.stdout.splitlines()[1:] == ["141"]
    assert list(tmp_path.glob("runs/*/record.json")) == []


def printed(text, encoding):
    """The bytes of a text that a command prints to an output of this encoding."""
    content = io.BytesIO()
    stream = io.TextIOWrapper(content, encoding=encoding)
    with mock.patch.object(sys, "stdout", stream):
        assert with_output(lambda: print(text, end="") or 0) == 0
        stream.flush()
        return content.getvalue()


@pytest.mark.parametrize(
    ("encoding", "plain"),
    [
        ("utf-8", "user ← userId, 1 – 5 ± .01, 评 …"),
        ("ascii", r"user <- userId, 1 - 5 +- .01, \u8bc4 ..."),
        ("cp1252", r"user <- userId, 1 – 5 ± .01, \u8bc4 …"),
        ("latin-1", r"user <- userId, 1 - 5 ± .01, \u8bc4 ..."),
        ("shift_jis", r"user ← userId, 1 - 5 ± .01, \u8bc4 …"),
    ],
)
def test_what_an_encoding_lacks_is_written_in_ascii(encoding, plain):
    assert printed("user ← userId, 1 – 5 ± .01, 评 …", encoding).decode(encoding) == plain


def test_a_surrogate_of_a_file_name_is_escaped():
    name = b"lat\xe9.csv".decode("utf-8", "surrogateescape")
    assert printed(name, "utf-8") == rb"lat\udce9.csv"


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "cp1252"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_command_in_a_terminal_that_is_not_utf_8(environment, tmp_path):
    process = subprocess.run(
        command("stats", "data=synthetic"),
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == b""
    (scale,) = [line for line in process.stdout.splitlines() if line.startswith(b"scale ")]
    assert scale.split()[1:] == (
        [b"1", b"\x85", b"5"] if b"\x85" in scale else [b"1", b"...", b"5"]
    )
