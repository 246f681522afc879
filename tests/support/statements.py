"""Every statement that an engine sends, kept for the test that wants to judge or to count them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from tests.support.sync_path import is_destructive

_WRITE = re.compile(r"^\s*(CREATE|ALTER|INSERT|UPDATE|DELETE|REPLACE|COMMENT|REINDEX|DROP|TRUNCATE)\b", re.IGNORECASE)


@dataclass(slots=True)
class Statements:
    """What was sent, in order."""

    sent: list[str] = field(default_factory=list)

    @property
    def destructive(self) -> list[str]:
        """Statements that drop, truncate, rename or delete, those on the engine's own ledger apart."""
        return [statement for statement in self.sent if is_destructive(statement)]

    @property
    def writes(self) -> list[str]:
        """Statements that change schema or rows."""
        return [statement for statement in self.sent if _WRITE.match(statement)]


@contextmanager
def recorded(engine: sa.Engine) -> Iterator[Statements]:
    """Listen on an engine (for an async one: its ``sync_engine``) within the block."""
    statements = Statements()

    def listen(conn: object, cursor: object, statement: str, parameters: object, context: object, many: bool) -> None:
        statements.sent.append(statement)

    sa.event.listen(engine, "before_cursor_execute", listen)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", listen)
