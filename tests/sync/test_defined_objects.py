"""Views, functions, procedures, triggers, roles, grants and rows that a MetaData declares."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BIT, INET, INT4RANGE, JSONB, Range
from sqlalchemy_declarative_extensions import (
    Functions,
    Grants,
    Procedures,
    Roles,
    Row,
    Rows,
    View,
    Views,
    declare_database,
    register_sqlalchemy_events,
)
from sqlalchemy_declarative_extensions.dialects import postgresql as pg

from tests.sync.conftest import Site

POSTGRES = pytest.mark.parametrize(
    "site", [pytest.param(one, marks=pytest.mark.postgres) for one in ("asyncpg", "psycopg")], indirect=True
)
PSYCOPG = pytest.mark.parametrize("site", [pytest.param("psycopg", marks=pytest.mark.postgres)], indirect=True)
BOTH = pytest.mark.parametrize("site", ["sqlite", pytest.param("psycopg", marks=pytest.mark.postgres)], indirect=True)

BUMP = pg.Function("bump", "BEGIN NEW.n := NEW.n + 1; RETURN NEW; END", language="plpgsql", returns="trigger")
DOUBLE = pg.Function("double", "SELECT x * 2", returns="integer", parameters=["x integer"], language="sql")

VIEWS = pytest.mark.skipif(not hasattr(sa.schema, "CreateView"), reason="SQLAlchemy 2.0 has no views")


def declared(*columns: sa.Column[Any], **objects: Any) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer), *columns)
    declare_database(metadata, **objects)
    return metadata


def only(plan: Any) -> Any:
    (change,) = plan.to_dict()["changes"]
    return change


@BOTH
def test_views_come_after_what_they_use_whatever_the_order_of_declaration(site: Site) -> None:
    views = [View("b", "SELECT id FROM a"), View("a", "SELECT id, n FROM t WHERE n > 1")]
    site.settle(declared(views=views))
    site.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
    assert site.rows("SELECT * FROM b") == [(2,)]


@VIEWS
@BOTH
def test_views_of_sqlalchemy_are_created_and_compared(site: Site) -> None:
    metadata = declared()
    table = metadata.tables["t"]
    sa.schema.CreateView(sa.select(table.c.id).where(table.c.n == 5), "five", metadata=metadata)
    site.settle(metadata)
    assert site.inspect().get_view_names() == ["five"]


@BOTH
def test_a_view_that_create_all_made_is_as_declared(site: Site) -> None:
    metadata = declared(views=[View("v", "SELECT t.id,\n   n AS m FROM t")])
    register_sqlalchemy_events(metadata, views=True)
    metadata.create_all(site.plain)
    site.settle(metadata)
    assert site.plan(metadata).to_dict()["notes"] == []


@POSTGRES
def test_a_view_is_replaced_in_place_where_it_keeps_its_columns(site: Site) -> None:
    site.settle(declared(views=[View("v", "SELECT id FROM t")]))
    site.execute("CREATE VIEW theirs AS SELECT id FROM v")
    wider = declared(views=Views(ignore_unspecified=True).are(View("v", "SELECT id, n FROM t WHERE id > 0")))
    change = only(site.plan(wider))
    assert (change["risk"], change["rule"]) == ("safe", "object-replaced")
    site.settle(wider)
    assert [column["name"] for column in site.inspect().get_columns("v")] == ["id", "n"]


@BOTH
def test_a_view_that_loses_a_column_waits_for_a_revision(site: Site) -> None:
    site.settle(declared(views=[View("v", "SELECT id, n FROM t")]))
    narrow = declared(views=[View("v", "SELECT id FROM t")])
    change = only(site.plan(narrow))
    assert (change["risk"], change["rule"], change["handled_by"]) == ("warning", "object-replaced", "create")
    assert site.sync(narrow).withheld
    assert [column["name"] for column in site.inspect().get_columns("v")] == ["id", "n"]


@POSTGRES
def test_a_view_over_a_column_of_the_same_release(site: Site) -> None:
    site.settle(declared(views=[View("v", "SELECT id FROM t")]))
    site.settle(declared(sa.Column("new", sa.Text), views=[View("v", "SELECT id, new FROM t")]))
    assert [column["name"] for column in site.inspect().get_columns("v")] == ["id", "new"]


@PSYCOPG
def test_a_view_over_a_column_that_is_withheld_waits_with_it(site: Site) -> None:
    site.settle(declared())
    site.execute("INSERT INTO t VALUES (1, 1)")
    wanted = declared(sa.Column("must", sa.Integer, nullable=False), views=[View("v", "SELECT must FROM t")])
    result = site.sync(wanted)
    assert {change.judgement.rule for change in result.withheld} >= {"waits"}
    assert site.inspect().get_view_names() == []


@PSYCOPG
def test_a_materialized_view_with_its_index(site: Site) -> None:
    def with_index(*names: str) -> sa.MetaData:
        indexes: Any = [sa.UniqueConstraint("id", name=name) for name in names]
        return declared(views=[pg.View("m", "SELECT id, n FROM t", materialized=True, constraints=indexes)])

    site.settle(with_index("m_id"))
    assert [one["name"] for one in site.inspect().get_indexes("m")] == ["m_id"]
    site.settle(with_index("m_id", "m_id2"))
    changed = declared(views=[pg.View("m", "SELECT id FROM t", materialized=True)])
    assert only(site.plan(changed))["risk"] == "warning"


@POSTGRES
def test_functions_come_before_what_uses_them_and_triggers_after(site: Site) -> None:
    metadata = sa.MetaData()
    sa.Table(
        "t",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("n", sa.Integer, server_default=sa.text("double(4)")),
    )
    size = pg.Function("size", "SELECT count(*) FROM t", returns="bigint", language="sql")
    trigger = pg.Trigger.before("insert", on="t", execute="bump", name="bump_it").for_each_row()
    declare_database(metadata, functions=[size, BUMP, DOUBLE], triggers=[trigger])
    site.settle(metadata)
    site.execute("INSERT INTO t (id) VALUES (1)")
    assert site.rows("SELECT n, size() FROM t") == [(9, 1)]
    assert site.plan(metadata).to_dict()["notes"] == []


@PSYCOPG
def test_functions_triggers_and_procedures_are_replaced_in_place(site: Site) -> None:
    trigger = pg.Trigger.before("insert", on="t", execute="bump", name="bump_it").for_each_row()
    note = pg.Procedure("note", "BEGIN INSERT INTO t VALUES (9, 9); END", language="plpgsql")
    site.settle(declared(functions=[BUMP], triggers=[trigger], procedures=[note]))
    again = pg.Function("bump", "BEGIN NEW.n := NEW.n + 10; RETURN NEW; END", language="plpgsql", returns="trigger")
    note = pg.Procedure("note", "BEGIN INSERT INTO t VALUES (8, 8); END", language="plpgsql")
    both = pg.Trigger.before("insert", "update", on="t", execute="bump", name="bump_it").for_each_row()
    site.settle(declared(functions=[again], triggers=[both], procedures=Procedures().are(note)))
    site.execute("CALL note()")
    assert site.rows("SELECT id, n FROM t") == [(8, 18)]


@PSYCOPG
def test_a_function_of_another_signature_waits_for_a_revision(site: Site) -> None:
    site.settle(declared(functions=[DOUBLE]))
    other = pg.Function("double", "SELECT x * 2", returns="bigint", parameters=["x bigint"], language="sql")
    change = only(site.plan(declared(functions=Functions().are(other))))
    assert (change["risk"], change["handled_by"]) == ("warning", "create")


@PSYCOPG
def test_what_is_declared_nowhere_is_drift_and_stays(site: Site) -> None:
    metadata = declared(views=[View("v", "SELECT id FROM t")], functions=[DOUBLE])
    site.settle(metadata)
    site.execute(
        "CREATE VIEW theirs AS SELECT 1 AS one",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TRIGGER stray BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    )
    said = " ".join(note["what"] for note in site.plan(metadata).to_dict()["notes"])
    assert all(word in said for word in ("view theirs", "function f", "trigger stray"))
    site.sync(metadata, force=True)
    assert set(site.inspect().get_view_names()) == {"theirs", "v"}
    quiet = declared(views=Views(ignore=["their*"]).are(View("v", "SELECT id FROM t")), functions=[DOUBLE])
    assert "theirs" not in str(site.plan(quiet).to_dict()["notes"])
    left_out = site.manager(metadata, exclude=("theirs", "object:f")).plan(force=True).to_dict()["notes"]
    assert "theirs" not in str(left_out)
    assert "function f" not in str(left_out)


@PSYCOPG
def test_drift_of_a_definition_is_noticed_without_being_asked_for(site: Site) -> None:
    metadata = declared(views=[View("v", "SELECT id FROM t")], functions=[DOUBLE])
    site.settle(metadata)
    site.execute(
        "CREATE OR REPLACE VIEW v AS SELECT id FROM t WHERE id > 3",
        "CREATE OR REPLACE FUNCTION double(x integer) RETURNS integer LANGUAGE sql AS 'SELECT x * 3'",
    )
    assert len(site.plan(metadata, force=False).to_dict()["changes"]) == 2
    site.settle(metadata)


@POSTGRES
def test_a_type_under_a_view_waits_for_a_revision(site: Site) -> None:
    views = [View("v", "SELECT name FROM t"), View("w", "SELECT name FROM v")]
    site.settle(declared(sa.Column("name", sa.String(20)), views=views))
    wider = declared(sa.Column("name", sa.String(40)), views=views)
    change = only(site.plan(wider, force=False))
    assert (change["risk"], change["rule"], change["handled_by"]) == ("warning", "type-under-view", "create")
    assert len(site.sync(wider).withheld) == 1


@BOTH
def test_rows_are_inserted_and_a_changed_value_waits(site: Site) -> None:
    def rows(*pairs: tuple[int, int]) -> sa.MetaData:
        return declared(rows=Rows().are(*(Row("t", id=one, n=two) for one, two in pairs)))

    site.settle(rows((1, 10)))
    site.settle(rows((1, 10), (2, 20)))
    assert site.rows("SELECT id, n FROM t ORDER BY id") == [(1, 10), (2, 20)]
    change = only(site.plan(rows((1, 11), (2, 20), (3, 30))))
    assert (change["risk"], change["handled_by"]) == ("warning", "create")


class Mood(enum.Enum):
    GOOD = "g"
    BAD = "b"


VALUES: dict[str, tuple[Any, Any, Any]] = {
    "document": (sa.JSON(), {"a": [1, "it's 100%s :x", None, True]}, {"a": [1]}),
    "nothing": (sa.JSON(none_as_null=True), None, {}),
    "mood": (sa.Enum(Mood, name="mood"), Mood.GOOD, Mood.BAD),
    "day": (sa.Date(), dt.date(2024, 2, 29), None),
    "moment": (
        sa.DateTime(timezone=True),
        dt.datetime(2024, 2, 29, 1, tzinfo=dt.UTC),
        dt.datetime(2025, 1, 1, tzinfo=dt.UTC),
    ),
    "span": (sa.Interval(), dt.timedelta(days=1, seconds=3), dt.timedelta(0)),
    "time": (sa.Time(), dt.time(1, 2), dt.time(3)),
    "amount": (sa.Numeric(10, 2), decimal.Decimal("1.50"), decimal.Decimal("2.5")),
    "uuid": (sa.Uuid(), uuid.UUID(int=5), uuid.UUID(int=6)),
    "bytes": (sa.LargeBinary(), b"\0\1'%s", b"x"),
    "text": (sa.String(40), "100%s :x \\ it's ü", "n"),
}
"""A type, a value and another one for a column."""


def with_values(which: int, **more: tuple[Any, Any, Any]) -> sa.MetaData:
    columns = {name: (one[0], one[which]) for name, one in (VALUES | more).items()}
    metadata = sa.MetaData()
    made = [sa.Column(name, type_) for name, (type_, _) in columns.items()]
    sa.Table("v", metadata, sa.Column("id", sa.Integer, primary_key=True), *made)
    declare_database(metadata, rows=Rows().are(Row("v", id=1, **{name: value for name, (_, value) in columns.items()})))
    return metadata


@BOTH
def test_rows_of_every_kind_of_value(site: Site, tmp_path: Path) -> None:
    on_server: dict[str, tuple[Any, Any, Any]] = {
        "document2": (JSONB(), {"b": "é"}, []),
        "moods": (ARRAY(sa.Enum(Mood, name="mood")), [Mood.BAD, None], [Mood.GOOD]),
        "words": (ARRAY(sa.Text), ["it's", None], ["x"]),
        "address": (INET(), "10.0.0.1", "::1"),
        "range": (INT4RANGE(), Range(1, 2), Range(1, 5)),
        "bits": (BIT(4), "0101", "1111"),
    }
    more = {} if site.is_sqlite else on_server
    site.settle(with_values(1, **more))
    other = with_values(2, **more)
    change = only(site.plan(other))
    assert (change["risk"], change["handled_by"]) == ("warning", "create")
    round_trip(site, other, tmp_path, "SELECT * FROM v")


@PSYCOPG
def test_objects_of_a_tenant_use_the_tables_of_its_schema(site: Site) -> None:
    """Names without a schema mean those of the tenant, whether the default schema has the same ones or not."""

    def wanted(step: int) -> sa.MetaData:
        return declared(
            views=[
                View("v", f"SELECT id, n FROM t WHERE n > {step}"),
                pg.View(
                    "m", "SELECT id FROM v", materialized=True, constraints=[sa.UniqueConstraint("id", name="m_id")]
                ),
            ],
            functions=[pg.Function("total", f"SELECT count(*) FROM t WHERE n > {step}", returns="bigint"), BUMP],
            procedures=[pg.Procedure("note", "INSERT INTO t VALUES (9, 9)")],
            triggers=[pg.Trigger.before("update", on="t", execute="bump", name="bump_it").for_each_row()],
            rows=Rows().are(Row("t", id=1, n=5)),
        )

    site.execute("CREATE SCHEMA ten", "CREATE SCHEMA other")
    for schema in ("ten", None, "other"):
        for step in (1, 2):
            manager = site.manager(wanted(step), schema=schema)
            assert manager.sync().withheld == ()
            assert manager.plan(force=True).to_dict()["changes"] == []
            assert not [finding for finding in manager.verify().findings if finding.dirty]
    site.execute("DROP TABLE t CASCADE", "UPDATE ten.t SET n = 3")
    assert site.rows("SELECT n FROM ten.v") == [(4,)]
    assert site.rows("SHOW search_path") == [('"$user", public',)]


@POSTGRES
def test_roles_and_grants(site: Site) -> None:
    (name,) = site.rows("SELECT current_database() || '_reader'")[0]
    role = str(name)
    grants = Grants(ignore_unspecified=True).are(
        pg.DefaultGrant.on_tables_in_schema("public").grant("select", to=role),
        pg.Grant.new("insert", to=role).on_tables("t"),
    )
    roles = Roles(ignore_unspecified=True).are(pg.Role(role, login=True, password="secret"))
    metadata = declared(roles=roles, grants=grants)
    try:
        plan = site.plan(metadata)
        assert "secret" not in str(plan.to_dict())
        site.settle(metadata)
        assert site.rows(f"SELECT has_table_privilege('{role}', 't', 'select, insert')") == [(True,)]
    finally:
        site.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@PSYCOPG
def test_a_body_that_the_database_prints_in_its_own_way_is_as_declared(site: Site) -> None:
    atomic = pg.Function("total", "BEGIN ATOMIC select sum(n) from t; END", returns="bigint", language="sql")
    typed = pg.Function(
        "typed",
        "SELECT a",
        returns="timestamp with time zone",
        parameters=["a timestamp with time zone"],
        language="sql",
    )
    site.settle(declared(functions=[atomic, typed]))


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
def test_what_the_database_does_not_have_is_reported(site: Site) -> None:
    metadata = declared(functions=[DOUBLE], views=[View("v", "SELECT id FROM t")])
    site.settle(metadata)
    assert "function double is not managed" in str(site.plan(metadata).to_dict()["notes"])


STATE = """
SELECT c.relname::text, pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relkind IN ('v', 'm')
  AND c.relnamespace = 'public'::regnamespace
UNION ALL SELECT p.proname::text, pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
UNION ALL SELECT t.tgname::text, pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE NOT t.tgisinternal
UNION ALL SELECT a.attname::text, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
  WHERE a.attrelid = to_regclass('public.t') AND a.attnum > 0 ORDER BY 1, 2
"""


def round_trip(site: Site, metadata: sa.MetaData, folder: Path, state: str = STATE) -> str:
    """Write a revision, apply it, take it back and apply it again; its text."""
    (folder / "wms").mkdir()
    (folder / "wms" / "__init__.py").touch()
    sys.path.insert(0, str(folder))
    try:
        manager = site.manager(metadata, apps=("wms",))
        before = site.rows(state)
        made = manager.create("change", app="wms")
        manager.run()
        after = site.rows(state)
        assert manager.plan(force=True).to_dict()["changes"] == []
        manager.rollback()
        assert site.rows(state) == before
        manager.run()
        assert site.rows(state) == after
        return Path(str(made.path)).read_text(encoding="utf-8")
    finally:
        sys.path.remove(str(folder))
        for name in [one for one in sys.modules if one.partition(".")[0] == "wms"]:
            del sys.modules[name]


@PSYCOPG
def test_a_revision_creates_all_kinds(site: Site, tmp_path: Path) -> None:
    metadata = sa.MetaData()
    key = sa.Column("id", sa.Integer, primary_key=True)
    sa.Table("t", metadata, key, sa.Column("n", sa.Integer, server_default=sa.text("double(4)")))
    trigger = pg.Trigger.before("insert", on="t", execute="bump", name="bump_it").for_each_row()
    declare_database(
        metadata,
        views=[View("b", "SELECT id FROM a"), View("a", "SELECT id FROM t WHERE n::text <> '1:2' AND n % 2 = 0")],
        functions=[BUMP, DOUBLE],
        procedures=[pg.Procedure("note", "BEGIN INSERT INTO t VALUES (9, 9); END", language="plpgsql")],
        triggers=[trigger],
        rows=[Row("t", id=1)],
    )
    round_trip(site, metadata, tmp_path)
    assert site.rows("SELECT id, n FROM t") == [(1, 9)]


@PSYCOPG
def test_a_revision_brings_back_what_it_replaced(site: Site, tmp_path: Path) -> None:
    views = [View("v", "SELECT name, id, n FROM t"), View("w", "SELECT id FROM v"), View("z", "SELECT name FROM t")]
    rows = [Row("t", id=1, n=3)]
    site.settle(declared(sa.Column("name", sa.String(20)), views=views, functions=[DOUBLE], rows=rows))
    site.execute("UPDATE t SET name = 'one'")
    other = pg.Function("double", "SELECT x * 2", returns="bigint", parameters=["x bigint"], language="sql")
    metadata = declared(
        sa.Column("name", sa.Text),
        views=[View("v", "SELECT name, id FROM t"), *views[1:]],
        functions=[other],
        rows=[Row("t", id=1, n=4)],
    )
    text = round_trip(site, metadata, tmp_path)
    assert "dropped and created again" in text
    assert site.rows("SELECT id, n, name FROM t") == [(1, 4, "one")]
    assert site.rows("SELECT * FROM w") == [(1,)]


@PSYCOPG
def test_a_revision_of_a_table_with_a_percent_sign_is_proven(site: Site, tmp_path: Path) -> None:
    metadata = sa.MetaData()
    sa.Table("p%t", metadata, sa.Column("a%s", sa.Integer, primary_key=True))
    round_trip(site, metadata, tmp_path, "SELECT count(*) FROM pg_class WHERE relname LIKE 'p_t'")


@VIEWS
@BOTH
def test_several_metadata_that_refer_to_each_other_keep_their_objects(site: Site) -> None:
    """SQLAlchemy resolves a foreign key within one MetaData only, so that the tables are brought together."""
    first = declared(views=[View("v", "SELECT id FROM t")])
    sa.Sequence("numbers", metadata=first)
    sa.schema.CreateView(sa.select(first.tables["t"].c.n), "w", metadata=first)
    second = sa.MetaData()
    sa.Table("u", second, sa.Column("id", sa.Integer, primary_key=True), sa.Column("t", sa.ForeignKey("t.id")))
    manager = site.manager(first, second)
    manager.sync()
    assert manager.plan(force=True).to_dict()["changes"] == []
    assert sorted(site.inspect().get_view_names()) == ["v", "w"]
    assert sorted(site.inspect().get_table_names())[-2:] == ["t", "u"]
    assert site.is_sqlite or site.inspect().get_sequence_names().count("numbers") == 1
