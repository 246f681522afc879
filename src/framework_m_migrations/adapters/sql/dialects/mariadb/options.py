"""Options of tables, under the names of MariaDB and of MySQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.mariadb.text import TYPE, ColumnDefinition, TableDefinition, quoted
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import Table

type Options = tuple[tuple[str, str], ...]

_BACK_TO = {
    "engine": "InnoDB",
    **dict.fromkeys(
        ("row_format", "pack_keys", "stats_persistent", "stats_auto_recalc", "stats_sample_pages"), "DEFAULT"
    ),
    **dict.fromkeys(("page_compressed", "page_compression_level", "encrypted", "encryption_key_id"), "DEFAULT"),
    **dict.fromkeys(("key_block_size", "checksum", "page_checksum", "max_rows", "min_rows"), "0"),
    **dict.fromkeys(("avg_row_length", "delay_key_write", "transactional"), "0"),
}
"""Options with a value, and the one that takes each back."""
PARTITION = "partition_by"
COMPARED = frozenset({*_BACK_TO, "charset", "collate", PARTITION})
"""Options of a table that it has whether declared or not; what a model names is compared."""
CREATED = frozenset({"auto_increment", "comment"})
"""Not options of the definition: the number to begin with, and what is compared as the table's comment."""
_PARTS = ("partition_by", "partitions", "subpartition_by", "subpartitions")
_NAMES = {"character_set": "charset", "type": "engine"}
_PAIR = re.compile(r"""[`"]?(?P<name>\w+)[`"]?=(?P<value>'[^']*'|"[^"]*"|\S+)|(?P<word>partitioned)""", re.IGNORECASE)
_CHARSET = re.compile(r"\s+(?:CHARACTER SET|COLLATE)\s+\w+", re.IGNORECASE)


def declared_options(table: sa.Table) -> Options:
    """The options of a wanted table, sorted.

    Raises:
        InvalidMetadata: an option is not supported: it names files or other tables of the server.
    """
    given = {
        key.removeprefix("mariadb_").lower(): value
        for key, value in (table.dialect_kwargs.items() if table.dialect_kwargs else ())
        if key.startswith("mariadb_") and value is not None
    }
    found: dict[str, str] = {}
    parts = [f"{name.replace('_', ' ').upper()} {given.pop(name)}" for name in _PARTS if name in given]
    if parts:
        found[PARTITION] = " ".join(parts)
    for key, value in given.items():
        name = key.removeprefix("default_")
        name = _NAMES.get(name, name)
        if name not in COMPARED | CREATED:
            raise InvalidMetadata(
                f"The option {key} of table {table.name} is not supported on MariaDB.",
                next_step=f"Leave it out, or use one of: {', '.join(sorted(COMPARED | CREATED))}.",
                details={"table": str(table.name), "option": key},
            )
        if name in COMPARED:
            found[name] = _canonical(name, str(value))
    return tuple(sorted(found.items()))


def actual_options(engine: str | None, collation: str | None, created: str | None) -> Options:
    """The options of a table as information_schema.TABLES tells them; ``created`` is CREATE_OPTIONS."""
    found = {
        "partition_by" if one["word"] else one["name"].lower(): one["value"] or ""
        for one in _PAIR.finditer(created or "")
    }
    found = {name: _canonical(name, value.strip("'\"")) for name, value in found.items() if name in COMPARED}
    if engine:
        found["engine"] = engine.lower()
    if collation:
        found |= {"charset": collation.partition("_")[0], "collate": collation}
    return tuple(sorted(found.items()))


def respelt(connection: sa.Connection, wanted: Table, actual: Table) -> Table:
    """The wanted table with options as the server would tell them.

    Partitions are compared no further than whether there are any. A character set brings its default collation with
    it where the table gets another one.
    """
    wants, has = dict(wanted.options), dict(actual.options)
    if wants.items() <= has.items():
        return wanted
    if PARTITION in wants and PARTITION in has:
        wants[PARTITION] = has[PARTITION]
    if wants.get("collate", "").startswith("uca1400_"):
        wants["collate"] = f"{wants.get('charset', has.get('charset', 'utf8mb4'))}_{wants['collate']}"
    if "charset" in wants and "collate" not in wants and wants["charset"] != has.get("charset"):
        asked = "SELECT DEFAULT_COLLATE_NAME FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME = :name"
        found = connection.execute(sa.text(asked), {"name": wants["charset"]}).scalar()
        wants |= {} if found is None else {"collate": str(found)}
    return _with(wanted, wants)


def _with(table: Table, options: Mapping[str, str]) -> Table:
    return replace(table, options=tuple(sorted(options.items())))


def alterations(before: Options, options: Options, found: Table, definition: TableDefinition | None) -> Iterator[str]:
    """The parts of an ALTER TABLE.

    Columns that take the table's character set and collation go on taking them, whatever they become.

    Args:
        before: options that differ, as they are.
        options: the same as they shall be.
        found: the table.
        definition: the same as the server prints it.
    """
    had, wants = dict(before), dict(options)
    if {"charset", "collate"} & wants.keys() and definition is not None:
        for column in found.columns:
            text = definition.column(column.name)
            inherits = column.type.collation is not None and " collate " not in column.type.spelling
            if text is not None and inherits and column.type.base != "json":
                bare = ColumnDefinition({**text.clauses, TYPE: _CHARSET.sub("", text.clauses[TYPE])})
                yield f"MODIFY COLUMN {quoted(column.name)} {bare.sql()}"
    if "charset" in wants:
        yield f"DEFAULT CHARACTER SET {wants['charset']}"
    if "collate" in wants:
        yield f"COLLATE {wants['collate']}"
    for name in sorted({*had, *wants} & _BACK_TO.keys()):
        yield f"{name.upper()}={wants.get(name, _BACK_TO[name])}"


def partitioning(before: Options, options: Options) -> str | None:
    """The clause of an ALTER TABLE that partitions a table, or that takes its partitions away; None for neither."""
    if PARTITION in dict(options):
        return dict(options)[PARTITION]
    return "REMOVE PARTITIONING" if PARTITION in dict(before) else None


def _canonical(name: str, value: str) -> str:
    if name == PARTITION:
        return value
    text = value.lower()
    if name in {"charset", "collate"} and (text == "utf8" or text.startswith("utf8_")):
        return f"utf8mb3{text[4:]}"
    return text


# ``mysql_*`` options on MariaDB.
#
# SQLAlchemy looks only at the options that are named after the dialect of the URL. A model that says
# ``mysql_engine`` or ``mysql_length`` means MariaDB as well, and would otherwise get a plain table and a plain
# index without a word.


_MYSQL, _MARIADB = "mysql_", "mariadb_"


def adopt_mysql_names(item: sa.Table | sa.Index) -> None:
    """Give a table with all that belongs to it, or an index, its ``mysql_*`` options as ``mariadb_*`` too.

    An option that is named ``mariadb_*`` already stays as it is.
    """
    items: list[Any] = [item]
    if isinstance(item, sa.Table):
        items += [*item.indexes, *item.constraints]
    for one in items:
        if one.__dict__.get("dialect_options") and one.dialect_kwargs:
            one.dialect_kwargs.update(_missing(one.dialect_kwargs))


def _missing(given: Mapping[str, Any]) -> dict[str, Any]:
    named = {_MARIADB + key.removeprefix(_MYSQL): given[key] for key in given if key.startswith(_MYSQL)}
    return {key: value for key, value in named.items() if given.get(key) is None}
