"""Named enumerations, which are objects of their own in PostgreSQL and do not exist elsewhere."""

from __future__ import annotations

from framework_m_migrations.adapters.sql.versions.objects import Objects
from framework_m_migrations.adapters.sql.versions.pieces import Script, Source
from framework_m_migrations.adapters.sql.versions.python_source import escape_binds, string_literal
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.schema import TableName

_ON_POSTGRESQL = 'if op.get_context().dialect.name == "postgresql":\n    '


def write(script: Script, objects: Objects, change: c.EnumAdded | c.EnumValueAdded | c.EnumValuesIncompatible) -> None:
    """Add to ``script`` what the change takes."""
    match change:
        case c.EnumAdded(enum=enum):
            labels = ", ".join(_literal(value) for value in enum.values)
            name = _name(objects, enum.name)
            script.add(_execute(f"CREATE TYPE {name} AS ENUM ({labels})"), _execute(f"DROP TYPE {name}"))
        case c.EnumValueAdded(enum=name, value=value, after=after, before=before):
            place = f" AFTER {_literal(after)}" if after is not None else ""
            place = place or (f" BEFORE {_literal(before)}" if before is not None else "")
            sql = f"ALTER TYPE {_name(objects, name)} ADD VALUE IF NOT EXISTS {_literal(value)}{place}"
            script.note("Enumerations: a label stays in PostgreSQL after downgrade; no row may hold it then.")
            # A new label cannot be used in the transaction that adds it, so it gets one of its own.
            script.add(
                Source(f"{_ON_POSTGRESQL}with op.get_context().autocommit_block():\n        {_call(sql)}"),
                Source(comments=(f"PostgreSQL cannot remove the label {value!r} from {name}: it stays.",)),
            )
        case c.EnumValuesIncompatible(after=enum):
            script.note(
                f"Not written: labels of {enum.name} were removed or reordered; decide what rows with them get."
            )
            script.add(Source(comments=(f"REVIEW: the labels of {enum.name} change; write it by hand.",)), ())


def _execute(sql: str) -> Source:
    return Source(_ON_POSTGRESQL + _call(sql))


def _call(sql: str) -> str:
    return f"op.execute({string_literal(escape_binds(sql))})"


def _name(objects: Objects, name: TableName) -> str:
    return objects.table_sql(name)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
