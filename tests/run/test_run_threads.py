"""The number of threads of a run, and of one that is resumed."""

import logging

import pytest
import torch

from glocalk.run import threads
from glocalk.run.threads import set_threads


@pytest.fixture
def machine(monkeypatch):
    """A machine of eight cores, of which a test says how many are free."""
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "ALL_THREADS", 8)

    def free(number):
        monkeypatch.setattr(threads, "free_threads", lambda: number)

    yield free
    torch.set_num_threads(before)


def test_a_resumed_run_has_the_threads_it_began_with(machine, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    machine(3)
    set_threads(None, tmp_path / "threads")
    assert torch.get_num_threads() == 3
    assert "computing on 3 of 8 threads (trainer.threads=8 takes all)" in caplog.text
    machine(8)
    set_threads(None, tmp_path / "threads")
    assert torch.get_num_threads() == 3


def test_a_given_number_is_taken_whatever_is_free(machine, tmp_path):
    machine(1)
    set_threads(2, tmp_path / "threads")
    assert torch.get_num_threads() == 2
    assert not (tmp_path / "threads").exists()


def test_on_a_quiet_machine_nothing_is_said(machine, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    machine(8)
    set_threads(None, tmp_path / "threads")
    assert (torch.get_num_threads(), caplog.text) == (8, "")


@pytest.mark.parametrize("kept", ["", "many", "0", "-2", "9", "1.5"])
def test_a_damaged_number_is_chosen_anew(kept, machine, tmp_path):
    (tmp_path / "threads").write_text(kept)
    machine(4)
    set_threads(None, tmp_path / "threads")
    assert torch.get_num_threads() == 4
