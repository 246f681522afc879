"""What the codes of errors and of lint's rules mean."""

from __future__ import annotations

from typing import NamedTuple

import framework_m_migrations.cli.errors  # noqa: F401 - its errors have codes too
from framework_m_migrations.cli.document import Document, Span, line
from framework_m_migrations.domain.errors import MigrationError


class Explanation(NamedTuple):
    """A code with its meaning and the way out; ``exit_code`` is None for a rule of lint."""

    code: str
    meaning: str
    next_step: str
    exit_code: int | None


def explained(code: str) -> tuple[Explanation, ...]:
    """All that a code stands for: one error, or each kind of statement that a rule of lint is about."""
    wanted = code.strip().upper()
    errors = tuple(
        Explanation(wanted, " ".join((kind.__doc__ or "").split()), kind.default_next_step, kind.exit_code)
        for kind in _kinds(MigrationError)
        if kind.code == wanted
    )
    if errors or not wanted.startswith("L"):
        return errors
    from framework_m_migrations.adapters.sql.lint.rules import ACTIONS, STATEMENTS

    return tuple(
        dict.fromkeys(
            Explanation(wanted, rule.what.replace("{table}", "the table"), rule.next_step, None)
            for rule in (*STATEMENTS, *ACTIONS)
            if rule.code == wanted
        )
    )


def _kinds(kind: type[MigrationError]) -> list[type[MigrationError]]:
    return [kind, *(one for child in kind.__subclasses__() for one in _kinds(child))]


def explanation_report(found: tuple[Explanation, ...]) -> Document:
    """For people."""
    return tuple(
        block
        for one in found
        for block in (
            line(Span(one.code, "bold"), f": {one.meaning}"),
            *(() if one.exit_code is None else (line(f"Exit code {one.exit_code}.", indent=1),)),
            line(Span("Next", "bold"), f": {one.next_step}", indent=1),
        )
    )
