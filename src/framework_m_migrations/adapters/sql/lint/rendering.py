"""What a revision would send, statement by statement, each with the line of the file that sends it."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TextIO, cast

import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script

from framework_m_migrations.adapters.sql import online as helpers
from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.lint.statements import split
from framework_m_migrations.adapters.sql.versions.exclusive import exclusive
from framework_m_migrations.adapters.sql.versions.failures import failing_line
from framework_m_migrations.adapters.sql.versions.operations import ImplSource, writing
from framework_m_migrations.adapters.sql.versions.scripts import Library, offline_config

_HELPERS = str(Path(helpers.__file__).parent)
_POSTGRESQL = PostgresqlDialect()
_VERBATIM = "execute"
"""The helper whose statements are the author's own, but for those round them."""
_FRAME = re.compile(r"BEGIN|COMMIT|SET LOCAL lock_timeout")


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement in one line.

    ``line`` is of the revision's file, None where the statement came from elsewhere. ``online`` says that a helper of
    framework_m_migrations.online wrote it.
    """

    sql: str
    line: int | None
    online: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """A revision's way up or back. ``failure`` tells why it was not rendered to its end, ``failed_at`` where.

    ``texts`` are the same statements as they are written, with their lines.
    """

    statements: tuple[Sent, ...]
    failure: str | None = None
    failed_at: int | None = None
    texts: tuple[str, ...] = ()


@dataclass(slots=True)
class _Recorder(io.TextIOBase):
    """Alembic's output, noted with the line that caused it."""

    file: str
    sent: list[Sent] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def write(self, text: str, /) -> int:
        line, helper = _origin(sys._getframe(1), self.file)  # noqa: SLF001 - there is no other way to ask who calls
        for sql in split(text):
            own = helper is not None and (helper != _VERBATIM or _FRAME.match(sql) is not None)
            self.sent.append(Sent(sql, line, own))
        written = text.strip().removesuffix(";").rstrip()
        if written:
            self.texts.append(written)
        return len(text)


def render(
    library: Library,
    script: Script,
    connection: sa.Connection,
    *,
    upgrade: bool = True,
    dialect: str = "postgresql",
    source: ImplSource = _POSTGRESQL,
) -> Rendered:
    """Run a revision's upgrade, or its downgrade, offline; one that it does not have sends nothing.

    Args:
        library: all revisions.
        script: the one to be rendered.
        connection: any; only to wait for Alembic's globals.
        upgrade: False for its downgrade.
        dialect: SQLAlchemy's name of the dialect for which it is written.
        source: that dialect, whose writer stands before Alembic's, as when the revision runs.
    """
    function = getattr(script.module, "upgrade" if upgrade else "downgrade", None)
    if function is None:
        return Rendered(())
    recorder = _Recorder(script.path)
    with exclusive(connection), EnvironmentContext(offline_config(), library, as_sql=True) as environment:
        environment.configure(
            dialect_name=dialect,
            output_buffer=cast(TextIO, recorder),
            literal_binds=True,
            dialect_opts={"paramstyle": "named"},
        )
        context = environment.get_context()
        try:
            with writing(context, source), contextlib.redirect_stdout(io.StringIO()):
                function()
        # A revision is its author's own code, and offline there is no connection for it: it may raise anything.
        except Exception as error:  # noqa: BLE001
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            line = failing_line(error, Path(script.path))
            return Rendered(tuple(recorder.sent), reason, line, tuple(recorder.texts))
    return Rendered(tuple(recorder.sent), texts=tuple(recorder.texts))


def _origin(frame: FrameType | None, file: str) -> tuple[int | None, str | None]:
    """The line of the file that is at work, and the helper that it calls, if it calls one."""
    helper: str | None = None
    for one in _outwards(frame):
        code = one.f_code
        if code.co_filename == file:
            return one.f_lineno, helper
        if code.co_filename.startswith(_HELPERS):
            helper = code.co_name
    return None, helper


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
