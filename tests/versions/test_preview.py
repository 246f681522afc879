"""What revisions would send, on real databases: the same SQL as when they run, and nothing changed by looking."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.plan import Risk
from tests.versions.support import Bench

TABLE = "op.create_table('item', sa.Column('id', sa.Integer, primary_key=True), sa.Column('title', sa.String(40)))"


def two(bench: Bench) -> Bench:
    """A table, and a change of it."""
    bench.apps.revision("shop", "aa01", TABLE, "op.drop_table('item')", labels=("shop",))
    bench.apps.revision(
        "shop",
        "aa02",
        "op.add_column('item', sa.Column('note', sa.String(9)))\n"
        'op.execute(sa.text("INSERT INTO item (id, title) VALUES (:id, :t)").bindparams(id=1, t="it\'s"))',
        "op.execute('DELETE FROM item')\nwith op.batch_alter_table('item') as batch:\n    batch.drop_column('note')",
        down="aa01",
    )
    return bench


@contextmanager
def sent(bench: Bench) -> Iterator[list[str]]:
    """Statements that change something, on the session's connection."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
            found.append(statement)

    sa.event.listen(bench.connection, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(bench.connection, "before_cursor_execute", note)


def test_looking_sends_nothing_and_leaves_no_transaction(bench: Bench) -> None:
    track = two(bench).track()
    with sent(bench) as statements:
        first, second = track.render(("aa01", "aa02"))
    assert statements == []
    assert not bench.connection.in_transaction()
    assert bench.tables() == set()
    assert track.current() == frozenset()
    assert first.statements[0].startswith("CREATE TABLE item")
    assert first.bookkeeping[0].startswith("CREATE TABLE alembic_version")
    assert first.bookkeeping[1] == "INSERT INTO alembic_version (version_num) VALUES ('aa01')"
    assert any("'it''s'" in statement for statement in second.statements)
    assert second.bookkeeping == (
        "UPDATE alembic_version SET version_num='aa02' WHERE alembic_version.version_num = 'aa01'",
    )
    assert (first.unknown, second.unknown) == (None, None)


def test_the_sql_that_is_shown_does_what_the_revisions_do(bench: Bench) -> None:
    track = two(bench).track()
    shown = track.render(("aa01", "aa02"))
    bench.run(*(sql for one in shown for sql in (*one.statements, *one.bookkeeping)))
    by_hand = bench.schema()
    assert track.current() == {"aa02"}
    back = track.render(("aa02", "aa01"), upgrade=False)
    bench.run(*(sql for one in back for sql in (*one.statements, *one.bookkeeping)))
    assert bench.tables() == {"alembic_version"}
    assert track.current() == frozenset()
    bench.upgrade_all()
    assert bench.schema() == by_hand


def test_risk_and_locks(bench: Bench) -> None:
    track = two(bench).track()
    first, second = track.render(("aa01", "aa02"))
    # The table is made on the way: nobody waits for it.
    assert (first.risk, second.risk, second.locks) == (Risk.SAFE, Risk.SAFE, ())
    track.upgrade("aa01")
    [second] = track.render(("aa02",))
    level = {"sqlite": "the one writer's lock", "postgresql": "ACCESS EXCLUSIVE"}[bench.dialect]
    assert [(str(lock.table), lock.level) for lock in second.locks] == [("item", level)]
    track.upgrade("aa02")
    [back] = track.render(("aa02",), upgrade=False)
    assert back.risk is Risk.BREAKING
    assert back.reasons == (
        "Rows of item go.",
        "A column of item goes, with its values; code that runs still selects it.",
    )


def test_what_a_revision_reads_is_not_made_up(bench: Bench) -> None:
    two(bench).upgrade_all()
    bench.apps.revision(
        "shop",
        "aa03",
        "op.add_column('item', sa.Column('more', sa.Integer))\n"
        "for row in op.get_bind().execute(sa.text('SELECT id FROM item')).all():\n"
        "    op.execute(f'UPDATE item SET more = {row.id}')",
        down="aa02",
    )
    [one] = bench.track().render(("aa03",))
    name = '"main"."item"' if bench.dialect == "sqlite" else "item"
    assert one.statements[0] == f"ALTER TABLE {name} ADD COLUMN more INTEGER"
    if bench.dialect == "sqlite":
        assert (len(one.statements), one.unknown) == (1, None)
        assert "with the rows of this database it may differ" in one.notes[0]
    else:
        assert one.unknown is not None
        assert one.unknown.startswith("It needs the database itself at line 11")
    assert one.risk is Risk.WARNING


def test_a_revision_that_fails_is_told_and_so_are_those_behind_it(sqlite_bench: Bench) -> None:
    bench = two(sqlite_bench)
    bench.apps.revision("shop", "aa03", "op.drop_table('absent')", down="aa02")
    bench.apps.revision("shop", "aa04", "op.drop_table('item')", down="aa03")
    *_, third, fourth = bench.track().render(("aa01", "aa02", "aa03", "aa04"))
    assert third.unknown is not None
    assert "no such table: absent" in third.unknown
    assert fourth.unknown == "Revision aa03, before it, could not be run on an empty copy of the schema."


def test_one_alone_is_shown_wherever_the_database_is(bench: Bench) -> None:
    two(bench).upgrade_all()
    track = bench.track()
    [second] = track.render(("aa02",), alone=True)
    assert "note" in second.statements[0]
    assert second.bookkeeping == ()
    [back] = track.render(("aa01",), upgrade=False, alone=True)
    assert [" ".join(sql.split()) for sql in back.statements] == ["DROP TABLE item"]
    assert bench.rows("SELECT title FROM item") == [("it's",)]


def test_what_sqlite_has_beyond_tables_is_in_the_copy(sqlite_bench: Bench) -> None:
    """A rebuild is shown as it is sent: from the stored text, and with the triggers of the table."""
    bench = two(sqlite_bench)
    bench.upgrade_all()
    bench.run(
        "CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT)",
        "CREATE VIEW others AS SELECT id FROM other",
        "CREATE VIRTUAL TABLE found USING fts5(body)",
        "CREATE TRIGGER noted AFTER DELETE ON item BEGIN INSERT INTO found VALUES (old.title); END",
    )
    [back] = bench.track().render(("aa02",), upgrade=False)
    assert back.unknown is None
    bench.run(*back.statements)
    assert bench.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'") == [("noted",)]
    assert bench.rows("SELECT name FROM pragma_table_info('item')") == [("id",), ("title",)]


def test_a_recorded_revision_sends_nothing_but_its_row(bench: Bench) -> None:
    track = two(bench).track()
    first, second = track.render(("aa01", "aa02"), recorded=("aa01", "aa02"))
    assert (first.statements, second.statements) == ((), ())
    assert second.bookkeeping[0].startswith("UPDATE alembic_version")
    assert second.risk is Risk.SAFE


@pytest.mark.parametrize("function", ["upgrade", "downgrade"])
def test_what_a_revision_prints_stays_out_of_the_result(
    sqlite_bench: Bench, capsys: pytest.CaptureFixture[str], function: str
) -> None:
    sqlite_bench.apps.revision("shop", "aa01", "print('up')", "print('down')", labels=("shop",))
    track = sqlite_bench.upgrade_all() if function == "downgrade" else sqlite_bench.track()
    capsys.readouterr()
    [one] = track.render(("aa01",), upgrade=function == "upgrade")
    assert (one.statements, one.unknown) == ((), None)
    assert capsys.readouterr().out == ""


@pytest.mark.postgres
def test_where_the_run_reads_the_table_first_the_preview_says_so(postgres_bench: Bench) -> None:
    bench = two(postgres_bench)
    bench.upgrade_all()
    bench.apps.revision("shop", "aa03", "op.alter_column('item', 'title', type_=sa.Text())", down="aa02")
    [one] = bench.track().render(("aa03",))
    assert one.statements == ("ALTER TABLE item ALTER COLUMN title TYPE TEXT",)
    assert one.notes[0].startswith("It changes a column or constraint that exists. The run reads the table first")
    assert one.risk is Risk.WARNING


PARENT = "op.create_table('maker', sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.String(40)))"
USUAL = {
    "table": f"{TABLE}\n{PARENT}\nop.create_index('ix_item_title', 'item', ['title'])",
    "rows": "op.execute(\"INSERT INTO item (id, title) VALUES (1, 'a:b 5%')\")",
    "columns": (
        "op.add_column('item', sa.Column('price', sa.Integer(), server_default='0', nullable=False))\n"
        "with op.batch_alter_table('item') as batch:\n"
        "    batch.add_column(sa.Column('maker_id', sa.Integer))\n"
        "    batch.create_foreign_key('fk_item_maker', 'maker', ['maker_id'], ['id'])\n"
        "    batch.create_unique_constraint('uq_item', ['title', 'price'])\n"
        "    batch.create_check_constraint('ck_item', sa.text('price >= 0'))"
    ),
    "change": (
        "with op.batch_alter_table('item') as batch:\n"
        "    batch.alter_column('title', existing_type=sa.String(40), type_=sa.Text())"
    ),
    "tighten": (
        "op.execute(\"UPDATE item SET maker_id = NULL WHERE title <> 'x'\")\n"
        "with op.batch_alter_table('item') as batch:\n"
        "    batch.alter_column('price', existing_type=sa.Integer(), nullable=True, server_default='7')"
    ),
    "rename": (
        "op.alter_column('maker', 'name', new_column_name='label', existing_type=sa.String(40))\n"
        "op.rename_table('maker', 'brand')"
    ),
    "drop": (
        "with op.batch_alter_table('item') as batch:\n"
        "    batch.drop_constraint('fk_item_maker', type_='foreignkey')\n"
        "    batch.drop_column('maker_id')\n"
        "op.drop_index('ix_item_title', table_name='item')"
    ),
}
"""A history as there are many, each step with the source of its upgrade."""


def other_words(bench: Bench) -> set[str]:
    """Render each revision where the database is, run it, and compare; those of which the preview leaves it open."""
    # An index on a text needs a length on MariaDB.
    type_ = "sa.String(50)" if bench.dialect == "mariadb" else "sa.Text()"
    before, open_ = None, set()
    for name, source in USUAL.items():
        labels = None if before else ("shop",)
        bench.apps.revision("shop", name, source.replace("sa.Text()", type_), down=before, labels=labels)
        before = name
    track = bench.track()
    for name in USUAL:
        [shown] = track.render((name,))
        assert shown.unknown is None, (name, shown.unknown)
        with sent(bench) as statements:
            track.upgrade(name)
        if shown.notes and bench.dialect != "sqlite":
            open_.add(name)
            continue
        assert _plain(shown.statements) == _plain(statements), name
    return open_


def _plain(statements: Sequence[str]) -> list[str]:
    """Without what belongs to the transaction and to the engine, each in one line."""
    ways = ("SET ", "SAVEPOINT", "RELEASE", "COMMIT", "SHOW ", "BEGIN", "DESCRIBE", "PRAGMA")
    texts = [" ".join(text.replace("%%", "%").split()).rstrip("; ") for text in statements]
    return [one for one in texts if not one.startswith(ways) and "alembic_version" not in one and "__schema" not in one]


def test_what_is_printed_is_what_is_sent(bench: Bench) -> None:
    assert other_words(bench) == (set() if bench.dialect == "sqlite" else {"change"})
