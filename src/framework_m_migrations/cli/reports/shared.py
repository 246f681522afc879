"""What several reports have in common: risks, changes, withheld changes and the commands that handle them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable

from framework_m_migrations.cli.document import Block, Grid, Heading, Span, Spans, Style, line
from framework_m_migrations.domain.changes import TableAdded
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.plan import PlannedChange, Risk
from framework_m_migrations.domain.risk.rules import CONTRACT, CREATE, DROP, MANUAL, SYNC

RISK_STYLES: dict[Risk, Style] = {Risk.SAFE: "safe", Risk.WARNING: "warning", Risk.BREAKING: "breaking"}
RISK_MARKS: dict[Risk, str] = {Risk.SAFE: "●", Risk.WARNING: "▲", Risk.BREAKING: "✖"}

MEANINGS = {
    CREATE: "writes a revision for you to review; `m-migrate run` applies it",
    DROP: "drops what the ledger says is ours, after listing it",
    SYNC: "applies it",
    CONTRACT: "ends an online change, once no old code runs any more",
    MANUAL: "in a revision of your own (m-migrate create --no-autogenerate), or in the database",
}

HOST_APPS = frozenset({"framework_m_core"})
"""Apps that are a host program's own: a user looks for the tables of the project first."""

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
            return f'm-migrate create "MESSAGE" --app {_app(planned)}'
        case handled if handled == DROP:
            return "m-migrate sync --allow-drop"
        case handled if handled == SYNC:
            return "m-migrate sync"
        case handled if handled == CONTRACT:
            return "m-migrate run --contract"
        case _:
            return "by hand"


def _app(planned: PlannedChange) -> str:
    return shlex.quote(planned.app) if planned.app else "APP"


def _handler(planned: PlannedChange) -> str:
    """The same in so few words that a column holds it."""
    return f"create --app {_app(planned)}" if planned.judgement.handled_by == CREATE else planned.judgement.handled_by


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
            Span(_handler(planned), "command"),
        )
        for planned in withheld
    )
    commands = dict.fromkeys((planned.judgement.handled_by, command_for(planned)) for planned in withheld)
    return (
        Heading("Withheld: sync leaves these alone"),
        Grid(("RISK", "TABLE", "CHANGE", "REASON", "HANDLED BY"), rows),
        Heading("What handles them"),
        *(line(Span(command, "command"), f": {MEANINGS[handler]}", indent=1) for handler, command in commands),
    )


def applied_blocks(
    title: str, changes: tuple[PlannedChange, ...], *, every: bool, folded: bool | None = None
) -> tuple[Block, ...]:
    """The changes that sync applies, the project's own first.

    Args:
        title: of the section.
        changes: in the plan's order.
        every: show all; else the list is cut after SHOWN_ROWS.
        folded: tell the changes of the host program's own tables in one line. Default: not ``every``.
    """
    if not changes:
        return ()
    of_host = [one for one in changes if one.app in HOST_APPS]
    own = [one for one in changes if one.app not in HOST_APPS]
    fold = (not every if folded is None else folded) and len(of_host) > 1
    listed = own if fold else [*own, *of_host]
    shown = listed if every else listed[:SHOWN_ROWS]
    blocks: list[Block] = [Heading(title), *((changes_grid(shown),) if shown else ())]
    if fold:
        counts = Counter((one.app, isinstance(one.change, TableAdded)) for one in of_host)
        words = [
            f"{plural(number, 'new table' if table else 'change')} of {app}" for (app, table), number in counts.items()
        ]
        blocks.append(line(Span(f"and {', '.join(words)}; -v lists them.", "dim"), indent=1))
    if hidden := len(listed) - len(shown):
        blocks.append(line(Span(f"... and {plural(hidden, 'more change')}; -v lists all of them.", "dim"), indent=1))
    return tuple(blocks)
