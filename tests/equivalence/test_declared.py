"""Each row of adapters/sql/desired/declarable.py that a database has: built as create_all does, changed as it says.

On PostgreSQL every row has a schema of its own, elsewhere tables and indexes with a prefix, so that all are tried at
once: sync into an empty database, what was done by hand, and sync, create, run and rollback over what create_all made
before.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.desired.declarable import rows
from framework_m_migrations.domain.plan import Risk
from tests.equivalence.conftest import PlacesOf
from tests.equivalence.judges import Dump, difference
from tests.equivalence.places import DIALECTS, Place, Places
from tests.equivalence.test_cases import (
    LITE,
    MARIA,
    NOW,
    PARENT,
    PG,
    A,
    S,
    both,
    check,
    col,
    convention,
    index,
    referring,
    t,
    unique,
)
from tests.equivalence.ways import APP, Apps, Define


@dataclass(frozen=True)
class Row:
    """Two declarations that differ in what the rows name.

    Attributes:
        names: of the rows.
        before: without it, or with another value.
        after: with it.
        letter: what becomes of the change, where the rows say it of something else.
        stays: it is no part of a table, and no difference where no model names it.
        only: the dialects, where they are not those whose rows say that it is applied.
    """

    names: str
    before: Define
    after: Define
    letter: str = ""
    stays: bool = False
    only: tuple[str, ...] = DIALECTS

    def says(self, dialect: str) -> str:
        """The letter."""
        letters = {row.states[DIALECTS.index(dialect)] for row in rows() if row.name in self.names.split()}
        found = "".join(sorted(letters))
        return self.letter if self.letter and letters <= set("AWH") else found

    def is_of(self, dialect: str) -> bool:
        """Whether it can be tried there."""
        return dialect in self.only and self.says(dialect) in set("AWH")


def key(*columns: str, **options: Any) -> Define:
    """A table whose key says more."""
    return lambda metadata: sa.Table(
        "t",
        metadata,
        *[sa.Column(name, sa.Integer, nullable=False) for name in ("id", "a")],
        sa.PrimaryKeyConstraint(*columns, **options),
    )


def elsewhere(define: Callable[[str], Define]) -> Define:
    """In another schema than that of the row."""
    return lambda metadata: define(f"{metadata.schema}x")(metadata)


def identity(**options: Any) -> Define:
    return t(col("a", sa.Integer, lambda: sa.Identity(**options)))


def sequence(name: str = "numbers", **options: Any) -> Define:
    return lambda metadata: sa.Sequence(name, metadata=metadata, **options)


def domain(name: str = "dom", type_: Any = sa.Text, **options: Any) -> Define:
    return t(lambda: sa.Column("a", postgresql.DOMAIN(name, type_, **options)))


def computed(text: str, persisted: bool | None = True) -> Define:
    return t(A, lambda: sa.Column("b", sa.Integer, sa.Computed(text, persisted=persisted)))


def exclusion(*elements: Any, **options: Any) -> Define:
    return t(A, lambda: postgresql.ExcludeConstraint(*elements, name="ex", **options))


def ix(**options: Any) -> Define:
    return t(S, index("ix", "a", **options))


def mood(*labels: str, **options: Any) -> Define:
    return t(lambda: sa.Column("a", sa.Enum(*labels, name="mood", **options)))


def lone(metadata: sa.MetaData) -> None:
    """A parent whose key does not count itself: its default would be the heir's only where both are made at once."""
    sa.Table("p", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))


def child(*, parent: Define = PARENT, heir: bool = False, **options: Any) -> Define:
    """A table with the columns of ``p``, which it may inherit."""

    def declare(metadata: sa.MetaData) -> None:
        columns = [sa.Column("id", sa.Integer, nullable=False), sa.Column("b", sa.Integer)]
        if heir:
            # SQLAlchemy has no other way to name a table of another schema here.
            options["postgresql_inherits"] = sa.sql.quoted_name(f"{metadata.schema}.p", quote=False)
        sa.Table("c", metadata, *columns, **options)

    return both(parent, declare)


TEXT = col("a", sa.Text)


class Point(sa.types.UserDefinedType[Any]):
    """SQLAlchemy has no geometry."""

    def get_col_spec(self, **kw: Any) -> str:
        """As MariaDB spells it."""
        return "POINT"


MEMORY: dict[str, Any] = {"mysql_engine": "MEMORY"}
GEO = col("a", Point, nullable=False)
ON_UPDATE = col("a", sa.DateTime, server_default=sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"))


def counted() -> sa.Column[Any]:
    """A column that takes its values from a sequence of its own."""
    numbers = sa.Sequence("numbers", start=5)
    return sa.Column("b", sa.Integer, numbers, server_default=numbers.next_value())


def uncounted(metadata: sa.MetaData) -> None:
    """A table whose key does not count itself."""
    sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))


def counting(metadata: sa.MetaData) -> None:
    """A table whose key is an identity."""
    sa.Table("t", metadata, sa.Column("id", sa.Integer, sa.Identity(), primary_key=True))


def lite_key(**options: Any) -> Define:
    """A table whose key is a text."""
    return lambda metadata: sa.Table("t", metadata, sa.Column("id", sa.String(9), primary_key=True, **options))


def mysql_col(type_: Any) -> Callable[[], sa.Column[Any]]:
    return col("a", type_)


ROWS: tuple[Row, ...] = (
    Row("Table Table.name", t(), both(t(), t(name="u"))),
    Row("Column Column.name Column.type_", t(), t(A)),
    Row("Column.type_", t(A), t(S), "W"),
    Row("Column.nullable", t(A), t(col("a", sa.Integer, nullable=False)), "A"),
    Row("Column.nullable", t(col("a", sa.Integer, nullable=False)), t(A)),
    Row("Column.server_default DefaultClause.arg", t(A), t(col("a", sa.Integer, server_default="1"))),
    Row("Column.comment", t(A), t(col("a", sa.Integer, comment="c"))),
    Row("Column.index", t(A), t(col("a", sa.Integer, index=True))),
    Row("Column.unique", t(A), t(col("a", sa.Integer, unique=True))),
    Row("Column.autoincrement", uncounted, t()),
    Row("Index Index.name", t(S), ix()),
    Row("Index.unique", ix(), ix(unique=True)),
    Row("postgresql.Index.include", ix(), ix(postgresql_include=["id"])),
    Row("postgresql.Index.nulls_not_distinct", ix(unique=True), ix(unique=True, postgresql_nulls_not_distinct=True)),
    Row("postgresql.Index.ops", ix(), ix(postgresql_ops={"a": "varchar_pattern_ops"})),
    Row("postgresql.Index.tablespace", ix(), ix(postgresql_tablespace="spare")),
    Row("postgresql.Index.using", ix(), ix(postgresql_using="hash")),
    Row("postgresql.Index.where", ix(), ix(postgresql_where=sa.text("a > 'x'"))),
    Row("postgresql.Index.with", ix(), ix(postgresql_with={"fillfactor": 50})),
    Row("PrimaryKeyConstraint PrimaryKeyConstraint.columns Column.primary_key", key("id"), key("id", "a")),
    Row("PrimaryKeyConstraint.deferrable", key("id"), key("id", deferrable=True)),
    Row("PrimaryKeyConstraint.initially", key("id", deferrable=True), key("id", deferrable=True, initially="DEFERRED")),
    Row("postgresql.PrimaryKeyConstraint.include", key("id"), key("id", postgresql_include=["a"])),
    Row("UniqueConstraint UniqueConstraint.name", t(A), t(A, unique("a", name="uq"))),
    Row("UniqueConstraint.columns", t(A, unique("a", name="uq")), t(A, unique("a", "id", name="uq"))),
    Row(
        "UniqueConstraint.deferrable Constraint.deferrable",
        t(A, unique("a", name="uq")),
        t(A, unique("a", name="uq", deferrable=True)),
    ),
    Row(
        "UniqueConstraint.initially Constraint.initially",
        t(A, unique("a", name="uq", deferrable=True)),
        t(A, unique("a", name="uq", deferrable=True, initially="DEFERRED")),
    ),
    Row(
        "postgresql.UniqueConstraint.include",
        t(A, unique("a", name="uq")),
        t(A, unique("a", name="uq", postgresql_include=["id"])),
    ),
    Row(
        "postgresql.UniqueConstraint.nulls_not_distinct",
        t(A, unique("a", name="uq")),
        t(A, unique("a", name="uq", postgresql_nulls_not_distinct=True)),
    ),
    Row("CheckConstraint CheckConstraint.name", t(A), t(A, check("a > 0", name="ck"))),
    Row("CheckConstraint.sqltext", t(A, check("a > 0", name="ck")), t(A, check("a > 1", name="ck"))),
    Row("Constraint.comment", t(A, check("a > 0", name="ck")), t(A, check("a > 0", name="ck", comment="c"))),
    Row("ForeignKey ForeignKeyConstraint ForeignKey.name", both(PARENT, t(A)), referring(name="fk")),
    Row(
        "ForeignKey.column ForeignKeyConstraint.columns",
        referring(name="fk"),
        both(PARENT, t(A, lambda: sa.ForeignKeyConstraint(["id"], ["p.id"], name="fk"))),
    ),
    Row(
        "ForeignKeyConstraint.refcolumns",
        referring(name="fk"),
        both(PARENT, t(A, lambda: sa.ForeignKeyConstraint(["a"], ["t.id"], name="fk"))),
    ),
    Row(
        "ForeignKey.onupdate ForeignKeyConstraint.onupdate",
        referring(name="fk"),
        referring(name="fk", onupdate="CASCADE"),
    ),
    Row(
        "ForeignKey.ondelete ForeignKeyConstraint.ondelete",
        referring(name="fk"),
        referring(name="fk", ondelete="SET NULL (a)"),
        only=(PG,),
    ),
    Row(
        "ForeignKey.ondelete ForeignKeyConstraint.ondelete",
        referring(name="fk"),
        referring(name="fk", ondelete="SET NULL"),
        only=(LITE, MARIA),
    ),
    Row(
        "ForeignKey.deferrable ForeignKeyConstraint.deferrable",
        referring(name="fk"),
        referring(name="fk", deferrable=True),
    ),
    Row(
        "ForeignKey.initially ForeignKeyConstraint.initially",
        referring(name="fk", deferrable=True),
        referring(name="fk", deferrable=True, initially="DEFERRED"),
    ),
    Row("ForeignKey.match ForeignKeyConstraint.match", referring(name="fk"), referring(name="fk", match="FULL")),
    Row("ForeignKey.comment ForeignKeyConstraint.comment", referring(name="fk"), referring(name="fk", comment="c")),
    Row(
        "ForeignKey.use_alter ForeignKeyConstraint.use_alter ForeignKeyConstraint.name",
        both(PARENT, t(A)),
        referring(name="fk", use_alter=True),
    ),
    Row("MetaData.naming_convention Constraint.name", convention(t(A)), convention(t(A, unique("a")))),
    Row("ExcludeConstraint", t(A), exclusion(("a", "=")), "A"),
    Row("ExcludeConstraint", exclusion(("a", "=")), exclusion(("a", "="), where=sa.text("a > 0"), using="gist"), "W"),
    Row("ExcludeConstraint", exclusion(("a", "=")), exclusion(("a", "="), deferrable=True), "W"),
    Row(
        "ExcludeConstraint", exclusion(("a", "=")), exclusion(("a", "="), ("id", "<>"), ops={"a": "gist_int4_ops"}), "W"
    ),
    Row("Computed Computed.sqltext", computed("a + 1"), computed("a + 2")),
    Row("Computed.persisted", computed("a + 1"), computed("a + 1", False)),
    Row("Identity", t(col("a", sa.Integer, nullable=False)), identity(), only=(PG,)),
    Row("Identity", uncounted, counting, only=(MARIA,)),
    Row("Identity.always", identity(), identity(always=True)),
    Row("Identity.start", identity(), identity(start=5)),
    Row("Identity.increment", identity(), identity(increment=5)),
    Row("Identity.minvalue", identity(), identity(minvalue=-5, start=1)),
    Row("Identity.maxvalue", identity(), identity(maxvalue=50)),
    Row("Identity.nominvalue", identity(minvalue=-5, start=1), identity(nominvalue=True)),
    Row("Identity.nomaxvalue", identity(maxvalue=50), identity(nomaxvalue=True)),
    Row("Identity.cycle", identity(), identity(cycle=True)),
    Row("Identity.cache", identity(), identity(cache=9)),
    Row("Sequence Sequence.name", t(), both(t(), sequence()), stays=True, only=(PG,)),
    Row("Sequence.schema", t(), both(t(), elsewhere(lambda place: sequence(schema=place))), stays=True, only=(PG,)),
    Row("Sequence.start", sequence(), sequence(start=5), only=(PG,)),
    Row("Sequence.increment", sequence(), sequence(increment=-1), only=(PG,)),
    Row("Sequence.minvalue", sequence(), sequence(minvalue=-5, start=1), only=(PG,)),
    Row("Sequence.maxvalue", sequence(), sequence(maxvalue=50), only=(PG,)),
    Row("Sequence.nominvalue", sequence(minvalue=-5, start=1), sequence(nominvalue=True), only=(PG,)),
    Row("Sequence.nomaxvalue", sequence(maxvalue=50), sequence(nomaxvalue=True), only=(PG,)),
    Row("Sequence.cycle", sequence(), sequence(cycle=True), only=(PG,)),
    Row("Sequence.cache", sequence(), sequence(cache=9), only=(PG,)),
    Row("Sequence.data_type", sequence(), sequence(data_type=sa.SmallInteger), only=(PG,)),
    Row("DOMAIN.name", t(), domain()),
    Row("DOMAIN.data_type", domain(), domain(type_=sa.String(9))),
    Row("DOMAIN.collation", domain(), domain(collation="C")),
    Row("DOMAIN.collation_schema", domain(collation="C"), domain(collation="POSIX")),
    Row("DOMAIN.default", domain(), domain(default="x")),
    Row("DOMAIN.not_null", domain(), domain(not_null=True)),
    Row("DOMAIN.check", domain(), domain(check="VALUE > 'a'")),
    Row("DOMAIN.constraint_name", domain(check="VALUE > 'a'"), domain(check="VALUE > 'a'", constraint_name="long")),
    Row("ENUM.name", t(), mood("x")),
    Row("Table.schema MetaData.schema", t(), both(t(), elsewhere(lambda place: t(name="u", schema=place))), only=(PG,)),
    Row("Table.comment", t(A), t(A, comment="c")),
    Row("Table.prefixes", t(A), t(A, prefixes=["UNLOGGED"]), "W"),
    Row("postgresql.Table.tablespace", t(A), t(A, postgresql_tablespace="spare")),
    Row("postgresql.Table.using", t(A), t(A, postgresql_using="heap2")),
    Row("postgresql.Table.with", t(A), t(A, postgresql_with={"fillfactor": 70})),
    Row("postgresql.Table.with", t(TEXT), t(TEXT, postgresql_with={"toast.autovacuum_enabled": False})),
    Row("postgresql.Table.inherits", PARENT, child(heir=True), "A"),
    Row("postgresql.Table.inherits", child(parent=lone), child(parent=lone, heir=True)),
    Row("postgresql.Table.partition_by", child(), child(postgresql_partition_by="RANGE (b)")),
    Row("sqlite.Table.autoincrement", t(), t(sqlite_autoincrement=True)),
    Row("sqlite.Table.strict", t(A), t(A, sqlite_strict=True)),
    Row("sqlite.Table.with_rowid", t(A), t(A, sqlite_with_rowid=False)),
    Row("sqlite.Column.on_conflict_primary_key", t(), lite_key(sqlite_on_conflict_primary_key="REPLACE")),
    Row(
        "sqlite.Column.on_conflict_not_null",
        t(col("a", sa.Integer, nullable=False)),
        t(col("a", sa.Integer, nullable=False, sqlite_on_conflict_not_null="IGNORE")),
    ),
    Row(
        "sqlite.Column.on_conflict_unique",
        t(col("a", sa.Integer, unique=True)),
        t(col("a", sa.Integer, unique=True, sqlite_on_conflict_unique="FAIL")),
    ),
    Row(
        "sqlite.Constraint.on_conflict",
        t(A, unique("a", "id", name="uq")),
        t(A, unique("a", "id", name="uq", sqlite_on_conflict="ROLLBACK")),
    ),
    Row("sqlite.Constraint.on_conflict", key("id", "a"), key("id", "a", sqlite_on_conflict="IGNORE")),
    Row("sqlite.Index.where", ix(), ix(sqlite_where=sa.text("a > 'x'"))),
    # What a key, a type, a default and a statement say beside their names.
    Row("Column.nullable", lite_key(), lite_key(nullable=True), only=(LITE,)),
    Row("Column.type_", t(S), t(col("a", sa.String(20, collation="NOCASE"))), "A", only=(LITE,)),
    Row("Column.type_", t(S), t(col("a", sa.String(20, collation="latin1_bin"))), "W", only=(MARIA,)),
    Row("Index.unique", t(S, unique("a", name="uq")), t(S, unique("a", name="uq"), index("ix", "a", unique=True)), "A"),
    Row("Index", t(S), t(S, lambda: sa.Index("ix", sa.text("lower(a)"))), only=(PG, LITE)),
    Row("Index", t(S), t(S, lambda: sa.Index("ix", sa.desc("a"), "id"))),
    Row("Index", ix(), t(S, lambda: sa.Index("ix", sa.text("a COLLATE NOCASE"))), "W", only=(LITE,)),
    Row("CheckConstraint", t(A), t(A, check("a > 0")), only=DIALECTS),
    Row("Column.server_default", t(), t(col("a", sa.Integer, server_default=sa.text("(1 + 2)")))),
    Row("Column.server_default", t(), t(col("a", sa.DateTime, server_default=sa.text("CURRENT_TIMESTAMP")))),
    *[
        Row("mysql.Table.*", t(S), t(S, **{f"{prefix}_{name}": value}))
        for prefix in ("mysql", "mariadb")
        for name, value in (
            ("engine", "MyISAM"),
            ("charset", "latin1"),
            ("collate", "utf8mb4_bin"),
            ("row_format", "COMPRESSED"),
            ("stats_persistent", "1"),
            ("checksum", "1"),
            ("partition_by", "HASH (id) PARTITIONS 2"),
        )
    ],
    Row("mysql.Index.length", ix(), ix(mysql_length=5)),
    Row("mysql.Index.length", ix(), ix(mariadb_length={"a": 5})),
    Row("mysql.Index.prefix", ix(), ix(mysql_prefix="FULLTEXT")),
    Row("mysql.Index.prefix", ix(), ix(mariadb_prefix="FULLTEXT")),
    Row("mysql.Index.using", t(S, index("ix", "a"), **MEMORY), t(S, index("ix", "a", mysql_using="btree"), **MEMORY)),
    Row("Index", t(GEO), t(GEO, index("ix", "a", mysql_prefix="SPATIAL")), only=(MARIA,)),
    Row("DefaultClause.arg", t(col("a", sa.DateTime, server_default=NOW)), t(ON_UPDATE), only=(MARIA,)),
    Row("Column.type_", t(mysql_col(sa.Enum("x", "y"))), t(mysql_col(sa.Enum("x", "y", "z"))), "A", only=(MARIA,)),
    Row("Column.type_", t(mysql_col(mysql.SET("x", "y"))), t(mysql_col(mysql.SET("y", "x"))), "A", only=(MARIA,)),
    Row("Column.type_", t(A), t(mysql_col(mysql.INTEGER(unsigned=True))), "W", only=(MARIA,)),
    Row("Column.type_", t(A), t(mysql_col(mysql.INTEGER(unsigned=True, zerofill=True))), "W", only=(MARIA,)),
    Row("Sequence Sequence.name", t(), t(counted), only=(MARIA,)),
)


def rows_of(dialect: str) -> dict[int, Row]:
    """The rows that a dialect has, by their numbers."""
    return {number: row for number, row in enumerate(ROWS) if row.is_of(dialect)}


def declared(dialect: str, number: int, define: Define) -> sa.MetaData:
    """What a row declares, apart from all others: in a schema of its own, or under names of its own."""
    if dialect == PG:
        metadata = sa.MetaData(schema=f"r{number}")
        define(metadata)
        return metadata
    plain = sa.MetaData()
    define(plain)
    metadata = sa.MetaData(naming_convention=plain.naming_convention)
    for table in plain.sorted_tables:
        for one in table.indexes:
            if isinstance(one.name, str) and not one._column_flag:
                one.name = sa.sql.quoted_name(f"r{number}_{one.name}", None)
        for rule in table.constraints:
            if rule.name == "uq":
                rule.name = sa.sql.quoted_name(f"r{number}_uq", None)
        keys = table.foreign_key_constraints
        table.constraints -= keys
        copy = table.to_metadata(metadata, name=f"r{number}_{table.name}")
        for key in keys:
            said = ("name", "onupdate", "ondelete", "deferrable", "initially", "match", "use_alter", "comment")
            targets = [f"r{number}_{element.target_fullname}" for element in key.elements]
            options = {name: getattr(key, name) for name in said}
            options["name"] = options["name"] and f"r{number}_{options['name']}"
            copy.append_constraint(sa.ForeignKeyConstraint(key.column_keys, targets, **options))
    return metadata


def named(number: int, text: str) -> bool:
    """Whether a text speaks of a row."""
    return re.search(rf"(?<![A-Za-z0-9])r{number}(?:x?\b|_)", text) is not None


def part(dump: Dump, number: int) -> Dump:
    """What a dump says of a row."""
    # Schemas are made before create_all, which makes none.
    return {
        name: parts
        for name, parts in dump.items()
        if not name.startswith("CREATE SCHEMA") and any(named(number, one) for one in (name, *parts))
    }


@dataclass
class Tried:
    """What all rows came to. What is told of models and database is one text a change or finding."""

    dialect: str
    before: Dump = field(default_factory=dict)
    after: Dump = field(default_factory=dict)
    synced: Dump = field(default_factory=dict)
    run: Dump = field(default_factory=dict)
    back: Dump = field(default_factory=dict)
    settled: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)

    def wrong(self, number: int, row: Row) -> Iterator[str]:
        """What is not as the row says."""
        before, after = (part(one, number) for one in (self.before, self.after))
        if not difference(before, after):
            yield "the two declarations are one"
        yield from (f"sync: {line}" for line in difference(part(self.synced, number), after))
        yield from (f"after sync: {one}" for one in self.settled if named(number, one))
        by_hand = [one for one in self.by_hand if named(number, one)]
        if bool(by_hand) is row.stays:
            yield f"told of what was done by hand: {by_hand}"
        became = "W" if any(named(number, one) for one in self.withheld) else "A"
        if any(named(number, one) for one in self.left):
            became = "H"
        if became != row.says(self.dialect):
            yield f"is {became}, and {row.names} says {row.says(self.dialect)}"
        if became != "H":
            yield from (f"run: {line}" for line in difference(part(self.run, number), after))
            yield from (f"after run: {one}" for one in self.planned if named(number, one))
        if became == "W":
            yield from (f"rollback: {line}" for line in difference(part(self.back, number), before))


@pytest.fixture(scope="module")
def tried_on(places_of: PlacesOf) -> Callable[[str], Tried]:
    """All rows of a dialect at once, which is tried once."""
    return functools.cache(lambda dialect: try_all(places_of(dialect), dialect))


def try_all(places: Places, dialect: str) -> Tried:
    """All rows of a dialect at once."""
    work, ideal = places.work, places.ideal

    def metadata(which: str) -> tuple[sa.MetaData, ...]:
        return tuple(declared(dialect, number, getattr(row, which)) for number, row in rows_of(dialect).items())

    def manager(which: str) -> MigrationManager:
        settings = MigrationSettings(metadata=metadata(which), path=places.folder, allow_empty=True)
        folder = places.folder / "declared"
        return MigrationManager(settings, engine=work.engine, overrides={"discovery": lambda context: Apps(folder)})

    def told(which: str) -> list[str]:
        asked = manager(which)
        planned = [f"planned: {one.change}" for one in asked.plan(force=True).plan.changes]
        return planned + [str(one) for one in asked.verify(fail_on=Risk.WARNING).findings if one.dirty]

    def made(which: str) -> Iterator[sa.MetaData]:
        """As SQLAlchemy takes it, which looks at options of the URL's own dialect alone."""
        for one in metadata(which):
            items: list[Any] = [item for table in one.tables.values() for item in (table, *table.indexes)]
            for item in items if dialect == MARIA else ():
                for name, value in list(item.dialect_kwargs.items()):
                    item.dialect_kwargs[name.replace("mysql_", "mariadb_")] = value
            yield one

    def build(place: Place, which: str) -> Dump:
        clear(place)
        for one in made(which):
            if dialect == PG:
                place.execute(f"CREATE SCHEMA {one.schema}", f"CREATE SCHEMA {one.schema}x")
            one.create_all(place.engine)
        return place.dump()

    found = Tried(dialect, before=build(ideal, "before"), after=build(ideal, "after"))
    clear(ideal)
    clear(work)
    manager("after").sync()
    found.synced = work.dump()
    found.settled = told("after")
    if dialect != PG:
        # What sync made of the models from before is changed by hand.
        clear(work)
        manager("before").sync()
        for one in made("before"):
            one.drop_all(work.engine)
        for one in made("after"):
            one.create_all(work.engine)
    found.by_hand = told("before")
    build(work, "before")
    asked = manager("after")
    found.withheld = [str(one.change) for one in asked.sync().withheld]
    written = asked.create("change", app=APP)
    found.left = [line for line in written.text.splitlines() if "Not written" in line]
    asked.run()
    found.run = work.dump()
    found.planned = [str(one.change) for one in asked.plan(force=True).plan.changes]
    asked.rollback(app=APP, to="base")
    found.back = work.dump()
    clear(work)
    return found


def clear(place: Place) -> None:
    """Take the schemas of the rows out, and make what a declaration cannot."""
    place.empty()
    if place.dialect != PG:
        return
    with place.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET client_min_messages = warning")
        for name in connection.exec_driver_sql(
            r"SELECT nspname FROM pg_namespace WHERE nspname ~ '^r[0-9]+x?$'"
        ).scalars():
            connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
        if not connection.exec_driver_sql("SELECT 1 FROM pg_am WHERE amname = 'heap2'").all():
            connection.exec_driver_sql("CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler")
        if not connection.exec_driver_sql("SELECT 1 FROM pg_tablespace WHERE spcname = 'spare'").all():
            connection.exec_driver_sql("SET allow_in_place_tablespaces = on")
            connection.exec_driver_sql("CREATE TABLESPACE spare LOCATION ''")


def _tests() -> Iterator[Any]:
    for dialect in DIALECTS:
        marks = {PG: [pytest.mark.postgres], MARIA: [pytest.mark.mariadb]}.get(dialect, [])
        for number, row in rows_of(dialect).items():
            yield pytest.param(dialect, number, id=f"{dialect}-{number}-{row.names.split()[0]}", marks=marks)


@pytest.mark.parametrize(("dialect", "number"), list(_tests()))
def test_a_row_says_the_truth(tried_on: Callable[[str], Tried], dialect: str, number: int) -> None:
    wrong = list(tried_on(dialect).wrong(number, ROWS[number]))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_row_is_tried(dialect: str) -> None:
    tried = {name for row in rows_of(dialect).values() for name in row.names.split()}
    # Classes above those that are tried, and a sequence that PostgreSQL makes nothing of.
    tried |= {"Constraint", "ColumnCollectionConstraint", "Sequence.optional"}
    # To CREATE TABLE, which create_all writes, NOT VALID means nothing: see tests/versions/test_postgres_objects.py.
    tried |= {"postgresql.CheckConstraint.not_valid", "postgresql.ForeignKeyConstraint.not_valid"}
    if dialect != "postgresql":  # All rows are in one database, so that the names of others are not tried.
        tried |= {"MetaData.schema", "Sequence.schema", "Table.schema"}
    place = DIALECTS.index(dialect)
    named = {row.name for row in rows() if row.states[place] in "AWH" and not row.name.startswith(("ddl ", "type "))}
    assert named - tried == set()
    assert tried <= {row.name for row in rows()}
