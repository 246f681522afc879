"""MetaData as a schema source."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.doctypes.metadata import (
    DocTypeTables,
    MetadataSource,
    doctypes_of,
    source_from_tables,
)
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import TableName
from tests.sql.plain import PlainDialect
from tests.unit.sql.tables import DIALECTS, target_of

POSTGRES = target_of("postgresql")


def table(name: str, metadata: sa.MetaData | None = None, **settings: Any) -> sa.Table:
    return sa.Table(name, metadata or sa.MetaData(), sa.Column("a", sa.Integer), **settings)


def test_each_table_is_a_doctype_unless_it_says_otherwise() -> None:
    metadata = sa.MetaData()
    table("one", metadata)
    table("two", metadata, schema="s")
    table("order", metadata, info={"doctype": "Order", "app": "shop"})
    table("order_line", metadata, info={"doctype": "Order", "app": "shop"})
    source = MetadataSource(doctypes_of(metadata, app="core"), POSTGRES)
    loaded = source.load()
    assert [(d.name, d.app, [str(t.name) for t in d.tables]) for d in loaded] == [
        ("one", "core", ["one"]),
        ("s.two", "core", ["s.two"]),
        ("Order", "shop", ["order", "order_line"]),
    ]
    assert list(source.checksums()) == ["one", "s.two", "Order"]
    assert all(len(value) == 64 for value in source.checksums().values())
    tenant = MetadataSource(doctypes_of(metadata), target_of("postgresql", schema="s"))
    assert tenant.load(["two"])[0].tables[0].name == TableName("two")


def test_only_what_is_named_is_converted() -> None:
    good = DocTypeTables("Good", None, (table("good"),))
    bad = DocTypeTables("Bad", None, (sa.Table("bad", sa.MetaData()),))
    source = source_from_tables([good, bad], DIALECTS["sqlite"](), PlainDialect("sqlite"))
    assert [doctype.name for doctype in source.load(["Good", "Unknown"])] == ["Good"]
    with pytest.raises(InvalidMetadata):
        source.load()
    assert source.load([]) == ()


def test_two_loads_are_equal_and_the_order_of_doctypes_leaves_checksums_alone() -> None:
    def source(*names: str) -> MetadataSource:
        return MetadataSource([DocTypeTables(name.title(), None, (table(name),)) for name in names], POSTGRES)

    assert source("a", "b").load() == source("a", "b").load()
    assert source("a", "b").checksums() == source("b", "a").checksums()


def test_a_checksum_covers_the_app_and_all_tables() -> None:
    def checksum(*tables: sa.Table, app: str | None = None) -> str:
        return MetadataSource([DocTypeTables("D", app, tables)], POSTGRES).checksums()["D"]

    seen = {
        checksum(table("a")),
        checksum(table("a"), app="x"),
        checksum(table("a"), table("b")),
        checksum(table("b")),
        checksum(table("a"), table("c")),
    }
    assert len(seen) == 5
    assert checksum(table("a"), app="x") in seen


def test_contradictions_are_refused() -> None:
    one = DocTypeTables("A", None, (table("a"),))
    with pytest.raises(InvalidMetadata, match="called A"):
        MetadataSource([one, DocTypeTables("A", None, (table("b"),))], POSTGRES)
    with pytest.raises(InvalidMetadata, match="both declare table a"):
        MetadataSource([one, DocTypeTables("B", None, (table("a"),))], POSTGRES)
    with pytest.raises(InvalidMetadata, match="both declare table A"):
        MetadataSource([one, DocTypeTables("B", None, (table("A"),))], target_of("sqlite"))
    metadata = sa.MetaData()
    table("a", metadata, info={"doctype": "D", "app": "x"})
    table("b", metadata, info={"doctype": "D", "app": "y"})
    with pytest.raises(InvalidMetadata, match="two apps"):
        doctypes_of(metadata)


def test_labels_are_compared_across_tables() -> None:
    enums = sa.MetaData()
    sa.Table("a", enums, sa.Column("c", sa.Enum("x", name="e")))
    sa.Table("b", enums, sa.Column("c", sa.Enum("y", name="e")))
    with pytest.raises(InvalidMetadata, match="enumeration e"):
        MetadataSource(doctypes_of(enums), POSTGRES).load()


@pytest.mark.skipif(not hasattr(sa.schema, "CreateView"), reason="SQLAlchemy 2.0 has no views")
def test_views_are_no_tables() -> None:
    metadata = sa.MetaData()
    base = table("a", metadata)
    sa.schema.CreateView(sa.select(base), "v", metadata=metadata)
    assert "v" in metadata.tables
    assert [one.name for doctype in doctypes_of(metadata) for one in doctype.tables] == ["a"]
