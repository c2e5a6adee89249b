import random
import resource
import time

import pytest
import torch

from glocalk.files import seal_zip
from glocalk.training.checkpoints import (
    AtomicCheckpoints,
    Cadence,
    DamagedCheckpointError,
    usable,
)


def saved():
    generator = torch.Generator().manual_seed(0)
    return {
        "state_dict": {
            "weight": torch.randn(20, 10, generator=generator),
            "step": torch.tensor(7),
            "tied": torch.randn(30, generator=generator)[::2],
        },
        "epoch": 3,
        "loops": {"fit": {"rate": 0.25, "names": ["a", "b"], "none": None}},
    }


def same(one, other):
    if isinstance(one, torch.Tensor):
        return (
            isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
        )
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[name], other[name]) for name in one)
        )
    return type(one) is type(other) and one == other


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "a.ckpt"
    AtomicCheckpoints().save_checkpoint(saved(), path)
    return path


def test_a_checkpoint_is_one_file_that_plain_torch_reads(checkpoint):
    assert [file.name for file in checkpoint.parent.iterdir()] == ["a.ckpt"]
    assert same(saved(), AtomicCheckpoints().load_checkpoint(checkpoint))
    assert same(saved(), torch.load(checkpoint, weights_only=True))


def test_a_flipped_bit_is_an_error_wherever_it_is(checkpoint):
    content = checkpoint.read_bytes()
    rng = random.Random(0)
    directory = content.index(b"PK\x01\x02")  # which the checksums of the format do not cover
    for position in [*range(0, directory, 29), *range(directory, len(content), 3)]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << rng.randrange(8)
        checkpoint.write_bytes(damaged)
        with pytest.raises(DamagedCheckpointError):
            AtomicCheckpoints().load_checkpoint(checkpoint)


def test_a_truncated_checkpoint_is_an_error(checkpoint):
    content = checkpoint.read_bytes()
    for length in range(0, len(content), 29):
        checkpoint.write_bytes(content[:length])
        with pytest.raises(DamagedCheckpointError):
            AtomicCheckpoints().load_checkpoint(checkpoint)


def test_a_damaged_checkpoint_is_renamed(checkpoint, caplog):
    assert usable(checkpoint)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    assert not usable(checkpoint)
    assert not checkpoint.exists()
    assert checkpoint.with_name("a.ckpt.damaged").exists()
    assert "is damaged" in caplog.text
    assert not usable(checkpoint)


@pytest.mark.parametrize(
    "content", [{"a": torch.nn.Linear(1, 1)}, {"a": print}, b"no zip", b""], ids=str
)
def test_a_sealed_file_that_cannot_be_loaded_is_renamed(tmp_path, content):
    path = tmp_path / "a.ckpt"
    if isinstance(content, bytes):
        path.write_bytes(content + b"\0\0")
    else:
        torch.save(content, path)  # of classes that torch does not load
    seal_zip(path)
    assert not usable(path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.ckpt.damaged"]


@pytest.fixture
def file_size_limit():
    """Lets no file grow beyond a size, as a full disk would; the error is another."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_an_oserror_at_every_size_and_the_previous_checkpoint_stays(
    tmp_path, file_size_limit
):
    path = tmp_path / "a.ckpt"
    AtomicCheckpoints().save_checkpoint({"epoch": 1}, path)
    before, larger = path.read_bytes(), tmp_path / "larger.ckpt"
    # More than what Python buffers, so that torch meets the error.
    content = {**saved(), "large": torch.randn(300, 100)}
    AtomicCheckpoints().save_checkpoint(content, larger)
    needed = larger.stat().st_size
    for size in [*range(0, needed, 2500), needed - 1]:
        file_size_limit(size)
        with pytest.raises(OSError, match="File too large"):
            AtomicCheckpoints().save_checkpoint(content, path)
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.ckpt", "larger.ckpt"]
    file_size_limit(needed)
    AtomicCheckpoints().save_checkpoint(content, path)
    assert same(content, AtomicCheckpoints().load_checkpoint(path))


def test_large_checkpoints_are_written_less_often(monkeypatch):
    """After 6 s of writing, 3 % of the time means 200 s to the next one."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    cadence = Cadence(5)
    now += 4.9
    assert not cadence.due
    now += 0.1
    assert cadence.due
    cadence.saved(6.0)
    now += 199.9
    assert not cadence.due
    now += 0.2
    assert cadence.due
    cadence.saved(0.001)
    now += 5.0
    assert cadence.due


def test_with_0_seconds_a_checkpoint_is_always_due():
    cadence = Cadence(0)
    cadence.saved(60.0)
    assert cadence.due
