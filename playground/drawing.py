"""The tables with their columns and keys, as the page draws them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from models import standard_columns
from rows import connected, own_tables, types_of
from sqlalchemy.dialects import sqlite


def tables_in(database: Path) -> list[dict[str, Any]]:
    """The tables that exist."""
    if not database.exists():
        return []
    with connected(database) as connection:
        inspector = sa.inspect(connection)
        return [
            _table(
                name,
                [
                    (column["name"], types_of(connection, name)[column["name"]], column["nullable"])
                    for column in inspector.get_columns(name)
                ],
                inspector.get_pk_constraint(name)["constrained_columns"],
                [(key["constrained_columns"], key["referred_table"]) for key in inspector.get_foreign_keys(name)],
            )
            for name in own_tables(inspector)
        ]


def tables_wanted(wanted: tuple[sa.MetaData, ...]) -> list[dict[str, Any]]:
    """The tables that the models declare."""
    dialect = sqlite.dialect()
    return [
        _table(
            table.name,
            [(column.name, column.type.compile(dialect), bool(column.nullable)) for column in table.columns],
            [column.name for column in table.primary_key],
            [
                ([element.parent.name for element in key.elements], key.elements[0].target_fullname.rpartition(".")[0])
                for key in table.foreign_key_constraints
            ],
        )
        for metadata in wanted
        for table in metadata.tables.values()
    ]


def _table(
    name: str, columns: list[tuple[str, str, bool]], key: list[str], foreign: list[tuple[list[str], str]]
) -> dict[str, Any]:
    standard = standard_columns()
    hidden = standard if {"custom_fields", "owner", "modified_by"} <= {column for column, *_ in columns} else set()
    targets = {column: target for names, target in foreign for column in names}
    return {
        "name": name,
        "columns": [
            {
                "name": column,
                "type": kind,
                "required": not nullable,
                "key": column in key,
                "target": targets.get(column),
            }
            for column, kind, nullable in columns
            if column not in hidden or column in key or column in targets
        ],
        "hidden": sum(1 for column, *_ in columns if column in hidden and column not in key and column not in targets),
    }
