"""Made-up runs of the experiment `kernels`."""

from glocalk.records.benchmark import Bench, Line, Origin, Stall
from report.factory import curves, record

TAPS = [-1.0, -2, 0.5, -1, 8, -1, -3, -1, -0.5]


def moments(taps, live):
    return [
        {
            "stage": "finetune",
            "epoch": epoch,
            "numbers": {"taps/1": list(row), "live": [share, 10 * share]}
            | ({"redraws": [2]} if epoch == 0 else {}),
        }
        for epoch, (row, share) in enumerate(zip(taps, live, strict=True))
    ]


def run(seed=0, center=8.0, best=0.89, last=0.91, losses=(9, 7, 5), live=0.04, **changes):
    """A run of three epochs of fine-tuning; `center` is the middle tap before them."""
    start = [*TAPS[:4], center, *TAPS[5:]]
    made = curves([0.95, 0.93, 0.92, 0.9, 0.91])
    made = made.model_copy(update={"loss": [50.0, 40.0, *map(float, losses)]})
    fields = {
        "experiment": "kernels",
        "seed": seed,
        "best": best,
        "last": last,
        "held_out": None,
        "curves": {"final": made},
        "traces": moments([start, TAPS, TAPS, TAPS], [live, 0.03, 0.02, 0.01]),
        "user_counts": [3, 1, 2, 4],
        **changes,
    }
    return record(**fields)


def stall(below=-3.0, above=4.0):
    steps = [1e-8, 3e-8, 1e-7]
    lines = [
        Line(
            part=part,
            precision=precision,
            slope=-1e6,
            steps=steps,
            changes=[sign * step for step in (1.25, 2.0, 3.0)],
        )
        for precision in ("single", "double")
        for part, sign in (("all", 1), ("item_kernels", 1), ("rest", -1))
    ]
    found = Stall(
        data="ml_1m",
        seed=2,
        loss=325042.75,
        taps=[*TAPS[:3], -2e-6, *TAPS[4:]],
        lines=lines,
        tap=3,
        tap_values=[-1, 0, 1],
        tap_changes=[1, 0, 1],
        slope_below=below,
        slope_above=above,
        cells_above=1234,
        change_of_all=0.0,
        change_of_rest=-4666.0,
    )
    origin = Origin(commit=None, dirty=False, versions={"torch": "2"}, threads=1, cpu="cpu")
    return Bench(origins={"stall": origin}, stall=[found])
