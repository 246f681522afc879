"""Options that every command has, and how they become settings."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter, Token

from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.output import Output, wants_color
from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.container.project_file import MINIMUM_LIMIT, parse_duration, split_names
from framework_m_migrations.container.settings import MigrationSettings, ResolvedSettings, resolve_settings
from framework_m_migrations.domain.hints import PROGRAM, Invocation

if TYPE_CHECKING:
    from framework_m_migrations.embedding.fleet import TenantCommands
    from framework_m_migrations.embedding.sync import MigrationManager
    from framework_m_migrations.ports.event_sink import EventSink

DATABASE = Group("What to migrate", sort_key=10)
LOCKS = Group("Waiting for locks", sort_key=11)
DISPLAY = Group("Output", sort_key=12)

Format = Annotated[str | None, Parameter(name="--format", group=DISPLAY, metavar="FORMAT")]

JOBS = 4
"""Tenants worked on at a time, unless the command line says otherwise."""

_PLACE = {
    "database_url": "--database-url",
    "metadata": "--metadata",
    "apps": "--apps",
    "path": "--path",
    "mode": "--mode",
    "schema": "--schema",
    "exclude": "--exclude",
    "tenant": "--tenant",
    "all_tenants": "--all-tenants",
    "version_table": "--version-table",
    "site": "--site",
    "config": "--config",
    "x_args": "-x",
}
"""Fields of the options that a next step repeats, with the option's name."""


def _duration(_type: Any, tokens: Sequence[Token]) -> float:
    return parse_duration(tokens[0].value)


def _flag(*names: str, group: Group) -> Parameter:
    return Parameter(name=names, negative=(), group=group)


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Options of every command."""

    database_url: Annotated[str | None, Parameter(group=DATABASE, metavar="URL")] = None
    """Database URL. Default: DATABASE_URL, else the SQLite file dev.db in the project."""

    metadata: Annotated[tuple[str, ...] | None, Parameter(group=DATABASE, n_tokens=1, metavar="NAME")] = None
    """package.module:attribute of a SQLAlchemy MetaData; may be repeated. Default: the DocTypes of the apps."""

    apps: Annotated[tuple[str, ...] | None, Parameter(group=DATABASE, n_tokens=1, metavar="NAMES")] = None
    """Names of the apps, comma separated; may be repeated. Default: INSTALLED_APPS, else all that are installed."""

    path: Annotated[Path | None, Parameter(group=DATABASE)] = None
    """The project's folder. Default: the current one."""

    mode: Annotated[RuntimeMode | None, Parameter(group=DATABASE)] = None
    """Runtime mode. Default: FRAMEWORK_M_RUNTIME_MODE, else by the platform and the URL."""

    schema: Annotated[str | None, Parameter(group=DATABASE, metavar="NAME")] = None
    """Database schema to work in. Default: the connection's own."""

    tenant: Annotated[tuple[str, ...] | None, Parameter(group=DATABASE, n_tokens=1, metavar="NAMES")] = None
    """Tenants, comma separated; may be repeated. Each has a database schema of its name for tables of its own."""

    all_tenants: Annotated[bool, _flag("--all-tenants", group=DATABASE)] = False
    """All tenants that are known, and what they share."""

    exclude: Annotated[tuple[str, ...] | None, Parameter(group=DATABASE, n_tokens=1, metavar="PATTERN")] = None
    """Leave tables of this name alone, with * and ?; may be repeated. Also schema:NAME, index:NAME, constraint:NAME,
    object:NAME, or @postgis, @timescaledb, @celery. Adds to FRAMEWORK_M_MIGRATIONS_EXCLUDE."""

    jobs: Annotated[int | None, Parameter(group=DATABASE, metavar="N")] = None
    """How many tenants are worked on at a time. Default: 4."""

    env: Annotated[str | None, Parameter(group=DATABASE, metavar="NAME")] = None
    """Environment in the project's file, [tool.framework-m-migrations.env.NAME] of pyproject.toml."""

    allow_empty: Annotated[bool, _flag("--allow-empty", group=DATABASE)] = False
    """Accept metadata without any table."""

    version_table: Annotated[str | None, Parameter(group=DATABASE, metavar="NAME")] = None
    """Table in which Alembic keeps the current revisions. Default: alembic_version."""

    connect_wait: Annotated[
        float | None, Parameter(group=DATABASE, converter=_duration, n_tokens=1, metavar="TIME")
    ] = None
    """How long to retry while the server refuses connections, as when containers start together. Default: 0."""

    lock_wait: Annotated[float | None, Parameter(group=LOCKS, converter=_duration, n_tokens=1, metavar="TIME")] = None
    """How long to wait for another migrator: seconds, or 500ms, 10s, 5m. Default: 600; 0 gives up at once."""

    lock_timeout: Annotated[
        float | None,
        Parameter(
            name=("--lock-timeout", "--max-lock-time"), group=LOCKS, converter=_duration, n_tokens=1, metavar="TIME"
        ),
    ] = None
    """How long one try waits for a table's lock; later sessions queue behind it meanwhile. Default: 500ms."""

    statement_timeout: Annotated[
        float | None, Parameter(group=LOCKS, converter=_duration, n_tokens=1, metavar="TIME")
    ] = None
    """How long a statement of a step may take under its locks (PostgreSQL). Default: no limit."""

    lock_retries: Annotated[int | None, Parameter(group=LOCKS, metavar="N")] = None
    """How often a step is tried again when it did not get its lock. Default: 30."""

    no_online: Annotated[bool, _flag("--no-online", group=LOCKS)] = False
    """Disable non-blocking DDL (concurrent index builds, later validation)."""

    json: Annotated[bool, _flag("--json", group=DISPLAY)] = False
    """One JSON document on stdout, errors too."""

    quiet: Annotated[bool, _flag("--quiet", "-q", group=DISPLAY)] = False
    """Show errors only."""

    verbose: Annotated[bool, _flag("--verbose", "-v", "--debug", group=DISPLAY)] = False
    """Show details of each step, and the traceback of an unexpected failure."""

    no_color: Annotated[bool, _flag("--no-color", group=DISPLAY)] = False
    """No colours; the same as setting NO_COLOR. A pipe never gets any."""

    @property
    def program(self) -> str:
        """What is typed before the name of a command."""
        return PROGRAM

    def output(self, environ: dict[str, str]) -> Output:
        """Where and how to write."""
        color = not self.no_color and wants_color(environ)
        invocation = Invocation(self.program, shlex.join(self._place_options()))
        return Output(json=self.json, quiet=self.quiet, verbose=self.verbose, color=color, invocation=invocation)

    def _place_options(self) -> Iterator[str]:
        """The options that say where the command works, as they were given."""
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in _PLACE and value is not None and value is not False:
                for part in value if isinstance(value, tuple) else (value,):
                    yield _PLACE[one.name]
                    if part is not True:
                        yield str(part.value if isinstance(part, RuntimeMode) else part)

    @property
    def many(self) -> bool:
        """True when the command is to work on tenants as a whole rather than on one schema."""
        return (
            self.all_tenants or len({name.strip() for text in self.tenant or () for name in text.split(",")} - {""}) > 1
        )

    def tenants(self) -> tuple[str, ...]:
        """The tenants that were named.

        Raises:
            UsageError: the option is there and empty, or contradicts another one.
        """
        names = _names("--tenant", self.tenant) or ()
        if names and self.all_tenants:
            raise UsageError("--tenant and --all-tenants exclude each other.", next_step="Give one of them.")
        if self.schema is not None and (names or self.all_tenants):
            raise UsageError("--schema and tenants exclude each other.", next_step="A tenant's schema has its name.")
        if self.jobs is not None and self.jobs < 1:
            raise UsageError("--jobs must be at least 1.")
        return names

    def settings(self) -> MigrationSettings:
        """The settings: these options over the environment, for one schema.

        Raises:
            UsageError: an option is empty (an unset shell variable must not mean "the default database"), a folder
                does not exist, or a duration or number is out of range; or more than one tenant is named.
        """
        names = self.tenants()
        if self.many:
            raise UsageError(
                "This command works on one tenant at a time.",
                next_step="all, sync, plan, verify and status take many; revisions are the database's, not a tenant's.",
            )
        return replace(self.shared_settings(), schema=names[0], tenant=True) if names else self.shared_settings()

    def shared_settings(self) -> MigrationSettings:
        """The settings for what all tenants share; raises as ``settings`` does."""
        return self.resolved().settings

    def resolved(self) -> ResolvedSettings:
        """The same, and where each value comes from."""
        for option, value in (
            ("--database-url", self.database_url),
            ("--schema", self.schema),
            ("--env", self.env),
            ("--version-table", self.version_table),
        ):
            if value is not None and not value.strip():
                raise UsageError(f"{option} is empty.", next_step="Give it a value, or leave the option out.")
        if self.path is not None and not self.path.is_dir():
            raise UsageError(f"--path: there is no folder {self.path}.")
        self._check_locks()
        return resolve_settings(
            environment=self.env,
            database_url=self.database_url,
            metadata=_names("--metadata", self.metadata),
            apps=_names("--apps", self.apps),
            path=self.path,
            mode=self.mode,
            schema=self.schema,
            version_table=self.version_table,
            exclude=_names("--exclude", self.exclude),
            allow_empty=self.allow_empty or None,
            online=False if self.no_online else None,
            lock_wait=self.lock_wait,
            lock_timeout=self.lock_timeout,
            lock_retries=self.lock_retries,
            statement_timeout=self.statement_timeout,
            connect_wait=self.connect_wait,
        )

    def manager(self, events: EventSink) -> MigrationManager:
        """The manager of these settings.

        Args:
            events: receives what happens.
        """
        settings = self.settings()
        from framework_m_migrations.embedding.sync import MigrationManager

        return MigrationManager(settings, events=events)

    def fleet(self, events: EventSink) -> TenantCommands:
        """The commands over the tenants that are named.

        Args:
            events: receives what happens.
        """
        names = self.tenants()
        from framework_m_migrations.embedding.sync import MigrationManager

        manager = MigrationManager(self.shared_settings(), events=events)
        return manager.tenants(names or None, jobs=self.jobs or JOBS)

    def _check_locks(self) -> None:
        if self.lock_timeout is not None and self.lock_timeout < MINIMUM_LIMIT:
            # PostgreSQL reads 0 as "wait for ever", which would hold up the whole table.
            raise UsageError("--lock-timeout must be at least 1ms.")
        if self.statement_timeout is not None and self.statement_timeout < MINIMUM_LIMIT:
            raise UsageError("--statement-timeout must be at least 1ms.")
        if self.lock_retries is not None and self.lock_retries < 0:
            raise UsageError("--lock-retries cannot be less than 0.")


def _names(option: str, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    names = split_names(",".join(given))
    if not names:
        raise UsageError(f"{option} is empty.", next_step="Give it a value, or leave the option out.")
    return names
