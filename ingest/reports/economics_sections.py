"""Cost-effectiveness and investment cases of a report."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ingest.charts.economics_charts import investment_chart, plane_chart
from ingest.exchange.workbook import NativeChart, Series, Sheet
from ingest.questions.discount import rate_words
from ingest.questions.economics import TOTAL, Economics, EconomicsRequest, read_economics_of
from ingest.questions.economics_tables import (
    LEGEND,
    evaluation_table,
    investment_tables,
    worth_notes,
)
from ingest.questions.evaluation import (
    Evaluation,
    evaluate,
    evaluation_answer,
    evaluation_rows,
    flat_row,
)
from ingest.questions.investment import (
    InvestmentCase,
    case_answer,
    cases_by_group,
    investment_cases,
    plain_row,
    summary_rows,
    year_rows,
)
from ingest.reports.model import Picture, Section
from ingest.reports.question import Part, ReportQuestion
from ingest.study.report_settings import COST_EFFECTIVENESS, INVESTMENT_CASE
from ingest.text.numbers import years_text

_TITLE, _CASE, _YEARS = "Cost-effectiveness", "Investment case", "Years"


def economics_part(connection: sqlite3.Connection, question: ReportQuestion) -> Part:
    """Those of the two sections that are wanted. Raises ConfigError as read_economics_of()."""
    wanted, settings = question.settings.sections, question.economics
    if not settings.is_set:
        return Part.left_out(_TITLE, "the study has no [economics] in ingest.toml")
    request = EconomicsRequest(
        run=question.run,
        by=question.by,
        countries=tuple(question.countries),
        scenarios=tuple(question.scenarios),
        consistent=question.consistent,
    )
    found = read_economics_of(connection, settings, question.definitions, question.values, request)
    evaluations = evaluate(found)
    sections, notes = [], list(_notes(found, evaluations))
    if COST_EFFECTIVENESS in wanted:
        sections.append(_evaluation_section(found, evaluations))
    if INVESTMENT_CASE in wanted:
        case = _case_part(found, evaluations)
        sections += case.sections
        notes += case.notes
    return Part(sections, notes)


# --- cost-effectiveness ---------------------------------------------------------------------------


def _evaluation_section(found: Economics, evaluations: Sequence[Evaluation]) -> Section:
    rows = [flat_row(row) for each in evaluations for row in evaluation_rows(found, each)]
    first = next((each for each in evaluations if each.group.by == TOTAL), evaluations[0])
    title = f"{found.effect.gained} and what they cost, {first.group.title}"
    return Section(
        title=_TITLE,
        conditions=_conditions(found, found.rate_words),
        answers=[*_incomplete(found), *(evaluation_answer(found, each) for each in evaluations)],
        sentences=[LEGEND],
        tables=[evaluation_table(found, each) for each in evaluations],
        sheets=[Sheet.of(_TITLE, rows)],
        pictures=[Picture(title, plane_chart(found, first))],
        charts=[_plane(found, first, rows, title)],
    )


def _incomplete(found: Economics) -> list[str]:
    """That countries are left out, where some are."""
    number = len(found.complete) - len(found.left_out)
    text = f"Costs and effects are of {number:,} of {len(found.complete):,} countries; see notes."
    return [text] if found.left_out else []


def _conditions(found: Economics, rates: str) -> str:
    money = [found.settings.money] if found.settings.money else []
    years = years_text(found.years)
    return " · ".join([f"Against {found.baseline}", *money, years, rates])


def _plane(
    found: Economics, shown: Evaluation, rows: Sequence[dict[str, Any]], title: str
) -> NativeChart:
    """A point for each scenario of a group."""
    own = (shown.group.by, shown.group.name)
    points = [
        Series(row["scenario"], _TITLE, "effect_gained", "extra_cost", number, number)
        for number, row in enumerate(rows)
        if (row["by"], row["group"]) == own and row["extra_cost"] is not None
    ]
    money = found.settings.money or found.cost.name
    return NativeChart("scatter", title, found.effect.gained, f"Extra cost ({money})", points)


# --- investment cases -----------------------------------------------------------------------------


def _case_part(found: Economics, evaluations: Sequence[Evaluation]) -> Part:
    """The investment case of each group and scenario."""
    if not found.settings.benefits:
        return Part.left_out(_CASE, "ingest.toml has no [[economics.benefits]]")
    cases = investment_cases(found)
    if not cases:
        return Part.left_out(_CASE, f"no country has {', '.join(found.settings.columns)}")
    groups = cases_by_group(cases)
    best = [case for case in (_best_case(evaluations, own) for own in groups) if case]
    shown = next((case for case in (*best, *cases) if case.group.by == TOTAL), (best or cases)[0])
    years = [row for case in cases for row in year_rows(found, case)]
    rate = f"money discounted at {rate_words(found.settings.discount_cost)} a year"
    title = f"{shown.scenario} against {found.baseline}, {shown.group.title}: net benefit so far"
    section = Section(
        title=_CASE,
        conditions=_conditions(found, f"{rate} to {found.base_year}"),
        answers=[_answer(found, case) for case in best],
        tables=[
            replace(table, title=f"{own[0].group.title}, {table.title}")
            for own in groups
            for table in investment_tables(found, own)
        ],
        sheets=[
            Sheet.of(_CASE, [plain_row(row) for c in cases for row in summary_rows(found, c)]),
            Sheet.of(_YEARS, years),
        ],
        pictures=[Picture(title, investment_chart(found, shown))],
        charts=[_net_benefits(found, shown, years)],
    )
    return Part([section], list(_case_notes(found, cases)))


def _best_case(
    evaluations: Sequence[Evaluation], cases: Sequence[InvestmentCase]
) -> InvestmentCase | None:
    """Of the cases of a group that of the scenario with the largest net benefit.

    It is that at the last threshold that is known; None where it is the baseline, or none is known.
    """
    best = [each for found in evaluations if found.group == cases[0].group
            for each in found.best if each is not None]  # fmt: skip
    return next((case for case in cases if best and case.scenario == best[-1]), None)


def _answer(found: Economics, case: InvestmentCase) -> str:
    answer = case_answer(found, case)
    return answer if case.group.by == TOTAL else f"{case.group.title}: {answer}"


def _net_benefits(
    found: Economics, shown: InvestmentCase, rows: Sequence[dict[str, Any]]
) -> NativeChart:
    """The discounted net benefit so far of each scenario of a group, over the years."""
    length, own = len(found.years), (shown.group.by, shown.group.name)
    lines = [
        Series(row["scenario"], _YEARS, "year", "discounted_net_so_far", start, start + length - 1)
        for start, row in list(enumerate(rows))[::length]
        if (row["by"], row["group"]) == own
    ]
    title = f"Net benefit so far, discounted, {shown.group.title}"
    return NativeChart("line", title, "", found.settings.money or found.cost.name, lines)


# --- notes ----------------------------------------------------------------------------------------


def _notes(found: Economics, evaluations: Sequence[Evaluation]) -> Iterator[tuple[str, str]]:
    """What costs and effects are, at which rates, and who is left out."""
    settings = found.settings
    yield "Cost", ", ".join([found.cost.name, *([settings.money] if settings.money else [])])
    way = "higher" if found.effect.gain > 0 else "lower"
    unit = f" ({found.effect.unit})" if found.effect.unit else ""
    yield "Effect", f"{found.effect.name}{unit}; {way} is better"
    yield "Baseline of economics", found.baseline
    cost, effect = map(rate_words, found.rates)
    yield "Discount rates", f"costs {cost}, effects {effect} a year to {found.base_year}"
    if settings.thresholds:
        yield "Thresholds", f"{', '.join(settings.thresholds)}. {settings.source}".strip(". ")
    for note in (*found.notes, *worth_notes(evaluations)):
        yield _TITLE, note
    for why in dict.fromkeys(found.left_out.values()):
        countries = [country for country, own in found.left_out.items() if own == why]
        yield _TITLE, f"in no group, {why}: {', '.join(countries)}"


def _case_notes(found: Economics, cases: Sequence[InvestmentCase]) -> Iterator[tuple[str, str]]:
    for stream in found.settings.benefits:
        worth = f"{stream.effect}, each worth {stream.value}"
        yield f"Benefit {stream.name}", f"{worth}. {stream.source}".strip(". ")
    lacking = sorted({country for case in cases for country in case.without})
    if lacking:
        yield _CASE, f"without {', '.join(found.settings.columns)}: {', '.join(lacking)}"
