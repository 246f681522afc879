"""The host's triggers: those that protect its outbox and the tables of tamper-proof DocTypes.

The host drops and creates them anew at each boot, which fails when two replicas boot at once. Here they are created
where they are missing or of an older text, by one replica at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from framework_m_migrations.adapters.doctypes.metadata import DocTypeTables

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
