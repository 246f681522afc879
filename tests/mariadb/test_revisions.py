"""Revisions on MariaDB: forwards as create_all makes the release, backwards as it was, by SHOW CREATE TABLE."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import RevisionFailed, ValuesWouldBeLost
from tests._mariadb import MariadbDatabase, MariadbServer
from tests.mariadb.test_conversions import operations
from tests.versions.conftest import apps as apps
from tests.versions.support import Apps

pytestmark = pytest.mark.mariadb

type Items = Callable[[], list[sa.schema.SchemaItem]]
NOW = "CURRENT_TIMESTAMP({0}) ON UPDATE CURRENT_TIMESTAMP({0})"


def col(name: str, type_: Any, *items: Any, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, type_, *items, **options)


def moment(digits: int) -> sa.Column[Any]:
    default = sa.text(NOW.format(digits or ""))
    return col("c", mysql.DATETIME(fsp=digits or None), nullable=False, server_default=default)


RELEASES: dict[str, tuple[Items, Items]] = {
    "members": (
        lambda: [col("c", sa.Enum("A", "B"), server_default="A", comment="it's :c 5%"), col("d", mysql.SET("x", "y"))],
        lambda: [
            col("c", sa.Enum("A", "R", "B"), server_default="A", comment="it's :c 5%"),
            col("d", mysql.SET("x", "y", "z%"), nullable=False, server_default="x"),
            col("e", mysql.ENUM("k", "l's", charset="latin1")),
        ],
    ),
    "numbers": (
        lambda: [
            col("c", mysql.INTEGER(unsigned=True), nullable=False, server_default="3", comment="of c"),
            col("d", sa.Numeric(8, 2), server_default="1.50"),
            col("e", sa.Boolean(), server_default=sa.false()),
        ],
        lambda: [
            col("c", mysql.BIGINT(unsigned=True, zerofill=True), nullable=False, server_default="4", comment="of c"),
            col("d", sa.Numeric(10, 2), server_default="1.50"),
            col("e", sa.Integer(), server_default="0"),
        ],
    ),
    "letters": (
        lambda: [
            col("c", mysql.VARCHAR(20, charset="latin1", collation="latin1_bin"), server_default="a", comment="x"),
            col("d", sa.String(9)),
        ],
        lambda: [
            col("c", mysql.VARCHAR(30, charset="latin1", collation="latin1_bin"), server_default="b", comment="x"),
            col("d", sa.String(9, collation="utf8mb4_bin"), nullable=False, server_default="d"),
        ],
    ),
    "moments": (lambda: [moment(3)], lambda: [moment(6)]),
    "moments without digits": (lambda: [moment(2)], lambda: [moment(0)]),
    "on update given": (
        lambda: [col("c", sa.DateTime(), nullable=False, server_default=sa.func.now())],
        lambda: [moment(0)],
    ),
    "renamed": (
        lambda: [
            col("c", sa.String(20), nullable=False, server_default="q", comment="of c"),
            col("d", sa.Integer(), server_default="3", comment="old"),
            sa.CheckConstraint("c <> ''", name="ck_c"),
            sa.Index("ix_c", "c", "d"),
        ],
        lambda: [
            col("c2", sa.String(20), nullable=False, server_default="q", comment="of c", info={"renamed_from": "c"}),
            col("d", sa.Integer(), server_default="3", comment="new"),
            sa.CheckConstraint("c2 <> ''", name="ck_c"),
            sa.Index("ix_c", "c2", "d"),
        ],
    ),
    "expressions": (
        lambda: [col("c", sa.Uuid(), server_default=sa.text("(uuid())")), col("d", sa.Integer(), server_default="7")],
        lambda: [
            col("c", sa.Uuid(), server_default=sa.text("(uuid())"), comment="new"),
            col("d", sa.Integer(), server_default=sa.text("(1 + 2)")),
            col("e", sa.JSON(), server_default=sa.text("(json_object('a', 1))")),
        ],
    ),
    "computed": (
        lambda: [
            col("d", sa.Integer()),
            col("c", sa.Integer()),
            col("v", sa.Integer(), sa.Computed("d + 1", persisted=False), comment="v"),
        ],
        lambda: [
            col("d", sa.Integer()),
            col("c", sa.Integer(), sa.Computed("d + 5", persisted=True)),
            col("v", sa.Integer(), sa.Computed("d + 2", persisted=False), comment="w"),
            col("w", sa.Integer(), sa.Computed("d * 2", persisted=True)),
        ],
    ),
    "virtual becomes stored": (
        lambda: [
            col("d", sa.Integer()),
            col("c", sa.Integer(), sa.Computed("d + 1", persisted=False)),
            sa.Index("i", "c"),
        ],
        lambda: [
            col("d", sa.Integer()),
            col("c", sa.Integer(), sa.Computed("d + 1", persisted=True)),
            sa.Index("i", "c"),
        ],
    ),
    "virtual becomes ordinary": (
        lambda: [col("d", sa.Integer()), col("c", sa.Integer(), sa.Computed("d + 1", persisted=False))],
        lambda: [col("d", sa.Integer()), col("c", sa.Integer(), server_default="3")],
    ),
    "indexes": (
        lambda: [col("c", sa.Text()), col("d", sa.String(99)), sa.Index("ix_d", "d", mysql_length=5, mariadb_length=5)],
        lambda: [
            col("c", sa.Text()),
            col("d", sa.String(99)),
            sa.Index("ix_d", "d", mysql_length=9, mariadb_length=9),
            sa.Index("ft_c", "c", mysql_prefix="FULLTEXT", mariadb_prefix="FULLTEXT"),
            sa.Index("ix_c", "c", mysql_length={"c": 7}, mariadb_length={"c": 7}),
        ],
    ),
    "foreign keys": (
        lambda: [col("c", sa.Integer(), comment="c"), col("d", sa.Integer())],
        lambda: [
            col("c", sa.Integer(), comment="c"),
            col("d", sa.Integer()),
            sa.ForeignKeyConstraint(["c"], ["p.id"], name="fk_c", ondelete="SET NULL"),
            sa.UniqueConstraint("d", "c", name="uq_dc"),
            sa.ForeignKeyConstraint(["d"], ["p.id"], name="fk_d"),
        ],
    ),
    "json": (lambda: [col("c", sa.Text())], lambda: [col("c", sa.JSON(), comment="j")]),
}
ROWS: dict[str, str] = {
    "members": "INSERT INTO t (c, d) VALUES ('B', 'x,y'), (NULL, '')",
    "numbers": "INSERT INTO t (c, d, e) VALUES (5, -1.25, 1)",
    "letters": "INSERT INTO t (c, d) VALUES ('É', 'x')",
    "renamed": "INSERT INTO t (c, d) VALUES ('v', 1)",
    "moments": "INSERT INTO t (c) VALUES ('2024-01-02 03:04:05.125')",
    "moments without digits": "INSERT INTO t (c) VALUES ('2024-01-02 03:04:05')",
    "computed": "INSERT INTO t (d, c) VALUES (1, 6), (2, 7)",
    "virtual becomes ordinary": "INSERT INTO t (d) VALUES (1), (2)",
    "indexes": "INSERT INTO t (c, d) VALUES ('some text', 'x')",
    "json": "INSERT INTO t (c) VALUES ('{}')",
}


def metadata(items: list[sa.schema.SchemaItem], comment: str) -> sa.MetaData:
    found = sa.MetaData()
    sa.Table("p", found, sa.Column("id", sa.Integer, primary_key=True))
    options: dict[str, Any] = {"mysql_row_format": "COMPACT", "mariadb_row_format": "COMPACT"}
    sa.Table("t", found, sa.Column("id", sa.Integer, primary_key=True), *items, comment=comment, **options)
    return found


def shown(database: MariadbDatabase) -> str:
    [(_, text)] = database.execute("SHOW CREATE TABLE t")
    return re.sub(r" AUTO_INCREMENT=\d+", "", str(text))


def lines(text: str) -> list[str]:
    """What is left to compare where a column that came later is the last one."""
    return sorted(line.strip().rstrip(",") for line in text.splitlines())


@pytest.mark.parametrize("name", RELEASES)
def test_a_revision_makes_the_release_and_takes_it_back(
    mariadb_server: MariadbServer, mariadb_database: MariadbDatabase, apps: Apps, name: str
) -> None:
    first, second = RELEASES[name]
    apps.file("yard", "models.py", "")

    def manager(items: Items, comment: str) -> MigrationManager:
        wanted = metadata(items(), comment)
        return MigrationManager(
            MigrationSettings(mariadb_database.sync_url, apps=("yard",), path=apps.root, metadata=(wanted,))
        )

    manager(first, "first").sync()
    mariadb_database.execute(ROWS.get(name, "INSERT INTO t () VALUES ()"))
    before, rows = shown(mariadb_database), mariadb_database.execute("SELECT * FROM t")
    new = manager(second, "second: it's 5%")
    new.create("release", app="yard")
    other = mariadb_server.create_database()
    engine = sa.create_engine(other.sync_url, poolclass=sa.pool.NullPool)
    metadata(second(), "second: it's 5%").create_all(engine)
    for _ in range(2):
        new.run()
        assert lines(shown(mariadb_database)) == lines(shown(other))
        assert [str(shown_change.planned.change) for shown_change in new.plan(force=True).changes] == []
        new.rollback()
        assert shown(mariadb_database) == before
        assert mariadb_database.execute("SELECT * FROM t") == rows
    mariadb_server.drop_database(other.name)


PECULIAR = """CREATE TABLE t (
  id INT AUTO_INCREMENT PRIMARY KEY, z INT(5) UNSIGNED ZEROFILL NOT NULL DEFAULT 7 COMMENT 'it''s 5% :z',
  c VARCHAR(20) COMPRESSED CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'q' COMMENT 'c' CHECK (c <> 'no'),
  e ENUM('a','b''s') CHARACTER SET latin1 NOT NULL DEFAULT 'a', s SET('x','y') INVISIBLE DEFAULT 'x',
  m TIMESTAMP(3) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(3), j JSON NOT NULL DEFAULT '{}',
  v INT AS (z + 1) VIRTUAL COMMENT 'v', w INT AS (z + 2) STORED, d INT DEFAULT (z * 2), p POINT,
  b BIT(3) DEFAULT b'101',
  KEY kv (v, z), CONSTRAINT ck CHECK (z > 1)
)"""


@pytest.mark.parametrize("column", ["z", "c", "e", "s", "m", "j", "v", "w", "d", "p", "b", "id"])
def test_what_a_hand_written_file_does_not_mention_stays(mariadb_database: MariadbDatabase, column: str) -> None:
    """With what the file says of the state before, right or wrong: it is the database that counts."""
    mariadb_database.execute(PECULIAR)
    before = shown(mariadb_database)
    with operations(mariadb_database) as (op, _):
        op.alter_column("t", column, comment="new: 5%", existing_type=sa.Text(), existing_nullable=True)
        op.alter_column("t", column, new_column_name="renamed", existing_type=sa.Integer())
        middle = shown(mariadb_database)
        assert "`renamed`" in middle
        assert "COMMENT 'new: 5%'" in middle
        op.alter_column("t", "renamed", new_column_name=column, comment="again", existing_server_default="5")
        again = shown(mariadb_database)
        if "comment" not in before.partition(f"`{column}`")[2].partition("\n")[0].lower():
            op.alter_column("t", column, comment=None)
    lost = before.splitlines(), again.splitlines()
    assert len(lost[0]) == len(lost[1])
    for old, new in zip(*lost, strict=True):
        assert re.sub(r" COMMENT '([^']|'')*'", "", old) == re.sub(r" COMMENT '([^']|'')*'", "", new)


def test_null_and_defaults_change_alone(mariadb_database: MariadbDatabase) -> None:
    mariadb_database.execute(PECULIAR)
    before = shown(mariadb_database)
    with operations(mariadb_database) as (op, _):
        op.alter_column("t", "c", nullable=True)
        op.alter_column("t", "c", server_default=None)
        op.alter_column("t", "c", server_default="q")
        op.alter_column("t", "c", nullable=False)
        op.alter_column("t", "m", server_default=sa.text("CURRENT_TIMESTAMP(3)"))
        assert "ON UPDATE" not in shown(mariadb_database)
        op.alter_column("t", "m", server_default=sa.text("NULL ON UPDATE CURRENT_TIMESTAMP(3)"))
        op.alter_column("t", "id", autoincrement=False)
        op.alter_column("t", "id", autoincrement=True)
        with op.batch_alter_table("t", recreate="always") as batch:
            batch.alter_column("e", type_=mysql.ENUM("a", "b's", "c", charset="latin1"))
        op.alter_column("t", "e", type_=mysql.ENUM("a", "b's", charset="latin1"))
        op.rename_table("t", "t2")
        op.rename_table("t2", "t")
    assert shown(mariadb_database) == before


def test_null_is_refused_with_its_count(mariadb_database: MariadbDatabase, apps: Apps) -> None:
    mariadb_database.execute("CREATE TABLE t (id INT PRIMARY KEY, c INT)", "INSERT INTO t VALUES (1, NULL), (2, 2)")
    apps.revision("yard", "aa01", 'op.alter_column("t", "c", nullable=False)', labels=("yard",))
    settings = MigrationSettings(
        mariadb_database.sync_url, apps=("yard",), path=apps.root, metadata=(sa.MetaData(),), allow_empty=True
    )
    with pytest.raises(RevisionFailed, match="1 row of t hold NULL in c") as caught:
        MigrationManager(settings).run()
    assert "the database is as it was" in str(caught.value)
    assert "`c` int(11) DEFAULT NULL" in shown(mariadb_database)


def test_a_refused_conversion_leaves_nothing_to_clear_up(mariadb_database: MariadbDatabase, apps: Apps) -> None:
    mariadb_database.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, c TEXT) ENGINE=Aria",
        "INSERT INTO t VALUES (1, 'abc'), (2, '12x'), (3, '7')",
    )
    apps.revision("yard", "aa01", 'op.alter_column("t", "c", type_=sa.Integer())', labels=("yard",))
    settings = MigrationSettings(
        mariadb_database.sync_url, apps=("yard",), path=apps.root, metadata=(sa.MetaData(),), allow_empty=True
    )
    manager = MigrationManager(settings)
    with pytest.raises(
        ValuesWouldBeLost, match="2 rows of t hold values in c that INTEGER cannot hold exactly"
    ) as caught:
        manager.run()
    assert "the database is as it was" in str(caught.value)
    mariadb_database.execute("UPDATE t SET c = '12' WHERE id = 2", "DELETE FROM t WHERE id = 1")
    manager.run()
    assert mariadb_database.execute("SELECT id, c FROM t ORDER BY id") == [(2, 12), (3, 7)]


def test_values_are_converted_by_the_expression_that_the_file_gives(mariadb_database: MariadbDatabase) -> None:
    mariadb_database.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, c TEXT)", "INSERT INTO t VALUES (1, 'yes'), (2, 'no')"
    )
    with operations(mariadb_database) as (op, _):
        op.alter_column("t", "c", type_=sa.Boolean(), mariadb_using="IF(c = 'yes', 1, 0)")
    assert mariadb_database.execute("SELECT id, c FROM t ORDER BY id") == [(1, 1), (2, 0)]


def test_a_new_required_column_invents_no_values(mariadb_database: MariadbDatabase) -> None:
    mariadb_database.execute("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    with operations(mariadb_database, "") as (op, _), pytest.raises(Exception, match="1 row of t have no value"):
        op.add_column("t", sa.Column("c", sa.Integer, nullable=False))
    assert "`c`" not in shown(mariadb_database)


def test_keys_and_the_indexes_that_serve_them(mariadb_database: MariadbDatabase) -> None:
    mariadb_database.execute(
        "CREATE TABLE p (id INT PRIMARY KEY)",
        "CREATE TABLE t (a INT, b INT CHECK (b > 0), c INT, KEY ix_ab (a, b), UNIQUE uq_bc (b, c), CHECK (c > 1))",
    )
    before = shown(mariadb_database)
    with operations(mariadb_database) as (op, _):
        op.create_foreign_key("fk", "t", "p", ["c"], ["id"])
        assert "KEY `fk` (`c`)" in shown(mariadb_database)
        op.drop_constraint("fk", "t", type_="foreignkey")
        assert shown(mariadb_database) == before
        op.create_foreign_key("fk", "t", "p", ["a"], ["id"])
        op.drop_index("ix_ab", "t")
        assert "KEY `fk` (`a`)" in shown(mariadb_database)
        op.drop_constraint("fk", "t")
        op.drop_constraint("b", "t", type_="check")
        op.drop_constraint("CONSTRAINT_1", "t", type_="check")
        op.drop_column("t", "b")
        op.drop_constraint("uq_bc", "t", type_="unique")
        with op.batch_alter_table("t", recreate="always") as batch:
            batch.add_column(sa.Column("first", sa.Integer), insert_before="a")
            batch.add_column(sa.Column("second", sa.Integer, comment="s"), insert_after="first")
    assert [row[0] for row in mariadb_database.execute("SHOW COLUMNS FROM t")] == ["first", "second", "a", "c"]
    assert "KEY" not in shown(mariadb_database)
    assert "CHECK" not in shown(mariadb_database)
