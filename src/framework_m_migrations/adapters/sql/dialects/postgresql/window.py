"""The statement of one batch of a backfill, and the script that stands for all of them in offline mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import qualified, type_sql
from framework_m_migrations.domain.schema import Column, TableName

_PAGES = 100
"""Pages of the table in a transaction of the script."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a backfill does.

    Args:
        table: whose rows.
        values: column to SQL expression.
        where: SQL condition, None for all rows.
        size: keys in a batch.
        narrow: only the rows that meet the condition count as rows of a batch.
    """

    table: TableName
    values: dict[str, str]
    where: str | None
    size: int
    narrow: bool = False

    def statement(self, key: Sequence[Column], position: Sequence[str] | None, kept: tuple[str, str] | None) -> str:
        """One batch. Its row: keys seen, rows changed, the last key as a JSON array of texts (NULL without any).

        The names of its parts begin with ``m_migrate_``, so that expressions over the row find their columns.

        Args:
            key: the columns to go by.
            position: the last key of the batch before, None for the first batch.
            kept: the table of cursors and the literal of the name in it, None where no cursor is kept.
        """
        table = qualified(self.table, None)
        keys = [written(column.name) for column in key]
        aliases = [f"m_migrate_k{number}" for number in range(len(keys))]
        picked = ", ".join(f"{name} AS {alias}" for name, alias in zip(keys, aliases, strict=True))
        limits = [] if position is None else [f"({', '.join(keys)}) > ({', '.join(_values(key, position))})"]
        limits += [f"({self.where})"] if self.narrow and self.where is not None else []
        after = f"WHERE {' AND '.join(limits)} " if limits else ""
        condition = "" if self.where is None else f" AND ({self.where})"
        joined = " AND ".join(f"{table}.{name} = {alias}" for name, alias in zip(keys, aliases, strict=True))
        last = ", ".join(f"{alias}::text" for alias in aliases)
        down = ", ".join(f"{alias} DESC" for alias in aliases)
        moved = "" if kept is None else _moved(*kept)
        return (
            f"WITH m_migrate_window AS MATERIALIZED (SELECT {picked} FROM {table} {after}"  # noqa: S608 - names are quoted
            f"ORDER BY {', '.join(keys)} LIMIT {self.size}), "
            f"m_migrate_locked AS MATERIALIZED (SELECT {picked} FROM {table} WHERE ({', '.join(keys)}) IN "
            f"(SELECT {', '.join(aliases)} FROM m_migrate_window){condition} "
            f"ORDER BY {', '.join(keys)} FOR NO KEY UPDATE), "
            f"m_migrate_changed AS (UPDATE {table} SET {_assignments(self.values)} FROM m_migrate_locked "
            f"WHERE {joined}{condition} RETURNING 1), "
            f"m_migrate_counts AS MATERIALIZED (SELECT (SELECT count(*) FROM m_migrate_window) AS seen, "
            f"(SELECT count(*) FROM m_migrate_changed) AS changed, "
            f"(SELECT jsonb_build_array({last}) FROM m_migrate_window ORDER BY {down} LIMIT 1) AS last)"
            f"{moved} SELECT seen, changed, last::text FROM m_migrate_counts"
        )


def script(window: Window, pause: float) -> str:
    """The backfill for a script: a DO block that goes over the pages of the table and commits each hundred of them.

    A row that is changed gets a new place, perhaps one that is still to be visited. So without a condition that tells
    what is done it is one plain UPDATE.
    """
    table = qualified(window.table, None)
    assignments = _assignments(window.values)
    if window.where is None:
        return f"UPDATE {table} SET {assignments}"  # noqa: S608 - of the author's revision
    name = string_literal(table)
    update = string_literal(
        f"UPDATE %s AS {written(window.table.name)} SET {_escaped(assignments)} "  # noqa: S608 - of the author's revision
        f"WHERE ctid >= %L::tid AND ctid < %L::tid AND ({_escaped(window.where)})"
    )
    body = (
        "DECLARE leaf regclass; pages bigint; page bigint;\n"  # noqa: S608 - of the author's revision
        "BEGIN\n"
        "  FOR leaf IN SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'r' AND (c.oid = "
        f"{name}::regclass OR c.oid IN (SELECT relid FROM pg_catalog.pg_partition_tree({name}))) LOOP\n"
        "    pages := pg_catalog.pg_relation_size(leaf) / current_setting('block_size')::bigint;\n"
        "    page := 0;\n"
        "    WHILE page <= pages LOOP\n"
        f"      EXECUTE format({update}, leaf, format('(%s,0)', page), format('(%s,0)', page + {_PAGES}));\n"
        "      COMMIT;\n"
        f"      PERFORM pg_catalog.pg_sleep({pause});\n"
        f"      page := page + {_PAGES};\n"
        "    END LOOP;\n"
        "  END LOOP;\n"
        "END"
    )
    tag = "$m_migrate$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    return f"DO {tag}\n{body}\n{tag}"


def _escaped(sql: str) -> str:
    """For the first argument of ``format``."""
    return sql.replace("%", "%%")


def _assignments(values: dict[str, str]) -> str:
    return ", ".join(f"{written(column)} = {value}" for column, value in values.items())


def _values(key: Sequence[Column], position: Sequence[str]) -> list[str]:
    """The last key as values of the columns' types; which collation compares them is the columns' affair."""
    types = [type_sql(column.type, None).partition(" COLLATE ")[0] for column in key]
    return [f"CAST({string_literal(text)} AS {type_})" for type_, text in zip(types, position, strict=True)]


def _moved(table: str, name: str) -> str:
    return (
        f", m_migrate_moved AS (UPDATE {table} AS kept SET position = COALESCE(counts.last, kept.position), "  # noqa: S608 - quoted
        "done = kept.done + counts.seen, changed = kept.changed + counts.changed, touched = now() "
        f"FROM m_migrate_counts AS counts WHERE kept.name = {name})"
    )
