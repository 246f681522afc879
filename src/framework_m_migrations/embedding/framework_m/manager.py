"""The host's ``migration_manager``: its surface, over our engine."""

from __future__ import annotations

import logging
import os
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.config import Config
from framework_m_standard.adapters.db.schema_detector import SchemaChange, SchemaChangeType, SchemaDetector
from sqlalchemy.dialects import postgresql

from framework_m_migrations.adapters.sql.revisions.library import TEMPLATE_FOLDER
from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.errors import ConfigurationError, InvalidMetadata, RevisionError
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.embedding.framework_m.settings import SYSTEM_DATABASE
from framework_m_migrations.embedding.framework_m.wiring import host_apps, host_factories, name_doctypes
from framework_m_migrations.embedding.sync import MigrationManager
from framework_m_migrations.ports.app_discovery import App


def alembic_config(
    project: Path,
    apps: Sequence[App],
    *,
    database_url: str,
    version_table: str | None,
    x_args: Sequence[str],
) -> Config:
    """A Config that finds the revisions of the project and of all its apps; it works without an alembic folder.

    Args:
        project: the project's folder.
        apps: whose version folders are listed.
        database_url: kept in memory only; percent signs are written as ConfigParser wants them.
        version_table: Alembic's table, None for what the project's files say.
        x_args: for env.py.
    """
    ini = project / "alembic.ini"
    home = project / "alembic"
    config = Config(str(ini) if ini.is_file() else None, cmd_opts=Namespace(x=list(x_args)))
    _set(config, "script_location", str(home if (home / "env.py").is_file() else TEMPLATE_FOLDER))
    folders = [home / "versions", *(Path(app.version_folder) for app in apps if app.version_folder is not None)]
    found = dict.fromkeys(str(folder.resolve()) for folder in folders if folder.is_dir())
    _set(config, "version_locations", os.pathsep.join(found))
    _set(config, "path_separator", "os")
    if version_table:
        _set(config, "version_table", version_table)
    if database_url:
        _set(config, "sqlalchemy.url", database_url)
    return config


def _set(config: Config, name: str, value: str) -> None:
    config.set_main_option(name, value.replace("%", "%%"))


# Our changes in the host's words: SchemaChange with its seven kinds.


def host_changes(planned: Iterable[PlannedChange]) -> list[SchemaChange]:
    """Planned changes as the host's, in the same order; what the change is stands in ``details["what"]``."""
    return [_host_change(one) for one in planned]


def _host_change(planned: PlannedChange) -> SchemaChange:
    change: Any = planned.change
    kind, column = _kind(planned.change)
    found = SchemaChange(kind, change.table.name, column)
    if isinstance(change, c.ColumnTypeChanged):
        found.old_type, found.new_type = str(change.before.type), str(change.column.type)
    found.details = {
        "what": sentence(change),
        "risk": planned.judgement.risk.label,
        "reason": planned.judgement.reason,
        "handled_by": planned.judgement.handled_by,
    }
    return found


def _kind(change: c.Change) -> tuple[SchemaChangeType, str | None]:
    match change:
        case c.TableAdded():
            return SchemaChangeType.NEW_TABLE, None
        case c.TableRemoved():
            return SchemaChangeType.DROPPED_TABLE, None
        case c.ColumnAdded(column=column):
            return SchemaChangeType.NEW_COLUMN, column.name
        case c.ColumnRemoved(column=column):
            return SchemaChangeType.DROPPED_COLUMN, column.name
        case c.IndexAdded(index=index):
            return SchemaChangeType.NEW_INDEX, index.name
        case c.UniqueAdded(unique=unique):
            return SchemaChangeType.NEW_INDEX, unique.name
        case c.IndexRemoved(index=index):
            return SchemaChangeType.DROPPED_INDEX, index.name
        case c.UniqueRemoved(unique=unique):
            return SchemaChangeType.DROPPED_INDEX, unique.name
        case _:
            # The host knows no other kind of change to what exists.
            touched: Any = getattr(change, "column", None)
            return SchemaChangeType.TYPE_CHANGE, getattr(touched, "name", touched)


# The host's comparison of two MetaData without a connection, with the differences taken out that are none.
#
# The host's readiness check reflects the database itself and hands the result over. Its own detector compares
# type names as they are written, and so sees on SQLite, where a UUID comes back as NUMERIC, a type change in
# every table.


def detect(
    target: sa.MetaData,
    current: sa.MetaData | None,
    *,
    version_table: str | None,
    backend: str,
    allow_drop: bool,
    force_unowned: bool,
) -> list[SchemaChange]:
    """What the host's detector finds, less the type changes that are only another spelling.

    Args:
        target: what is wanted.
        current: what was reflected; None for an empty database.
        version_table: is left out of account.
        backend: SQLAlchemy's name of the database that ``current`` is from.
        allow_drop: look for what is too much as well.
        force_unowned: take tables for droppable that ``target`` does not have.
    """
    found: list[SchemaChange] = SchemaDetector(version_table=version_table).detect(
        target_metadata=target, current_metadata=current, allow_drop=allow_drop, force_unowned=force_unowned
    )
    suspects = [change for change in found if change.change_type is SchemaChangeType.TYPE_CHANGE]
    if current is None or not suspects:
        return found
    names = {change.table_name for change in suspects}
    expected = _as_sqlite_reflects(target, names) if backend == "sqlite" else target
    return [change for change in found if change not in suspects or _differs(change, expected, current, backend)]


def _differs(change: SchemaChange, expected: sa.MetaData, current: sa.MetaData, backend: str) -> bool:
    if change.details.get("target_enums"):
        return True
    want = expected.tables[change.table_name].columns[change.column_name or ""].type
    have = current.tables[change.table_name].columns[change.column_name or ""].type
    dialect = postgresql.dialect() if backend == "postgresql" else None  # type: ignore[no-untyped-call]
    return want.compile(dialect=dialect) != have.compile(dialect=dialect)


def _as_sqlite_reflects(target: sa.MetaData, names: Iterable[str]) -> sa.MetaData:
    """The tables as they come back from a SQLite database in memory, made of their columns alone."""
    bare = sa.MetaData()
    for name in names:
        table = target.tables[name]
        sa.Table(table.name, bare, *(sa.Column(column.name, column.type) for column in table.columns))
    engine = sa.create_engine("sqlite://")
    try:
        with engine.begin() as connection:
            bare.create_all(connection)
            reflected = sa.MetaData()
            reflected.reflect(connection)
    except sa.exc.SQLAlchemyError as error:
        raise InvalidMetadata(f"SQLite refuses the tables that are wanted: {error}") from error
    finally:
        engine.dispose()
    return reflected


# The host's ``migration_manager``: its surface, over our engine.


logger = logging.getLogger("framework_m_migrations")


class Manager:
    """Takes the place of ``framework_m_standard.adapters.db.migration.MigrationManager``.

    Every method raises MigrationError for what can go wrong.

    Args:
        base_path: the project's folder.
        database_url: of the database; by default the secret or environment variable DATABASE_URL.
        secrets_manager: the host's, asked for DATABASE_URL.
        version_table: Alembic's table.
        x_args: for the project's env.py.
        schema_detector: taken for the host's sake; this engine compares by itself.
        declarative_sync_engine: as ``schema_detector``.
    """

    def __init__(  # noqa: PLR0917 - the host's signature
        self,
        base_path: str | Path,
        database_url: str | None = None,
        secrets_manager: Any = None,
        version_table: str | None = None,
        x_args: tuple[str, ...] | None = None,
        schema_detector: Any = None,
        declarative_sync_engine: Any = None,
    ) -> None:
        del schema_detector, declarative_sync_engine
        secret = None if database_url or secrets_manager is None else secrets_manager.get("DATABASE_URL")
        self._path = Path(base_path)
        self._url = str(database_url or secret or os.environ.get("DATABASE_URL") or "")
        self._version_table = version_table
        self._x_args = tuple(x_args or ())
        self._config: Config | None = None

    @property
    def alembic_path(self) -> Path:
        """The project's alembic folder, which need not exist."""
        return self._path / "alembic"

    @property
    def versions_path(self) -> Path:
        """The folder of the project's own revisions, which need not exist."""
        return self.alembic_path / "versions"

    @property
    def config(self) -> Config:
        """Alembic's configuration, with the revisions of all apps."""
        if self._config is None:
            self._config = alembic_config(
                self._path,
                self._apps(),
                database_url=self._url,
                version_table=self._version_table,
                x_args=self._x_args,
            )
        return self._config

    def init(self, metadata: sa.MetaData | None = None) -> None:
        """Write alembic.ini and alembic/env.py, as far as they do not exist; never with the URL in it."""
        del metadata
        if (self._path / "alembic.ini").is_file() and (self.alembic_path / "env.py").is_file():
            return
        self._manager().init()

    def upgrade(self, revision: str = "head") -> None:
        """Apply pending revisions, up to ``revision``."""
        self._manager().run(None if revision in {"head", "heads"} else revision)

    def downgrade(self, revision: str = "-1") -> None:
        """Take back ``-N`` revisions, or all after ``revision``."""
        if revision.startswith("-") and revision[1:].isdigit():
            self._manager().rollback(steps=int(revision[1:]))
        else:
            self._manager().rollback(to=revision)

    def revision(
        self,
        message: str,
        autogenerate: bool = True,
        version_path: str | Path | None = None,
        target_metadata: sa.MetaData | None = None,
    ) -> None:
        """Write a revision, in the folder of the app that ``version_path`` lies in.

        Raises:
            ConfigurationError: no app, or more than one, could be meant.
        """
        app = self._app_for(version_path)
        self._manager(target_metadata).create(message, app=app.name, autogenerate=autogenerate)

    def current(self) -> None:
        """Print which revisions are applied and which wait."""
        for app in self._manager().status().apps:
            waiting = f", {len(app.pending)} pending" if app.pending else ""
            _print(f"{app.app}: {', '.join(app.current) or 'no revision'}{waiting}")

    def history(self) -> None:
        """Print the revisions in their order."""
        for revision, applied in self._manager().history().revisions:
            mark = "applied" if applied else "pending"
            _print(f"{revision.id} {revision.app or '-'} {mark} {revision.message}")

    def heads(self) -> None:
        """Print each app's heads."""
        for app in self._manager().status().apps:
            for head in app.heads:
                _print(f"{head} {app.app}")

    def has_multiple_heads(self) -> bool:
        """True when an app has more than one head. Apps have one each."""
        return any(len(app.heads) > 1 for app in self._manager().status().apps)

    def merge(self, revisions: str | list[str] = "heads", message: str = "Merge multiple heads") -> None:
        """Join the heads of each app that has several; of one app only when ``revisions`` are its heads."""
        manager = self._manager()
        chosen = None if revisions == "heads" else {revisions} if isinstance(revisions, str) else set(revisions)
        for app in manager.status().apps:
            if len(app.heads) > 1 and (chosen is None or chosen.intersection(app.heads)):
                manager.create(message, app=app.app, merge=True)

    def detect_schema_changes(
        self,
        target_metadata: sa.MetaData,
        current_metadata: sa.MetaData | None = None,
        allow_drop: bool = False,
        force_unowned: bool = False,
    ) -> list[SchemaChange]:
        """What differs between two MetaData, in the host's words; without a connection."""
        from framework_m_migrations.adapters.sql.engines import parse_url

        return detect(
            target_metadata,
            current_metadata,
            version_table=self._version_table,
            backend=parse_url(self._url or SYSTEM_DATABASE).get_backend_name(),
            allow_drop=allow_drop,
            force_unowned=force_unowned,
        )

    def auto_migrate(  # noqa: PLR0917 - the host's signature
        self,
        target_metadata: sa.MetaData,
        dry_run: bool = False,
        dev_mode: bool = False,
        engine: sa.Engine | None = None,
        allow_drop: bool = False,
        allow_dangerous: bool = False,
        force_unowned: bool = False,
        max_lock_time: int | None = None,
        force: bool = False,
    ) -> list[SchemaChange]:
        """Bring the database to ``target_metadata``, as far as that is safe.

        Args:
            target_metadata: what is wanted; a schema of its own is the tenant's.
            dry_run: only find out.
            dev_mode: apply at once; else write a revision and run it.
            engine: to use instead of the URL.
            allow_drop: also drop columns that nobody wants and that are ours. Tables are dropped only together with
                ``force_unowned``, for one MetaData need not hold all tables of the project.
            allow_dangerous: changes nothing: what is dangerous is withheld and reported.
            force_unowned: see ``allow_drop``; what is not ours is never dropped.
            max_lock_time: seconds to wait for a table's lock.
            force: compare everything, whatever the ledger says.

        Returns:
            What was applied, or would be; what is withheld is logged as a warning.
        """
        del allow_dangerous
        name_doctypes(target_metadata)
        manager = self._manager(target_metadata, engine=engine, max_lock_time=max_lock_time)
        listed = manager.plan(force=force)
        planned = listed.plan
        drops = allow_drop and (force_unowned or not any(isinstance(p.change, c.TableRemoved) for p in planned.changes))
        if dry_run:
            _warn(planned.withheld)
            return host_changes(planned.applied)
        if not dev_mode:
            if not planned.is_empty:
                self.revision("Changes of the DocTypes", target_metadata=target_metadata)
                self.upgrade()
            return host_changes(planned.changes)
        result = manager.sync(force=force, allow_drop=drops, reviewed=listed if drops else None)
        _warn(result.withheld)
        return host_changes(result.made)

    def _manager(
        self,
        metadata: sa.MetaData | None = None,
        *,
        engine: sa.Engine | None = None,
        max_lock_time: int | None = None,
    ) -> MigrationManager:
        default = LockOptions()
        settings = MigrationSettings(
            database_url=self._url or SYSTEM_DATABASE,
            metadata=() if metadata is None else (metadata,),
            path=self._path,
            schema=None if metadata is None else metadata.schema,
            version_table=self._version_table or "alembic_version",
            locks=default if not max_lock_time else LockOptions(lock_timeout=float(max_lock_time)),
        )
        return MigrationManager(settings, engine=engine, overrides=host_factories(x_args=self._x_args))

    def _apps(self) -> tuple[App, ...]:
        return host_apps((), self._path)

    def _app_for(self, version_path: str | Path | None) -> App:
        apps = [app for app in self._apps() if app.new_version_folder is not None]
        if version_path is not None:
            folder = Path(version_path).resolve()
            apps = [app for app in apps if folder.is_relative_to(_package_folder(app))]
        if len(apps) != 1:
            raise ConfigurationError(
                f"The revision could go to {len(apps)} apps: {', '.join(app.name for app in apps) or 'there is none'}.",
                next_step="Name the app: `m migrate create MESSAGE --app NAME`.",
            )
        return apps[0]


def _package_folder(app: App) -> Path:
    """The folder of an app's package, from the place of its revisions (``PACKAGE/migrations/versions``)."""
    if app.new_version_folder is None:
        raise RevisionError(f"App {app.name!r} has no place for revisions.")
    return Path(app.new_version_folder).parent.parent.resolve()


def _warn(withheld: Iterable[PlannedChange]) -> None:
    for planned in withheld:
        logger.warning("Withheld: %s: %s. %s", planned.change.table, sentence(planned.change), planned.judgement.reason)


def _print(text: str) -> None:
    print(text)  # noqa: T201 - the host's manager prints, and its callers have no other way to the result
