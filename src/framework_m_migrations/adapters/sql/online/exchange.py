"""Copies that take the names of what they are copies of, and what a table has of a name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import qualified
from framework_m_migrations.adapters.sql.online.reading import target_of
from framework_m_migrations.adapters.sql.online.sending import Sender, on_postgresql, sender
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import RevisionError
from framework_m_migrations.domain.renames import copy_name, former_name
from framework_m_migrations.domain.schema import TableName

type Naming = Callable[[str], str]

_HAS_COLUMN = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass({table})
AND a.attname = {column} AND NOT a.attisdropped)
"""
_HAS_NAME = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
               WHERE x.indrelid = pg_catalog.to_regclass({table}) AND i.relname = {name})
    OR EXISTS (SELECT FROM pg_catalog.pg_constraint k
               WHERE k.conrelid = pg_catalog.to_regclass({table}) AND k.conname = {name})
"""
_IS_CONSTRAINT = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint k
               WHERE k.conrelid = pg_catalog.to_regclass({table}) AND k.conname = {name})
"""
_DEPENDENTS = """
SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0)
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.refobjid = pg_catalog.to_regclass({table}) AND a.attname = {column} AND d.classid IN
('pg_catalog.pg_rewrite'::regclass, 'pg_catalog.pg_policy'::regclass, 'pg_catalog.pg_trigger'::regclass)
ORDER BY 1
"""


def take_names(table_name: str, names: Sequence[str], *, schema: str | None = None) -> None:
    """Let copies of indexes and constraints take the names of what they are copies of, which become the former ones.

    Args:
        table_name: of the table.
        names: what the copies shall be called.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        sending.short(taken(sending, table, names, copy_name, former_name))


def give_names_back(table_name: str, names: Sequence[str], *, schema: str | None = None) -> None:
    """Take ``take_names`` back.

    Args:
        table_name: of the table.
        names: the same.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        table = table_of(sending, table_name, schema)
        sending.short(taken(sending, table, names, former_name, copy_name))


def exists(table_name: str, name: str, *, schema: str | None = None) -> bool:
    """Whether the table has an index or a constraint of that name; False in offline mode.

    Args:
        table_name: of the table.
        name: of the index or constraint.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return False
    with sender() as sending:
        return not sending.offline and _has_name(sending, table_of(sending, table_name, schema), name)


def analyze(table_name: str, *, schema: str | None = None) -> None:
    """Collect statistics for a column that is new to the planner; holds nobody up.

    Args:
        table_name: of the table.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        sending.slow(f"ANALYZE {qualified(table_of(sending, table_name, schema), None)}")


def table_of(sending: Sender, name: str, schema: str | None) -> TableName:
    """The name of a table."""
    return target_of(sending).names.table(name, schema)


def has_column(sending: Sender, table: TableName, column: str) -> bool:
    """Whether the table has the column; False in offline mode."""
    if sending.offline:
        return False
    place = string_literal(qualified(table, None))
    return bool(sending.rows(_HAS_COLUMN.format(table=place, column=string_literal(column)))[0][0])


def _has_name(sending: Sender, table: TableName, name: str) -> bool:
    place = string_literal(qualified(table, None))
    return bool(sending.rows(_HAS_NAME.format(table=place, name=string_literal(name)))[0][0])


def refuse_dependents(sending: Sender, table: TableName, column: str) -> None:
    """A view or a policy over the column would go on with the old one, and keep it from being dropped."""
    if sending.offline:
        return
    place = string_literal(qualified(table, None))
    found = [str(row[0]) for row in sending.rows(_DEPENDENTS.format(table=place, column=string_literal(column)))]
    if found:
        raise RevisionError(
            f"Over {table}.{column} stand: {', '.join(found)}. They would stay with the old column.",
            next_step="Drop them in a revision before this one, and make them anew after it.",
            details={"dependents": found},
        )


def taken(
    sending: Sender,
    table: TableName,
    names: Sequence[str],
    source: Naming,
    aside: Naming,
) -> list[str]:
    """Statements that rename the ones called ``source(name)`` to ``name``, those in the way first."""
    found: list[str] = []
    for name in names:
        if sending.offline or _has_name(sending, table, source(name)):
            if sending.offline or _has_name(sending, table, name):
                found.append(_renamed(sending, table, name, aside(name)))
            found.append(_renamed(sending, table, source(name), name))
    return found


def _renamed(sending: Sender, table: TableName, before: str, after: str) -> str:
    place = qualified(table, None)
    is_constraint = _IS_CONSTRAINT.format(table=string_literal(place), name=string_literal(before))
    [constraint] = sending.statements(o.RenameTable(table, table, ((before, after),)))
    index = f"ALTER INDEX IF EXISTS {qualified(TableName(before, table.schema), None)} RENAME TO {written(after)}"
    if sending.offline:
        # A script is written without a look at the database, and so looks itself.
        body = f"BEGIN\n  IF ({is_constraint}) THEN\n    {constraint};\n  ELSE\n    {index};\n  END IF;\nEND"
        return f"DO $m_migrate$\n{body}\n$m_migrate$"
    return constraint if sending.rows(is_constraint)[0][0] else index
