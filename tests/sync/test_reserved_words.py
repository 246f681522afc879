"""Every key word of the database as the name of a table, of columns and of an index, on new and on old tables.

Found with "system_user", a column of erpnext's Authorization Rule and reserved since PostgreSQL 16.
"""

from __future__ import annotations

import sqlalchemy as sa

from tests.sync.conftest import Site

# https://www.sqlite.org/lang_keywords.html, with what else means something in the place of a column's name.
SQLITE = """
    abort action add after all alter always analyze and as asc attach autoincrement before begin between by
    cascade case cast check collate column commit conflict constraint create cross current current_date
    current_time current_timestamp database default deferrable deferred delete desc detach distinct do drop each
    else end escape except exclude exclusive exists explain fail filter first following for foreign from full
    generated glob group groups having if ignore immediate in index indexed initially inner insert instead
    intersect into is isnull join key last left like limit match materialized natural no not nothing notnull
    null nulls of offset on or order others outer over partition plan pragma preceding primary query raise range
    recursive references regexp reindex release rename replace restrict returning right rollback row rows
    savepoint select set table temp temporary then ties to transaction trigger unbounded union unique update
    using vacuum values view virtual when where window with without true false rowid strict
"""


def words(site: Site) -> list[str]:
    if site.is_sqlite:
        return SQLITE.split()
    return [str(row[0]) for row in site.rows("SELECT word FROM pg_get_keywords()")]


def test_every_word_is_a_name(site: Site) -> None:
    found = words(site)
    assert len(found) > 100
    first, second = sa.MetaData(), sa.MetaData()
    sa.Table("wide", first, sa.Column("id", sa.Integer, primary_key=True))
    tables = [*found[:: max(1, len(found) // 60)], "system_user", "order", "user", "drop"]
    for metadata in (first, second):
        for word in dict.fromkeys(tables):
            sa.Table(word, metadata, sa.Column(word, sa.Integer, primary_key=True))
    sa.Table(
        "wide",
        second,
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(word, sa.Integer, nullable=False, server_default="1") for word in found),
        *(sa.Index(f"ix_{word}", word) for word in dict.fromkeys([*found[::8], "drop", "rename", "delete"])),
        sa.UniqueConstraint("id", found[0], name="uq order"),
    )
    site.settle(first)
    with site.plain.begin() as connection:
        connection.execute(sa.insert(first.tables["wide"]), [{"id": 1}])
    site.settle(second)
    assert set(found) <= {column["name"] for column in site.inspect().get_columns("wide")}
