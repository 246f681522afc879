"""Tables for the tests of wanted values and fingerprints."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from framework_m_migrations.adapters.sql.desired.tables import Target
from tests.sql.plain import PlainDialect

DIALECTS: dict[str, type[sa.Dialect]] = {"postgresql": postgresql.dialect, "sqlite": sqlite.dialect}


def target_of(name: str, *, schema: str | None = None) -> Target:
    dialect: Any = DIALECTS[name]()
    # A connection tells: the servers' default is standard_conforming_strings, and SQLAlchemy 2.0 expects the other.
    dialect._backslash_escapes = False
    return Target.of(dialect, PlainDialect(name), schema=schema)


def wide_table(metadata: sa.MetaData, name: str = "wide", columns: int = 23, indexes: int = 8) -> sa.Table:
    """As many columns and indexes as a DocType of Framework M has."""
    types = (sa.String(140), sa.DateTime(timezone=True), sa.Integer(), sa.Numeric(12, 2), sa.JSON(), sa.Boolean())
    made: list[sa.Column[object]] = [sa.Column("id", sa.UUID(), primary_key=True)]
    made.extend(
        sa.Column(
            f"column_{number}",
            types[number % len(types)],
            nullable=number % 2 == 0,
            server_default=sa.text("'a'") if number % 6 == 0 else None,
            default=0 if number % 6 == 2 else None,
        )
        for number in range(1, columns)
    )
    table = sa.Table(name, metadata, *made)
    for number in range(1, indexes + 1):
        sa.Index(f"ix_{name}_{number}", table.c[f"column_{number}"], table.c[f"column_{number + 1}"])
    return table
