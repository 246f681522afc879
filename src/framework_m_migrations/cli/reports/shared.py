"""What several reports have in common: risks, changes, withheld changes and the commands that handle them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from framework_m_migrations.cli.document import Block, Grid, Heading, Span, Spans, Style, line
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.plan import PlannedChange, Risk
from framework_m_migrations.domain.risk import CREATE, DROP, SYNC

RISK_STYLES: dict[Risk, Style] = {Risk.SAFE: "safe", Risk.WARNING: "warning", Risk.BREAKING: "breaking"}
RISK_MARKS: dict[Risk, str] = {Risk.SAFE: "●", Risk.WARNING: "▲", Risk.BREAKING: "✖"}

SHOWN_ROWS = 40
"""So many changes are listed by sync; a first sync of a thousand tables need not scroll everything else away."""


def risk_span(risk: Risk) -> Span:
    """The risk in its colour, always with the word."""
    return Span(risk.name, RISK_STYLES[risk], RISK_MARKS[risk])


def plural(number: int, noun: str) -> str:
    """``1 change``, ``2 changes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def command_for(planned: PlannedChange) -> str:
    """What to type, or to do, so that a change comes about."""
    match planned.judgement.handled_by:
        case handled if handled == CREATE:
            return f'm-migrate create "MESSAGE" --app {shlex.quote(planned.app) if planned.app else "APP"}'
        case handled if handled == DROP:
            return "m-migrate sync --allow-drop"
        case handled if handled == SYNC:
            return "m-migrate sync"
        case _:
            return "by hand"


def changes_grid(changes: Iterable[PlannedChange]) -> Grid:
    """Risk, table, what, reason."""
    return Grid(
        ("RISK", "TABLE", "CHANGE", "REASON"),
        tuple(
            (
                risk_span(planned.judgement.risk),
                Span(str(planned.change.table), "bold"),
                Span(sentence(planned.change)),
                Span(planned.judgement.reason, "dim"),
            )
            for planned in changes
        ),
    )


def withheld_blocks(withheld: tuple[PlannedChange, ...]) -> tuple[Block, ...]:
    """What sync leaves alone, each with what handles it; nothing when there is none."""
    if not withheld:
        return ()
    rows: tuple[Spans, ...] = tuple(
        (
            risk_span(planned.judgement.risk),
            Span(str(planned.change.table), "bold"),
            Span(sentence(planned.change)),
            Span(planned.judgement.reason, "dim"),
            Span(command_for(planned), "command"),
        )
        for planned in withheld
    )
    return (
        Heading("Withheld: sync leaves these alone"),
        Grid(("RISK", "TABLE", "CHANGE", "REASON", "HANDLED BY"), rows),
    )


def applied_blocks(title: str, changes: tuple[PlannedChange, ...], *, every: bool) -> tuple[Block, ...]:
    """The changes that sync applies; cut after SHOWN_ROWS, saying so, unless ``every`` one is wanted."""
    if not changes:
        return ()
    shown = changes if every or len(changes) <= SHOWN_ROWS else changes[:SHOWN_ROWS]
    blocks: tuple[Block, ...] = (Heading(title), changes_grid(shown))
    hidden = len(changes) - len(shown)
    if hidden:
        blocks += (line(Span(f"... and {plural(hidden, 'more change')}; -v lists all of them.", "dim"), indent=1),)
    return blocks
