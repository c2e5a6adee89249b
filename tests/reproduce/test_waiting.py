"""Which runs wait for which, in what order they are made, and what a plan started again does."""

from pathlib import Path

import pytest

import glocalk.reproduce.job
from command import call
from glocalk.executors.process import Outcome
from glocalk.records.run import read_records
from glocalk.reproduce.plan import jobs_of, make_plan
from glocalk.reproduce.runs import Found
from glocalk.reproduce.waiting import Waits, needed_first, waits
from glocalk.run.composed import compose_run
from inline_executor import InlineExecutor
from report.factory import record

FIG3 = ["experiment=fig3", "data=synthetic", "model=glocal_k"]


def run(epochs, seed, *overrides):
    # 30 epochs are those of the base.
    return compose_run([*FIG3, f"model.pretrain.epochs={epochs}", f"seed={seed}", *overrides])


def test_a_run_waits_for_the_seed_whose_epoch_it_takes_and_for_the_longest_pre_training():
    runs = [run(10, 0), run(10, 1), run(60, 1), run(60, 0), run(30, 1), run(0, 1)]
    assert waits(runs) == [
        Waits(prefers=(3,)),
        Waits(needs=(0,), prefers=(2,)),
        Waits(needs=(3,)),
        Waits(),
        Waits(prefers=(2,)),  # Table 1's runs each make their selection run
        Waits(prefers=(2,)),  # seed 0 is not in the plan
    ]


@pytest.mark.parametrize(
    "override",
    ["train_share=0.5", "model.lambda_2=3", "data.noise=0.1", "protocol.clip=false"],
)
def test_runs_with_other_pre_trainings_do_not_wait(override):
    assert waits([run(10, 0), run(60, 0, override)]) == [Waits(), Waits()]


def test_runs_that_share_no_pre_training_do_not_wait_for_it():
    alone = "share_stages=false"
    assert waits([run(10, 0, alone), run(60, 0, alone), run(20, 0)]) == [Waits()] * 3


def test_an_ablation_waits_for_the_pre_training_that_it_shares_with_the_model():
    def kernels(model):
        names = ["experiment=kernels", "data=ml_100k", "seed=0"]
        return compose_run([*names, f"model={model}"])

    names = "glocal_k_scalar", "glocal_k", "glocal_k_permuted", "glocal_k_decayed"
    first = Waits(prefers=(0,))
    assert waits([kernels(name) for name in names]) == [Waits(), first, first, first]


def test_models_without_a_shared_stage_wait_for_epochs_alone():
    def sparse_fc(seed, *overrides):
        names = ["experiment=fig2", "data=synthetic", "model=sparse_fc", f"seed={seed}"]
        return compose_run([*names, "train_share=0.5", *overrides])

    others = "protocol.selection=each_seed", "variant=default"
    runs = [sparse_fc(1), sparse_fc(0), sparse_fc(1, *others), sparse_fc(0, *others)]
    assert waits(runs) == [Waits(needs=(1,)), Waits(), Waits(), Waits()]


def test_runs_are_ordered_so_that_what_they_wait_for_comes_first():
    waiting = [Waits(prefers=(3,)), Waits(), Waits(needs=(0,), prefers=(4,)), Waits(), Waits()]
    assert needed_first(waiting) == [3, 0, 1, 4, 2]


def found(config):
    return Found(config, (f"seed={config.seed}",), "0" * 64, 10)


def test_jobs_wait_as_their_runs_do_and_the_cheapest_comes_first():
    runs = [run(epochs, seed) for seed in (0, 1) for epochs in (10, 60)]
    committed = [
        record(
            data="synthetic",
            model="glocal_k",
            variant=f"model.pretrain.epochs={epochs}",
            seed=seed,
            seconds={"total": seconds},
        )
        for epochs, seed, seconds in ((10, 0, 20.0), (10, 1, 10.0), (60, 0, 60.0), (60, 1, 30.0))
    ]
    jobs = {job.title: job for job in jobs_of(make_plan([found(it) for it in runs], committed))}
    short, long = (
        [f"synthetic glocal_k seed {seed}, model.pretrain.epochs={epochs}" for seed in (0, 1)]
        for epochs in (10, 60)
    )
    # 10 s, but it needs seed 0 with its 60 epochs, and those of seed 1
    assert list(jobs) == [long[0], short[0], long[1], short[1]]
    titles = {
        title: ([it.title for it in job.after], [it.title for it in job.rather_after])
        for title, job in jobs.items()
    }
    assert titles == {
        long[0]: ([], []),
        short[0]: ([], [long[0]]),
        long[1]: ([long[0]], []),
        short[1]: ([short[0]], [long[1]]),
    }
    assert jobs[short[1]].expected == "about 10 s"


MINE = """# @package _global_
protocol:
  selection: lowest_seed
share_stages: true
data: { users: 40, items: 30, ratings: 300 }
model: { hidden_size: 8, finetune: { epochs: 2 } }
checkpoint_seconds: 0
save_model: false
plan:
  - models: [glocal_k]
    data: [synthetic]
    seeds: [1, 0]
    sweeps: ["model.pretrain.epochs=1,2"]
"""


@pytest.fixture
def executor(tmp_path, monkeypatch):
    """Runs are made in this process: it has imported everything."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(MINE)
    inline = InlineExecutor()
    monkeypatch.setattr(glocalk.reproduce.job, "build_executor", lambda *_: inline)
    return inline


def reproduce(*overrides):
    return call("reproduce", "experiment=mine", *overrides, "--config-dir", "conf", cwd=Path.cwd())


TITLES = [
    f"synthetic glocal_k seed {seed}, model.pretrain.epochs={epochs}"
    for epochs, seed in ((2, 0), (1, 0), (2, 1), (1, 1))
]


def test_an_own_experiment_is_continued_and_shown(executor, tmp_path):
    path = tmp_path / "conf" / "experiment" / "mine.yaml"
    path.write_text(MINE.replace("epochs=1,2", "epochs=1"))
    assert reproduce("seeds=[0]").returncode == 0
    process = reproduce()
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("done already") == 1
    assert [call[3:5] for call in executor.calls] == [
        ["seed=0", "model.pretrain.epochs=1"],
        ["seed=1", "model.pretrain.epochs=1"],
    ]
    first, second = sorted(read_records(tmp_path / "runs"), key=lambda run: run.seed)
    for run in (first, second):
        assert (run.experiment, run.variant) == ("mine", "model.pretrain.epochs=1")
    assert (first.validated_epoch_from_seed, second.validated_epoch_from_seed) == (None, 0)
    table = (tmp_path / "runs" / "report" / "mine.md").read_text()
    assert table.count("| `glocal_k` |") == 2
    again = reproduce()
    assert (again.returncode, len(executor.calls)) == (0, 2)
    assert "Together: nothing to do." in again.stdout
    assert table in again.stdout


def test_a_failed_run_is_named_at_the_end_and_the_others_are_made(executor, monkeypatch):
    def make(_, arguments, command):
        assert command == "train"
        failed = {"seed=0", "model.pretrain.epochs=2"} <= set(arguments)
        return Outcome(1, "it diverged") if failed else Outcome(0)

    monkeypatch.setattr(InlineExecutor, "make", make)
    process = reproduce()
    assert process.returncode == 1
    # Seed 1 takes its epoch; the shorter run makes the pre-training that it would have shared.
    assert process.stderr == f"Failed: {TITLES[0]}; {TITLES[2]}: see above, then start again.\n"
    assert [call[3:5] for call in executor.calls] == [
        ["seed=0", "model.pretrain.epochs=2"],
        ["seed=0", "model.pretrain.epochs=1"],
        ["seed=1", "model.pretrain.epochs=1"],
    ]
    assert f"{TITLES[2]}: not run, because it needs '{TITLES[0]}'" in process.stdout
