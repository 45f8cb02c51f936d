"""Economic evaluations as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.questions.caption import RunFacts
from ingest.questions.cost_effectiveness import Position, Status
from ingest.questions.discount import rate_words
from ingest.questions.economics import Economics, threshold_text
from ingest.questions.evaluation import Evaluation
from ingest.questions.investment import Case, InvestmentCase, year_rows
from ingest.text.numbers import (
    MINUS,
    at_most,
    count_text,
    in_full,
    quantity_text,
    signed_quantity_text,
    table_number,
    years_text,
)
from ingest.text.text_table import TextTable


def title(economics: Economics, *, is_case: bool = False) -> str:
    """What all numbers depend on, on one line."""
    settings = economics.settings
    what = "Investment case" if is_case else f"Cost of {economics.effect.gained}"
    money = [settings.money] if settings.money else []
    parts = [f"{what} against {economics.baseline}", *money, years_text(economics.years)]
    run = RunFacts.of(economics.request.run).words
    if is_case:
        rate = f"money discounted at {rate_words(settings.discount_cost)}"
        parts.append(f"{rate} a year to {economics.base_year}")
    else:
        parts.append(economics.rate_words)
    return " · ".join([*parts, f"as of {run}"])


def worth_notes(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    """Why a threshold is not known, or which countries its mean is without; each once."""
    notes: dict[str, None] = {}
    lacking: dict[str, dict[str, None]] = {}
    for threshold in (each for found in evaluations for each in found.thresholds):
        if threshold.note:
            notes[f"no threshold {threshold.amount}: {threshold.note}"] = None
        if threshold.lacking:
            countries = lacking.setdefault(threshold.amount.column, {})
            countries |= dict.fromkeys(threshold.lacking)
    yield from notes
    for column, countries in lacking.items():
        yield f"countries without {column}: {at_most(list(countries), 5)}"


def _group_title(evaluation: Evaluation) -> str:
    group = evaluation.group
    if group.of == 1 and group.countries == (group.name,):
        return group.title
    countries = count_text(group.of, "country|countries")
    has_all = len(group.countries) == group.of
    return f"{group.title}, {countries if has_all else f'{len(group.countries):,} of {countries}'}"


def evaluation_table(economics: Economics, evaluation: Evaluation) -> TextTable:
    """One group's table, from the cheapest scenario to the dearest, and what is best."""
    gained = economics.effect.verb
    headers = [
        "scenario",
        "cost",
        economics.effect.name.replace(" ", "\n", 1),
        "extra cost",
        gained,
    ]
    headers += [f"cost per unit\n{gained}", "on the\nfrontier"]
    headers += [f"net benefit\nat {threshold_text(each)}" for each in evaluation.thresholds]
    rows = [_evaluation_row(economics, evaluation, each) for each in evaluation.positions]
    best = [
        f"Best at {threshold.amount} ({threshold_text(threshold)}): {best}"
        for threshold, best in zip(evaluation.thresholds, evaluation.best, strict=True)
        if best is not None
    ]
    return TextTable(_group_title(evaluation), headers, rows, headers[1:], best)


LEGEND = (
    "A net benefit above 0 is worth its cost at that threshold; the best has the largest. On the "
    "frontier, the ratio is against the one before."
)


def _evaluation_row(economics: Economics, evaluation: Evaluation, position: Position) -> list[str]:
    strategy, found = position.strategy, position.against_baseline
    effect = quantity_text(strategy.effect * economics.effect.gain)
    row = [strategy.name, quantity_text(strategy.cost), effect]
    if found is None:
        row += ["baseline", "", ""]
    else:
        row += [
            signed_quantity_text(found.cost),
            signed_quantity_text(found.effect),
            _ratio(found.icer, found.mark),
        ]
    row.append(_frontier(position))
    for threshold, best in zip(evaluation.thresholds, evaluation.best, strict=True):
        net = None
        if found is not None and threshold.value is not None:
            net = found.net_benefit(threshold.value)
        text = "0" if found is None and best is not None else signed_quantity_text(net)
        row.append(f"{text} (best)" if best == strategy.name else text)
    return row


def _ratio(icer: float | None, mark: str) -> str:
    if icer is None:
        return mark
    return f"{table_number(icer)} {mark}".strip()


def _frontier(position: Position) -> str:
    if position.status is Status.SAME:
        return f"same as {position.by[0]}"
    if position.status is not Status.FRONTIER:
        return str(position.status.value)
    return "cheapest" if position.step is None else _ratio(position.step.icer, position.step.mark)


# --- investment cases -----------------------------------------------------------------------------

_SIDES = (False, True)


def investment_tables(economics: Economics, cases: Sequence[InvestmentCase]) -> list[TextTable]:
    """The cases of one group: a table for each horizon, two lines for each scenario."""
    streams = [stream.name for stream in economics.settings.benefits]
    headers = ["scenario", "discounted", "extra cost", *streams, "benefits", "net benefit"]
    headers += [
        "benefit-cost\nratio",
        "return on\ninvestment",
        "cost per\nperson-year",
        "break-even",
    ]
    return [
        TextTable(
            years_text(range(economics.years[0], horizon + 1)),
            headers,
            [_case_row(case, horizon, is_discounted) for case in cases for is_discounted in _SIDES],
            headers[2:],
        )
        for horizon in economics.horizons
    ]


def _case_row(case: InvestmentCase, horizon: int, is_discounted: bool) -> list[str]:
    found = case.until(horizon, discounted=is_discounted)
    money = [found.cost, *found.benefits, found.benefit, found.benefit - found.cost]
    ratios = (found.benefit_cost_ratio, found.return_on_investment)
    shown = ["" if each is None else _two_decimals(each) for each in ratios]
    per_person = found.cost_per_person_year
    return [
        "" if is_discounted else case.scenario,
        "yes" if is_discounted else "no",
        *map(signed_quantity_text, money),
        found.mark or shown[0],
        shown[1],
        "" if per_person is None else table_number(per_person),
        _break_even(found),
    ]


def _two_decimals(number: float) -> str:
    return in_full(number, 2).replace("-", MINUS)


def _break_even(found: Case) -> str:
    if found.break_even_year is not None:
        return str(found.break_even_year)
    return "" if found.mark else "not reached"


def years_table(economics: Economics, case: InvestmentCase) -> TextTable:
    """One case year by year: its money, and what has come together by then, both ways."""
    streams = [stream.name for stream in economics.settings.benefits]
    columns = ["extra_cost", *(f"benefit_{name}" for name in streams), "net_benefit", "net_so_far"]
    columns += [f"discounted_{name}" for name in ("extra_cost", "benefit", "net_so_far")]
    headers = ["year", "extra cost", *streams, "net benefit", "net so far"]
    headers += [f"discounted\n{name}" for name in ("extra cost", "benefits", "net so far")]
    rows = [
        [str(row["year"]), *(signed_quantity_text(row[name]) for name in columns)]
        for row in year_rows(economics, case)
    ]
    return TextTable(f"{case.group.title}, {case.scenario}", headers, rows, headers[1:])
