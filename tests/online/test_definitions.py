"""The rest of what ``create --online`` writes: definitions made anew, broken constraints, ugly names, schemas."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.dialects import postgresql as pg

from framework_m_migrations.adapters.sql.dialects.postgresql.lint.statements import split
from tests._postgres import PostgresDatabase
from tests.online.phases import APP, Stage
from tests.versions.conftest import apps as apps
from tests.versions.support import Apps


@pytest.fixture
def stage(postgres_database: PostgresDatabase, apps: Apps, tmp_path: Path) -> Stage:
    return Stage(postgres_database.sync_url, apps, tmp_path)


def before(m: sa.MetaData) -> None:
    sa.Table("kind", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("no", sa.Integer, unique=True))
    sa.Table(
        "Odd Thing",
        m,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("Der Titel%", pg.JSON, server_default=sa.text("'{\"a\": 1}'")),
        sa.Column("mood", sa.Enum("sad", "it's", name="Mood"), nullable=False, server_default="sad"),
        sa.Column("kind", sa.Integer, sa.ForeignKey("kind.id", name="fk_kind")),
        sa.Column("a", sa.Integer, nullable=False, server_default="5"),
        sa.Column("b", sa.Integer, nullable=False),
        sa.Index("ix_a", "a"),
        sa.Index("ix_b", "b"),
        sa.UniqueConstraint("a", "id", name="uq_a"),
        sa.CheckConstraint("a > 0", name="ck_a"),
    )


def after(m: sa.MetaData) -> None:
    sa.Table("kind", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("no", sa.Integer, unique=True))
    sa.Table(
        "Odd Thing",
        m,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("The \"Title'", pg.JSON, server_default=sa.text("'{\"a\": 1}'"), info={"renamed_from": "Der Titel%"}),
        sa.Column("mood", sa.String(12), nullable=False, server_default="sad"),
        sa.Column("kind", sa.Integer, sa.ForeignKey("kind.no", name="fk_kind", ondelete="SET NULL")),
        sa.Column("a", sa.Integer, nullable=False),
        sa.Column("b", sa.Integer),
        sa.Index("ix_a", "a", "b", postgresql_include=["kind"], postgresql_where=sa.text("b > 0")),
        sa.UniqueConstraint("a", "b", name="uq_a"),
        sa.UniqueConstraint("b", name="uq_b"),
        sa.CheckConstraint("a > 1", name="ck_a"),
        sa.CheckConstraint("b <> 13", name="ck_b"),
    )


def test_everything_else_up_and_down(stage: Stage) -> None:
    stage.start(
        before,
        "INSERT INTO kind VALUES (1, 1), (2, 2)",
        "INSERT INTO \"Odd Thing\" (id, mood, kind, a, b) SELECT n, 'it''s', 1, n + 1, n FROM generate_series(1, 40) n",
        'UPDATE "Odd Thing" SET b = 1 WHERE id = 2',
    )
    shape = stage.shape()
    new = stage.release(after)
    made = stage.create(new)
    assert made.contract is not None
    assert made.left_out == ()
    # Two rows agree, and one breaks the new check: a person mends them first, as the file says.
    assert any("uq_b rejects rows" in line for line in made.text.splitlines())
    stage.send('UPDATE "Odd Thing" SET b = 200 WHERE id IN (2, 13)', 'UPDATE "Odd Thing" SET b = 201 WHERE id = 13')
    new.run()
    between = stage.shape()
    stage.send(
        "INSERT INTO \"Odd Thing\" (id, b, \"Der Titel%%\", mood) VALUES (901, 901, '[1]', 'it''s')",
        'INSERT INTO "Odd Thing" (id, a, "The ""Title\'", mood) VALUES (902, 9, \'[2]\', \'longer\')',
        'UPDATE "Odd Thing" SET "Der Titel%%" = \'[3]\' WHERE id = 1',
    )
    titles = 'SELECT id, "The ""Title\'"::text, mood FROM "Odd Thing" WHERE id IN (1, 2, 901, 902) ORDER BY id'
    expected = [(1, "[3]", "it's"), (2, '{"a": 1}', "it's"), (901, "[1]", "it's"), (902, "[2]", "longer")]
    assert stage.rows(titles) == expected
    new.run(contract=True)
    assert new.plan(force=True).plan.is_empty
    assert stage.rows(titles) == expected
    done = stage.shape()
    stage.send('DELETE FROM "Odd Thing" WHERE id = 902', 'UPDATE "Odd Thing" SET b = 3 WHERE b IS NULL')
    new.rollback()
    assert stage.shape() == between
    new.rollback()
    assert stage.shape() == shape
    assert stage.rows('SELECT "Der Titel%%"::text, mood::text FROM "Odd Thing" WHERE id = 901') == [("[1]", "it's")]
    new.run(contract=True)
    assert stage.shape() == done


def test_the_offline_script_does_the_same(stage: Stage, postgres_database: PostgresDatabase) -> None:
    """What ``alembic upgrade --sql`` prints of both halves, fed to the server statement by statement."""
    stage.start(
        before,
        "INSERT INTO kind VALUES (1, 1)",
        "INSERT INTO \"Odd Thing\" (id, mood, kind, a, b) SELECT n, 'it''s', 1, n + 1, n FROM generate_series(1, 5) n",
    )
    new = stage.release(after)
    stage.create(new)
    home = stage.tmp_path / "alembic"
    home.mkdir()
    (home / "env.py").write_text(
        "from alembic import context\n"
        "context.configure(url='postgresql://', literal_binds=True, transaction_per_migration=True)\n"
        "with context.begin_transaction():\n    context.run_migrations()\n"
    )
    script = io.StringIO()
    project = Config(output_buffer=script)
    project.set_main_option("script_location", str(home))
    project.set_main_option("path_separator", "os")
    project.set_main_option("version_locations", str(stage.apps.root / APP / "migrations" / "versions"))
    command.upgrade(project, "0000first000:heads", sql=True)
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in split(script.getvalue()):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    engine.dispose()
    assert new.run().revisions == ()
    assert tuple(new.sync().withheld) == ()
    titles = 'SELECT "The ""Title\'"::text, mood, b FROM "Odd Thing" WHERE id = 1'
    assert stage.rows(titles) == [('{"a": 1}', "it's", 1)]


def test_what_has_no_online_form_is_named_with_the_reason(stage: Stage) -> None:
    def old(m: sa.MetaData) -> None:
        sa.Table("p", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("u", sa.Integer, unique=True))
        sa.Table("c", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("u", sa.ForeignKey("p.u")))

    def new(m: sa.MetaData) -> None:
        sa.Table("p", m, sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("u", sa.BigInteger, unique=True))
        sa.Table("c", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("u", sa.ForeignKey("p.u")))

    stage.start(old, "INSERT INTO p VALUES (1, 1)", "INSERT INTO c VALUES (1, 1)")
    made = stage.create(stage.release(new))
    assert [line.partition(": ")[2].split("; ")[0] for line in made.left_out] == [
        "type of id: integer to bigint: the database itself fills id",
        "type of u: integer to bigint: a foreign key of c points to u",
    ]
    assert "c: type of u" in made.text


def test_a_rename_that_also_widens_waits_with_the_rest(stage: Stage) -> None:
    """What only the new column has room for could not be kept in the old one, so new code would be refused."""

    def old(m: sa.MetaData) -> None:
        title = sa.Column("title", sa.String(4), nullable=False)
        sa.Table("t", m, sa.Column("id", sa.Integer, primary_key=True), title)

    def new(m: sa.MetaData) -> None:
        label = sa.Column("label", sa.String(40), server_default="x", comment="c", info={"renamed_from": "title"})
        sa.Table("t", m, sa.Column("id", sa.Integer, primary_key=True), label)

    stage.start(old, "INSERT INTO t VALUES (1, 'kept')")
    release = stage.release(new)
    shape = stage.shape()
    made = stage.create(release)
    assert made.left_out == ()
    later = "t.label is character varying(4) until the contract step; then sync makes it character varying(40)."
    assert later in " ".join(made.text.split())
    release.run()
    between = stage.shape()
    rules = {one.judgement.rule for one in release.sync().withheld}
    assert rules == {"contract-due", "waits"}
    assert stage.shape() == between
    stage.send("INSERT INTO t (id, label) VALUES (2, NULL)", "INSERT INTO t (id, title) VALUES (3, 'old')")
    assert stage.rows("SELECT id, title, label FROM t ORDER BY id") == [
        (1, "kept", "kept"),
        (2, None, None),
        (3, "old", "old"),
    ]
    release.run(contract=True)
    release.sync()
    assert release.plan(force=True).plan.is_empty
    stage.send("DELETE FROM t WHERE id = 2")
    release.rollback()
    release.rollback()
    assert [row for row in stage.shape() if "label" not in str(row)] == shape


@pytest.mark.parametrize("label", [{"type_": sa.BigInteger}, {"type_": sa.Integer, "nullable": False}])
def test_a_rename_that_sync_could_not_complete_is_left_out(stage: Stage, label: dict[str, Any]) -> None:
    """With what depends on the new name; the rename alone, and then the rest, has an online form."""

    def old(m: sa.MetaData) -> None:
        sa.Table("t", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer))

    def release(m: sa.MetaData, **given: Any) -> None:
        renamed = sa.Column("label", info={"renamed_from": "n"}, **given)
        sa.Table(
            "t", m, sa.Column("id", sa.Integer, primary_key=True), renamed, sa.UniqueConstraint("label", name="uq")
        )

    stage.start(old, "INSERT INTO t VALUES (1, 7)")
    shape = stage.shape()
    made = stage.create(stage.release(partial(release, **label)))
    assert (made.revision, made.contract) == (None, None)
    more = "it changes more than the name: rename the column first, and change it in the next revision"
    reasons = {"column n renamed to label": more, "new unique constraint (label)": "label is not there yet"}
    assert made.left_out == tuple(f"t: {what}: {reason}; write it by hand" for what, reason in reasons.items())
    assert stage.shape() == shape
    for define in (partial(release, type_=sa.Integer), partial(release, **label)):
        manager = stage.release(define)
        assert stage.create(manager).left_out == ()
        manager.run()
        manager.run(contract=True)
        assert manager.plan(force=True).plan.is_empty
    assert stage.rows("SELECT id, label FROM t") == [(1, 7)]


def test_tables_of_another_schema(stage: Stage) -> None:
    def old(m: sa.MetaData) -> None:
        sa.Table("t", m, sa.Column("id", sa.Integer, primary_key=True), sa.Column("n", sa.Integer), schema="side")

    def new(m: sa.MetaData) -> None:
        sa.Table(
            "u",
            m,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("n", sa.Integer),
            schema="side",
            info={"renamed_from": "t"},
        )

    def newer(m: sa.MetaData) -> None:
        sa.Table(
            "u", m, sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("m", sa.Integer, info={"renamed_from": "n"}), schema="side",
        )  # fmt: skip

    stage.send("CREATE SCHEMA side")
    stage.start(old, "INSERT INTO side.t VALUES (1, 7)")
    for define in (new, newer):
        release = stage.release(define)
        stage.create(release, f"to {define.__name__}")
        release.run()
        release.run(contract=True)
        assert release.plan(force=True).plan.is_empty
    assert stage.rows("SELECT id, m FROM side.u") == [(1, 7)]
    stage.release(newer).rollback(steps=4)
    assert stage.rows("SELECT id, n FROM side.t") == [(1, 7)]
