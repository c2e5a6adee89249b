"""200 damaged files of predictions: each ends in one sentence that names the damage."""

import gzip
import re

import numpy as np
import pytest

from glocalk.cli.app import exit_with_sentence
from glocalk.cli.evaluate import evaluate
from scoring.outside import config, predicted_for, small_split

TIMES = 8
SPLIT = small_split()


def csv(table):
    return table.to_csv(index=False).encode()


def some(random, table):
    """Rows to damage, in ascending order."""
    count = int(random.integers(1, len(table) // 3))
    return np.sort(random.choice(len(table), count, replace=False))


def first_row(table, rows):
    """The start of a sentence about rows, and where the first of them is; row 1 is the header."""
    return f"{len(rows)} of {len(table)} .* the first", f"in row {rows[0] + 2}"


def left_out(random, table):
    rows = some(random, table)
    order = np.lexsort((table["item"], table["user"]))
    first = table.iloc[next(at for at in order if at in rows)]
    says = rf"{len(rows)} of {len(table)} test pairs of synthetic (has|have) no prediction .*"
    return csv(table.drop(rows)), rf"{says}user '{first.user:g}', item '{first['item']:g}'"


def repeated(random, table):
    rows = some(random, table)
    longer = table.iloc[[*range(len(table)), *rows]]
    return csv(longer), (
        rf"{len(rows)} of {len(longer)} rows .* pair of an earlier row, the first in row "
        rf"{len(table) + 2} that in row {rows[0] + 2}, "
    )


def other_pair(of_training):
    def damaged(random, table):
        row = int(random.integers(len(table)))
        if of_training:
            at = int(random.integers(len(SPLIT.train)))
            pair = SPLIT.train.users[at], SPLIT.train.items[at]
        else:
            rated = {*zip(table["user"], table["item"], strict=True)}
            rated |= {*zip(SPLIT.train.users, SPLIT.train.items, strict=True)}
            free = [(u, i) for u in range(40) for i in range(30) if (u, i) not in rated]
            pair = free[random.integers(len(free))]
        table.loc[row, ["user", "item"]] = pair
        is_ = "is a training pair" if of_training else "has no rating"
        return csv(table), (
            rf"1 of {len(table)} rows .* is not of a test pair of synthetic, the first in row "
            rf"{row + 2} for user '{pair[0]}', item '{pair[1]}', which {is_}"
        )

    return damaged


def unknown(kind):
    def damaged(random, table):
        rows = some(random, table)
        table.loc[rows, kind] = 1000 + rows
        start, where = first_row(table, rows)
        article = "an" if kind == "item" else "a"
        return csv(table), rf"{start} '{1000 + rows[0]}' {where}".replace(
            ".*", f".* {article} {kind} that synthetic does not have,"
        )

    return damaged


def written_as(change, says):
    def damaged(_, table):
        table["user"] = table["user"].map(change)
        return csv(table), rf"None of the user ids in 'p\.csv' is in synthetic: .*{says}"

    return damaged


def one_with_zeros(random, table):
    row = int(random.integers(len(table)))
    user = table["user"][row]
    table["user"] = table["user"].astype(str)
    table.loc[row, "user"] = f"00{user}"
    return csv(table), rf"1 of .* has a user .* '00{user}' in row {row + 2} \(did you mean '{user}'"


def cells(text, says):
    def damaged(random, table):
        rows = some(random, table)
        table["prediction"] = table["prediction"].astype(str)
        table.loc[rows, "prediction"] = text
        start, where = first_row(table, rows)
        return csv(table), rf"{start} \({says}\) {where} for user '\d+', item '\d+': ".replace(
            ".*", r"predictions in 'p\.csv' .*finite number,"
        )

    return damaged


def commas(random, table):
    table["prediction"] = [f"{value:.2f}".replace(".", ",") for value in table["prediction"]]
    content = table.sample(frac=1, random_state=int(random.integers(99))).to_csv(sep=";")
    return content.encode(), r"""30 of 30 .* finite number, .*'decimal=","'"""


def huge(random, table):
    rows = some(random, table)
    table.loc[rows, "prediction"] = 1e300
    start, where = first_row(table, rows)
    return csv(table), rf"{start} \(1e\+300\) {where}".replace(".*", r".*beyond ±1e\+12,")


def named(changes, says):
    return lambda _, table: (csv(table.rename(columns=changes)), says)


def two_columns(random, table):
    table["pred"] = random.normal(size=len(table))
    return csv(table), r"more than one prediction column \(prediction, pred\): choose prediction=…"


def truncated(random, table):
    content = gzip.compress(csv(table))
    return content[: int(random.integers(40, len(content) - 9))], "p.csv' .*(ends|damaged|cut)"


def ragged(random, table):
    lines = csv(table).splitlines()
    at = int(random.integers(1, len(lines)))
    lines[at] += b",9"
    return b"\n".join(lines), rf"Row {at + 1} of 'p\.csv' has 4 columns"


def no_id(random, table):
    row = int(random.integers(len(table)))
    table["item"] = table["item"].astype(str)
    table.loc[row, "item"] = ""
    return csv(table), rf"Row {row + 2} of 'p\.csv' has no item"


def bytes_of(make, says):
    return lambda random, table: (make(random, table), says)


NO_PREDICTIONS = r"'p\.csv' has no prediction column: choose prediction=… from its columns "

DAMAGES = {
    "rows left out": left_out,
    "rows repeated": repeated,
    "training pair": other_pair(True),
    "pair without a rating": other_pair(False),
    "unknown users": unknown("user"),
    "unknown items": unknown("item"),
    "users with a letter": written_as("u{}".format, "and not 'u"),
    "users with zeros": written_as("{:03}".format, "and not '0"),
    "one user with zeros": one_with_zeros,
    "nan": cells("nan", "'nan'"),
    "infinity": cells("inf", "'inf'"),
    "no prediction": cells("", "empty"),
    "text": cells("good", "'good'"),
    "decimal commas": commas,
    "too large": huge,
    "ratings": named({"prediction": "rating"}, f"{NO_PREDICTIONS}user, item, rating"),
    "another name": named({"prediction": "x"}, f"{NO_PREDICTIONS}user, item, x"),
    "no users": named({"user": "x"}, "has no user column: choose user=… from"),
    "exchanged": named({"user": "item", "item": "user"}, "columns? .*are exchanged"),
    "two columns": two_columns,
    "UTF-16": bytes_of(lambda _, t: csv(t).decode().encode("utf-16-le"), "encoding=utf-16-le"),
    "truncated": truncated,
    "no rows": bytes_of(lambda random, t: csv(t[:0]) + b"\n" * random.integers(4), "holds no pred"),
    "ragged": ragged,
    "no id": no_id,
}


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_named_and_nothing_is_written(
    damage, time, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng([time, list(DAMAGES).index(damage)])
    content, says = DAMAGES[damage](random, predicted_for(SPLIT, seed=time))
    (tmp_path / "p.csv").write_bytes(content)
    with pytest.raises(SystemExit) as ended, exit_with_sentence():
        evaluate(config("p.csv", out="out"), "synthetic")
    assert ended.value.code == 1
    out, sentence = capsys.readouterr()
    assert out == ""
    assert re.search(says, sentence), sentence
    assert "'p.csv'" in sentence
    assert sentence.count("\n") == 1
    assert sentence.endswith(".\n") or sentence.endswith("?\n")
    assert ". " not in sentence.removesuffix("\n")
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]


def test_there_are_two_hundred():
    assert len(DAMAGES) * TIMES == 200


def test_the_file_without_damage_is_scored(tmp_path, capsys):
    (tmp_path / "p.csv").write_bytes(csv(predicted_for(SPLIT)))
    evaluate(config(tmp_path / "p.csv", out=tmp_path / "out"), "synthetic")
    assert "over 30 test ratings of 19 users" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "evaluation.csv",
        "evaluation.json",
        "evaluation.md",
    ]
