import pytest
from factory import record
from study import csv_rows, table

from glocalk.report.experiments import experiment_files
from glocalk.report.parts import Sources
from glocalk.report.side import WITHOUT_DATES

# 40 users with a test rating each. Both models are wrong by 1 for every user; the better one by
# less for all of them.
USERS = 40


def run(model, size, experiment="table1", variant="default", seed=0, data="ml_100k", **changes):
    """A run whose error of every user is `size`, a little more for every second one."""
    errors = [(size + 0.001 * (user % 2)) ** 2 for user in range(USERS)]
    rmse = (sum(errors) / USERS) ** 0.5
    made = record(
        **{"best": rmse, "validated": rmse, "last": rmse, "held_out": None, "model": model},
        **{"experiment": experiment, "variant": variant, "seed": seed, "data": data},
        user_counts=[1] * USERS,
        **changes,
    )
    return made.model_copy(update={"user_errors": dict.fromkeys(made.user_errors, errors)})


def seeds(model, size, *places):
    return [run(model, size + 0.0001 * seed, *places, seed=seed) for seed in (0, 1, 2)]


@pytest.fixture(scope="module")
def files():
    return experiment_files(
        "side",
        Sources(
            [
                *seeds("gc_mc", 0.95),
                *seeds("gc_mc_extra", 0.93),
                *seeds("graphrec", 0.90),
                *seeds("graphrec_extra", 0.91),
                *seeds("bayesian_fm", 0.9, "side", WITHOUT_DATES),
                *seeds("bayesian_fm", 0.9, "around"),
                *seeds("graphrec", 0.95, "side", "data.split_seed=0"),
                *seeds("graphrec_extra", 0.9, "side", "data.split_seed=0"),
            ]
        ),
    )


def verdicts(files, protocol="validated"):
    return {
        (row["data"], row["against"]): row
        for row in csv_rows(files["side.csv"])
        if row["protocol"] == protocol
    }


def test_side_information_helps_hurts_or_cannot_be_told(files):
    rows = {row[1]: row[4] for row in table(files["side.md"]) if row[0] == "ML-100K"}
    assert rows["GC-MC + Extra against GC-MC"].startswith("**helps**<br>−.0200 ± .0001")
    assert rows["GraphRec + Extra against GraphRec"].startswith("**hurts**<br>+.0100")
    alone = "Bayesian FM against Bayesian FM, no attributes, no dates"
    assert rows[alone].startswith("**cannot be told**<br>.0000")
    assert rows["Bayesian FM against Bayesian FM, no attributes"] == "not measured"


def test_random_splits_are_compared_within_themselves(files):
    key = ("GraphRec + Extra, random split 0 against GraphRec, random split 0",)
    row = verdicts(files)["ml_100k", *key]
    assert float(row["difference"]) == pytest.approx(-0.05, abs=1e-6)
    assert row["published"] == "-0.0040"  # .883 − .887
    assert row["verdict"] == "holds"


def test_published_differences_are_those_of_table_1(files):
    rows = verdicts(files)
    told = {key: row["published"] for key, row in rows.items()}
    assert told["ml_100k", "GC-MC + Extra against GC-MC"] == "-0.0050"  # .905 − .910
    assert told["ml_1m", "GraphRec + Extra against GraphRec"] == "-0.0010"  # .842 − .843
    assert told["douban", "GC-MC + Extra against GC-MC"] == ""


def test_the_errors_behind_the_differences_are_listed(files):
    lines = files["side.md"].partition("## Errors")[2]
    errors = {(row[0], row[1]): row[2:] for row in table(lines)}
    assert errors["ML-100K", "GC-MC + Extra"] == [*[".9306 ± .0001"] * 3, "3"]
    assert errors["Douban", "GC-MC + Extra"] == ["–"] * 4
