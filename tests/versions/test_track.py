"""One revision at a time, in a transaction of its own, with the version table's row in it."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import (
    ConnectionFailed,
    DependentRevision,
    PlanOutdated,
    RevisionError,
    RevisionFailed,
    UnknownRevision,
)
from tests.versions.support import Apps, Bench

A1, A2, B1 = "aaaaaaaaaaa1", "aaaaaaaaaaa2", "bbbbbbbbbbb1"
CREATE = 'op.create_table("{0}", sa.Column("id", sa.Integer, primary_key=True))'
DROP = 'op.drop_table("{0}")'


def test_example_apps_go_up_and_down(bench: Bench, example_apps: Apps) -> None:
    bench.apps = example_apps
    track = bench.track()
    graph = track.graph()
    assert graph.apps() == ("shop", "stock", "crm_lite")
    assert track.current() == frozenset()
    empty = bench.schema()
    for revision in graph.order:
        track.upgrade(revision)
        assert revision in graph.closure(track.current())
    assert graph.closure(track.current()) == set(graph.order)
    assert "stock_level" in bench.tables()
    order = list(graph.order)
    assert order.index("5f0c1a7be201") < order.index("2a9f3c60d7e4"), "stock waits for the shop's products"
    for revision in reversed(order):
        track.downgrade(revision)
    assert track.current() == frozenset()
    assert bench.schema() == empty


def test_data_migration_keeps_every_row(bench: Bench, example_apps: Apps) -> None:
    bench.apps = example_apps
    track = bench.track()
    for revision in ("5f0c1a7be201", "8d24e6f90b13"):
        track.upgrade(revision)
    bench.run(
        "INSERT INTO shop_customer (id, first_name, last_name) VALUES (1, 'Ada', 'O''Hara'), (2, 'Bo', 'Li')",
        f"INSERT INTO shop_order (id, customer_id, placed_on) VALUES (7, 1, '{date(2024, 1, 2)}')",
    )
    track.upgrade("c41b7d09e8a6")
    assert bench.rows("SELECT id, full_name FROM shop_customer ORDER BY id") == [(1, "Ada O'Hara"), (2, "Bo Li")]
    assert bench.rows("SELECT id, customer_id FROM shop_order") == [(7, 1)]
    track.downgrade("c41b7d09e8a6")
    assert bench.rows("SELECT id, first_name, last_name FROM shop_customer ORDER BY id") == [
        (1, "Ada", "O'Hara"),
        (2, "Bo", "Li"),
    ]


def test_failure_rolls_back_ddl_rows_and_version_table(bench: Bench, apps: Apps) -> None:
    file = apps.revision(
        "wms",
        A1,
        """
        op.create_table("kept", sa.Column("id", sa.Integer, primary_key=True))
        op.execute("INSERT INTO kept (id) VALUES (1)")
        op.execute("SELECT * FROM no_such_table")
        """,
    )
    track = bench.track()
    with pytest.raises(RevisionFailed) as caught:
        track.upgrade(A1)
    assert bench.tables() == set(), "not even the version table is left"
    error = caught.value
    assert error.details["line"] == 12
    assert error.details["rolled_back"] is True
    for part in (A1, "'wms'", str(file), "no_such_table", "rolled back"):
        assert part in error.what
    assert not bench.connection.in_transaction()
    apps.revision("wms", A1, CREATE.format("kept"))
    track.upgrade(A1)
    assert "kept" in bench.tables()


def test_failing_second_revision_leaves_the_first(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, CREATE.format("first"), DROP.format("first"))
    apps.revision("wms", A2, f'{CREATE.format("second")}\nraise ValueError("no")', down=A1)
    track = bench.track()
    track.upgrade(A1)
    with pytest.raises(RevisionFailed, match="ValueError: no"):
        track.upgrade(A2)
    assert track.current() == {A1}
    assert bench.tables() == {"first", "alembic_version"}


def test_failing_downgrade_leaves_everything(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, CREATE.format("first"), f'{DROP.format("first")}\nraise ValueError("no")')
    track = bench.track()
    track.upgrade(A1)
    bench.run("INSERT INTO first (id) VALUES (5)")
    with pytest.raises(RevisionFailed):
        track.downgrade(A1)
    assert track.current() == {A1}
    assert bench.rows("SELECT id FROM first") == [(5,)]


def test_interrupt_rolls_back_and_passes(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, f"{CREATE.format('first')}\nraise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        bench.track().upgrade(A1)
    assert bench.tables() == set()
    assert not bench.connection.in_transaction()


def test_reading_creates_nothing(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    track = bench.track()
    assert track.current() == frozenset()
    assert [revision.id for revision in track.graph().revisions] == [A1]
    assert bench.tables() == set()
    assert not bench.connection.in_transaction()


def test_refuses_what_does_not_fit_the_database(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    apps.revision("wms", A2, down=A1)
    apps.revision("crm", B1, depends_on=A1)
    track = bench.track()
    with pytest.raises(RevisionError, match=f"needs {A1}"):
        track.upgrade(A2)
    with pytest.raises(PlanOutdated, match="not applied"):
        track.downgrade(A1)
    track.upgrade(A1)
    with pytest.raises(PlanOutdated, match="applied already"):
        track.upgrade(A1)
    track.upgrade(B1)
    with pytest.raises(DependentRevision, match=B1):
        track.downgrade(A1)
    with pytest.raises(UnknownRevision, match="nowhere"):
        track.upgrade("nowhere")


def test_unknown_revision_in_the_database(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    track = bench.track()
    track.upgrade(A1)
    bench.run("UPDATE alembic_version SET version_num = 'gone00000000'")
    assert track.current() == {"gone00000000"}
    with pytest.raises(UnknownRevision, match="gone00000000"):
        track.upgrade(A1)


def test_merge_of_two_branches_up_and_down(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", "root00000000", CREATE.format("root"), DROP.format("root"))
    apps.revision("wms", "left00000000", CREATE.format("l"), DROP.format("l"), down="root00000000")
    apps.revision("wms", "right0000000", CREATE.format("r"), DROP.format("r"), down="root00000000")
    apps.revision("wms", "merge0000000", down=("left00000000", "right0000000"))
    track = bench.upgrade_all()
    assert track.current() == {"merge0000000"}
    track.downgrade("merge0000000")
    assert track.current() == {"left00000000", "right0000000"}
    track.downgrade("right0000000")
    track.downgrade("left00000000")
    assert track.current() == {"root00000000"}


def test_depends_on_by_label_and_by_beginning(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, labels=("wms",))
    apps.revision("crm", B1, depends_on="wms")
    apps.revision("hr", "cccccccccc01", depends_on=("bbbbb",))
    graph = bench.track().graph()
    assert graph.by_id[B1].depends_on == (A1,)
    assert graph.by_id["cccccccccc01"].depends_on == (B1,)
    track = bench.upgrade_all()
    assert graph.closure(track.current()) == set(graph.order)


def test_stamp_holds_exactly_the_heads(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    apps.revision("wms", A2, down=A1)
    apps.revision("crm", B1)
    track = bench.track()
    track.stamp([A1, A2, B1])
    assert track.current() == {A2, B1}, "what another head stands on is implied"
    track.stamp([A1])
    assert track.current() == {A1}
    track.upgrade(A2)
    track.stamp([])
    assert track.current() == frozenset()
    with pytest.raises(UnknownRevision):
        track.stamp(["nowhere"])


def test_version_table_of_another_name(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    track = bench.track(version_table="my versions")
    track.upgrade(A1)
    assert bench.tables() == {"my versions"}
    assert track.current() == {A1}
    assert bench.track().current() == frozenset()


def test_revisions_see_bind_context_and_connection(bench: Bench, apps: Apps) -> None:
    apps.revision(
        "wms",
        A1,
        """
        bind = op.get_bind()
        assert bind is context.config.attributes["connection"]
        assert context.get_context() is op.get_context()
        assert not context.is_offline_mode()
        op.create_table("seen", sa.Column("id", sa.Integer, primary_key=True))
        bind.execute(sa.text("INSERT INTO seen (id) VALUES (:id)"), {"id": 9})
        assert sa.inspect(bind).has_table("seen")
        """,
    )
    bench.track().upgrade(A1)
    assert bench.rows("SELECT id FROM seen") == [(9,)]


def test_revision_without_downgrade(bench: Bench, apps: Apps) -> None:
    file = apps.revision("wms", A1)
    file.write_text(file.read_text().partition("def downgrade")[0])
    track = bench.track()
    track.upgrade(A1)
    with pytest.raises(RevisionError, match="no function downgrade"):
        track.downgrade(A1)


def test_changed_and_new_files_are_seen(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1)
    track = bench.track()
    assert track.graph().order == (A1,)
    apps.revision("wms", A2, down=A1)
    assert track.graph().order == (A1, A2)


def test_secrets_in_bound_values_are_not_told(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, 'op.get_bind().execute(sa.text("SELECT * FROM nope WHERE x = :x"), {"x": "hunter2"})')
    with pytest.raises(RevisionFailed) as caught:
        bench.track().upgrade(A1)
    assert "hunter2" not in str(caught.value)
    assert "nope" in str(caught.value)


def test_a_commit_in_the_middle_is_told(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, f'{CREATE.format("stays")}\nop.execute("COMMIT")\nraise ValueError("late")')
    track = bench.track()
    with pytest.raises(RevisionFailed, match="stands") as caught:
        track.upgrade(A1)
    assert caught.value.details["rolled_back"] is False
    assert "stays" in bench.tables()
    assert track.current() == frozenset()


def test_commit_then_more_work(bench: Bench, apps: Apps) -> None:
    apps.revision(
        "wms",
        A1,
        f"""
        {CREATE.format("first")}
        op.execute("COMMIT")
        op.execute("INSERT INTO first (id) VALUES (1)")
        op.execute("BEGIN")
        {CREATE.format("second")}
        """,
    )
    track = bench.track()
    track.upgrade(A1)
    assert track.current() == {A1}
    assert bench.rows("SELECT id FROM first") == [(1,)]
    assert "second" in bench.tables()
    assert not bench.connection.in_transaction()


def test_autocommit_block(bench: Bench, apps: Apps) -> None:
    apps.revision(
        "wms",
        A1,
        f"""
        {CREATE.format("first")}
        with op.get_context().autocommit_block():
            op.execute("INSERT INTO first (id) VALUES (1)")
            with op.get_context().autocommit_block():
                op.execute("INSERT INTO first (id) VALUES (2)")
        op.execute("INSERT INTO first (id) VALUES (3)")
        raise ValueError("after the block")
        """,
    )
    track = bench.track()
    with pytest.raises(RevisionFailed, match="stands"):
        track.upgrade(A1)
    assert bench.rows("SELECT id FROM first ORDER BY id") == [(1,), (2,)], "what came after the block is rolled back"
    assert track.current() == frozenset()


@pytest.mark.parametrize("way", ["block", "commit"])
def test_concurrent_index_on_postgres(postgres_bench: Bench, apps: Apps, way: str) -> None:
    create = 'op.create_index("ix_first_id", "first", ["id"], postgresql_concurrently=True)'
    body = (
        f"with op.get_context().autocommit_block():\n    {create}"
        if way == "block"
        else 'op.execute("COMMIT")\nop.execute("CREATE INDEX CONCURRENTLY ix_first_id ON first (id)")'
    )
    apps.revision("wms", A1, CREATE.format("first"))
    apps.revision("wms", A2, body, 'op.drop_index("ix_first_id", table_name="first")', down=A1)
    track = postgres_bench.upgrade_all()
    assert track.current() == {A2}
    assert postgres_bench.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_first_id'::regclass") == [
        (True,)
    ]
    track.downgrade(A2)
    assert postgres_bench.connection.get_isolation_level() != "AUTOCOMMIT"


def test_enum_label_used_after_its_block(postgres_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, """op.execute("CREATE TYPE mood AS ENUM ('ok')")""")
    apps.revision(
        "wms",
        A2,
        """
        with op.get_context().autocommit_block():
            op.execute("ALTER TYPE mood ADD VALUE 'so-so'")
        op.create_table("day", sa.Column("mood", sa.Enum("ok", "so-so", name="mood", create_type=False)))
        op.execute("INSERT INTO day VALUES ('so-so')")
        """.replace("sa.Enum(", "sa.dialects.postgresql.ENUM("),
        down=A1,
    )
    postgres_bench.upgrade_all()
    assert postgres_bench.rows("SELECT mood FROM day") == [("so-so",)]


def test_version_table_in_a_schema(postgres_bench: Bench, apps: Apps) -> None:
    postgres_bench.run("CREATE SCHEMA tenant")
    apps.revision("wms", A1)
    track = postgres_bench.track(version_table_schema="tenant")
    track.upgrade(A1)
    assert track.current() == {A1}
    assert postgres_bench.rows("SELECT version_num FROM tenant.alembic_version") == [(A1,)]


def test_server_that_dies_in_the_middle(postgres_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, f'{CREATE.format("first")}\nop.execute("SELECT pg_terminate_backend(pg_backend_pid())")')
    # It is the server that has to be looked at, not the revision.
    with pytest.raises(ConnectionFailed, match=A1):
        postgres_bench.track().upgrade(A1)
    postgres_bench.connection.rollback()
    assert postgres_bench.tables() == set()


def test_table_names_that_look_like_statements(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, CREATE.format("commit"))
    bench.track().upgrade(A1)
    assert "commit" in bench.tables()
    assert isinstance(bench.connection, sa.Connection)


def test_leaving_a_transaction_of_the_caller_is_refused(bench: Bench, apps: Apps) -> None:
    apps.revision("wms", A1, CREATE.format("first"))
    apps.revision("wms", A2, f'{CREATE.format("second")}\nop.execute("COMMIT")', down=A1)
    track = bench.track()
    with bench.connection.begin() as outer:
        track.upgrade(A1)
        with pytest.raises(RevisionFailed, match="not its own") as caught:
            track.upgrade(A2)
        assert caught.value.details["rolled_back"] is True
        assert track.current() == {A1}
        outer.rollback()
    assert bench.tables() == set(), "the caller's transaction is the caller's"
