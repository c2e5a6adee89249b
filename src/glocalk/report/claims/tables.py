"""`claims.md` and `claims.csv`: the verdict on every claim of the paper under every protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from glocalk.report.cells import data_title
from glocalk.report.claims.judged import Finding, Judgment, judge_claim
from glocalk.report.claims.listed import Claim, Comparison, claims_of_paper
from glocalk.report.elsewhere import around_cells
from glocalk.report.layout import (
    NOTHING,
    csv_text,
    difference,
    difference_interval,
    markdown_table,
    number,
    p_value,
    rmse,
    yes,
)
from glocalk.report.parts import Files, Sources
from glocalk.report.statistics.bootstrap import LEVEL, RESAMPLES
from glocalk.report.statistics.measured import PROTOCOLS
from glocalk.report.statistics.verdict import SIGNIFICANCE, Verdict

COLUMNS = (
    *("claim", "source", "margin", "data", "against", "published", "protocol", "verdict"),
    *("strongest", "difference", "low", "high", "p_adjusted", "spread", "spread_lent", "seeds"),
)

_WORDS = {verdict: str(verdict) for verdict in Verdict}

_LEAD = f"""# Claims of the paper

What the records say about each claim in the text of Han et al., CIKM 2021 (arXiv 2108.12184), on
the paper's splits. `folds.md` has other splits, `seeds.md` further seeds of GLocal-K.

- *Difference*: GLocal-K's test RMSE, mean over seeds, minus that of what it is compared with. Below
  0, GLocal-K is better. Variants of one model are compared at the seeds that they have in common.
- ± *spread of seeds*: by how much the difference of two single runs varies, the root of the sum of
  both sides' variances over seeds. A side with one seed (†) takes the variance of the model's most
  similar runs: those on the same data before others, without changed options before variants, and
  with the nearest share of the training ratings. Without a spread, an effect that another seed may
  undo would count as shown.
- *[low, high]*: {100 * LEVEL:.0f} % interval of the difference by a bootstrap over users with test
  ratings ({RESAMPLES:,} resamples, the same users for both sides).
- *p*: two-sided paired t-test of users' contributions to the difference, adjusted by Holm's
  method for all comparisons of the claim under the protocol.

A claim **{Verdict.HOLDS}** if the interval lies below 0, p is below {100 * SIGNIFICANCE:.0f} %, and
the difference is larger than the spread of seeds and than two standard errors over seeds, √(Σ s²/n)
of both sides' standard deviations and numbers of seeds. With one seed on each side, that is twice
the spread. It **{Verdict.FAILS}** if the same is true above 0. Otherwise it **{Verdict.OPEN}**.
Interval and p take the trained models as they are, and under `best_test` also the epochs that were
chosen on the test set. A claim with a margin, which is ours, is judged with the margin in place of
0.
‡: the other model was trained with a part of its updates (`table1.md` says which), so that the
verdict is about less than the model can do.
A row against several others needs all of them: it holds if it holds against each, and does not hold
if it does not against one. It shows, of those that decide, the one with the largest difference.

"""


def claims_files(sources: Sources) -> Files:
    """`claims.md` and `claims.csv`; none without runs of Table 1."""
    if not any(cell.runs for cell in sources.cells):
        return {}
    claims = claims_of_paper(sources.cells, sources.published, around_cells(sources.records))
    judgments = [made for claim in claims for made in judge_claim(claim, sources.measured)]
    return {"claims.csv": claims_csv(judgments), "claims.md": claims_markdown(judgments)}


def claims_csv(judgments: Iterable[Judgment]) -> str:
    """A row for each case and protocol."""
    return csv_text(COLUMNS, map(_csv_row, judgments))


def claims_markdown(judgments: Iterable[Judgment]) -> str:
    """The rule of the verdict, an overview, and a table for each claim."""
    claims = [
        (claim, list(made))
        for claim, made in groupby(judgments, key=lambda judgment: judgment.claim)
    ]
    parts = [f"{_LEAD}## Overview\n", _overview(claims)]
    for claim, made in claims:
        margin = f" Margin: {rmse(claim.margin, 3)}." * bool(claim.margin)
        parts += [f"## {claim.statement}\n", f"{claim.source}.{margin}\n", judgment_table(made)]
    return "\n".join(parts)


def _csv_row(judgment: Judgment) -> list[str]:
    claim, case, found = judgment.claim, judgment.case, judgment.finding
    row = [
        claim.name,
        claim.source,
        number(claim.margin, 3),
        case.data,
        case.against,
        number(case.published, 4),
        judgment.protocol,
        str(judgment.verdict),
    ]
    if found is None:
        return row + [""] * (len(COLUMNS) - len(row))
    return [
        *row,
        found.comparison.against,
        number(found.difference.estimate),
        *map(number, found.difference.interval),
        number(found.p_value),
        number(found.spread),
        yes(found.lent),
        " ".join(map(str, found.seeds)),
    ]


def _overview(claims: Sequence[tuple[Claim, Sequence[Judgment]]]) -> str:
    header = ["Claim", "Rows", *(f"`{protocol}`" for protocol in PROTOCOLS)]
    rows = [
        [claim.statement, str(len(claim.cases)), *(_count(made, name) for name in PROTOCOLS)]
        for claim, made in claims
    ]
    return markdown_table(header, rows, left=1)


def _count(judgments: Iterable[Judgment], protocol: str) -> str:
    counts = Counter(made.verdict for made in judgments if made.protocol == protocol)
    return "<br>".join(f"{verdict}: {counts[verdict]}" for verdict in Verdict if counts[verdict])


def judgment_table(judgments: Sequence[Judgment], words: Mapping[Verdict, str] = _WORDS) -> str:
    """A row for each case of a claim, with a cell for each protocol.

    Args:
        judgments: those of one claim.
        words: what each verdict is called.
    """
    header = ["Data", "Against", "Published", "Seeds", *(f"`{name}`" for name in PROTOCOLS)]
    by_protocol = [
        [made for made in judgments if made.protocol == protocol] for protocol in PROTOCOLS
    ]
    rows = (_row(of_case, words) for of_case in zip(*by_protocol, strict=True))
    return markdown_table(header, rows, left=2)


def _row(judgments: Sequence[Judgment], words: Mapping[Verdict, str]) -> list[str]:
    case = judgments[0].case
    found = [made.finding for made in judgments if made.finding]
    seeds = {"/".join(map(str, finding.seeds)) for finding in found}
    return [
        data_title(case.data),
        case.against + _mark(case.comparisons[0]) * (len(case.comparisons) == 1),
        difference(case.published),
        ", ".join(sorted(seeds)) or NOTHING,
        *(_cell(made, judgments[0], words) for made in judgments),
    ]


def _cell(judgment: Judgment, first: Judgment, words: Mapping[Verdict, str]) -> str:
    """Verdict and evidence; a reference to the first protocol where nothing differs."""
    if judgment.finding is None:
        return words[judgment.verdict]
    if judgment is not first and judgment.finding == first.finding:
        return f"as `{first.protocol}`"
    return f"**{words[judgment.verdict]}**<br>{_evidence(judgment.finding, judgment)}"


def _mark(comparison: Comparison) -> str:
    return " ‡" if comparison.under_budget else ""


def _evidence(found: Finding, judgment: Judgment) -> str:
    mark = " †" * found.lent
    several, p = len(judgment.case.comparisons) > 1, p_value(found.p_value)
    return "<br>".join(
        [
            *[found.comparison.against + _mark(found.comparison)] * several,
            f"{difference(found.difference.estimate)} ± {rmse(found.spread)}{mark}",
            difference_interval(*found.difference.interval),
            f"p {'' if p.startswith('<') else '= '}{p}",
        ]
    )
