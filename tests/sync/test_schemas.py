"""Tables in schemas beside the default one, on Postgres: created, compared, and watched like any other."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.sync.conftest import Site

POSTGRES = pytest.mark.parametrize(
    "site",
    [pytest.param("asyncpg", marks=pytest.mark.postgres), pytest.param("psycopg", marks=pytest.mark.postgres)],
    indirect=True,
)


def wanted(*columns: str) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("plain", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "item",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("plain_id", sa.ForeignKey("plain.id"), index=True),
        *(sa.Column(name, sa.String(20)) for name in columns),
        schema="other",
    )
    return metadata


@POSTGRES
def test_a_table_in_another_schema_is_made_evolved_and_watched(site: Site) -> None:
    site.execute("CREATE SCHEMA other")
    site.settle(wanted())
    site.settle(wanted("name"))
    assert [column["name"] for column in site.inspect().get_columns("item", schema="other")][-1] == "name"
    site.execute("ALTER TABLE other.item DROP COLUMN name")
    assert len(site.plan(wanted("name"), force=False).plan.applied) == 1
    site.settle(wanted("name"))
    site.execute("CREATE TABLE other.theirs (id integer)")
    verdict = site.manager(wanted("name")).verify()
    assert [finding.kind for finding in verdict.findings if finding.dirty] == ["unmanaged-table"]


@POSTGRES
def test_the_last_table_of_a_schema_is_told_when_nobody_wants_it_any_more(site: Site) -> None:
    site.execute("CREATE SCHEMA other")
    both = wanted()
    site.settle(both)
    both.remove(both.tables["other.item"])
    for _ in range(2):
        assert [str(p.change.table) for p in site.sync(both).withheld] == ["other.item"]
    site.sync(both, allow_drop=True)
    assert site.inspect().get_table_names(schema="other") == []
    assert site.sync(both).up_to_date


@POSTGRES
def test_a_site_of_its_own_schema(site: Site) -> None:
    site.execute("CREATE SCHEMA tenant")
    metadata = sa.MetaData()
    sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True))
    tenant = site.manager(metadata, schema="tenant")
    assert tenant.sync().steps == 1
    assert tenant.plan(force=True).plan.is_empty
    inspector = site.inspect()
    assert "item" in inspector.get_table_names(schema="tenant")
    assert inspector.get_table_names() == []
    assert tenant.sync().up_to_date


def test_tables_that_name_the_default_schema_are_those_of_it(site: Site) -> None:
    """MetaData(schema="public") is common; it is the same as none where the session works in that schema."""
    default = "main" if site.is_sqlite else "public"
    metadata = sa.MetaData(schema=default)
    sa.Table("plain", metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "item",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Enum("a", "b", name="kind")),
        sa.Column("plain_id", sa.ForeignKey(f"{default}.plain.id"), index=True),
    )
    site.settle(metadata)
    metadata.tables[f"{default}.item"].append_column(sa.Column("note", sa.Text))
    site.settle(metadata)
    assert {"plain", "item"} <= set(site.inspect().get_table_names())
