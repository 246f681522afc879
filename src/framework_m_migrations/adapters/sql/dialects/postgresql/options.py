"""Options of tables, and what came with a later server than this one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.indexes import canonical_storage
from framework_m_migrations.adapters.sql.dialects.postgresql.text import qualified, string_literal, unquote, written
from framework_m_migrations.domain.operations import SetTableOptions
from framework_m_migrations.domain.schema import Index, Table, TableName, Unique

MULTIRANGES = frozenset(
    f"{name}multirange{array}" for name in ("date", "int4", "int8", "num", "ts", "tstz") for array in ("", "[]")
)
"""Types since 14, as format_type writes them."""


def refuse_newer_type(base: str, dialect: sa.Dialect) -> None:
    """Raise CompileError where the server has no such type.

    Args:
        base: the type without its modifiers, canonical.
        dialect: of the connection.
    """
    if base in MULTIRANGES:
        _needs(14, f"the type {base}", dialect)


def refuse_virtual(dialect: sa.Dialect) -> None:
    """Raise CompileError where the server stores every computed column."""
    _needs(18, "a computed column that is not stored", dialect)


def refuse_newer(table: Table, dialect: sa.Dialect) -> None:
    """Raise CompileError for what a table declares and an old server does not know."""
    items: list[Unique | Index] = [*table.uniques, *table.indexes]
    for one in items:
        if ("nulls_not_distinct", "true") in one.options:
            _needs(15, f"NULLS NOT DISTINCT of {one.name or 'a unique constraint'}", dialect)
    for key in table.foreign_keys:
        if "(" in (key.on_delete or ""):
            _needs(15, f"ON DELETE {key.on_delete} of {key.name or 'a foreign key'}", dialect)


def _needs(since: int, what: str, dialect: sa.Dialect) -> None:
    """Nothing is known of a dialect without a server."""
    version: tuple[int, ...] = tuple(getattr(dialect, "server_version_info", None) or ())
    if version and version < (since,):
        raise sa.exc.CompileError(f"{what} needs PostgreSQL {since}; this server is {'.'.join(map(str, version))}")


# Options of tables: UNLOGGED, parameters, tablespace, access method, parents, partition key.
#
# Pairs as ``Table.options`` has them, without what a table has anyway: ``unlogged``, ``with.NAME``,
# ``tablespace``, ``using``, ``inherits``, ``partition_key``.


type Options = tuple[tuple[str, str], ...]

_KEY = re.compile(r"\s*(\w+)\s*\((.*)\)\s*\Z", re.DOTALL)
_PLAIN = re.compile(r"\s*(?:\"[^\"]+\"|[A-Za-z_][\w$]*)(?:\s*,\s*(?:\"[^\"]+\"|[A-Za-z_][\w$]*))*\s*\Z")


def declared_options(table: sa.Table) -> Options:
    """The options that a model gives a table.

    Raises:
        CompileError: it asks for OIDs, which no supported server has.
    """
    words = {word.upper() for prefix in table.__dict__.get("_prefixes") or () for word in str(prefix).split()}
    found: dict[str, str] = {"unlogged": "true"} if "UNLOGGED" in words else {}
    given: Any = table.dialect_options["postgresql"] if "dialect_options" in table.__dict__ else {}
    if given.get("with_oids"):
        raise sa.exc.CompileError("no server since PostgreSQL 12 has tables with OIDs")
    for name, value in (given.get("with") or {}).items():
        found[f"with.{str(name).lower()}"] = "on" if value is None else canonical_storage(value)
    found |= {name: str(given[name]) for name in ("tablespace", "using") if given.get(name)}
    if given.get("inherits"):
        parents = given["inherits"]
        listed = parents if isinstance(parents, list | tuple) else (parents,)
        # The catalog is asked for the names alone; a name with its schema is one that is not to be quoted as a whole.
        found["inherits"] = ", ".join(
            str(one).rpartition(".")[2] if getattr(one, "quote", None) is False else one for one in listed
        )
    if given.get("partition_by"):
        found["partition_key"] = partition_key(str(given["partition_by"]))
    return _canonical(found)


def found_options(says: dict[str, Any]) -> Options:
    """The options that a table has, from a row of the catalog as JSON."""
    found: dict[str, str] = {"unlogged": "true"} if says["unlogged"] else {}
    for parameter in [*(says["with"] or ()), *(f"toast.{one}" for one in says["toast"] or ())]:
        name, _, value = parameter.partition("=")
        found[f"with.{name.lower()}"] = canonical_storage(value)
    found |= {name: says[name] for name in ("tablespace", "using") if says[name]}
    if says["inherits"]:
        found["inherits"] = ", ".join(says["inherits"])
    if says["partition_key"]:
        found["partition_key"] = partition_key(says["partition_key"])
    return _canonical(found)


def _canonical(found: dict[str, str]) -> Options:
    if found.get("using", "heap").lower() == "heap":
        found.pop("using", None)
    return tuple(sorted(found.items()))


def partition_key(text: str) -> str:
    """``RANGE (created)``; of expressions, which each side spells in its own way, no more than that they are some."""
    match = _KEY.match(text)
    if match is None:
        return text.strip()
    columns = match[2]
    listed = ", ".join(unquote(part.strip()) for part in columns.split(",")) if _PLAIN.match(columns) else "expressions"
    return f"{match[1].upper()} ({listed})"


def set_options(operation: SetTableOptions, schema: str | None) -> Iterator[str]:
    """The statements that change options; a table is never made a partitioned one, or an ordinary one again."""
    alter = f"ALTER TABLE {qualified(operation.table, schema)}"
    had, has = dict(operation.before), dict(operation.options)
    parents, children = (_names(one.get("inherits", "")) for one in (had, has))
    for parent in [name for name in parents if name not in children]:
        yield f"{alter} NO INHERIT {qualified(TableName(parent, operation.table.schema), schema)}"
    for parent in [name for name in children if name not in parents]:
        yield f"{alter} INHERIT {qualified(TableName(parent, operation.table.schema), schema)}"
    if ("unlogged" in had) is not ("unlogged" in has):
        yield f"{alter} SET {'UNLOGGED' if 'unlogged' in has else 'LOGGED'}"
    gone = [_parameter(name) for name in had if name.startswith("with.") and name not in has]
    if gone:
        yield f"{alter} RESET ({', '.join(gone)})"
    new = [
        f"{_parameter(name)} = {string_literal(value)}"
        for name, value in has.items()
        if name.startswith("with.") and had.get(name) != value
    ]
    if new:
        yield f"{alter} SET ({', '.join(new)})"
    if had.get("using") != has.get("using"):
        yield f"{alter} SET ACCESS METHOD {written(has.get('using', 'heap'))}"
    if had.get("tablespace") != has.get("tablespace"):
        yield f"{alter} SET TABLESPACE {written(has.get('tablespace', 'pg_default'))}"


def _parameter(option: str) -> str:
    """The name of a storage parameter, which may be one of the table's TOAST table."""
    return ".".join(written(part) for part in option.removeprefix("with.").split("."))


def _names(listed: str) -> list[str]:
    return [name for name in listed.split(", ") if name]
