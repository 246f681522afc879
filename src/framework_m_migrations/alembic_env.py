"""What a project's ``alembic/env.py`` calls: ``alembic_env.run()``.

It serves both ways of running: inside m-migrate, which hands over its connection, and under the plain ``alembic``
command, which hands over nothing, so that DATABASE_URL decides. An event loop is started for an asynchronous driver
only when none runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import context

from framework_m_migrations.adapters.sql.dialects.sqlite.foreign_keys import SqliteGuard
from framework_m_migrations.domain.errors import EnvironmentBroken

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.migration import MigrationContext

_COMPARING = {"check", "revision"}

type Metadata = sa.MetaData | Sequence[sa.MetaData]
type MetadataSource = Callable[[], Metadata | None]


def run(target_metadata: Metadata | MetadataSource | None = None, **options: Any) -> None:
    """Run the migrations that Alembic asks for, online or offline.

    Args:
        target_metadata: what ``alembic check`` and autogenerate compare with: metadata, or a function that returns it
            when it is needed. None takes what the settings of m-migrate name in the environment.
        options: passed on to ``context.configure``, over what is set here.

    Raises:
        EnvironmentBroken: no DATABASE_URL, or an asynchronous driver inside a running event loop.
    """
    config = context.config
    shared = config.attributes.get("connection")
    _configure_logging(config, shared)
    metadata = _metadata(target_metadata, config)
    settings = _settings(config, metadata) | options
    if shared is None and settings["target_metadata"] is None:
        settings["target_metadata"] = _Convention(lambda: _declared(target_metadata, config))
    if shared is not None:
        # m-migrate has taken its precautions already.
        _run_configured(shared, settings)
    elif context.is_offline_mode():
        context.configure(url=_url(config), literal_binds=True, dialect_opts={"paramstyle": "named"}, **settings)
        with context.begin_transaction():
            context.run_migrations()
    else:
        _run_online(sa.make_url(_url(config)), settings)


def include_name(metadata: Metadata | None) -> Callable[[str | None, str, Any], bool]:
    """A filter for autogenerate: tables that no metadata declares, the ledger's among them, are not looked at.

    Args:
        metadata: what is declared.
    """
    known = {
        (table.schema, table.name)
        for one in ([metadata] if isinstance(metadata, sa.MetaData) else metadata or ())
        for table in one.tables.values()
    }

    def include(name: str | None, type_: str, parents: Any) -> bool:
        return type_ != "table" or (parents.get("schema_name"), name) in known

    return include


class _Convention:
    """Stands for the models where a revision runs: they are imported when it makes a constraint without a name.

    Args:
        load: gives the MetaData, raises what importing it raises.
    """

    def __init__(self, load: Callable[[], Metadata | None]) -> None:
        self._load = load
        self._found: list[Any] | None = None

    @property
    def naming_convention(self) -> Any:
        """The one that all MetaData share. An AttributeError where there is none: Alembic asks with hasattr()."""
        if self._found is None:
            found = self._load()
            several = [found] if isinstance(found, sa.MetaData) else found or ()
            self._found = [one.naming_convention for one in several]
        if not self._found or any(one != self._found[0] for one in self._found):
            raise AttributeError("naming_convention")
        return self._found[0]


def _metadata(given: Metadata | MetadataSource | None, config: Config) -> Metadata | None:
    """What is declared, loaded only for a command that compares: importing every app costs time, and can fail."""
    if given is not None and not callable(given):
        return given
    command = getattr(config.cmd_opts, "cmd", None)
    if config.attributes.get("connection") is not None or (command and command[0].__name__ not in _COMPARING):
        return None
    return _declared(given, config)


def _declared(given: Metadata | MetadataSource | None, config: Config) -> Metadata | None:
    if callable(given):
        return given()
    return given if given is not None else metadata_from_environment(_folder(config))


def metadata_from_environment(path: Path) -> Metadata:
    """The MetaData that m-migrate would compare with, found by the same settings.

    Args:
        path: the project's folder.

    Raises:
        ConfigurationError, AppNotFound, AppBroken: as m-migrate itself.
    """
    # Imported here only: most commands never get this far.
    from framework_m_migrations.adapters.filesystem import FilesystemDiscovery
    from framework_m_migrations.container.desired import declared, named_apps
    from framework_m_migrations.container.settings import MigrationSettings

    settings = MigrationSettings.from_environment(path=path)
    discovery = FilesystemDiscovery(settings.apps or (), settings.installed_apps or None)
    apps = named_apps(settings, discovery)
    if not apps and not settings.metadata:
        return []  # what applies and shows revisions needs none
    doctypes = declared(settings, apps)
    found = (table.metadata for doctype in doctypes for table in doctype.tables)
    return list({id(metadata): metadata for metadata in found}.values())


def _folder(config: Config) -> Path:
    return Path(config.config_file_name).resolve().parent if config.config_file_name else Path.cwd()


def _settings(config: Config, metadata: Metadata | None) -> dict[str, Any]:
    schema = config.get_main_option("version_table_schema")
    return {
        "target_metadata": metadata,
        "include_name": include_name(metadata),
        "version_table": config.get_main_option("version_table", "alembic_version"),
        "version_table_schema": schema or None,
        "transaction_per_migration": True,
        "render_as_batch": True,
        "compare_type": True,
    }


def _configure_logging(config: Config, shared: object) -> None:
    """Alembic's messages, for the alembic command alone: inside a host, logging belongs to the host."""
    if shared is None and config.config_file_name is not None:
        from logging.config import fileConfig

        fileConfig(config.config_file_name, disable_existing_loggers=False)


def _url(config: Config) -> str:
    url = os.environ.get("DATABASE_URL") or config.get_main_option("sqlalchemy.url")
    if not url:
        raise EnvironmentBroken(
            "No database is named.", next_step="Set DATABASE_URL, for example to sqlite:///app.db, and run again."
        )
    return url


def _run_online(url: sa.URL, settings: dict[str, Any]) -> None:
    if url.get_dialect().is_async and sys.platform != "emscripten":
        _run_async(url, settings)
        return
    if url.get_dialect().is_async:
        url = url.set(drivername=url.get_backend_name())
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    _prepare(engine)
    with engine.connect() as connection:
        _run_on(connection, settings)


def _prepare(engine: sa.Engine) -> None:
    """Let SQLite roll DDL back: its driver begins no transaction before DDL unless told to."""
    if engine.dialect.name != "sqlite":
        return

    @sa.event.listens_for(engine, "connect")
    def begin_nothing_by_itself(driver: Any, record: Any) -> None:
        del record
        driver.isolation_level = None

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _run_async(url: sa.URL, settings: dict[str, Any]) -> None:
    import asyncio

    from sqlalchemy.ext.asyncio import create_async_engine

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise EnvironmentBroken(
            "alembic was called inside a running event loop, with an asynchronous driver and no connection.",
            next_step='Hand it over: config.attributes["connection"], within `await connection.run_sync(...)`.',
        )

    async def migrate() -> None:
        engine = create_async_engine(url, poolclass=sa.NullPool)
        _prepare(engine.sync_engine)
        try:
            async with engine.connect() as connection:
                await connection.run_sync(_run_on, settings)
        finally:
            await engine.dispose()

    asyncio.run(migrate())


def _run_on(connection: sa.Connection, settings: dict[str, Any]) -> None:
    """Run on a connection of our own, with SQLite's precautions."""
    if connection.dialect.name != "sqlite":
        _run_configured(connection, settings, ours=True)
        return
    guard = SqliteGuard(connection)

    def before_commit(**step: Any) -> None:
        del step
        guard.check()

    with guard.watch():
        settings = settings | {"transactional_ddl": True, "on_version_apply": before_commit}
        _run_configured(connection, settings, ours=True)


def _run_configured(connection: sa.Connection, settings: dict[str, Any], *, ours: bool = False) -> None:
    context.configure(connection=connection, **settings)
    with context.begin_transaction():
        if ours:
            _run_as_m_migrate(context.get_context(), connection.dialect.name)
        else:
            context.run_migrations()


def _run_as_m_migrate(migration: MigrationContext, dialect_name: str) -> None:
    """Run with operations that do what they do in `m-migrate run`, where m-migrate knows the database."""
    # Imported here only: --sql needs no dialect of ours.
    from framework_m_migrations.adapters.sql.revisions.operations import writing
    from framework_m_migrations.container.factories import sql_dialect

    dialect = sql_dialect(dialect_name)
    if dialect is None:
        context.run_migrations()
        return
    with writing(migration, dialect):
        # Not context.run_migrations(), which would put operations of Alembic's own in the place of ours.
        migration.run_migrations()
