import random

import pytest
import torch

from glocalk.training.checkpoints import AtomicCheckpoints, DamagedCheckpointError, usable


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
