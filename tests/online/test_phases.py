"""Revisions of ``create --online`` on a real Postgres: rows before, between and after, up and down."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests._postgres import PostgresDatabase
from tests.online.phases import Stage
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
