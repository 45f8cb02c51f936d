"""The output of `ingest explain --attribute`: what each changed input moved alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click

from ingest.commands.common.context import StudyChoice
from ingest.commands.common.output import print_json, table
from ingest.commands.explain import known_combination
from ingest.questions.compare import default_label
from ingest.running.attribution import Attribution, LabelShares, Share, attribute
from ingest.study.combination import Combination
from ingest.text.numbers import percent_text, quantity_text, signed_quantity_text


def show_attribution(
    choice: StudyChoice, country: str, scenario: str, labels: Sequence[str], as_json: bool
) -> None:
    """Run and print the shares of a combination's last change; progress goes to stderr."""
    context = choice.context()
    with choice.reading() as connection:
        combination = Combination(*known_combination(connection, country, scenario))
        chosen = [default_label(connection, label) for label in labels or (None,)]
        found = attribute(
            context.study,
            context.plugins,
            connection,
            combination,
            chosen,
            lambda text: click.echo(text, err=True),
        )
    if as_json:
        print_json(asdict(found))
    else:
        _show(found)


def _show(found: Attribution) -> None:
    runs = f"run {found.before_run} -> run {found.after_run}"
    click.echo(f"{found.country} / {found.scenario}, {runs}, sums over the years")
    for label in found.labels:
        moved = signed_quantity_text(label.after - label.before)
        click.echo(
            f"\n{label.element_label}  {quantity_text(label.before)} -> "
            f"{quantity_text(label.after)}  ({moved})"
        )
        click.echo(table(_rows(label), ("alone", "change", "share"), right=("change", "share")))
    for note in found.notes:
        click.echo(f"Note: {note}", err=True)


def _rows(label: LabelShares) -> Iterator[tuple[str, str, str]]:
    rest = [] if label.interaction is None else [label.interaction]
    for share in (*label.causes, *rest):
        yield share.cause, *_numbers(share)


def _numbers(share: Share) -> tuple[str, str]:
    if share.change is None:
        return f"failed: {share.error}", ""
    return signed_quantity_text(share.change), percent_text(share.share)
