"""What the host itself puts into a database: what its create_all left, and its triggers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from framework_m_migrations.container.tenancy import has_tenant_schemas, is_tenants
from framework_m_migrations.container.wiring import connection_of
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.events import StepRetried
from framework_m_migrations.domain.operations import DropTable
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.results import RepairResult
from framework_m_migrations.domain.schema import PrimaryKey, TableName
from framework_m_migrations.embedding.framework_m.wiring import host_doctypes
from framework_m_migrations.services.sync_planner import SyncPlanner
from framework_m_migrations.services.waiting import acquire, retrying

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from framework_m_migrations.adapters.doctypes.metadata import DocTypeTables
    from framework_m_migrations.ports.app_discovery import App
    from framework_m_migrations.ports.session import Session


OF_EVERY_DOCTYPE = frozenset({"id", "name", "creation", "modified", "custom_fields"})
"""Columns that the host gives each table of its making; a table of that name without them is somebody else's."""


@dataclass(frozen=True, slots=True)
class Strays:
    """Tables that should not be in the shared schema: name to why, of virtual DocTypes and of tenants'."""

    virtual: Mapping[str, str]
    tenants: Mapping[str, str]

    @classmethod
    def of(cls, apps: Sequence[App]) -> Strays:
        """Those that the host would make for the DocTypes of apps; raises as ``host_doctypes``."""
        from framework_m_migrations.adapters.doctypes.framework_m.classes import CORE, load_doctypes

        virtual = {
            str(one.meta("table_name") or one.model.__name__.lower()): one.name
            for one in load_doctypes((CORE, *apps))
            if not one.has_table
        }
        found = host_doctypes(apps)
        return cls(virtual, {table.name: one.name or "" for one in found if is_tenants(one) for table in one.tables})

    def why(self, name: str, dialect: str) -> str | None:
        """Whose table it is, in words; None for one that is no stray."""
        if name in self.virtual:
            return f"the table of the virtual DocType {self.virtual[name]}"
        if name in self.tenants and has_tenant_schemas(dialect):
            return f"the table of the tenants' DocType {self.tenants[name]} in the shared schema"
        return None


def repair_boot(session: Session, locks: LockOptions, strays: Strays, *, dry_run: bool) -> UseCase[RepairResult]:
    """Add the primary keys that are missing, and drop the empty tables that should not exist.

    What rows forbid is left as it is, and the action says what to do.

    Args:
        session: of the shared schema, with a pruner.
        locks: waiting.
        strays: see Strays.
        dry_run: only say what would be done.
    """
    yield from acquire(session, locks)
    try:
        made = SyncPlanner(session).plan(force=True)
        connection = connection_of(session)
        keys = [
            (change.table, change.primary_key)
            for change in (planned.change for planned in made.changes)
            if isinstance(change, c.PrimaryKeyChanged) and change.before is None and change.primary_key is not None
        ]
        with session.reading():
            known = session.inspector.read(made.unmanaged).tables
        found = [
            (name, why)
            for name in made.unmanaged
            if (why := strays.why(name.name, connection.dialect.name)) is not None
            and name in known
            and {column.name for column in known[name].columns} >= OF_EVERY_DOCTYPE
        ]
        tasks = [partial(_add_key, session, table, key) for table, key in keys]
        tasks += [partial(_drop_stray, session, table, why) for table, why in found]
        actions, done = [], False
        for number, task in enumerate(tasks, 1):

            def attempt(task: Task = task) -> tuple[str, bool]:
                if dry_run:
                    with session.reading():
                        return task(True)
                with _foreign_keys_off(connection), session.transaction(locks.limits):
                    return task(False)

            action, possible = yield from retrying(session, locks, attempt, partial(StepRetried, number))
            actions.append(action)
            done |= possible
        return RepairResult("repair", tuple(actions), applied=done and not dry_run)
    finally:
        session.lock.release()


type Task = Callable[[bool], tuple[str, bool]]
"""Given whether only to look: the action in words, and whether it is possible."""


def _add_key(session: Session, table: TableName, key: PrimaryKey, look: bool) -> tuple[str, bool]:
    connection = connection_of(session)
    columns: list[sa.ColumnClause[object]] = [sa.column(name) for name in key.columns]
    there = sa.table(table.name, *columns, schema=table.schema)
    groups = sa.select(*columns).select_from(there).group_by(*columns)
    several = groups.having(sa.or_(sa.func.count() > 1, *(column.is_(None) for column in columns)))
    wrong = connection.scalar(sa.select(sa.func.count()).select_from(several.subquery()))
    names = ", ".join(key.columns)
    if wrong:
        why = f"{wrong} values of ({names}) are NULL or occur more than once"
        return f"leave {table} without a primary key: {why}; remove the surplus rows, then run the command again", False
    if not look:
        _send_key(connection, table, key)
    rows = connection.scalar(sa.select(sa.func.count()).select_from(there))
    return f"add the primary key ({names}) to {table}, keeping its {_rows(rows)}", True


def _send_key(connection: sa.Connection, table: TableName, key: PrimaryKey) -> None:
    if connection.dialect.name == "sqlite":
        from framework_m_migrations.adapters.sql.dialects.sqlite.rebuild import Draft, rebuild, stored_definition

        schema = table.schema or "main"
        draft = Draft(table, stored_definition(connection, table.name, schema))
        draft.set_primary_key(key.columns, key.name)
        rebuild(connection, draft, lambda sql: _send(connection, sql), schema=schema)
        return
    quote = connection.dialect.identifier_preparer
    named = "" if key.name is None else f"CONSTRAINT {quote.quote(key.name)} "
    columns = ", ".join(map(quote.quote, key.columns))
    whole = quote.format_table(sa.table(table.name, schema=table.schema))
    connection.exec_driver_sql(f"ALTER TABLE {whole} ADD {named}PRIMARY KEY ({columns})")


def _send(connection: sa.Connection, sql: str) -> None:
    connection.exec_driver_sql(sql)


def _drop_stray(session: Session, table: TableName, why: str, look: bool) -> tuple[str, bool]:
    connection = connection_of(session)
    there = sa.table(table.name, schema=table.schema)
    if not look and connection.dialect.name == "postgresql":
        whole = connection.dialect.identifier_preparer.format_table(there)
        connection.exec_driver_sql(f"LOCK TABLE {whole} IN ACCESS EXCLUSIVE MODE")
    rows = connection.scalar(sa.select(sa.func.count()).select_from(there))
    if rows:
        return f"leave {table}, {why}: it has {_rows(rows)}; move them, then run the command again", False
    if not look and session.pruner is not None:
        session.pruner.apply(DropTable(table))
    return f"drop {table}, {why}, which is empty", True


def _rows(number: int | None) -> str:
    return "1 row" if number == 1 else f"{number} rows"


@contextmanager
def _foreign_keys_off(connection: sa.Connection) -> Iterator[None]:
    """SQLite rebuilds a table only while foreign keys are not enforced, which can be set outside a transaction only."""
    if connection.dialect.name != "sqlite":
        yield
        return
    from framework_m_migrations.adapters.sql.dialects.sqlite.driver import control

    enforced = int(control(connection, "PRAGMA foreign_keys")[0][0])
    control(connection, "PRAGMA foreign_keys = 0")
    try:
        yield
    finally:
        control(connection, f"PRAGMA foreign_keys = {enforced}")


# The host's triggers: those that protect its outbox and the tables of tamper-proof DocTypes.
#
# The host drops and creates them anew at each boot, which fails when two replicas boot at once. Here they are
# created where they are missing or of an older text, by one replica at a time.


OUTBOX = "_outbox"
LOCK_KEY = 0x464D5472
"""Of the advisory lock under which triggers are made on PostgreSQL, for the transaction."""

_TRIGGER = re.compile(r"CREATE TRIGGER (?:IF NOT EXISTS )?(\w+)")
_FUNCTION = re.compile(r"FUNCTION (\w+)\(\)\s+RETURNS TRIGGER AS \$\$(.*)\$\$", re.DOTALL | re.IGNORECASE)


async def attach_triggers(engine: AsyncEngine, doctypes: Iterable[DocTypeTables]) -> bool:
    """Create the triggers that are missing; True when there were any.

    Args:
        engine: the container's.
        doctypes: whose tables exist.
    """
    async with engine.begin() as connection:
        return await connection.run_sync(_attach, _wanted(doctypes, engine.dialect.name))


def patterns(doctypes: Iterable[DocTypeTables], dialect: str) -> list[str]:
    """What to exclude, so that the host's triggers are no drift: they are made and replaced at boot.

    Args:
        doctypes: whose tables are compared.
        dialect: SQLAlchemy's name of it.
    """
    return [f"trigger:{found[1]}" for one in _wanted(doctypes, dialect) if (found := _TRIGGER.search(one))]


def _wanted(doctypes: Iterable[DocTypeTables], dialect: str) -> list[str]:
    from framework_m_core.registry import MetaRegistry
    from framework_m_standard.adapters.db.schema_mapper import SchemaMapper

    registry = MetaRegistry.get_instance()
    sealed = {name for name in registry.list_doctypes() if registry.get_doctype(name).get_tamper_proof()}
    found: list[str] = []
    for doctype in doctypes:
        if any(table.name == OUTBOX for table in doctype.tables):
            found.extend(SchemaMapper.get_outbox_protection_trigger_statements(dialect=dialect))
        if doctype.name in sealed:
            found.extend(SchemaMapper.get_tamper_proof_trigger_statements(doctype.tables[0].name, dialect=dialect))
    return [statement for statement in found if not statement.startswith("DROP ")]


def _attach(connection: sa.Connection, statements: list[str]) -> bool:
    if connection.dialect.name == "postgresql" and _missing(connection, statements):
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    missing = _missing(connection, statements)
    for statement in missing:
        connection.exec_driver_sql(statement)
    return bool(missing)


def _missing(connection: sa.Connection, statements: list[str]) -> list[str]:
    """The statements whose trigger does not exist, or whose function has another text."""
    triggers, functions = _existing(connection)
    found: list[str] = []
    for statement in statements:
        function = _FUNCTION.search(statement)
        trigger = _TRIGGER.search(statement)
        if function is not None:
            if functions.get(function[1]) != function[2]:
                found.append(statement)
        elif trigger is None or trigger[1] not in triggers:
            found.append(statement)
    return found


def _existing(connection: sa.Connection) -> tuple[set[str], dict[str, str]]:
    if connection.dialect.name != "postgresql":
        rows: Any = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
        return {row[0] for row in rows}, {}
    triggers = connection.execute(
        sa.text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND pg_table_is_visible(tgrelid)")
    )
    functions = connection.execute(
        sa.text(
            "SELECT proname, prosrc FROM pg_proc WHERE pg_function_is_visible(oid) AND prorettype = 'trigger'::regtype"
        )
    )
    return {row[0] for row in triggers}, {row[0]: row[1] for row in functions}
