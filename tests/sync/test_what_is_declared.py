"""What a MetaData declares beside plain tables, wrong declarations, and what somebody added to our tables by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.plan import Risk
from framework_m_migrations.domain.schema import TableName
from tests.sync.conftest import Site

POSTGRES = pytest.mark.parametrize("site", [pytest.param("psycopg", marks=pytest.mark.postgres)], indirect=True)
LOCAL = pytest.mark.parametrize("site", ["sqlite"], indirect=True)
BOTH = pytest.mark.parametrize("site", ["sqlite", pytest.param("psycopg", marks=pytest.mark.postgres)], indirect=True)


def table(*parts: sa.schema.SchemaItem, name: str = "t", **options: Any) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *parts, **options)
    return metadata


def _empty_index() -> sa.MetaData:
    metadata = table()
    sa.Index("ix", _table=metadata.tables["t"])
    return metadata


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        pytest.param(lambda: table(prefixes=["TEMPORARY"]), "TEMPORARY", id="temporary"),
        pytest.param(lambda: table(prefixes=["LOCAL TEMP"]), "TEMPORARY", id="local temporary"),
        pytest.param(lambda: table(name="sqlite_x"), "reserved", id="a name of SQLite's"),
        pytest.param(lambda: table(sa.Index("sqlite_ix", "id")), "reserved", id="an index of such a name"),
        pytest.param(_empty_index, "no columns", id="an index without columns"),
        pytest.param(
            lambda: table(sa.Column("a", sa.ForeignKey("t.id", ondelete="EXPLODE"))), "EXPLODE", id="an unknown action"
        ),
    ],
)
@LOCAL
def test_a_wrong_declaration_is_refused_before_anything_is_sent(
    site: Site, declare: Callable[[], sa.MetaData], said: str
) -> None:
    with pytest.raises(InvalidMetadata, match=said):
        site.plan(declare())
    assert site.inspect().get_table_names() == []


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        pytest.param(lambda: table(sa.Column("ctid", sa.Integer)), "reserved", id="a system column"),
        pytest.param(lambda: table(sa.Column("k", sa.Enum("x" * 64, name="k"))), "63 bytes", id="a long label"),
        pytest.param(lambda: table(postgresql_on_commit="DROP"), "TEMPORARY", id="on commit"),
        pytest.param(lambda: table(schema="pg_x"), "reserved", id="a schema of such a name"),
        pytest.param(lambda: table(sa.Column("k", sa.Enum("x", "x", name="k"))), "twice", id="a label twice"),
    ],
)
@POSTGRES
def test_what_the_server_refuses_is_refused_before(site: Site, declare: Callable[[], sa.MetaData], said: str) -> None:
    with pytest.raises(InvalidMetadata, match=said):
        site.plan(declare())


@BOTH
def test_one_index_that_is_declared_twice_is_one(site: Site) -> None:
    site.settle(table(sa.Column("a", sa.Integer, index=True), sa.Index("ix_t_a", "a")))
    assert [index["name"] for index in site.inspect().get_indexes("t")] == ["ix_t_a"]


@BOTH
def test_a_key_to_columns_that_are_not_unique_waits_alone(site: Site) -> None:
    def wanted(*more: sa.schema.SchemaItem) -> sa.MetaData:
        metadata = table(sa.Column("a", sa.Integer), *more, name="p")
        sa.Table("c", metadata, sa.Column("a", sa.Integer, sa.ForeignKey("p.a", name="fk")))
        return metadata

    done = site.sync(wanted())
    assert [(type(p.change), p.judgement.rule) for p in done.withheld] == [(c.ForeignKeyAdded, "target-not-unique")]
    assert set(site.inspect().get_table_names()) >= {"p", "c"}
    if not site.is_sqlite:
        site.settle(wanted(sa.UniqueConstraint("a", name="uq")))


def wrong(metadata: sa.MetaData, *names: str) -> list[str]:
    """Adds a table for each way in which a definition is wrong to the database; of one only an index is."""

    def a() -> sa.Column[int]:
        return sa.Column("a", sa.Integer)

    parts: dict[str, list[sa.schema.SchemaItem]] = {
        "check_column": [a(), sa.CheckConstraint("nope > 0", name="k")],
        "check_syntax": [a(), sa.CheckConstraint("a >", name="k")],
        "computed_column": [a(), sa.Column("b", sa.Integer, sa.Computed("nope + 1", persisted=True))],
        "collation": [sa.Column("a", sa.String(9, collation="nope"))],
        "index_column": [a(), sa.Index("ix_nope", sa.text("nope"))],
        "default": [sa.Column("a", sa.Integer, server_default="abc")],
        "default_function": [sa.Column("a", sa.Integer, server_default=sa.text("(nope())"))],
        "long_key": [sa.Column("a", sa.String(1000), primary_key=True)],
        "row": [sa.Column(f"c{number}", sa.String(6000)) for number in range(4)],
    }
    for name in names:
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *parts[name])
    return [f"{name}: {'index' if name == 'index_column' else 'table'}" for name in names]


def check_wrong(site: Site, *names: str) -> None:
    """What is wrong is withheld with the database's words, by plan too; all else is done, and the rest when mended."""
    old = table(sa.Column("a", sa.Integer), name="old")
    site.settle(old)
    metadata = table(sa.Column("a", sa.Integer), sa.Column("b", sa.Integer), name="old")
    sa.Table(
        "fine",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a", sa.Integer),
        sa.CheckConstraint("a > 0", name="f"),
    )
    expected = wrong(metadata, *names)
    planned, done = site.plan(metadata), site.sync(metadata)
    for plan in (planned.plan, done.plan.plan):
        said = {
            f"{p.change.table}: {'index' if isinstance(p.change, c.IndexAdded) else 'table'}" for p in plan.withheld
        }
        assert said == set(expected)
        assert all("The database rejects it: " in p.judgement.reason for p in plan.withheld)
    assert {"fine", "old"} <= set(site.inspect().get_table_names())
    assert [one["name"] for one in site.inspect().get_columns("old")] == ["id", "a", "b"]
    for name in names:
        metadata.remove(metadata.tables[name])
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table("old", metadata, sa.CheckConstraint("b < 9", name="k"), extend_existing=True)
    site.sync(metadata)
    assert set(names) <= set(site.inspect().get_table_names())


@BOTH
def test_what_the_database_rejects_waits_alone(site: Site) -> None:
    names = ["check_column", "check_syntax", "computed_column", "collation", "index_column"]
    check_wrong(site, *names, *([] if site.is_sqlite else ["default", "default_function"]))


@POSTGRES
def test_a_key_between_types_that_do_not_fit_waits_alone(site: Site) -> None:
    metadata = table(sa.Column("n", sa.Numeric, unique=True), name="p")
    types = {"text": sa.Text, "uuid": sa.Uuid, "money": sa.Numeric, "small": sa.SmallInteger}
    sa.Table("c", metadata, *(sa.Column(name, type_, sa.ForeignKey("p.id")) for name, type_ in types.items()))
    sa.Table("d", metadata, sa.Column("n", sa.BigInteger, sa.ForeignKey("p.n")))
    done = site.sync(metadata)
    keys = [p.change.foreign_key.columns for p in done.withheld if isinstance(p.change, c.ForeignKeyAdded)]
    assert sorted(keys) == [("money",), ("text",), ("uuid",)]
    assert {p.judgement.rule for p in done.withheld} == {"target-other-type"}
    assert len(site.inspect().get_foreign_keys("c")) == len(site.inspect().get_foreign_keys("d")) == 1


@BOTH
def test_what_was_added_by_hand_is_named_and_stays(site: Site) -> None:
    metadata = table(sa.Column("a", sa.Integer))
    site.settle(metadata)
    site.execute("CREATE INDEX by_hand ON t (a)")
    if site.is_sqlite:
        site.execute("CREATE TRIGGER trig AFTER INSERT ON t BEGIN SELECT 1; END")
    else:
        site.execute(
            "ALTER TABLE t ADD CONSTRAINT theirs CHECK (a > 0)",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TRIGGER trig BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "CREATE POLICY pol ON t",
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY, DISABLE TRIGGER trig",
            "ALTER TABLE t ALTER a SET STATISTICS 9, ALTER a SET (n_distinct = 5), REPLICA IDENTITY FULL",
            "ALTER TABLE t CLUSTER ON by_hand",
            "ALTER SEQUENCE t_id_seq INCREMENT 5 AS bigint",
            "ALTER INDEX t_pkey SET (fillfactor = 60)",
            "COMMENT ON INDEX t_pkey IS 'theirs'",
            "CREATE STATISTICS st ON id, a FROM t",
        )
    said = [note.what for note in site.plan(metadata).plan.notes]
    expected = {"by_hand", "trig"}
    if not site.is_sqlite:
        expected |= {"theirs", "pol", "row level security", "disabled trigger trig"}
        expected |= {"statistics of column a = 9", "n_distinct", "replica identity = full", "cluster on = by_hand"}
        expected |= {"AS bigint, INCREMENT 5", "fillfactor=60 of t_pkey", "comment of index t_pkey", "statistics st"}
    assert [name for name in expected if not any(name in line for line in said)] == [], said
    strict = site.manager(metadata).verify(fail_on=Risk.WARNING)
    assert {finding.kind for finding in strict.findings if finding.dirty} == {"drift"}
    assert not [finding for finding in site.manager(metadata).verify().findings if finding.dirty]
    site.sync(metadata, allow_drop=True, force=True)
    assert [index["name"] for index in site.inspect().get_indexes("t")] == ["by_hand"]
    excluded = site.manager(metadata, exclude=("object:*",)).plan(force=True)
    assert excluded.plan.notes == ()
    if not site.is_sqlite:
        kinds = ("object:policy *", "object:row level security")
        left = [note.what for note in site.manager(metadata, exclude=kinds).plan(force=True).plan.notes]
        assert len(left) == len(said) - 2, left
        assert not any("polic" in line or "level" in line for line in left)


@LOCAL
def test_a_listener_is_named_and_what_sqlalchemy_listens_to_is_not(site: Site) -> None:
    metadata = table(sa.Column("k", sa.Enum("x", name="k")))
    sa.event.listen(metadata.tables["t"], "after_create", sa.DDL("CREATE TRIGGER said"))  # type: ignore[no-untyped-call]
    elsewhere = sa.DDL("SELECT 1").execute_if(dialect="postgresql")  # type: ignore[no-untyped-call]
    sa.event.listen(metadata, "before_drop", elsewhere)
    notes = site.plan(metadata).plan.notes
    assert [note.kind for note in notes] == ["listener"]
    assert "CREATE TRIGGER said" in notes[0].what


@BOTH
def test_create_all_leaves_no_mark_on_what_is_wanted(site: Site) -> None:
    def wanted() -> sa.MetaData:
        metadata = table(sa.Column("o", sa.Integer, sa.ForeignKey("u.id", name="fk_u", use_alter=True)))
        sa.Table("u", metadata, sa.Column("id", sa.Integer, primary_key=True))
        return metadata

    metadata = wanted()
    if not site.is_sqlite:
        for key in metadata.tables["t"].foreign_key_constraints:
            sa.schema.AddConstraint(key)
    site.settle(metadata)
    assert [key["name"] for key in site.inspect().get_foreign_keys("t")] == ["fk_u"]


@POSTGRES
def test_sequences_domains_enumerations_and_schemas_of_the_metadata(site: Site) -> None:
    def wanted(step: int = 1) -> sa.MetaData:
        metadata = sa.MetaData()
        sa.Sequence("order_no", start=1000, increment=step, metadata=metadata)
        postgresql.ENUM("draft", "final", name="state", metadata=metadata)
        mail = postgresql.DOMAIN("mail", sa.Text, check=f"length(VALUE) > {step} AND VALUE ~ '@'", not_null=True)
        sa.Table("doc", metadata, sa.Column("mail", mail), schema="other")
        return metadata

    site.settle(wanted())
    assert site.rows("SELECT nextval('order_no')") == [(1000,)]
    done = site.sync(wanted(2))
    assert {(type(p.change), p.change.object.kind) for p in done.withheld if isinstance(p.change, c.ObjectChanged)} == {
        (c.ObjectChanged, "sequence"),
        (c.ObjectChanged, "domain"),
    }


@POSTGRES
def test_an_enumeration_goes_with_the_last_table_and_a_stale_one_is_not_used(site: Site) -> None:
    def wanted(*labels: str) -> sa.MetaData:
        metadata = table(name="kept")
        if labels:
            column: sa.Column[str] = sa.Column("k", sa.Enum(*labels, name="kind"))
            sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True), column)
        return metadata

    site.settle(wanted("red", "green"))
    site.sync(wanted(), allow_drop=True)
    assert site.rows("SELECT 1 FROM pg_type WHERE typname = 'kind'") == []
    site.execute("CREATE TYPE kind AS ENUM ('red', 'green')")
    done = site.sync(wanted("round", "square"))
    assert [type(p.change) for p in done.withheld] == [c.EnumValuesIncompatible, c.TableAdded]


@POSTGRES
def test_a_parent_s_column_is_added_once(site: Site) -> None:
    def wanted(*names: str) -> sa.MetaData:
        metadata = table(*(sa.Column(name, sa.Integer) for name in names), name="z_base")
        own = [sa.Column(name, sa.Integer) for name in ("d", *names)]
        sa.Table("child", metadata, *own, postgresql_inherits="z_base")
        return metadata

    site.settle(wanted("b"))
    site.settle(wanted("b", "c"))


@POSTGRES
def test_options_that_no_model_names_stay_and_are_reported(site: Site) -> None:
    def wanted(**parameters: int) -> sa.MetaData:
        metadata = table(postgresql_with=parameters)
        for name in ("parent", "parted"):
            sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
        return metadata

    site.execute("CREATE TABLE parted (id integer PRIMARY KEY) PARTITION BY RANGE (id)")
    site.settle(wanted(fillfactor=70))
    site.execute(
        "CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9) WITH (fillfactor = 60)",
        "ALTER TABLE t SET UNLOGGED, INHERIT parent, SET (autovacuum_enabled = off)",
    )
    surplus = {"autovacuum_enabled = off", "inherits = parent", "unlogged"}
    for metadata, more in ((wanted(fillfactor=70), set()), (wanted(), {"fillfactor = 70"})):
        site.settle(metadata)
        strict = site.manager(metadata).verify(fail_on=Risk.WARNING)
        named = {f"t: option {one} is in no model" for one in surplus | more}
        named.add("parted: option partition_key = RANGE (id) is in no model")
        assert {finding.what for finding in strict.findings if finding.dirty} == named
    (withheld,) = site.plan(wanted(fillfactor=80)).plan.withheld
    before, after = (("with.fillfactor", "70"),), (("with.fillfactor", "80"),)
    assert withheld.change == c.TableOptionsChanged(TableName("t"), before, after)


@BOTH
def test_an_index_called_like_the_column_of_a_key_is_drift_where_no_key_has_an_index_of_its_own(site: Site) -> None:
    metadata = table(sa.Column("a", sa.Integer, sa.ForeignKey("t.id")))
    site.settle(metadata)
    site.execute("CREATE INDEX a ON t (a)")
    assert [note.what for note in site.plan(metadata).plan.notes] == ["t: index a (a) is in no model"]
