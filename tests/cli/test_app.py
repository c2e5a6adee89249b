"""What a user does wrong ends in one clear sentence, exit code not 0."""

import pytest

import glocalk.cli.train
from command import SMALL, run

CASES = {
    "unknown model": (["model=glocl_k"], ["Unknown model 'glocl_k'", "did you mean 'glocal_k'?"]),
    "unknown data": (["data=ml100k"], ["Unknown data 'ml100k'", "did you mean 'ml_100k'?"]),
    "misspelled option": (
        ["model.lamda_2=3"],
        ["Unknown option 'model.lamda_2'", "did you mean 'lambda_2'?"],
    ),
    "misspelled option with +": (
        ["+model.lamda_2=3"],
        ["Unknown option 'model.lamda_2'", "did you mean 'lambda_2'?"],
    ),
    "misspelled nested option with +": (
        ["+model.pretrain.epoch=3"],
        ["Unknown option 'model.pretrain.epoch'", "did you mean 'epochs'?"],
    ),
    "misspelled top-level option": (["sed=3"], ["Unknown option 'sed'", "did you mean 'seed'?"]),
    "misspelled top-level option with +": (["+sed=3"], ["'sed'", "did you mean 'seed'?"]),
    "unknown Trainer option": (
        ["+trainer.max_epoch=3"],
        ["Unknown option 'trainer.max_epoch'", "did you mean 'max_epochs'?"],
    ),
    "unknown Trainer option of a stage": (
        ["+model.pretrain.trainer.max_epoch=3"],
        ["Unknown option 'model.pretrain.trainer.max_epoch'", "'max_epochs'?"],
    ),
    "negative λ₂": (["model.lambda_2=-1"], ["'model.lambda_2' cannot be -1", "0"]),
    "negative λ_s": (["model.lambda_s=-0.5"], ["'model.lambda_s' cannot be -0.5"]),
    "even kernel size": (["model.kernel_size=4"], ["'model.kernel_size' cannot be 4", "odd"]),
    "text for a number": (["model.lambda_2=big"], ["'model.lambda_2' cannot be 'big'"]),
    "negative seed": (["seed=-1"], ["'seed' cannot be -1"]),
    "share of nothing": (["train_share=0"], ["'train_share' cannot be 0"]),
    "no threads": (["trainer.threads=0"], ["'trainer.threads' must be 1 or more, not 0"]),
    "missing data file": (
        ["data=ml_1m", "data_dir=nowhere"],
        ["nowhere/ml-1m/ratings.dat", "files.grouplens.org", "GLOCALK_DATA_DIR"],
    ),
    "ratings of one's own without a path": (["data=csv"], ["'data.path' cannot be None", "give"]),
    "ratings of one's own that are not there": (
        ["data=csv", "data.path=nowhere.csv"],
        ["'nowhere.csv' is not there", "data.path="],
    ),
    "misspelled option of one's own ratings": (
        ["data=csv", "data.rating_column=2"],
        ["Unknown option 'data.rating_column'", "did you mean 'rating'?"],
    ),
    "unreadable override": (["model=["], ["'model=[' cannot be read"]),
    "unknown class": (["model._target_=glocalk.Nothing"], ["glocalk.Nothing", "cannot be found"]),
}


@pytest.fixture
def train(monkeypatch, tmp_path, capsys):
    """Runs `glocalk.cli.train` in this process; gives exit code, output and error output."""

    def run_in_process(*overrides):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        monkeypatch.setattr("sys.argv", ["train", *overrides])
        try:
            glocalk.cli.train.main()
            code = 0
        except SystemExit as error:
            code = error.code
        return code, *capsys.readouterr()

    return run_in_process


@pytest.mark.parametrize("case", CASES)
def test_one_sentence(case, train):
    overrides, parts = CASES[case]
    given = {override.split("=")[0] for override in overrides}
    small = [] if given & {"data", "model"} else SMALL
    code, printed, error = train(*small, *overrides)
    assert code == 1
    (line,) = error.strip().splitlines()
    for part in parts:
        assert part in line
    assert printed == ""


def test_a_truncated_data_file_is_named_with_both_checksums(tmp_path, train):
    (tmp_path / "data" / "ml-100k").mkdir(parents=True)
    (tmp_path / "data" / "ml-100k" / "u.data").write_text("1\t1\t5\t0\n")
    code, _, error = train("model=bias", "data_dir=data")
    assert code == 1
    (line,) = error.strip().splitlines()
    assert "u.data' is damaged" in line
    assert "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490" in line


def test_a_sweep_goes_on_after_a_failed_run_and_says_so(tmp_path):
    overrides = ["-m", "data=douban,synthetic", "model=bias,global_mean", "data_dir=nowhere"]
    process = run("train", *overrides, cwd=tmp_path)
    assert process.returncode == 1
    assert len(list(tmp_path.glob("runs/synthetic-*/record.json"))) == 2
    assert process.stderr.count("Douban is missing") >= 2


def test_a_folder_that_cannot_be_written_to(tmp_path, train):
    (tmp_path / "runs").write_text("a file where the folder should be")
    code, _, error = train(*SMALL)
    assert code == 1
    (line,) = error.strip().splitlines()
    assert "'runs' cannot be written to" in line
    assert "runs_dir=" in line
