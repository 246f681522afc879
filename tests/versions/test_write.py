"""Revisions that `create` writes: up, down, up again, on the database itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from framework_m_migrations.adapters.sql.revisions import AlembicTrack
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.errors import InvalidMetadata, RevisionError, VersionFolderMissing
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.revisions import RevisionDraft
from framework_m_migrations.domain.risk.rules import Knowledge, judge
from framework_m_migrations.domain.schema import Check, Column, ColumnType, ForeignKey, Table, TableName, Unique
from framework_m_migrations.ports.app_discovery import App
from scripts.waiting import PROGRAM_LIMIT
from tests.versions.comparing import differences
from tests.versions.support import Apps, Bench

FIRST, SECOND = "1111aaaa2222", "3333bbbb4444"
type Define = Callable[[sa.MetaData], object]


def metadata(define: Define) -> sa.MetaData:
    made = sa.MetaData()
    define(made)
    return made


def draft(revision: str = FIRST, message: str = "generated", down: tuple[str, ...] = ()) -> RevisionDraft:
    return RevisionDraft(revision, "wms", message, down, () if down else ("wms",))


def planned(*changes: c.Change) -> list[PlannedChange]:
    return [PlannedChange("d", "wms", change, judge(change, Knowledge())) for change in changes]


def write(bench: Bench, changes: list[PlannedChange], revision: str = FIRST) -> tuple[AlembicTrack, Path]:
    bench.apps.file("wms", "models.py", "")
    track = bench.track()
    file = Path(track.write(draft(revision), changes))
    check_format(file)
    return bench.track(), file


def check_format(file: Path) -> None:
    """The usual formatter and linter find nothing to do."""
    for command in (["format", "--isolated", "--check"], ["check", "--isolated", "--select", "E4,E7,E9,F,I"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, file.name],
            cwd=file.parent,  # As in a user's project, to which this package is a third party's.
            capture_output=True,
            text=True,
            check=False,
            timeout=PROGRAM_LIMIT,
        )
        assert done.returncode == 0, done.stdout + done.stderr + file.read_text()


def round_trip(bench: Bench, after: sa.MetaData, *rows: str, owned: bool = False) -> Path:
    """Write what differs, apply it, find nothing left, take it back, find all as before, apply it again."""
    bench.run(*rows)
    before = bench.schema()
    changes = differences(bench.connection, after, owned=owned)
    assert changes, "the test must have something to do"
    track, file = write(bench, changes)
    track.upgrade(FIRST)
    left = [item.change for item in differences(bench.connection, after, owned=owned)]
    assert left == [], file.read_text()
    changed = bench.schema()
    assert changed != before
    track.downgrade(FIRST)
    assert bench.schema() == before, file.read_text()
    track.upgrade(FIRST)
    assert bench.schema() == changed
    return file


def start(bench: Bench, define: Define) -> None:
    with bench.connection.begin():
        metadata(define).create_all(bench.connection)


def everything(made: sa.MetaData) -> None:
    sa.Table(
        "order",
        made,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("Group", sa.String(40), nullable=False, server_default="it's 100% a:b \\ done"),
        sa.Column("with space", sa.Text, server_default=""),
        sa.Column("it's", sa.Integer, server_default=sa.text("7")),
        sa.Column('quo"te', sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("naïve", sa.Numeric(12, 3), server_default=sa.text("1.5")),
        sa.Column("at", sa.DateTime, server_default=sa.func.current_timestamp()),
        sa.Column("on", sa.Date, server_default="2020-01-02"),
        sa.Column("data", sa.JSON, server_default='{"a": "b"}'),
        sa.Column("ref", sa.Uuid),
        sa.Column("raw", sa.LargeBinary),
        sa.Column("last_line", sa.Integer),
        sa.Column("doubled", sa.Integer, sa.Computed('"it\'s" * 2', persisted=True)),
        sa.ForeignKeyConstraint(["last_line"], ["line.id"]),
        sa.UniqueConstraint("Group", "it's"),
        sa.CheckConstraint("\"Group\" <> 'a:b'"),
        sa.CheckConstraint('"naïve" >= 0', name="ck named"),
        sa.Index(
            "ix_order_partial",
            "it's",
            sqlite_where=sa.text("\"Group\" <> 'x:y'"),
            postgresql_where=sa.text("\"Group\" <> 'x:y'"),
        ),
    )
    line = sa.Table(
        "line",
        made,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("order_id", sa.Integer, nullable=False, index=True),
        sa.Column("parent_id", sa.Integer),
        sa.Column("a", sa.String(10)),
        sa.Column("b", sa.String(10)),
        sa.ForeignKeyConstraint(["order_id"], ["order.id"], ondelete="CASCADE", onupdate="CASCADE"),
        sa.ForeignKeyConstraint(["parent_id"], ["line.id"], name="fk_line_parent"),
        sa.ForeignKeyConstraint(["a", "b"], ["pair.a", "pair.b"]),
    )
    sa.Index("ix_line_expression", sa.func.lower(line.c.a), line.c.b.desc())
    sa.Index("ix_line_unique", line.c.a, unique=True)
    sa.Table(
        "pair",
        made,
        sa.Column("a", sa.String(10), primary_key=True),
        sa.Column("b", sa.String(10), primary_key=True),
        sa.Column("n", sa.BigInteger, nullable=False),
    )
    sa.Table("number", made, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    sa.Table("Zebra", made, sa.Column("id", sa.Integer, primary_key=True), sa.Column("z", sa.ForeignKey("alpha.id")))
    sa.Table("alpha", made, sa.Column("id", sa.Integer, primary_key=True))


def test_new_tables_of_every_kind(bench: Bench) -> None:
    file = round_trip(bench, metadata(everything))
    text = file.read_text()
    assert text.index('"alpha",') < text.index('"Zebra",')
    bench.run('INSERT INTO "order" (id, "it\'s") VALUES (1, 4)')
    (row,) = bench.rows('SELECT "Group", "with space", "naïve", doubled FROM "order"')
    assert (row[0], row[1], float(row[2]), row[3]) == ("it's 100% a:b \\ done", "", 1.5, 8)


def test_enums_arrays_and_identities_on_postgres(postgres_bench: Bench) -> None:
    def define(made: sa.MetaData) -> None:
        tier = sa.Enum("gold", "it's: 100%", "Silver", name="Tier level")
        sa.Table(
            "member",
            made,
            sa.Column("id", sa.BigInteger, sa.Identity(always=True, start=5), primary_key=True),
            sa.Column("tier", tier, nullable=False, server_default="gold"),
            sa.Column("tiers", sa.ARRAY(tier)),
            sa.Column("names", postgresql.ARRAY(sa.String(20), dimensions=1)),
            sa.Column("data", postgresql.JSONB, server_default=sa.text("'{}'")),
            sa.Column("ip", postgresql.INET),
            sa.Column("span", postgresql.INTERVAL(fields="DAY TO SECOND")),
            sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), comment="it's when"),
            sa.Index("ix_member_data", "data", postgresql_using="gin"),
            sa.Index("ix_member_ip", "ip", postgresql_include=["id"]),
            sa.UniqueConstraint("ip", deferrable=True, initially="DEFERRED"),
            comment='the "members"',
        )

    round_trip(postgres_bench, metadata(define))


def test_columns_added_to_a_table_with_rows(bench: Bench) -> None:
    start(bench, lambda made: sa.Table("item", made, sa.Column("id", sa.Integer, primary_key=True)))

    def after(made: sa.MetaData) -> None:
        sa.Table(
            "item",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("note", sa.Text),
            sa.Column("code", sa.String(20), nullable=False, server_default="it's: 50%"),
            sa.Column("amount", sa.Numeric(8, 2), nullable=False, server_default=sa.text("0")),
            sa.Column("label", sa.String(20), nullable=False, default="it's: 50%"),
            sa.Column("seen", sa.DateTime, server_default=sa.func.current_timestamp()),
            sa.Column("twice", sa.Integer, sa.Computed("id * 2", persisted=True)),
        )

    file = round_trip(bench, metadata(after), "INSERT INTO item (id) VALUES (1), (2)")
    assert "REVIEW: backfill of label" in file.read_text()
    assert [tuple(row) for row in bench.rows("SELECT id, code, label, twice FROM item ORDER BY id")] == [
        (1, "it's: 50%", "it's: 50%", 2),
        (2, "it's: 50%", "it's: 50%", 4),
    ]


def test_required_column_without_any_value_says_so(bench: Bench) -> None:
    start(bench, lambda made: sa.Table("item", made, sa.Column("id", sa.Integer, primary_key=True)))

    def after(made: sa.MetaData) -> None:
        sa.Table(
            "item",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("code", sa.String(20), nullable=False),
        )

    file = round_trip(bench, metadata(after))
    text = file.read_text()
    assert "# REVIEW: give the rows that exist a value for code here" in text
    assert "- [ ] Data migration: rows need a value for item.code" in text


def test_columns_altered(bench: Bench) -> None:
    def before(made: sa.MetaData) -> None:
        sa.Table(
            "item",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(20), nullable=False),
            sa.Column("code", sa.String(20)),
            sa.Column("digits", sa.String(20), server_default="12"),
            sa.Column("flag", sa.Integer, nullable=False, server_default=sa.text("1")),
            sa.Column("status", sa.String(20), server_default="draft"),
            sa.Column("plain", sa.String(20)),
            sa.CheckConstraint("flag >= 0"),
            sa.Index("ix_item_name", "name"),
        )

    def after(made: sa.MetaData) -> None:
        sa.Table(
            "item",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(90)),
            sa.Column("code", sa.String(20), nullable=False, server_default="x:y"),
            sa.Column("digits", sa.Integer, server_default=sa.text("12")),
            sa.Column("flag", sa.Integer, nullable=False),
            sa.Column("status", sa.String(20), server_default="it's: 50%"),
            sa.Column("plain", sa.String(20), server_default=sa.text("'a' || 'b'")),
            sa.CheckConstraint("flag >= 0"),
            sa.Index("ix_item_name", "name"),
        )

    start(bench, before)
    round_trip(
        bench,
        metadata(after),
        "INSERT INTO item (id, name, digits) VALUES (1, 'one', '42')",
        "INSERT INTO item (id, name, code, digits) VALUES (2, 'two', 'c', NULL)",
    )
    assert bench.rows("SELECT id, name, code, digits, flag, status FROM item ORDER BY id") == [
        (1, "one", "x:y", 42, 1, "draft"),
        (2, "two", "c", None, 1, "draft"),
    ]


def parents(made: sa.MetaData) -> None:
    sa.Table("parent", made, sa.Column("id", sa.Integer, primary_key=True))


def test_constraints_added_and_changed(bench: Bench) -> None:
    def before(made: sa.MetaData) -> None:
        parents(made)
        sa.Table(
            "item",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("a", sa.Integer),
            sa.Column("b", sa.Integer),
            sa.Column("parent_id", sa.Integer),
            sa.Column("other_id", sa.Integer),
            sa.ForeignKeyConstraint(["parent_id"], ["parent.id"], name="fk_parent"),
            sa.UniqueConstraint("a", name="uq_item"),
            sa.CheckConstraint("a > 0", name="ck_item"),
            sa.Index("ix_item", "a"),
        )

    def after(made: sa.MetaData) -> None:
        parents(made)
        sa.Table(
            "item",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("a", sa.Integer),
            sa.Column("b", sa.Integer),
            sa.Column("parent_id", sa.Integer),
            sa.Column("other_id", sa.Integer),
            sa.ForeignKeyConstraint(["parent_id"], ["parent.id"], name="fk_parent", ondelete="CASCADE"),
            sa.ForeignKeyConstraint(["other_id"], ["parent.id"], ondelete="SET NULL"),
            sa.UniqueConstraint("a", "b", name="uq_item"),
            sa.UniqueConstraint("b", "other_id"),
            sa.CheckConstraint("a > 10", name="ck_item"),
            sa.CheckConstraint("b <> 5", name="ck_second"),
            sa.Index("ix_item", "a", "b"),
            sa.Index("ix_more", "other_id"),
        )

    start(bench, before)
    file = round_trip(
        bench, metadata(after), "INSERT INTO parent VALUES (1)", "INSERT INTO item VALUES (1, 11, 2, 1, 1)"
    )
    assert bench.rows("SELECT * FROM item") == [(1, 11, 2, 1, 1)]
    assert "ON DELETE: is what happens to the rows of item right when a row of parent goes?" in file.read_text()


def test_unnamed_foreign_key_is_replaced(bench: Bench) -> None:
    def item(action: str | None) -> Define:
        def define(made: sa.MetaData) -> None:
            parents(made)
            sa.Table(
                "item",
                made,
                sa.Column("id", sa.Integer, primary_key=True),
                sa.Column("parent_id", sa.Integer),
                sa.ForeignKeyConstraint(["parent_id"], ["parent.id"], ondelete=action),
            )

        return define

    start(bench, item(None))
    changes = differences(bench.connection, metadata(item("CASCADE")))
    track, _ = write(bench, changes)
    track.upgrade(FIRST)
    assert differences(bench.connection, metadata(item("CASCADE"))) == []
    track.downgrade(FIRST)
    assert differences(bench.connection, metadata(item(None))) == []


def test_what_is_ours_is_dropped_and_comes_back(bench: Bench) -> None:
    def before(made: sa.MetaData) -> None:
        parents(made)
        sa.Table(
            "item",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("gone", sa.String(20), server_default="x"),
            sa.Column("a", sa.Integer),
            sa.Column("parent_id", sa.Integer),
            sa.ForeignKeyConstraint(["parent_id"], ["parent.id"], name="fk_parent"),
            sa.UniqueConstraint("a", name="uq_a"),
            sa.Index("ix_a", "a"),
        )
        sa.Table(
            "old",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("code", sa.String(9), nullable=False, unique=True),
            sa.Index("ix_old", "code"),
        )

    def after(made: sa.MetaData) -> None:
        parents(made)
        sa.Table(
            "item",
            made,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("a", sa.Integer),
            sa.Column("parent_id", sa.Integer),
        )

    start(bench, before)
    bench.run("INSERT INTO item (id, a) VALUES (1, 2)")
    changes = differences(bench.connection, metadata(after), owned=True)
    before_schema = bench.schema()
    track, file = write(bench, changes)
    track.upgrade(FIRST)
    assert differences(bench.connection, metadata(after), owned=True) == []
    assert bench.rows("SELECT id, a FROM item") == [(1, 2)]
    track.downgrade(FIRST)
    restored = bench.schema()
    assert restored["old"] == before_schema["old"], file.read_text()
    assert {str(column) for column in restored["item"]["columns"]} == {
        str(column) for column in before_schema["item"]["columns"]
    }


def test_what_is_not_ours_is_never_dropped(bench: Bench) -> None:
    start(bench, parents)
    text = Column("x", ColumnType("TEXT", "text", native=sa.Text()))
    changes = planned(
        c.TableRemoved(TableName("parent"), owned=False), c.ColumnRemoved(TableName("parent"), text, owned=False)
    )
    track, file = write(bench, changes)
    assert "drop" not in file.read_text()
    track.upgrade(FIRST)
    assert "parent" in bench.tables()


def test_renames_keep_rows(bench: Bench) -> None:
    start(
        bench,
        lambda made: sa.Table(
            "item", made, sa.Column("id", sa.Integer, primary_key=True), sa.Column("a b", sa.Integer)
        ),
    )
    bench.run("INSERT INTO item VALUES (1, 5)")
    integer = ColumnType("INTEGER", "integer", native=sa.Integer())
    changes = planned(
        c.TableRenamed(TableName("Thing"), TableName("item"), Table(TableName("Thing"), ())),
        c.ColumnRenamed(TableName("item"), Column("a b", integer), Column("c", integer)),
    )
    track, file = write(bench, changes)
    track.upgrade(FIRST)
    assert bench.rows('SELECT c FROM "Thing"') == [(5,)]
    track.downgrade(FIRST)
    assert bench.rows('SELECT "a b" FROM item') == [(5,)]
    assert "Renames: code that still uses the old name" in file.read_text()


def test_enum_label_added(postgres_bench: Bench) -> None:
    def item(*labels: str) -> Define:
        def define(made: sa.MetaData) -> None:
            sa.Table("item", made, sa.Column("mood", sa.Enum(*labels, name="mood")))

        return define

    start(postgres_bench, item("b", "d"))
    wanted = metadata(item("a", "b", "c:c", "d", "it's"))
    track, file = write(postgres_bench, differences(postgres_bench.connection, wanted))
    track.upgrade(FIRST)
    assert differences(postgres_bench.connection, wanted) == []
    track.downgrade(FIRST)
    track.upgrade(FIRST)
    assert "autocommit_block" in file.read_text()


def test_type_decorators_become_what_they_stand_for(bench: Bench) -> None:
    class Guid(sa.types.TypeDecorator[str]):
        impl = sa.CHAR(32)
        cache_ok = True

        def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[str]:
            return dialect.type_descriptor(postgresql.UUID() if dialect.name == "postgresql" else sa.CHAR(32))  # type: ignore[arg-type]

    def define(made: sa.MetaData) -> None:
        sa.Table("item", made, sa.Column("id", Guid, primary_key=True))

    file = round_trip(bench, metadata(define))
    assert 'sa.CHAR(length=32).with_variant(sa.UUID(), "postgresql")' in file.read_text()


HOSTILE = (
    "say \"hi\" \\ and 'bye'",
    'three """ quotes',
    "two\nlines and\ttab",
    'ends with a quote"',
    "null \0 and \x1b escape",
    "naïve — ünïcode 🎉",
    "\\",
    "%s {} ${x} <% y %>",
    "",
)


@pytest.mark.parametrize("message", HOSTILE)
def test_hostile_messages(sqlite_bench: Bench, message: str) -> None:
    sqlite_bench.apps.file("wms", "models.py", "")
    file = Path(sqlite_bench.track().write(draft(message=message), []))
    check_format(file)
    (revision,) = sqlite_bench.track().graph().revisions
    assert revision.message == (" ".join(message.split()) or "empty message")
    assert file.name.startswith(f"{FIRST}_")
    assert file.name.isascii()


def test_the_same_text_for_the_same_draft(bench: Bench) -> None:
    changes = differences(bench.connection, metadata(everything))
    track = bench.track()
    first = track.preview(draft(), changes)
    assert first == bench.track().preview(draft(), list(changes))
    assert not bench.connection.in_transaction()
    assert "Create Date" not in first


def test_empty_revision_has_its_place(sqlite_bench: Bench) -> None:
    track, file = write(sqlite_bench, [])
    track.upgrade(FIRST)
    track.downgrade(FIRST)
    assert file.parent == sqlite_bench.apps.root / "wms/migrations/versions"
    assert 'branch_labels = ("wms",)' in file.read_text()


def test_merge_revision(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", "root00000000", labels=("wms",))
    apps.revision("wms", "left00000000", down="root00000000")
    apps.revision("wms", "right0000000", down="root00000000")
    track = sqlite_bench.track()
    track.write(draft(down=("left00000000", "right0000000")), [])
    track = sqlite_bench.upgrade_all()
    assert track.current() == {FIRST}


def test_never_overwrites(sqlite_bench: Bench) -> None:
    track, file = write(sqlite_bench, [])
    text = file.read_text()
    with pytest.raises(RevisionError, match="exists already"):
        track.write(draft(message="another message"), [])
    assert file.read_text() == text
    assert list(file.parent.glob("*.py")) == [file]


def test_goes_where_the_app_keeps_its_revisions(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision("wms", "aaaaaaaaaaa1", folder="alembic/versions")
    file = Path(sqlite_bench.track().write(draft(down=("aaaaaaaaaaa1",)), []))
    assert file.parent == (apps.root / "wms/alembic/versions")


def test_app_without_a_place(sqlite_bench: Bench) -> None:
    class Single:
        def apps(self) -> tuple[App, ...]:
            return (App("wms", "wms"),)

    sqlite_bench.apps.discovery = Single
    with pytest.raises(VersionFolderMissing, match="wms"):
        sqlite_bench.track().write(draft(), [])


def test_foreign_key_to_a_name_with_a_dot_is_refused(sqlite_bench: Bench) -> None:
    key = ForeignKey(None, ("x",), TableName("a.b"), ("id",))
    with pytest.raises(InvalidMetadata, match="dot"):
        sqlite_bench.track().preview(draft(), planned(c.ForeignKeyAdded(TableName("item"), key)))


def test_constraint_takes_over_a_unique_index(postgres_bench: Bench) -> None:
    def item(*extra: sa.schema.SchemaItem) -> Define:
        return lambda made: sa.Table("item", made, sa.Column("a", sa.Integer), *extra)

    start(postgres_bench, item(sa.Index("ix_a", "a", unique=True)))
    wanted = metadata(item(sa.UniqueConstraint("a", name="uq_a")))
    file = round_trip(postgres_bench, wanted)
    assert "USING INDEX" in file.read_text()


def test_review_lines_of_the_draft_come_first(sqlite_bench: Bench) -> None:
    made = RevisionDraft(FIRST, "wms", "m", (), ("wms",), review=("Look at this first.",))
    changes = planned(
        c.UniqueAdded(TableName("item"), Unique(None, ("a",))), c.CheckAdded(TableName("item"), Check(None, "a > 0"))
    )
    text = sqlite_bench.track().preview(made, changes)
    lines = [line for line in text.splitlines() if line.startswith("- [ ]")]
    assert lines[0] == "- [ ] Look at this first."
    assert len(lines) == len(set(lines)) == 4
