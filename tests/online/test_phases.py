"""Revisions of ``create --online`` on a real Postgres: rows before, between and after, up and down."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.errors import MigrationError
from tests._postgres import PostgresDatabase
from tests.online.phases import Define, Stage, metadata
from tests.versions.conftest import apps as apps
from tests.versions.support import Apps


@pytest.fixture
def stage(postgres_database: PostgresDatabase, apps: Apps, tmp_path: Path) -> Stage:
    return Stage(postgres_database.sync_url, apps, tmp_path)


def before(m: sa.MetaData) -> None:
    sa.Table("kind", m, sa.Column("name", sa.String(40), primary_key=True))
    sa.Table(
        "thing",
        m,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "title", sa.String(40), sa.ForeignKey("kind.name", name="thing_kind"), nullable=False, server_default="none"
        ),
        sa.Column("note", sa.Text),
        sa.Index("ix_title", "title"),
        sa.Index("ix_lower", sa.text("lower(title)"), postgresql_where=sa.text("note IS NOT NULL")),
        sa.UniqueConstraint("title", "note", name="uq_title"),
        sa.CheckConstraint("title <> ''", name="ck_title"),
    )


def after(m: sa.MetaData) -> None:
    sa.Table("kind", m, sa.Column("name", sa.String(40), primary_key=True))
    sa.Table(
        "thing",
        m,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "label",
            sa.String(40),
            sa.ForeignKey("kind.name", name="thing_kind"),
            nullable=False,
            server_default="none",
            info={"renamed_from": "title"},
        ),
        sa.Column("note", sa.Text),
        sa.Index("ix_label", "label"),
        sa.Index("ix_lower", sa.text("lower(label)"), postgresql_where=sa.text("note IS NOT NULL")),
        sa.UniqueConstraint("label", "note", name="uq_title"),
        sa.CheckConstraint("label <> ''", name="ck_title"),
    )


def test_a_rename_keeps_old_and_new_code_writing(stage: Stage) -> None:
    stage.start(
        before,
        "INSERT INTO kind VALUES ('none'), ('a'), ('b'), ('c')",
        "INSERT INTO thing SELECT n, (ARRAY['a', 'b', 'c'])[1 + n %% 3], 'note ' || n FROM generate_series(1, 2500) n",
    )
    shape = stage.shape()
    new = stage.release(after)
    made = stage.create(new)
    assert made.contract is not None
    with stage.writing(
        "UPDATE thing SET title = (ARRAY['a', 'b', 'c'])[1 + (random() * 2)::int], note = note || '.' "
        "WHERE id = 1 + (random() * 2499)::int",
        "INSERT INTO thing (id, title) SELECT 5000 + count(*), 'a' FROM thing",
    ):
        ran = new.run()
    assert (ran.revisions, ran.held) == ((made.revision,), (made.contract.revision,))
    assert stage.rows("SELECT count(*) FROM thing WHERE label IS DISTINCT FROM title") == [(0,)]
    between = stage.shape()
    stage.send(
        "INSERT INTO thing (id, title) VALUES (10001, 'a')",
        "INSERT INTO thing (id, label) VALUES (10002, 'b')",
        "INSERT INTO thing (id) VALUES (10003)",
        "INSERT INTO thing (id, title) VALUES (10004, 'none')",
        "UPDATE thing SET title = 'c' WHERE id = 10002",
        "UPDATE thing SET label = 'c' WHERE id = 10001",
        "INSERT INTO thing (id, title) VALUES (10003, 'b') ON CONFLICT (id) DO UPDATE SET title = EXCLUDED.title",
    )
    expected = [(10001, "c"), (10002, "c"), (10003, "b"), (10004, "none")]
    assert stage.rows("SELECT id, label FROM thing WHERE id > 10000 AND label = title ORDER BY id") == expected
    synced = new.sync()
    assert [one.judgement.rule for one in synced.plan.plan.changes] == ["contract-due"]
    assert new.status().contract_due == (made.contract.revision,)
    ran = new.run(contract=True)
    assert ran.revisions == (made.contract.revision,)
    assert new.plan(force=True).plan.is_empty
    done = stage.shape()
    assert stage.rows("SELECT id, label FROM thing WHERE id > 10000 ORDER BY id") == expected
    stage.send("INSERT INTO thing (id, label) VALUES (10005, 'a')")
    new.rollback()
    assert stage.shape() == between
    new.rollback()
    assert stage.shape() == shape
    assert stage.rows("SELECT id, title FROM thing WHERE id > 10000 ORDER BY id") == [*expected, (10005, "a")]
    new.run(contract=True)
    assert stage.shape() == done
    _the_same_files_on_sqlite(
        stage, before, after, "INSERT INTO thing (title) VALUES ('kept')", "SELECT label FROM thing"
    )


def _the_same_files_on_sqlite(stage: Stage, old: Define, new: Define, insert: str, select: str) -> None:
    """The first half does it all; the second one has nothing left to do."""
    local = Stage(f"sqlite:///{stage.tmp_path / 'local.db'}", stage.apps, stage.tmp_path)
    first = local.release(old)
    first.run("0000first000")
    # The revisions of the next release are there already: on a database without tables sync would count them.
    with sa.create_engine(local.url, poolclass=sa.NullPool).begin() as connection:
        metadata(old).create_all(connection)
    first.sync()
    local.send("PRAGMA foreign_keys = OFF", insert)
    release = local.release(new)
    assert {one.judgement.rule for one in release.plan().plan.changes} & {"table-renamed", "column-renamed"}
    ran = release.run()
    assert (len(ran.revisions), len(ran.held)) == (1, 1)
    assert local.rows(select) == [("kept",)]
    release.run(contract=True)
    assert release.plan(force=True).plan.is_empty
    release.rollback(steps=2)
    assert first.plan(force=True).plan.is_empty
    assert local.rows(select.replace("label", "title").replace("new", "old")) == [("kept",)]


def numbers(m: sa.MetaData) -> None:
    sa.Table(
        "item",
        m,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("qty", sa.Integer, nullable=False, server_default="7"),
        sa.Column("code", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("gone", sa.String(9), sa.ForeignKey("kind.name", name="item_gone"), nullable=False),
        sa.Index("ix_qty", sa.desc("qty"), "id", unique=True),
        sa.Index("ix_gone", "gone"),
        sa.CheckConstraint("qty >= 0", name="ck_qty"),
        sa.UniqueConstraint("code", name="uq_code"),
    )
    sa.Table("kind", m, sa.Column("name", sa.String(9), primary_key=True))


def bigger_numbers(m: sa.MetaData) -> None:
    sa.Table(
        "item",
        m,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("qty", sa.BigInteger, nullable=False, server_default="7"),
        sa.Column("code", sa.Integer),
        sa.Column("note", sa.Text, nullable=False, default="-"),
        sa.Index("ix_qty", sa.desc("qty"), "id", unique=True),
        sa.CheckConstraint("qty >= 0", name="ck_qty"),
        sa.UniqueConstraint("code", name="uq_code"),
    )
    sa.Table("kind", m, sa.Column("name", sa.String(9), primary_key=True))


def test_types_required_fields_and_drops(stage: Stage) -> None:
    stage.start(
        numbers,
        "INSERT INTO kind VALUES ('a')",
        "INSERT INTO item (id, qty, code, note, gone) "
        "SELECT n, n %% 5, '00' || n, NULLIF(n %% 3, 0)::text, 'a' FROM generate_series(1, 1500) n",
    )
    shape, files = stage.shape(), stage.rows("SELECT pg_relation_filenode('item')")
    new = stage.release(bigger_numbers)
    made = stage.create(new)
    assert made.contract is not None
    assert made.left_out == ()
    # A row that has no counterpart in the new type stops the first half; it goes on from there once that is mended.
    stage.send("UPDATE item SET code = 'no number' WHERE id = 1400")
    with pytest.raises(MigrationError, match="no number"):
        new.run()
    stage.send("UPDATE item SET code = '1400' WHERE id = 1400", "UPDATE item SET qty = 4 WHERE id = 4")
    assert new.run().held == (made.contract.revision,)
    between = stage.shape()
    assert stage.rows("SELECT count(*) FROM item WHERE code <> id OR qty <> id %% 5") == [(0,)]
    stage.send(
        # Old code knows nothing of the new column and still writes the old one; new code the other way round.
        "INSERT INTO item (id, qty, code, gone) VALUES (9001, 3, 41000, 'a')",
        "INSERT INTO item (id, qty, note) VALUES (9002, 3000000000, 'new')",
        "UPDATE item SET qty = 5 WHERE id = 1",
        "UPDATE item SET note = 'x', code = 77000 WHERE id = 2",
        "INSERT INTO item (id, gone) VALUES (9003, 'a')",
    )
    late = "SELECT id, qty, code, note FROM item WHERE id > 9000 OR id < 4 ORDER BY id"
    assert stage.rows("SELECT qty__fmm_old, code__fmm_old FROM item WHERE id IN (1, 2, 9002) ORDER BY id") == [
        (5, "001"),
        (2, "77000"),
        (None, None),
    ]
    assert stage.rows(late) == [
        (1, 5, 1, "1"),
        (2, 2, 77000, "x"),
        (3, 3, 3, "-"),
        (9001, 3, 41000, None),
        (9002, 3000000000, None, "new"),
        (9003, 7, None, None),
    ]
    due = {"gone", "ix_gone", "item_gone", "code__fmm_old", "qty__fmm_old"}
    assert {
        (c.removal(one.change), one.judgement.rule, one.judgement.handled_by)
        for one in new.plan(force=True).plan.changes
    } == {
        *((("item", name), "contract-due", "run --contract") for name in due),
        (None, "null-forbidden", "create"),
    }
    # What the contract revision drops is left to it, consent or none: old code still writes it.
    assert new.sync(allow_drop=True).dropped == ()
    assert stage.shape() == between
    # A value that only the new type has room for is never lost: the way back is refused, and nothing has changed.
    with pytest.raises(MigrationError, match="no room for"):
        new.rollback()
    assert stage.shape() == between
    assert new.run(contract=True).revisions == (made.contract.revision,)
    assert new.plan(force=True).plan.is_empty
    assert [row[3] for row in stage.rows(late)] == ["1", "x", "-", "-", "new", "-"]
    assert stage.rows("SELECT pg_relation_filenode('item')") == files
    done = stage.shape()
    stage.send("DELETE FROM item WHERE id = 9002", "UPDATE item SET code = 5000 WHERE id = 9001")
    new.rollback()
    new.rollback()
    back = [row for row in shape if "gone" not in str(row)]
    assert [row for row in stage.shape() if "gone" not in str(row)] == back
    assert stage.rows("SELECT id, qty, code FROM item WHERE id IN (2, 9001) ORDER BY id") == [
        (2, 2, "77000"),
        (9001, 3, "5000"),
    ]
    stage.send("UPDATE item SET note = NULL WHERE id = 3")
    new.run(contract=True)
    assert stage.shape() == done


def old_name(m: sa.MetaData) -> None:
    parent = sa.Table("old", m, sa.Column("id", sa.Integer, sa.Identity(), primary_key=True), sa.Column("v", sa.Text))
    sa.Table("child", m, sa.Column("id", sa.Integer, primary_key=True),
             sa.Column("old", sa.Integer, sa.ForeignKey(parent.c.id)))  # fmt: skip


def new_name(m: sa.MetaData) -> None:
    parent = sa.Table(
        "new",
        m,
        sa.Column("id", sa.Integer, sa.Identity(), primary_key=True),
        sa.Column("v", sa.Text),
        info={"renamed_from": "old"},
    )
    sa.Table("child", m, sa.Column("id", sa.Integer, primary_key=True),
             sa.Column("old", sa.Integer, sa.ForeignKey(parent.c.id)))  # fmt: skip


def test_a_renamed_table_answers_to_both_names(stage: Stage) -> None:
    stage.start(
        old_name,
        "INSERT INTO old (v) SELECT n::text FROM generate_series(1, 50) n",
        "INSERT INTO child VALUES (1, 7)",
        "DROP ROLE IF EXISTS fmm_reader",
        "CREATE ROLE fmm_reader",
        "GRANT SELECT, INSERT ON old TO fmm_reader",
    )
    try:
        _both_names(stage)
    finally:
        stage.send("DROP OWNED BY fmm_reader", "DROP ROLE fmm_reader")


def _both_names(stage: Stage) -> None:
    shape = stage.shape()
    new = stage.release(new_name)
    assert [one.judgement.rule for one in new.plan(force=True).plan.changes] == ["table-renamed"]
    assert new.sync(allow_drop=True).dropped == ()
    made = stage.create(new)
    assert made.contract is not None
    new.run()
    between = stage.shape()
    stage.send(
        "SET ROLE fmm_reader",
        "INSERT INTO old (v) VALUES ('by old code')",
        "INSERT INTO new (v) VALUES ('by new code')",
        "RESET ROLE",
        "INSERT INTO old (id, v) OVERRIDING SYSTEM VALUE VALUES (7, 'x') ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v",
        "DELETE FROM old WHERE id = 1",
    )
    both = ["SELECT count(*), min(v) FROM old", "SELECT count(*), min(v) FROM new"]
    assert [stage.rows(one) for one in both] == [[(51, "10")], [(51, "10")]]
    assert new.sync(allow_drop=True).dropped == ()
    assert new.plan(force=True).plan.is_empty
    assert [one.kind for one in new.verify().findings] == ["contract-due"]
    assert new.is_ready()
    new.run(contract=True)
    with pytest.raises(sa.exc.ProgrammingError, match="does not exist"):
        stage.rows("SELECT * FROM old")
    assert stage.rows("SELECT count(*) FROM new") == [(51,)]
    new.rollback()
    assert stage.shape() == between
    new.rollback()
    assert stage.shape() == shape
    assert stage.rows("SELECT count(*) FROM old") == [(51,)]
    _the_same_files_on_sqlite(stage, old_name, new_name, "INSERT INTO old (v) VALUES ('kept')", "SELECT v FROM new")
