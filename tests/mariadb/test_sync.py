"""The declarative track on MariaDB: what its types, names and defaults do to a comparison, and what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import ConfigurationError, InvalidMetadata
from tests.support.statements import recorded
from tests.sync.conftest import Site
from tests.sync.test_every_type import Level, Trimmed
from tests.sync.test_what_is_declared import check_wrong

pytestmark = pytest.mark.mariadb

TYPES: list[sa.types.TypeEngine[Any]] = [
    sa.BigInteger(), sa.Boolean(), sa.Boolean(create_constraint=True, name="ck_bool"), sa.CHAR(7), sa.Date(),
    sa.DateTime(), sa.Double(), sa.Enum(Level, name="level"), sa.Enum("a", "it's", "c%", "d\\e", name="letters"),
    sa.Enum("a", "b", native_enum=False, length=9, create_constraint=True, name="strict"), sa.Float(), sa.Float(24),
    sa.Float(53), sa.Integer(), sa.Interval(), sa.JSON(), sa.LargeBinary(), sa.LargeBinary(20), sa.Numeric(),
    sa.Numeric(10), sa.Numeric(10, 3), sa.PickleType(), sa.REAL(), sa.SmallInteger(), sa.String(140), sa.String(255),
    sa.Text(), sa.Time(), sa.Unicode(20), sa.UnicodeText(), sa.Uuid(), sa.Uuid(native_uuid=False), sa.DECIMAL(8, 2),
    sa.TIMESTAMP(), sa.DOUBLE_PRECISION(), sa.NUMERIC(3, 1), Trimmed(), sa.String(20, collation="utf8mb4_bin"),
    sa.String(20, collation="latin1_swedish_ci"), mysql.BIT(5), mysql.YEAR(), mysql.DATETIME(fsp=3),
    mysql.TIME(fsp=6), mysql.TINYINT(), mysql.TINYINT(display_width=1), mysql.MEDIUMINT(unsigned=True),
    mysql.BIGINT(display_width=20, unsigned=True, zerofill=True), mysql.TINYTEXT(), mysql.MEDIUMTEXT(),
    mysql.LONGTEXT(), mysql.SET("x", "y'z"), mysql.VARCHAR(9, charset="latin1"), mysql.VARCHAR(9, charset="utf8mb4"),
    mysql.ENUM("one", "two", charset="latin1"), mysql.LONGBLOB(), mysql.TIMESTAMP(fsp=2), sa.VARBINARY(30),
    sa.BINARY(4), mysql.TEXT(20), mysql.TEXT(100), mysql.VARCHAR(9, ascii=True), mysql.VARCHAR(9, unicode=True),
    mysql.VARCHAR(9, binary=True), mysql.TEXT(charset="latin1", binary=True), mysql.NVARCHAR(9), mysql.NCHAR(9),
]  # fmt: skip
DEFAULTS: list[tuple[Any, sa.types.TypeEngine[Any]]] = [
    (sa.text("0"), sa.Integer()), (sa.text("'x'"), sa.String(9)), ("it's \\ 5% :x", sa.String(30)),
    (sa.text("CURRENT_TIMESTAMP"), sa.DateTime()), (sa.func.now(), sa.DateTime()), (sa.text("NULL"), sa.Integer()),
    (sa.false(), sa.Boolean()), (sa.text("true"), sa.Boolean()), (sa.text("(1 + 2)"), sa.Integer()),
    (sa.text("((1 + 2) * 3)"), sa.Integer()), (sa.text("(concat('a', \"b\"))"), sa.String(9)),
    (sa.text("-5"), sa.BigInteger()), (sa.text("'{}'"), sa.JSON()), (sa.text("-1.50"), sa.Numeric(6, 2)),
    (sa.text("1.5"), sa.Double()), (sa.text("'5'"), sa.Integer()), (sa.text("(uuid())"), sa.Uuid()), ("", sa.Text()),
    (sa.text("'2024-01-02'"), sa.Date()), (sa.text("(json_object('a', 1))"), sa.JSON()), ("b", sa.Enum("a", "b")),
    (sa.text("CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)"), mysql.DATETIME(fsp=3)),
    (sa.text("b'101'"), mysql.BIT(3)), (sa.text("0x41"), sa.String(5)),
]  # fmt: skip


def kinds(columns: Sequence[sa.schema.SchemaItem]) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("kinds", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    return metadata


def typed() -> list[sa.Column[Any]]:
    return [sa.Column(f"c{place}", type_, comment=f"it's {place}") for place, type_ in enumerate(TYPES)]


def test_no_type_is_seen_as_changed_and_all_can_be_added_to_rows(site: Site) -> None:
    site.settle(kinds([]))
    site.execute("INSERT INTO kinds (id) VALUES (1)")
    site.settle(kinds(typed()))
    assert site.rows("SELECT id FROM kinds") == [(1,)]


def test_no_type_is_seen_as_changed_in_a_table_that_sqlalchemy_made(one_site: Site) -> None:
    metadata = kinds(typed())
    metadata.create_all(one_site.plain)
    assert one_site.plan(metadata).to_dict()["changes"] == []


def test_no_default_is_seen_as_changed(one_site: Site) -> None:
    columns = [sa.Column(f"c{place}", type_, server_default=value) for place, (value, type_) in enumerate(DEFAULTS)]
    one_site.settle(kinds(columns))


def test_keys_checks_computed_columns_and_long_indexes_are_read_as_wanted(site: Site) -> None:
    metadata = sa.MetaData()
    sa.Table(
        "parent",
        metadata,
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("Title", sa.String(50), nullable=False, unique=True),
        sa.Column("body", sa.Text, index=True),
        sa.Column("size", sa.Integer),
        sa.Column("wide", sa.String(2000), index=True),
        sa.Column("words", sa.Text),
        sa.Column("twice", sa.Integer, sa.Computed("size * 2 + 1")),
        sa.Column("kept", sa.String(60), sa.Computed("lower(Title)", persisted=True)),
        sa.Index("ix_down", sa.desc("id"), "Title", mariadb_length={"Title": 10}),
        sa.Index("ft_words", "words", mariadb_prefix="FULLTEXT"),
        sa.CheckConstraint("Title <> 'it''s \\\\ \"x\"' AND ( size>0 )", name="ck_title"),
        sa.CheckConstraint("size BETWEEN 1 AND 1000000"),
        comment="it's a table",
    )
    sa.Table(
        "child",
        metadata,
        sa.Column("a", sa.String(5), primary_key=True),
        sa.Column("b", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("parent_id", sa.ForeignKey("parent.id", name="fk_parent", ondelete="RESTRICT", onupdate="CASCADE")),
        sa.Column("next_a", sa.String(5)),
        sa.Column("next_b", sa.Integer),
        sa.ForeignKeyConstraint(["next_a", "next_b"], ["child.a", "child.b"], name="fk_next", ondelete="SET NULL"),
        sa.Column("other", sa.ForeignKey("parent.id"), index=True),
    )
    site.settle(metadata)


def test_what_is_unchanged_takes_two_statements_and_what_is_outside_is_noticed(one_site: Site) -> None:
    metadata = kinds([sa.Column("note", sa.String(9))])
    one_site.settle(metadata)
    manager = one_site.manager(metadata)
    with recorded(sa.Engine) as statements:  # type: ignore[arg-type]
        assert manager.sync().up_to_date
    assert len([text for text in statements.sent if "schema" in text]) == 2, statements.sent
    one_site.execute("ALTER TABLE kinds DROP COLUMN note")
    assert one_site.sync(metadata).steps == 1


def test_two_columns_that_differ_in_case_only_are_refused(one_site: Site) -> None:
    with pytest.raises(InvalidMetadata, match="same name to this database"):
        one_site.plan(kinds([sa.Column("a", sa.Integer), sa.Column("A", sa.Integer)]))


def test_writers_are_never_stopped_by_what_sync_sends(one_site: Site) -> None:
    before = kinds(
        [sa.Column("kind", sa.String(80)), sa.Column("state", sa.Enum("a", "b")), sa.Column("n", sa.Integer)]
    )
    one_site.settle(before)
    one_site.execute("INSERT INTO kinds (kind, state) VALUES ('x', 'a')")
    after = kinds(
        [
            sa.Column("kind", sa.String(255), index=True),
            sa.Column("state", sa.Enum("a", "b", "c"), server_default="a", comment="now told"),
            sa.Column("n", sa.Integer),
            sa.Column("more", sa.Numeric(9, 2), nullable=False, server_default=sa.text("0")),
            sa.UniqueConstraint("n", name="uq_n"),
        ]
    )
    with recorded(sa.Engine) as statements:  # type: ignore[arg-type]
        one_site.sync(after)
    altered = [text for text in statements.sent if text.startswith("ALTER TABLE kinds")]
    assert len(altered) == 7
    assert all(text.endswith("LOCK=NONE") for text in altered), altered
    one_site.settle(after)
    assert one_site.rows("SELECT kind, state, more FROM kinds") == [("x", "a", 0)]


def test_what_would_copy_the_table_is_withheld_while_it_holds_rows(one_site: Site) -> None:
    one_site.settle(kinds([sa.Column("kind", sa.String(50)), sa.Column("n", sa.Integer)]))
    wider = kinds([sa.Column("kind", sa.String(100)), sa.Column("n", sa.BigInteger)])
    one_site.execute("INSERT INTO kinds (kind, n) VALUES ('x', 1)")
    assert {change.judgement.rule for change in one_site.sync(wider).withheld} == {"type-rewritten"}
    one_site.execute("DELETE FROM kinds")
    one_site.settle(wider)


def test_a_column_without_a_value_for_its_rows_is_withheld(one_site: Site) -> None:
    one_site.settle(kinds([]))
    one_site.execute("INSERT INTO kinds (id) VALUES (1)")
    result = one_site.sync(kinds([sa.Column("must", sa.Integer, nullable=False)]))
    assert [change.judgement.rule for change in result.withheld] == ["column-required"]


def test_an_index_over_an_expression_is_refused_before_anything_is_done(one_site: Site) -> None:
    metadata = kinds([sa.Column("title", sa.String(9))])
    sa.Index("ix_lower", sa.func.lower(metadata.tables["kinds"].c.title))
    with pytest.raises(InvalidMetadata, match="over columns only"):
        one_site.sync(metadata)
    assert one_site.inspect().get_table_names() == []


def test_what_the_database_rejects_waits_alone(one_site: Site) -> None:
    names = ["check_column", "check_syntax", "computed_column", "collation", "default", "default_function"]
    check_wrong(one_site, *names, "long_key", "row")


def test_a_key_between_types_that_do_not_fit_waits_alone(one_site: Site) -> None:
    metadata = sa.MetaData()
    sa.Table("p", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("s", sa.String(30), unique=True))
    types: dict[str, Any] = {
        "text": sa.String(9),
        "big": sa.BigInteger,
        "unsigned": mysql.INTEGER(unsigned=True),
        "fine": sa.Integer,
    }
    keys = [sa.Column(name, type_, sa.ForeignKey("p.id")) for name, type_ in types.items()]
    sa.Table("c", metadata, *keys, sa.Column("s", sa.String(9), sa.ForeignKey("p.s")))
    done = one_site.sync(metadata)
    assert {p.judgement.rule for p in done.withheld} == {"target-other-type"}
    assert len(done.withheld) == 3
    assert len(one_site.inspect().get_foreign_keys("c")) == 2


def test_a_changed_index_or_constraint_is_told_under_its_name(one_site: Site) -> None:
    def made(*unique: str, index: str) -> sa.MetaData:
        metadata = kinds([sa.Column("a", sa.Integer), sa.Column("b", sa.Integer)])
        table = metadata.tables["kinds"]
        sa.UniqueConstraint(*(table.c[name] for name in unique), name="uq")
        sa.Index("ux", table.c[index], unique=True)
        return metadata

    one_site.settle(made("a", index="b"))
    changed = one_site.sync(made("a", "b", index="a"))
    assert sorted(str(change.change.__class__.__name__) for change in changed.withheld) == [
        "IndexChanged",
        "UniqueChanged",
    ]
    surplus = one_site.sync(kinds([sa.Column("a", sa.Integer), sa.Column("b", sa.Integer)]))
    assert {change.judgement.rule for change in surplus.withheld} == {"surplus"}
    one_site.sync(kinds([sa.Column("a", sa.Integer), sa.Column("b", sa.Integer)]), allow_drop=True)
    assert one_site.inspect().get_indexes("kinds") == []


def test_a_session_with_other_quotes_is_refused(one_site: Site) -> None:
    metadata = kinds([])
    engine = sa.create_engine(one_site.url, connect_args={"sql_mode": "ANSI_QUOTES"}, poolclass=sa.pool.NullPool)
    with pytest.raises(ConfigurationError, match="ANSI_QUOTES"):
        MigrationManager(MigrationSettings(one_site.url, metadata=(metadata,)), engine=engine).sync()
    with one_site.plain.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mine (id int)")
        connection.exec_driver_sql("INSERT INTO mine VALUES (1)")
        with pytest.raises(ConfigurationError, match="would commit"):
            MigrationManager(MigrationSettings(one_site.url, metadata=(metadata,)), connection=connection).sync()
        connection.rollback()
    assert one_site.rows("SELECT * FROM mine") == []
