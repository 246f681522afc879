"""A project's own alembic.ini and env.py, honoured, one at a time in a process."""

from __future__ import annotations

import inspect
import logging.config
import sys
import warnings
from argparse import Namespace
from collections.abc import Iterator
from configparser import Error as ConfigParserError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.util.pyfiles import coerce_resource_to_filename

from framework_m_migrations.adapters.sql.engines import redact, secrets_of
from framework_m_migrations.adapters.sql.errors import Translate
from framework_m_migrations.adapters.sql.revisions.failures import cause_of, failing_line
from framework_m_migrations.adapters.sql.revisions.library import Library, toml_of
from framework_m_migrations.adapters.sql.revisions.run import RevisionRun, StepFunction
from framework_m_migrations.adapters.sql.sqlalchemy_versions import wait_for
from framework_m_migrations.domain.errors import EnvironmentBroken, MigrationError, MigrationLocked

_LOCK = Lock()
_POLL_SECONDS = 0.05
_holder: list[int] = []


@contextmanager
def exclusive(connection: sa.Connection) -> Iterator[None]:
    """Hold Alembic's globals.

    Args:
        connection: that of the waiter, outside a transaction or inside one; it is left as it was.

    Raises:
        MigrationLocked: this very thread holds them already, in a revision that starts another migration.
    """
    while not _LOCK.acquire(blocking=False):
        _wait(connection)
    _holder.append(get_ident())
    try:
        yield
    finally:
        _holder.clear()
        _LOCK.release()


def _wait(connection: sa.Connection) -> None:
    if connection.dialect.is_async:
        # Imported here: asyncio is of no use to a session on SQLite.
        import asyncio

        wait_for(asyncio.sleep(_POLL_SECONDS))
        return
    if _holder == [get_ident()]:
        raise MigrationLocked(
            "A revision or env.py that is being run starts another migration.",
            next_step="Let the second one run after the first, not inside it.",
        )
    if _LOCK.acquire(timeout=_POLL_SECONDS):
        _LOCK.release()


# A project's own alembic.ini and env.py, honoured.


CONNECTION_ATTRIBUTE = "connection"
"""The key of ``config.attributes`` that Alembic's own documentation uses to hand a connection to env.py."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a trial run of env.py showed: whether it takes our connection, and where it keeps the version."""

    shared: bool
    version_table: str
    version_table_schema: str | None


class ProjectEnvironment:
    """The environment of one project.

    Args:
        project: the folder with alembic.ini, or that file itself.
        connection: the session's, handed to env.py as ``config.attributes["connection"]``.
        x_args: what env.py reads with ``context.get_x_argument()``, each as ``name=value``.
        version_table: the one that was asked for; env.py reads it as the main option ``version_table``. None for
            whatever alembic.ini and env.py say.
        translate: SqlDialect.translate: what the database itself refuses is told as such.

    Raises:
        EnvironmentBroken: alembic.ini cannot be read, or names no folder with an env.py.
    """

    def __init__(
        self,
        project: Path,
        connection: sa.Connection,
        x_args: tuple[str, ...] = (),
        *,
        version_table: str | None = None,
        translate: Translate = lambda _: None,
    ) -> None:
        self._translate = translate
        self._ini = (project if project.suffix == ".ini" else project / "alembic.ini").absolute()
        self._connection = connection
        self._x_args = x_args
        self._version_table = version_table
        self._profile: Profile | None = None
        self._toml = toml_of(self._ini.parent)
        if not self._ini.is_file() and self._toml is None:
            raise EnvironmentBroken(f"There is no {self._ini}.", details={"file": str(self._ini)})
        config = self._config()
        with self._readable():
            location = config.get_alembic_option("script_location")
            if location is None:
                raise EnvironmentBroken(
                    f"{self._ini} has no script_location.",
                    next_step="Add it, or write a new one with `m-migrate init`.",
                )
            self.home = Path(coerce_resource_to_filename(location)).absolute()
            self._paths = [str(path) for path in config.get_prepend_sys_paths_list() or ()]
            listed = config.get_version_locations_list()
            # A package that is named is imported, with whatever its own code does.
            self._folders = tuple(Path(coerce_resource_to_filename(path)).absolute() for path in listed or ())
        self.file = self.home / "env.py"
        if not self.file.is_file():
            raise EnvironmentBroken(
                f"{self._ini} names {self.home}, which has no env.py.", details={"file": str(self.file)}
            )

    def on(self, connection: sa.Connection) -> ProjectEnvironment:
        """The same environment for another database."""
        return ProjectEnvironment(self._ini, connection, self._x_args, version_table=self._version_table)

    def version_folders(self) -> tuple[Path, ...]:
        """Version folders that alembic.ini names, or its default one; one that is listed may not exist yet."""
        return self._folders or (self.home / "versions",)

    def profile(self, library: Library) -> Profile:
        """Run env.py once with nothing to do, and remember what it does with our connection.

        Raises:
            EnvironmentBroken: env.py fails, or works on another database.
        """
        if self._profile is None:
            seen: list[MigrationContext] = []

            def look(heads: Any, context: MigrationContext) -> list[Any]:
                del heads
                self._check_database(context)
                seen.append(context)
                return []

            idle = not self._connection.in_transaction()
            with exclusive(self._connection):
                try:
                    self._run_env(library, look, dont_mutate=True)
                finally:
                    if idle:
                        self._connection.rollback()
            if not seen:
                raise EnvironmentBroken(
                    f"{self.file} never calls context.run_migrations().", details={"file": str(self.file)}
                )
            if self._version_table not in {None, seen[0].version_table}:
                raise EnvironmentBroken(
                    f"{self.file} keeps the current revisions in {seen[0].version_table}; asked for was "
                    f"{self._version_table}.",
                    next_step='Leave --version-table out, or let env.py pass config.get_main_option("version_table") '
                    "to context.configure.",
                    details={"file": str(self.file), "version_table": seen[0].version_table},
                )
            self._profile = Profile(
                seen[0].connection is self._connection, seen[0].version_table, seen[0].version_table_schema
            )
        return self._profile

    def run(self, library: Library, run: RevisionRun) -> None:
        """Run env.py for one revision. The caller holds Alembic's globals and has asked for the profile.

        Raises:
            RevisionFailed: the revision raised.
            EnvironmentBroken: env.py did.
        """
        scope = run.shared() if self.profile(library).shared else run.foreign()
        with scope:
            self._run_env(library, run.steps, dont_mutate=False, started=lambda: run.started)
        if not run.finished:
            raise EnvironmentBroken(f"{self.file} did not run the revision.", details={"file": str(self.file)})

    def _config(self) -> Config:
        config = Config(str(self._ini), toml_file=self._toml, cmd_opts=Namespace(x=list(self._x_args)))
        with self._readable():
            url = self._connection.engine.url.render_as_string(hide_password=False)
            # In memory only, for an env.py that makes its own engine; ConfigParser takes % for an interpolation.
            if not config.file_config.get("alembic", "sqlalchemy.url", raw=True, fallback=""):
                config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
            if self._version_table is not None:
                config.set_main_option("version_table", self._version_table.replace("%", "%%"))
        config.attributes[CONNECTION_ATTRIBUTE] = self._connection
        return config

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            with warnings.catch_warnings():
                # That an ini file is old-fashioned is for its alembic command to say.
                warnings.simplefilter("ignore", DeprecationWarning)
                yield
        except MigrationError:
            raise
        except Exception as error:
            raise EnvironmentBroken(
                f"{self._ini} cannot be used: {self._cause(error)}.", details={"file": str(self._ini)}
            ) from error

    def _run_env(self, library: Library, function: StepFunction, *, dont_mutate: bool, started: Any = None) -> None:
        for path in reversed(self._paths):
            if path not in sys.path:
                sys.path.insert(0, path)
        try:
            with (
                _quiet(),
                EnvironmentContext(
                    self._config(),
                    library,
                    fn=function,
                    dont_mutate=dont_mutate,
                    as_sql=False,
                    starting_rev=None,
                    destination_rev="heads",
                ),
            ):
                library.run_env()
        except MigrationError:
            raise
        # env.py is the user's own code. What a revision raises is told by RevisionRun, all else is env.py's.
        except (Exception, SystemExit) as error:
            if started is not None and started():
                raise
            if isinstance(error, sa.exc.DBAPIError) and (known := self._translate(error)) is not None:
                raise known from error
            raise self._broken(error) from error

    def _broken(self, error: BaseException) -> EnvironmentBroken:
        line = failing_line(error, self.file)
        place = f"{self.file}, line {line}" if line else str(self.file)
        next_step = None
        if _close_coroutines(error) or "event loop" in str(error):
            next_step = (
                'Let env.py use the connection in config.attributes["connection"] when there is one, and start an '
                "event loop only when there is none; or write a new env.py with `m-migrate init`."
            )
        return EnvironmentBroken(
            f"env.py failed ({place}): {self._cause(error)}.",
            next_step=next_step,
            details={"file": str(self.file), "line": line},
        )

    def _cause(self, error: BaseException) -> str:
        """The error in one line, without what could be a password."""
        if isinstance(error, ConfigParserError):
            # Its message quotes the value, which may be a URL.
            return f"{type(error).__name__}; a percent sign in a value must be written twice"
        return redact(cause_of(error), secrets_of(self._connection.engine.url))

    def _check_database(self, context: MigrationContext) -> None:
        if context.connection is None or context.connection is self._connection:
            return
        theirs, ours = _database(context.connection.engine.url), _database(self._connection.engine.url)
        if theirs != ours:
            raise EnvironmentBroken(
                f"{self.file} works on {_said(theirs)}, this command on {_said(ours)}.",
                next_step='Let env.py use the connection in config.attributes["connection"], or give both one URL.',
                details={"file": str(self.file)},
            )


def _database(url: sa.URL) -> tuple[object, ...]:
    """What tells one database from another, without user and password."""
    name = url.get_backend_name()
    if name == "sqlite":
        file = url.database if url.database and url.database != ":memory:" else None
        return name, str(Path(file).resolve()) if file else object()
    return name, url.host or url.query.get("host") or "localhost", url.port, url.database


def _close_coroutines(error: BaseException) -> bool:
    """Close coroutines that env.py made and nobody will await; True when there was one."""
    found = False
    trace = error.__traceback__
    while trace is not None:
        for value in list(trace.tb_frame.f_locals.values()):
            if inspect.iscoroutine(value):
                value.close()
                found = True
        trace = trace.tb_next
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep env.py from configuring logging: fileConfig would silence the host's loggers and print Alembic's."""
    configure = logging.config.fileConfig
    logging.config.fileConfig = _configure_nothing
    try:
        yield
    finally:
        logging.config.fileConfig = configure


def _configure_nothing(*arguments: Any, **options: Any) -> None:
    del arguments, options


def _said(database: tuple[object, ...]) -> str:
    return f"the database {database[-1]!r}" if isinstance(database[-1], str) else "a database in memory"
