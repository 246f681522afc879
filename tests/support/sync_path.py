"""Watches every statement of every engine in the suite: the sync path sends nothing that destroys.

The listener stands on the Engine class, so no engine of any test escapes it. A statement counts as the sync path's
when planner, applier or executor are on the stack and the pruner and the versioned track are not.
"""

from __future__ import annotations

import re
import sys
from types import FrameType

import sqlalchemy as sa

_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]")
# A temporary table is the session's own, and MariaDB has no transaction that would take it back.
_DESTRUCTIVE = re.compile(
    r"\b(DROP(?!\s+TEMPORARY\s+TABLE\s+m_migrate_trial\b)|TRUNCATE|RENAME)\b|\bDELETE\s+FROM\s+(?!(?:\w+\.|''\.)?__schema_)",
    re.IGNORECASE,
)
_SYNC_PATH = ("services/sync_planner.py", "services/plan_applier.py", "adapters/sql/executor.py")
_ELSEWHERE = ("adapters/sql/pruner.py", "adapters/sql/revisions/", "/alembic/")

caught: list[str] = []
"""Destructive statements that left the sync path. The root conftest fails the test that finds any here."""


def is_destructive(statement: str) -> bool:
    """True when a statement drops, truncates, renames or deletes, outside literals and quoted names."""
    text = _QUOTED.sub(lambda match: match[0] if "__schema_" in match[0] else "''", statement)
    return _DESTRUCTIVE.search(text.replace('"__schema_', "__schema_")) is not None


def _files(frame: FrameType | None) -> list[str]:
    files = []
    while frame is not None:
        files.append(frame.f_code.co_filename.replace("\\", "/"))
        frame = frame.f_back
    return files


def _watch(conn: object, cursor: object, statement: str, parameters: object, context: object, many: object) -> None:
    if not is_destructive(statement):
        return
    files = _files(sys._getframe(1))
    on_path = any(part in name for name in files for part in _SYNC_PATH)
    elsewhere = any(part in name for name in files for part in _ELSEWHERE)
    if on_path and not elsewhere:
        caught.append(statement)


def install() -> None:
    """Listen on every engine, those that exist already included."""
    if not sa.event.contains(sa.Engine, "before_cursor_execute", _watch):
        sa.event.listen(sa.Engine, "before_cursor_execute", _watch)
