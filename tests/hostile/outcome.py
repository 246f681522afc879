"""What every hostile case comes to: success, or an error of the tree; and what must have survived it."""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest.mock import patch

import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import MigrationError

OWN = {"__schema_log__", "__schema_versions__", "__schema_objects__", "__schema_state__", "alembic_version"}
SENTINEL = "sentinel"
PWNED = "pwned"
"""Every payload tries to make a table whose name begins so, or to destroy the sentinel."""


def outcome[T](call: Callable[[], T], secrets: Iterable[str] = ()) -> T | MigrationError:
    """What a call returns, or the MigrationError that it raises, fit to be shown; anything else it raises passes."""
    try:
        return call()
    except MigrationError as error:
        check_error(error, secrets)
        return error


def check_error(error: MigrationError, secrets: Iterable[str] = ()) -> None:
    """An error of the tree: with a code, a next step, plain details and no secret."""
    assert error.code.startswith("M")
    assert error.code not in {"M000", "M900"}, f"nobody foresaw this: {error}"
    assert error.what.strip()
    assert error.next_step.strip()
    shown = json.dumps(error.to_dict())
    for secret in secrets:
        assert secret not in str(error)
        assert secret not in shown


@dataclass
class Prey:
    """A database with a sentinel in it, and what must be true of it after each case."""

    engine: sa.Engine
    url: str = ""

    def __post_init__(self) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE {SENTINEL} (id integer PRIMARY KEY, word varchar(20))")
            connection.exec_driver_sql(f"INSERT INTO {SENTINEL} VALUES (1, 'alive')")

    def manager(self, metadata: sa.MetaData, **more: object) -> MigrationManager:
        settings = MigrationSettings(metadata=(metadata,), allow_empty=True, **more)  # type: ignore[arg-type]
        return MigrationManager(settings, engine=self.engine)

    def check(self) -> None:
        """The sentinel is alive, and no payload made anything."""
        with self.engine.connect() as connection:
            assert connection.exec_driver_sql(f"SELECT id, word FROM {SENTINEL}").all() == [(1, "alive")]
        assert not [name for name in self.tables() if name.startswith(PWNED)]

    def tables(self) -> set[str]:
        """Every table but the engine's own."""
        return set(sa.inspect(self.engine).get_table_names()) - OWN


def wipe(prey: Prey) -> None:
    """Drop all of a PostgreSQL database but the sentinel, so that each case begins alike."""
    quote = prey.engine.dialect.identifier_preparer.quote_identifier
    kinds = {"v": "VIEW", "m": "MATERIALIZED VIEW", "S": "SEQUENCE", "f": "FOREIGN TABLE", "c": "TYPE"}
    with prey.engine.begin() as connection:
        schemas = connection.exec_driver_sql(
            "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg!_%%' ESCAPE '!'"
            " AND nspname NOT IN ('public', 'information_schema')"
        ).scalars()
        for name in schemas.all():
            connection.exec_driver_sql(f"DROP SCHEMA {quote(name)} CASCADE")
        # One after the other, as what stands on another goes along with it.
        found = connection.exec_driver_sql(
            "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND relname <> 'sentinel'"
        ).all()
        for name, kind in found:
            connection.exec_driver_sql(f"DROP {kinds.get(kind, 'TABLE')} IF EXISTS {quote(name)} CASCADE")
        types = connection.exec_driver_sql(
            "SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r')"
        ).scalars()
        for name in types.all():
            connection.exec_driver_sql(f"DROP TYPE IF EXISTS {quote(name)} CASCADE")


@contextmanager
def sqlite_prey() -> Iterator[Prey]:
    """A SQLite database in memory."""
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    try:
        yield Prey(engine)
    finally:
        engine.dispose()


@dataclass(frozen=True)
class Shown:
    """Everything that a command gave to the world."""

    code: int
    out: str
    err: str

    def check(self, secrets: Iterable[str] = (), *, json_wanted: bool = False, fleet: bool = False) -> None:
        """An exit code of the documented ones, no traceback, no secret, and whole JSON where it was asked for.

        Args:
            secrets: what must be nowhere.
            json_wanted: ``--json`` was given.
            fleet: several tenants may have been named, each of which has an error of its own (docs/cli.md).
        """
        assert self.code in {0, 1, 2, 3, 4}, (self.code, self.err)
        assert "M900" not in self.out + self.err, self.err
        assert "M000" not in self.out + self.err, self.err
        for secret in secrets:
            assert secret not in self.out
            assert secret not in self.err
        if json_wanted:
            document = json.loads(self.out)
            assert isinstance(document, dict)
            if fleet and "tenants" in document:
                told = [tenant["error"]["code"] for tenant in document["tenants"] if "error" in tenant]
                assert (self.code in {0, 3}) == (not told)
                return
            assert (self.code in {0, 3}) == ("error" not in document)
        elif self.code in {1, 2, 4}:
            assert "Error M" in self.err or (fleet and re.search(r"\bM\d{3}\b", self.out + self.err))


def command(arguments: list[str], environ: Mapping[str, str] | None = None) -> Shown:
    """Run a command within this process, all that it writes being kept."""
    from framework_m_migrations.cli.launch import launch

    out, err = io.StringIO(), io.StringIO()
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "INSTALLED_APPS"}}
    with patch.dict(os.environ, {**kept, **(environ or {})}, clear=True), redirect_stdout(out), redirect_stderr(err):
        code = launch(arguments)
    return Shown(code, out.getvalue(), err.getvalue())


class Log(logging.Handler):
    """Everything that anybody logs, at DEBUG."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def text(self) -> str:
        return "\n".join(self.lines)

    @classmethod
    @contextmanager
    def of_everything(cls) -> Iterator[Log]:
        """While it lasts, every logger speaks, SQLAlchemy's and the drivers' too."""
        log, root = cls(), logging.getLogger()
        before = root.level
        root.addHandler(log)
        root.setLevel(logging.DEBUG)
        try:
            yield log
        finally:
            root.removeHandler(log)
            root.setLevel(before)
