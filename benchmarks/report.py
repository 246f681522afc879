"""The tables on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import cases, quoted
from benchmarks.findings import Agreement
from benchmarks.measure import Result
from benchmarks.targets import Verdict

COMPARED = {
    cases.NO_OP: cases.COMPARE,
    cases.FULL: cases.COMPARE,
    cases.FIRST: cases.CREATE_ALL,
    cases.CHANGED: cases.COMPARE,
    cases.COMMAND: cases.MODELS_ONLY,
}
"""Beside what each of our cases is put: the ratio is the time of the one on the right over ours."""


def show_environment(console: Console, environment: Mapping[str, Any]) -> None:
    console.print("  ".join(f"{name} {value}" for name, value in environment.items()), style="dim", highlight=False)


def show_results(console: Console, database: str, tables: int, results: Mapping[str, Result]) -> None:
    """Everything measured on one database at one size, and the quoted figures."""
    shown = Table(title=f"{database}, {tables} tables", title_justify="left", title_style="bold")
    shown.add_column("case")
    for name in ("median", "fastest", "statements", "peak memory", "times ours"):
        shown.add_column(name, justify="right")
    ours = {reference: results[case] for case, reference in COMPARED.items() if case in results}
    ours |= {cases.COMPARE: results[cases.FULL], cases.REFLECT: results[cases.FULL]}
    ours |= {cases.COMPARE_DEFAULTS: results[cases.FULL]}
    ours |= dict.fromkeys((cases.CREATE_ALL_BLIND, cases.CREATE_ALL_AUTOCOMMIT), results[cases.FIRST])
    for name, result in results.items():
        own = name in COMPARED
        mine = results.get(name.removeprefix(cases.HOST)) if name.startswith(cases.HOST) else ours.get(name)
        shown.add_row(
            name,
            *_figures(result),
            "" if own or mine is None else _ratio(result.median, mine.median),
            style="bold" if own else None,
        )
    for name in quoted.OPERATIONS:
        figure = quoted.FRAMEWORK_M.get((database, tables, name))
        if figure is not None:
            statements = "" if figure.statements is None else f"{figure.statements:,}"
            shown.add_row(f"{cases.HOST}{name} (quoted)", _time(figure.seconds), "", statements, "", "", style="dim")
    if tables in quoted.COMMANDS:
        low, high = quoted.COMMANDS[tables]
        text = _time(low) if low == high else f"{_time(low)} to {_time(high)}"
        shown.add_row(f"{cases.HOST}{cases.COMMAND} (quoted)", text, "", "", "", "", style="dim")
    console.print(shown)
    for name, result in results.items():
        if result.failure is not None:
            console.print(f"{name}: refused by the database: {result.failure}", style="yellow", highlight=False)


def _figures(result: Result) -> tuple[str, str, str, str]:
    if result.median is None:
        return "refused", "", "", ""
    return (
        _time(result.median),
        _time(min(result.seconds)),
        "" if result.statements is None else f"{result.statements:,}",
        "" if result.peak_bytes is None else f"{result.peak_bytes / 1e6:.1f} MB",
    )


def _ratio(theirs: float | None, mine: float | None) -> str:
    return "" if theirs is None or mine is None else f"{theirs / mine:.2f}"


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def show_agreement(console: Console, database: str, found: Agreement) -> None:
    """Whether both found the same."""
    if found.same:
        text = f"{database}: both found the same {len(found.ours)} known differences, and none where there was none."
        console.print(text, style="green", highlight=False)
        return
    console.print(f"{database}: findings differ", style="red" if not found.complete else "yellow")
    for name, items in found.to_dict().items():
        if name not in {"same", "expected"} and items:
            console.print(f"  {name.replace('_', ' ')}: {items}", highlight=False)


def show_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Targets reached and missed."""
    shown = Table(title="Targets", title_justify="left", title_style="bold")
    for name in ("case", "target", "against", "database", "tables", "measured", ""):
        shown.add_column(name, justify="right" if name in {"tables", "measured"} else "left")
    for verdict in verdicts:
        reached = verdict.reached
        word = "not measured" if reached is None else "reached" if reached else "NOT REACHED"
        shown.add_row(
            verdict.target.ours,
            verdict.target.words,
            verdict.reference,
            verdict.database,
            str(verdict.tables),
            "" if verdict.ratio is None else f"{verdict.ratio:.2f}",
            word,
            style="green" if reached else "red" if reached is False else "yellow",
        )
    console.print(shown)


def show_profile(console: Console, verdict: Verdict, lines: Sequence[str]) -> None:
    """Where the time of a missed target goes."""
    what = f"{verdict.target.ours}, {verdict.database}, {verdict.tables} tables"
    console.print(f"Where the time goes: {what}", style="bold")
    for line in lines:
        console.print(f"  {line}", highlight=False, soft_wrap=True)
