"""What a rebuild leaves as it was, by SQLite's own texts and by the rows: forwards, backwards, forwards again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import RevisionFailed
from tests.cli._program import Server
from tests.versions.support import Apps, Bench

A1 = "aaaaaaaaaaa1"
UP = """
with op.batch_alter_table("t") as batch_op:
    batch_op.alter_column("x", existing_type=sa.Text(), type_=sa.Integer())
"""
DOWN = UP.replace("sa.Text(), type_=sa.Integer()", "sa.Integer(), type_=sa.Text()")

FEATURES = {
    "collation": ("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, c TEXT COLLATE NOCASE UNIQUE)", "id, x, c"),
    "autoincrement": ("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)", "id, x"),
    "generated": (
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, v INT AS (id + 1), s NUMERIC(10, 2) GENERATED ALWAYS AS "
            "(id * 2) STORED)"
        ),
        "id, x",
    ),
    "checks": ("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, a INT CHECK (a > 0), CONSTRAINT k CHECK (a < 9))", "x"),
    "expressions": ("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, d TEXT DEFAULT (lower('A') || 'b'))", "x"),
    "on conflict": ("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, u TEXT UNIQUE ON CONFLICT REPLACE)", "x"),
    "strict": ("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, y ANY) STRICT", "x"),
    "without rowid": ("CREATE TABLE t (k TEXT PRIMARY KEY, x TEXT) WITHOUT ROWID", "k, x"),
    "rowid": ("CREATE TABLE t (x TEXT, note TEXT)", "rowid, x"),
    "comment": ("CREATE TABLE t (id INTEGER PRIMARY KEY /* its, key */, x TEXT -- a ) here\n, [y z] TEXT)", "x"),
}
ROWS = {"id, x, c": "7, '5', 'abc'", "id, x": "7, '5'", "x": "'5'", "k, x": "'k', '5'", "rowid, x": "42, '5'"}

BESIDE = (
    "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT)",
    "CREATE TABLE log (what TEXT)",
    "CREATE TABLE child (id INTEGER PRIMARY KEY, t_id INTEGER REFERENCES t (id) ON DELETE CASCADE)",
    "CREATE VIEW seen AS SELECT id, note FROM t",
    "CREATE TRIGGER own AFTER UPDATE OF x ON t BEGIN INSERT INTO log VALUES (new.x); END",
    "CREATE TRIGGER others AFTER INSERT ON log BEGIN UPDATE t SET note = new.what; END",
    "CREATE TRIGGER instead INSTEAD OF INSERT ON seen BEGIN INSERT INTO t (note) VALUES (new.note); END",
    "CREATE INDEX partial ON t (note) WHERE id > 3",
    "CREATE UNIQUE INDEX expression ON t (lower(note) COLLATE NOCASE DESC)",
    "INSERT INTO t VALUES (7, '5', 'a')",
    "INSERT INTO child VALUES (1, 7)",
)


def texts(bench: Bench) -> list[Any]:
    return bench.rows(
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' ORDER BY type, name"
    )


def there_and_back(bench: Bench, apps: Apps, up: str = UP, down: str = DOWN) -> None:
    """Each state twice, and the same each time."""
    apps.revision("wms", A1, up, down)
    track = bench.track()
    before = texts(bench), bench.rows("SELECT * FROM t")
    track.upgrade(A1)
    after = texts(bench), bench.rows("SELECT * FROM t")
    assert after != before
    track.downgrade(A1)
    assert (texts(bench), bench.rows("SELECT * FROM t")) == before
    track.upgrade(A1)
    assert (texts(bench), bench.rows("SELECT * FROM t")) == after


@pytest.mark.parametrize("feature", FEATURES)
def test_the_table_stays_as_it_was(sqlite_bench: Bench, apps: Apps, feature: str) -> None:
    table, columns = FEATURES[feature]
    sqlite_bench.run(table, f"INSERT INTO t ({columns}) VALUES ({ROWS[columns]})")
    there_and_back(sqlite_bench, apps)
    assert sqlite_bench.rows("SELECT sql FROM sqlite_master WHERE name = 't'")[0][0] == table.replace(
        "x TEXT", "x INTEGER"
    )
    assert sqlite_bench.rows(f"SELECT {columns}, typeof(x) FROM t")[0][-1] == "integer"
    if feature == "rowid":
        assert sqlite_bench.rows("SELECT rowid FROM t") == [(42,)]


def test_the_counter_goes_on(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT)",
        "INSERT INTO t VALUES (11, '1')",
        "DELETE FROM t",
    )
    apps.revision("wms", A1, UP, DOWN)
    sqlite_bench.track().upgrade(A1)
    assert sqlite_bench.rows("SELECT * FROM sqlite_sequence") == [("t", 11)]


def test_what_depends_on_the_table_stays_and_works(sqlite_bench: Bench, apps: Apps) -> None:
    sqlite_bench.run(*BESIDE)
    driver: Any = sqlite_bench.connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=ON")
    there_and_back(sqlite_bench, apps)
    sqlite_bench.run("UPDATE t SET x = 6", "INSERT INTO seen (note) VALUES ('b')")
    assert sqlite_bench.rows("SELECT note FROM t ORDER BY id") == [("6",), ("b",)]
    assert sqlite_bench.rows("SELECT * FROM child") == [(1, 7)]
    assert sqlite_bench.rows("PRAGMA foreign_keys") == [(1,)]
    assert sqlite_bench.rows("PRAGMA legacy_alter_table") == [(0,)]
    sqlite_bench.run("DELETE FROM t WHERE id = 7")
    assert sqlite_bench.rows("SELECT * FROM child") == []


IN_PLACE = {
    "nullable": ('"x", nullable=False', '"x", nullable=True'),
    "default": ("\"x\", server_default='a'", '"x", server_default=None'),
    "longer": ('"note", type_=sa.String(40)', '"note", type_=sa.String(20)'),
}


@pytest.mark.parametrize("change", IN_PLACE)
def test_what_touches_no_row_rebuilds_nothing(sqlite_bench: Bench, apps: Apps, change: str) -> None:
    sqlite_bench.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note VARCHAR(20))", "INSERT INTO t VALUES (1, 'b', 'c')"
    )
    sent: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    sa.event.listen(sqlite_bench.connection, "before_cursor_execute", note)
    up, down = (f"op.alter_column('t', {words})" for words in IN_PLACE[change])
    there_and_back(sqlite_bench, apps, up, down)
    assert [one for one in sent if "writable_schema = ON" in one]
    assert not [one for one in sent if "RENAME TO" in one]


FORMS = {
    "all at once": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT)",
        """
        with op.batch_alter_table("t", recreate="always") as batch_op:
            batch_op.add_column(sa.Column("n", sa.Integer(), server_default=sa.text("(1 + 1)")), insert_after="id")
            batch_op.alter_column("note", new_column_name="remark", nullable=False)
            batch_op.drop_column("x")
            batch_op.create_unique_constraint("uq", ["remark"])
            batch_op.create_check_constraint("ck", "n > 0")
            batch_op.create_index("ix", ["n"])
        """,
        (
            'CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER DEFAULT (1 + 1), "remark" TEXT NOT NULL, \n\t'
            'CONSTRAINT "uq" UNIQUE ("remark"), \n\tCONSTRAINT "ck" CHECK (n > 0))'
        ),
    ),
    "primary key": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT)",
        """
        with op.batch_alter_table("t") as batch_op:
            batch_op.create_primary_key("pk", ["id", "x"])
        """,
        'CREATE TABLE t (id INTEGER, x TEXT, note TEXT, \n\tCONSTRAINT "pk" PRIMARY KEY ("id", "x"))',
    ),
    "order": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT)",
        """
        with op.batch_alter_table("t", partial_reordering=[("note", "id", "x")]):
            pass
        """,
        "CREATE TABLE t (note TEXT, id INTEGER PRIMARY KEY, x TEXT)",
    ),
    "naming convention": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT, UNIQUE (note))",
        """
        with op.batch_alter_table("t", naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"}) as batch_op:
            batch_op.drop_constraint("uq_t_note", type_="unique")
        """,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT)",
    ),
    "table options": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT)",
        """
        with op.batch_alter_table(
            "t", table_args=(sa.CheckConstraint("id > 0"),), table_kwargs={"sqlite_autoincrement": True}
        ):
            pass
        """,
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, x TEXT, note TEXT, \n\tCHECK (id > 0))",
    ),
    "copy from": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT)",
        """
        copy = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("note", sa.Text))
        with op.batch_alter_table("t", copy_from=copy) as batch_op:
            batch_op.alter_column("note", nullable=False)
        """,
        "CREATE TABLE t (\n\tid INTEGER NOT NULL, \n\tnote TEXT NOT NULL, \n\tPRIMARY KEY (id)\n)",
    ),
    "outside a batch": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT)",
        """
        op.create_foreign_key("fk", "t", "t", ["id"], ["id"])
        op.drop_constraint("fk", "t", type_="foreignkey")
        op.drop_column("t", "x")
        op.create_unique_constraint("uq", "t", ["note"])
        """,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT)",
    ),
    "a unique constraint in a batch": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT)",
        """
        with op.batch_alter_table("t") as batch_op:
            batch_op.create_unique_constraint("uq", ["note"])
        """,
        'CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT, \n\tCONSTRAINT "uq" UNIQUE ("note"))',
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_alembic(sqlite_bench: Bench, apps: Apps, form: str) -> None:
    before, upgrade, after = FORMS[form]
    sqlite_bench.run(before, "INSERT INTO t (id, x, note) VALUES (1, 'a', 'b')")
    apps.revision("wms", A1, upgrade)
    sqlite_bench.track().upgrade(A1)
    assert sqlite_bench.rows("SELECT sql FROM sqlite_master WHERE name = 't'") == [(after,)]
    assert sqlite_bench.rows("SELECT count(*), max(id) FROM t") == [(1, 1)]


REFUSED = {
    "recreate='never'": UP.replace('"t")', '"t", recreate="never")'),
    "no table is reflected": UP.replace('"t")', '"t", reflect_kwargs={"listeners": []})'),
    "means nothing for SQLite": UP.replace('"t")', '"t", table_kwargs={"sqlite_vacuum": 1})'),
    "has no constraint nope": 'op.drop_constraint("nope", "t", type_="check")',
    "has no column nope": 'op.alter_column("t", "nope", nullable=False)',
    "names it and other columns": 'op.drop_column("t", "x")',
    "trigger own fires on changes": 'op.drop_column("t", "note")',
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_honoured_is_refused(sqlite_bench: Bench, apps: Apps, message: str) -> None:
    sqlite_bench.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, note TEXT UNIQUE, CONSTRAINT both CHECK (x <> id))",
        "CREATE TRIGGER own AFTER UPDATE OF note ON t BEGIN SELECT 1; END",
        "INSERT INTO t (id, x, note) VALUES (1, 'a', 'b')",
    )
    before = texts(sqlite_bench)
    apps.revision("wms", A1, REFUSED[message])
    with pytest.raises(RevisionFailed, match=message):
        sqlite_bench.track().upgrade(A1)
    assert texts(sqlite_bench) == before


def test_plain_alembic_does_the_same(tmp_path: Path, server: Server) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    versions = tmp_path / "alembic" / "versions"
    versions.mkdir(parents=True)
    logging = "[loggers]\nkeys = root\n[handlers]\nkeys =\n[formatters]\nkeys =\n[logger_root]\nhandlers =\n"
    (tmp_path / "alembic.ini").write_text(f"[alembic]\nscript_location = %(here)s/alembic\n{logging}")
    (tmp_path / "alembic" / "env.py").write_text("from framework_m_migrations import alembic_env\nalembic_env.run()\n")
    head = f'import sqlalchemy as sa\nfrom alembic import op\nrevision = "{A1}"\ndown_revision = None\n'
    body = "\n    ".join(line for line in UP.strip().splitlines())
    back = "\n    ".join(line for line in DOWN.strip().splitlines())
    (versions / "a.py").write_text(f"{head}def upgrade():\n    {body}\n\n\ndef downgrade():\n    {back}\n")
    engine = sa.create_engine(url)

    def read() -> list[Any]:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 't'")]

    with engine.begin() as connection:
        for statement in BESIDE:
            connection.exec_driver_sql(statement)
    before = read()
    for command, text in (("upgrade", "x INTEGER"), ("downgrade", "x TEXT")):
        target = "head" if command == "upgrade" else "base"
        done = server.once([command, target], tmp_path, {**os.environ, "DATABASE_URL": url}, "alembic")
        assert done.code == 0, done.err
        assert read() == [(before[0][0].replace("x TEXT", text),)]
    engine.dispose()
