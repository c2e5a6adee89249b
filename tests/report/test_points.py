from factory import record, result

from glocalk.report.points import Point, cost_notes


def run(seed, **changes):
    return record(seed=seed, **changes)


def test_runs_without_a_selection_run_are_counted_once_each():
    never = {name: result(0.9, 1) for name in ("best_test", "last", "official")}
    lent = [run(seed, validated_epoch_from_seed=0) for seed in (1, 2)]
    first, second = run(0), run(3, protocols=never)
    points = [Point((first, *lent)), Point((first, second)), Point(())]
    assert cost_notes(points) == [
        "Cost rule: 2 of the 4 runs made no selection run (`protocol.selection=lowest_seed`); they "
        "take the `validated` epoch of seed 0 at the same point.",
        "Cost rule: 1 of the 4 runs made no selection run (`protocol.selection=never`); they have "
        "no `validated` figure.",
    ]
    assert cost_notes([Point((first,))]) == []
