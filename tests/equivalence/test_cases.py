"""Pairs of schemas that found something, or that say what a change of each kind must come to: see ways.py."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from tests.equivalence.conftest import PlacesOf
from tests.equivalence.places import DIALECTS
from tests.equivalence.ways import Define, Pair, prove
from tests.support.profile import NIGHTLY

LITE, PG, MARIA = DIALECTS
ONE = ("INSERT INTO t (id) VALUES (1)",)
SEVEN = ("INSERT INTO t (id, a) VALUES (1, 7)",)
WORD = ("INSERT INTO t (id, a) VALUES (1, 'x')",)


@dataclass(frozen=True)
class Case:
    """A pair for some dialects."""

    pair: Pair
    dialects: tuple[str, ...] = DIALECTS


def t(*parts: Any, name: str = "t", **options: Any) -> Define:
    """Declares a table with ``id`` and the parts, which functions make anew each time."""

    def declare(metadata: sa.MetaData) -> None:
        made = [part() if callable(part) else part for part in parts]
        sa.Table(name, metadata, sa.Column("id", sa.Integer, primary_key=True), *made, **options)

    return declare


def both(*declares: Define) -> Define:
    """Declares one after the other."""

    def declare(metadata: sa.MetaData) -> None:
        for one in declares:
            one(metadata)

    return declare


def convention(define: Define) -> Define:
    """With names for all constraints."""

    def declare(metadata: sa.MetaData) -> None:
        metadata.naming_convention = {
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
        define(metadata)

    return declare


def col(name: str, type_: Any, *parts: Any, **options: Any) -> Callable[[], sa.Column[Any]]:
    """Makes a column; parts that are functions are called."""
    return lambda: sa.Column(name, type_, *[part() if callable(part) else part for part in parts], **options)


def case(before: Define, after: Define, rows: tuple[str, ...] = (), *dialects: str, fits: bool = True) -> Case:
    """A pair, for all dialects unless some are named."""
    return Case(Pair(before, after, rows, fits), dialects or DIALECTS)


def unique(*columns: str, **options: Any) -> Callable[[], sa.Constraint]:
    return lambda: sa.UniqueConstraint(*columns, **options)


def moody(*labels: str) -> Callable[[], sa.Column[Any]]:
    return lambda: sa.Column("a", sa.Enum(*labels, name="mood"))


def check(text: str, **options: Any) -> Callable[[], sa.Constraint]:
    return lambda: sa.CheckConstraint(text, **options)


def foreign(**options: Any) -> Callable[[], sa.Constraint]:
    return lambda: sa.ForeignKeyConstraint(["a"], ["p.id"], **options)


def index(name: str, *keys: Any, **options: Any) -> Callable[[], sa.Index]:
    return lambda: sa.Index(name, *keys, **options)


A = col("a", sa.Integer)
S = col("a", sa.String(20))
PARENT = t(name="p")
WITH_PARENT = ("INSERT INTO p (id) VALUES (7)", *SEVEN)
NOW = sa.text("CURRENT_TIMESTAMP")


S_B = col("b", sa.String(20))


def named_index(*columns: str) -> Callable[[], sa.Index]:
    """An index that the naming convention names."""
    return lambda: sa.Index(None, *columns)


def renamed(new: str, old: str, type_: Any, *parts: Any, **options: Any) -> Callable[[], sa.Column[Any]]:
    """A column that had another name."""
    return col(new, type_, *parts, info={"renamed_from": old}, **options)


def exclusion(name: str) -> Callable[[], sa.Constraint]:
    return lambda: postgresql.ExcludeConstraint(("a", "="), name=name)


def numbered() -> sa.Column[Any]:
    """A column that counts by a sequence of its own."""
    numbers = sa.Sequence("numbers", start=5)
    return sa.Column("b", sa.Integer, numbers, server_default=numbers.next_value(), info={"renamed_from": "a"})


def referring(**options: Any) -> Define:
    return both(PARENT, t(A, foreign(**options)))


CASES: dict[str, Case] = {
    # Columns.
    "a column": case(t(), t(A), ONE),
    "a required column with a default": case(t(), t(col("a", sa.Integer, nullable=False, server_default="3")), ONE),
    "a required column in an empty table": case(t(), t(col("a", sa.Integer, nullable=False))),
    "a column whose default is an expression": case(
        t(), t(col("a", sa.Integer, server_default=sa.text("(1 + 2)"))), ONE
    ),
    "a default in parentheses": case(t(), t(col("a", sa.REAL, nullable=False, server_default=sa.text("(0.5)"))), ONE),
    "a default that is now": case(t(), t(col("a", sa.DateTime, server_default=NOW)), ()),
    "a text default with quotes": case(t(), t(col("a", sa.String(9), server_default="it's :x %")), ONE),
    "a column with a comment": case(t(), t(col("a", sa.Integer, comment="it's")), ONE),
    "a computed column": case(t(A), t(A, col("b", sa.Integer, sa.Computed("a + 1", persisted=True))), SEVEN),
    "a virtual column": case(t(A), t(A, col("b", sa.Integer, sa.Computed("a + 1", persisted=False))), SEVEN),
    "another expression of a computed column": case(
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True))),
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 2", persisted=True))),
        SEVEN,
    ),
    "a column with a default becomes a computed one": case(
        t(A, col("b", sa.Integer, server_default="0")),
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True))),
        SEVEN,
        fits=False,
    ),
    "a computed column becomes a plain one": case(
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True))), t(A, col("b", sa.Integer)), SEVEN
    ),
    "a stored column becomes virtual": case(
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True))),
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=False))),
        SEVEN,
    ),
    "a column beside a computed one is made required": case(
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True))),
        t(col("a", sa.Integer, nullable=False), col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True))),
        SEVEN,
    ),
    "a column is made required": case(t(A), t(col("a", sa.Integer, nullable=False)), SEVEN),
    "a column that holds NULL is made required": case(t(A), t(col("a", sa.Integer, nullable=False)), ONE, fits=False),
    "a default is changed": case(
        t(col("a", sa.Integer, server_default="1")), t(col("a", sa.Integer, server_default="2")), SEVEN
    ),
    "a default is added": case(t(A), t(col("a", sa.Integer, server_default="2")), SEVEN),
    "default, comment and NOT NULL at once": case(
        t(col("a", sa.Integer, comment="c", server_default="1")),
        t(col("a", sa.Integer, comment="d", server_default="2", nullable=False)),
        SEVEN,
    ),
    "type, default and comment at once": case(
        t(col("a", sa.Integer, comment="c", server_default="1")),
        t(col("a", sa.BigInteger, comment="d", server_default="2", nullable=False)),
        SEVEN,
    ),
    "a comment of a column": case(t(A), t(col("a", sa.Integer, comment="it's 100% :x")), SEVEN),
    "a comment of a computed column": case(
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True))),
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True), comment="c")),
        SEVEN,
    ),
    "a comment of a table": case(t(A), t(A, comment="it's 100% :x"), SEVEN),
    "comments of a new table": case(t(), both(t(), t(col("a", sa.Integer, comment="c"), name="u", comment="t")), ONE),
    # Types.
    "a longer text": case(t(S), t(col("a", sa.String(40))), WORD),
    "a text without length": case(t(S), t(col("a", sa.Text)), WORD),
    "a shorter text that fits": case(t(S), t(col("a", sa.String(9))), WORD),
    "a shorter text that does not fit": case(
        t(S), t(col("a", sa.String(3))), ("INSERT INTO t (id, a) VALUES (1, 'abcdef')",), fits=False
    ),
    "a bigger integer": case(t(A), t(col("a", sa.BigInteger)), SEVEN),
    "a bigger decimal": case(t(col("a", sa.Numeric(6, 2))), t(col("a", sa.Numeric(12, 4))), SEVEN),
    "an integer becomes a text": case(t(A), t(S), SEVEN),
    "a text becomes an integer": case(t(S), t(A), ("INSERT INTO t (id, a) VALUES (1, '7')",)),
    "a word becomes no integer": case(t(S), t(A), WORD, fits=False),
    "a text becomes a moment": case(
        t(S), t(col("a", sa.DateTime)), ("INSERT INTO t (id, a) VALUES (1, '2024-02-29 12:30:00')",), fits=False
    ),
    "a moment becomes a day": case(
        t(col("a", sa.DateTime)), t(col("a", sa.Date)), ("INSERT INTO t (id, a) VALUES (1, '2024-02-29 00:00:00')",)
    ),
    "a boolean becomes an integer": case(t(col("a", sa.Boolean)), t(A), ("INSERT INTO t (id, a) VALUES (1, true)",)),
    "an integer becomes a boolean": case(t(A), t(col("a", sa.Boolean)), ("INSERT INTO t (id, a) VALUES (1, 1)",)),
    "a boolean becomes bytes": case(t(col("a", sa.Boolean)), t(col("a", sa.LargeBinary)), (), fits=False),
    "a text becomes JSON": case(
        t(col("a", sa.Text)), t(col("a", sa.JSON)), ("INSERT INTO t (id, a) VALUES (1, '{}')",)
    ),
    "a type under an index and a check": case(
        t(A, check("a > 0", name="ck"), index("ix", "a")),
        t(col("a", sa.BigInteger), check("a > 0", name="ck"), index("ix", "a")),
        SEVEN,
    ),
    "a value of an enumeration": case(
        t(lambda: sa.Column("a", sa.Enum("x", "y", name="mood"))),
        t(lambda: sa.Column("a", sa.Enum("x", "y", "z", name="mood"))),
        WORD,
    ),
    "an enumeration loses a value": case(
        t(lambda: sa.Column("a", sa.Enum("x", "y", "z", name="mood"))),
        t(lambda: sa.Column("a", sa.Enum("x", "y", name="mood"))),
        WORD,
    ),
    "an enumeration gets other labels under all that names them": case(
        t(
            lambda: sa.Column("a", sa.Enum("x", "y", "z", name="mood"), server_default="x", nullable=False),
            lambda: sa.Column("b", postgresql.ARRAY(sa.Enum("x", "y", "z", name="mood"))),
            check("a <> 'y'", name="ck"),
            index("ix", "a", unique=True, postgresql_where=sa.text("a > 'x'")),
        ),
        t(
            lambda: sa.Column("a", sa.Enum("new", "y", "x", name="mood"), server_default="x", nullable=False),
            lambda: sa.Column("b", postgresql.ARRAY(sa.Enum("new", "y", "x", name="mood"))),
            check("a <> 'y'", name="ck"),
            index("ix", "a", unique=True, postgresql_where=sa.text("a > 'x'")),
        ),
        ("INSERT INTO t (id, a, b) VALUES (1, 'x', '{x,y}')",),
        PG,
    ),
    "an enumeration loses a value that a row holds": case(
        t(lambda: sa.Column("a", sa.Enum("x", "y", "z", name="mood"))),
        t(lambda: sa.Column("a", sa.Enum("y", "z", name="mood"))),
        WORD,
        PG,
        fits=False,
    ),
    "two values of an enumeration of two tables": case(
        both(t(lambda: sa.Column("a", sa.Enum("x", name="mood"))), t(moody("x"), name="u")),
        both(t(lambda: sa.Column("a", sa.Enum("v", "x", "y", name="mood"))), t(moody("v", "x", "y"), name="u")),
        WORD,
        PG,
    ),
    "an enumeration of a longer text": case(
        t(),
        t(lambda: sa.Column("a", sa.Enum("x", "y", name="mood", length=20))),
        ONE,
    ),
    "JSON becomes a new enumeration": case(
        t(col("a", postgresql.JSONB)), t(lambda: sa.Column("a", sa.Enum("x", "y", name="mood"))), ONE, PG
    ),
    "a text becomes an enumeration": case(t(S), t(lambda: sa.Column("a", sa.Enum("x", "y", name="mood"))), WORD),
    "a new enumeration": case(t(), t(lambda: sa.Column("a", sa.Enum("x", "it's", name="mood"))), ONE),
    "an enumeration by a check": case(
        t(), t(lambda: sa.Column("a", sa.Enum("x", "y", name="e", native_enum=False, create_constraint=True))), ONE
    ),
    # Constraints.
    "a unique constraint": case(t(A), t(A, unique("a", name="uq")), SEVEN),
    "a unique constraint without a name": case(t(A), t(A, unique("a")), SEVEN),
    "a unique column": case(t(A), t(col("a", sa.Integer, unique=True)), SEVEN),
    "a unique constraint by convention": case(convention(t(A)), convention(t(A, unique("a"))), SEVEN),
    "a unique constraint over duplicates": case(
        t(A), t(A, unique("a", name="uq")), (*SEVEN, "INSERT INTO t (id, a) VALUES (2, 7)"), fits=False
    ),
    "a unique constraint over other columns": case(
        t(A, col("b", sa.Integer), unique("a", name="uq")),
        t(A, col("b", sa.Integer), unique("a", "b", name="uq")),
        SEVEN,
    ),
    "another table's index has the name of a unique constraint over other columns": case(
        both(t(A, S_B, unique("a", name="uq")), t(A, index("uq", "a"), name="u")),
        both(t(A, S_B, unique("a", "b", name="uq")), t(A, index("uq", "a"), name="u")),
        SEVEN,
        LITE,
    ),
    "a unique constraint with other columns": case(
        t(A), t(A, unique("a", name="uq", postgresql_include=["id"])), SEVEN, PG
    ),
    "a unique constraint over NULLs": case(
        t(A), t(A, unique("a", name="uq", postgresql_nulls_not_distinct=True)), SEVEN, PG
    ),
    "a unique constraint gets other NULLs": case(
        t(A, unique("a", name="uq")), t(A, unique("a", name="uq", postgresql_nulls_not_distinct=True)), SEVEN, PG
    ),
    "a unique constraint without a name gets other NULLs": case(
        t(A, unique("a", postgresql_nulls_not_distinct=True)), t(A, unique("a")), SEVEN, PG
    ),
    "a deferred unique constraint": case(
        t(A), t(A, unique("a", name="uq", deferrable=True, initially="DEFERRED")), SEVEN, PG
    ),
    "a unique constraint becomes deferrable": case(
        t(A, unique("a", name="uq")), t(A, unique("a", name="uq", deferrable=True)), SEVEN, PG
    ),
    "a unique constraint with a conflict clause": case(
        t(A), t(A, unique("a", name="uq", sqlite_on_conflict="REPLACE")), SEVEN, LITE
    ),
    "a conflict clause is added": case(
        t(A, unique("a", name="uq")), t(A, unique("a", name="uq", sqlite_on_conflict="REPLACE")), SEVEN, LITE
    ),
    "a conflict clause without a name is taken away": case(
        t(A, unique("a", sqlite_on_conflict="REPLACE")), t(A, unique("a")), SEVEN, LITE
    ),
    "a unique constraint with a conflict clause goes": case(
        t(A, unique("a", name="uq", sqlite_on_conflict="REPLACE")), t(A), SEVEN, LITE
    ),
    "a deferred foreign key goes": case(
        both(PARENT, t(A, foreign(name="fk", deferrable=True, initially="DEFERRED"))),
        both(PARENT, t(A)),
        WITH_PARENT,
        LITE,
        PG,
    ),
    "a check": case(t(A), t(A, check("a > 0", name="ck")), SEVEN),
    "a check without a name": case(t(A), t(A, check("a > 0")), SEVEN),
    "a check by convention": case(convention(t(A)), convention(t(A, check("a > 0", name="positive"))), SEVEN),
    "a check that rows break": case(t(A), t(A, check("a > 10", name="ck")), SEVEN, fits=False),
    "another check": case(t(A, check("a > 0", name="ck")), t(A, check("a > 1", name="ck")), SEVEN),
    "a foreign key": case(both(PARENT, t(A)), referring(name="fk"), WITH_PARENT),
    "a foreign key without a name": case(both(PARENT, t(A)), referring(), WITH_PARENT),
    "a foreign key by convention": case(convention(both(PARENT, t(A))), convention(referring()), WITH_PARENT),
    "a foreign key with actions": case(
        both(PARENT, t(A)), referring(name="fk", ondelete="SET NULL", onupdate="CASCADE"), WITH_PARENT
    ),
    "a deferred foreign key": case(
        both(PARENT, t(A)), referring(name="fk", deferrable=True, initially="DEFERRED"), WITH_PARENT, LITE, PG
    ),
    "a foreign key that rows break": case(both(PARENT, t(A)), referring(name="fk"), SEVEN, fits=False),
    "another action of a foreign key": case(
        referring(name="fk"), referring(name="fk", ondelete="CASCADE"), WITH_PARENT
    ),
    "a foreign key with a new column": case(both(PARENT, t()), referring(name="fk"), ONE),
    "a foreign key and its table": case(t(A), referring(name="fk"), ()),
    "an exclusion constraint": case(
        t(col("a", postgresql.INT4RANGE)),
        t(col("a", postgresql.INT4RANGE), lambda: postgresql.ExcludeConstraint(("a", "&&"), name="ex")),
        ("INSERT INTO t (id, a) VALUES (1, '[1,2)')",),
        PG,
    ),
    "an exclusion constraint of a new table": case(
        t(),
        both(
            t(),
            t(col("a", postgresql.INT4RANGE), lambda: postgresql.ExcludeConstraint(("a", "&&"), name="ex"), name="u"),
        ),
        ONE,
        PG,
    ),
    "a comment of a constraint": case(
        t(A, check("a > 0", name="ck")), t(A, check("a > 0", name="ck", comment="it's")), SEVEN, PG
    ),
    "a comment of a new table's constraint": case(
        t(), both(t(), t(A, unique("a", name="uq", comment="c"), name="u")), ONE, PG
    ),
    # Indexes.
    "an index": case(t(A), t(A, index("ix", "a")), SEVEN),
    "a unique index": case(t(A), t(A, index("ix", "a", unique=True)), SEVEN),
    "an index becomes unique": case(t(A, index("ix", "a")), t(A, index("ix", "a", unique=True)), SEVEN),
    "an index downwards": case(t(A), t(A, index("ix", sa.text("a DESC"))), SEVEN),
    "an index over an expression": case(t(S), t(S, index("ix", sa.text("lower(a)"))), WORD, LITE, PG),
    "a partial index": case(
        t(A), t(A, index("ix", "a", sqlite_where=sa.text("a > 0"), postgresql_where=sa.text("a > 0"))), SEVEN, LITE, PG
    ),
    "an index over other rows": case(
        t(A, index("ix", "a", sqlite_where=sa.text("a > 0"), postgresql_where=sa.text("a > 0"))),
        t(A, index("ix", "a", sqlite_where=sa.text("a > 1"), postgresql_where=sa.text("a > 1"))),
        SEVEN,
        LITE,
        PG,
    ),
    "an index with other columns": case(t(A), t(A, index("ix", "a", postgresql_include=["id"])), SEVEN, PG),
    "an index of a class": case(t(S), t(S, index("ix", "a", postgresql_ops={"a": "varchar_pattern_ops"})), WORD, PG),
    "an index with parameters": case(t(A), t(A, index("ix", "a", postgresql_with={"fillfactor": 50})), SEVEN, PG),
    "parameters of an index": case(
        t(A, index("ix", "a")), t(A, index("ix", "a", postgresql_with={"fillfactor": 50})), SEVEN, PG
    ),
    "an index of another method": case(t(A), t(A, index("ix", "a", postgresql_using="hash")), SEVEN, PG),
    "an index over a prefix": case(t(S), t(S, index("ix", "a", mysql_length=3, mariadb_length=3)), WORD, MARIA),
    "a full text index": case(
        t(S), t(S, index("ix", "a", mysql_prefix="FULLTEXT", mariadb_prefix="FULLTEXT")), WORD, MARIA
    ),
    # Tables.
    "a new table": case(t(), both(t(), t(A, index("ix", "a"), unique("a", name="uq"), name="u")), ONE),
    "a new table with a computed column": case(
        t(), both(t(), t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True)), name="u")), ONE
    ),
    "two new tables that refer to each other": case(
        t(),
        both(
            t(),
            t(A, lambda: sa.ForeignKeyConstraint(["a"], ["v.id"], name="fk_u", use_alter=True), name="u"),
            t(A, lambda: sa.ForeignKeyConstraint(["a"], ["u.id"], name="fk_v"), name="v"),
        ),
        ONE,
        PG,
        MARIA,
    ),
    "a new table of its own convention": case(
        convention(t()), convention(both(t(), t(A, check("a > 0", name="pos"), unique("a"), name="u"))), ONE
    ),
    "a table is renamed": case(t(A), t(A, name="u", info={"renamed_from": "t"}), SEVEN),
    "a table with constraints is renamed": case(
        t(A, unique("a", name="uq"), index("ix", "a")),
        t(A, unique("a", name="uq"), index("ix", "a"), name="u", info={"renamed_from": "t"}),
        SEVEN,
    ),
    "a table is renamed under a convention": case(
        convention(t(A)), convention(t(A, name="u", info={"renamed_from": "t"})), SEVEN
    ),
    "a table that refers to itself is renamed under a convention": case(
        convention(t(A, lambda: sa.ForeignKeyConstraint(["a"], ["t.id"], ondelete="CASCADE"))),
        convention(
            t(
                A,
                lambda: sa.ForeignKeyConstraint(["a"], ["u.id"], ondelete="CASCADE"),
                name="u",
                info={"renamed_from": "t"},
            )
        ),
        ("INSERT INTO t (id, a) VALUES (7, 7)",),
    ),
    "foreign keys to a table that is renamed come and go": case(
        both(PARENT, t(A, foreign(name="fk")), t(A, name="u")),
        both(
            t(name="q", info={"renamed_from": "p"}),
            t(A),
            t(A, lambda: sa.ForeignKeyConstraint(["a"], ["q.id"], name="fk_u"), name="u"),
            t(A, lambda: sa.ForeignKeyConstraint(["a"], ["q.id"], name="fk_v"), name="v"),
        ),
        WITH_PARENT,
    ),
    "a table is renamed and changed": case(t(A), t(S, name="u", info={"renamed_from": "t"}), SEVEN),
    "a table is renamed, and much of it": case(
        both(PARENT, t(A, S_B, check("a > 0", name="ck"), index("ix", "a"), unique("b", name="uq"))),
        both(
            t(name="q", info={"renamed_from": "p"}),
            t(
                lambda: sa.Column("c", sa.BigInteger, nullable=False, server_default="1", info={"renamed_from": "a"}),
                col("b", sa.String(40), comment="b"),
                col("d", sa.Integer, lambda: sa.ForeignKey("q.id", name="fk_d")),
                col("e", sa.Integer, lambda: sa.ForeignKey("u.id", name="fk_e")),
                check("c > 0", name="ck"),
                index("ix d", "d"),
                unique("c", "b", name="uq"),
                name="u",
                comment="u",
                info={"renamed_from": "t"},
            ),
        ),
        ("INSERT INTO p (id) VALUES (7)", "INSERT INTO t (id, a, b) VALUES (1, 7, 'x')"),
    ),
    "a renamed table loses a column, and gets a new neighbour": case(
        t(A, S_B),
        both(
            t(A, name="u", info={"renamed_from": "t"}),
            t(A, lambda: sa.ForeignKeyConstraint(["a"], ["u.id"], name="fk"), name="v"),
        ),
        SEVEN,
    ),
    "a table with constraints is renamed under a convention": case(
        convention(both(PARENT, t(A, S_B, foreign(), unique("a"), check("a > 0", name="pos"), named_index("b")))),
        convention(
            both(
                PARENT,
                t(
                    A,
                    S_B,
                    foreign(),
                    unique("a"),
                    check("a > 0", name="pos"),
                    named_index("b"),
                    name="u",
                    info={"renamed_from": "t"},
                ),
            )
        ),
        WITH_PARENT,
    ),
    "a column is renamed": case(t(A), t(lambda: sa.Column("b", sa.Integer, info={"renamed_from": "a"})), SEVEN),
    "a required column with default and comment is renamed": case(
        t(col("a", sa.Integer, nullable=False, server_default="1", comment="c")),
        t(
            lambda: sa.Column(
                "b", sa.Integer, nullable=False, server_default="1", comment="c", info={"renamed_from": "a"}
            )
        ),
        SEVEN,
    ),
    "a column is renamed and changed": case(
        t(A), t(lambda: sa.Column("b", sa.BigInteger, nullable=False, info={"renamed_from": "a"})), SEVEN
    ),
    "a column is renamed and widened": case(
        t(col("a", sa.Numeric(5, 2), nullable=False, server_default="1.5"), index("ix", "a")),
        t(
            lambda: sa.Column("b", sa.Numeric(7, 2), server_default="2.5", comment="c", info={"renamed_from": "a"}),
            index("ix", "b"),
        ),
        SEVEN,
    ),
    "a column under an index is renamed": case(
        t(A, index("ix", "a"), unique("a", name="uq")),
        t(lambda: sa.Column("b", sa.Integer, info={"renamed_from": "a"}), index("ix", "b"), unique("b", name="uq")),
        SEVEN,
    ),
    "a column with constraints is renamed under a convention": case(
        convention(both(PARENT, t(A, S_B, foreign(), unique("a"), check("a > 0", name="pos")))),
        convention(
            both(
                PARENT,
                t(
                    renamed("c", "a", sa.Integer),
                    S_B,
                    lambda: sa.ForeignKeyConstraint(["c"], ["p.id"]),
                    unique("c"),
                    check("c > 0", name="pos"),
                ),
            )
        ),
        WITH_PARENT,
    ),
    "a table and its column are renamed under a convention": case(
        convention(t(A, S_B, unique("a"), unique("b"))),
        convention(
            t(renamed("c", "a", sa.Integer), S_B, unique("c"), unique("b"), name="u", info={"renamed_from": "t"})
        ),
        SEVEN,
    ),
    "a column whose name needs quotes is renamed under a check": case(
        t(
            col("order", sa.Integer),
            lambda: sa.CheckConstraint(sa.column("order") > 0, name="ck"),
            lambda: sa.CheckConstraint(sa.column("order") < 100),
        ),
        t(
            renamed("Part of", "order", sa.Integer),
            lambda: sa.CheckConstraint(sa.column("Part of") > 1, name="ck"),
            lambda: sa.CheckConstraint(sa.column("Part of") < 100),
        ),
        ("INSERT INTO t (id) VALUES (1)",),
    ),
    "two checks without names are on a renamed column": case(
        t(A, check("a > 0"), check("a < 100")),
        t(renamed("c", "a", sa.Integer), check("c > 0"), check("c < 100")),
        SEVEN,
    ),
    "a check moves to a new column": case(
        t(A, check("a > 0", name="ck")), t(A, col("b", sa.Integer), check("b > 0", name="ck")), SEVEN
    ),
    "a check moves to a new column from one that goes": case(
        t(A, S_B, check("a > 0", name="ck")), t(S_B, col("c", sa.Integer), check("c > 0", name="ck")), SEVEN
    ),
    # SQLite.
    "a column beside collations and AUTOINCREMENT is changed": case(
        t(A, col("b", sa.String(9, collation="NOCASE")), sqlite_autoincrement=True),
        t(col("a", sa.String(9)), col("b", sa.String(9, collation="NOCASE")), sqlite_autoincrement=True),
        SEVEN,
        LITE,
    ),
    "a column of a STRICT table is changed": case(
        t(A, sqlite_strict=True), t(col("a", sa.Text), sqlite_strict=True), SEVEN, LITE
    ),
    "a column of a table WITHOUT ROWID is changed": case(
        t(A, sqlite_with_rowid=False), t(S, sqlite_with_rowid=False), SEVEN, LITE
    ),
    "a table becomes STRICT": case(t(A), t(A, sqlite_strict=True), SEVEN, LITE),
    "a table becomes one WITHOUT ROWID": case(t(A), t(A, sqlite_with_rowid=False), SEVEN, LITE),
    "a key counts on": case(t(A), t(A, sqlite_autoincrement=True), SEVEN, LITE),
    "a required column ignores conflicts": case(
        t(),
        t(col("a", sa.Integer, nullable=False, server_default="0", sqlite_on_conflict_not_null="IGNORE")),
        ONE,
        LITE,
    ),
    "a table counts no more, and is STRICT no more": case(
        t(A, sqlite_autoincrement=True, sqlite_strict=True), t(A), SEVEN, LITE
    ),
    "a conflict clause of a required column and of the key": case(
        t(col("a", sa.Integer, nullable=False)),
        lambda metadata: sa.Table(
            "t",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True, sqlite_on_conflict_primary_key="REPLACE"),
            sa.Column("a", sa.Integer, nullable=False, sqlite_on_conflict_not_null="IGNORE"),
        ),
        SEVEN,
        LITE,
    ),
    "a required column with a conflict clause and no default": case(
        t(), t(col("a", sa.Integer, nullable=False, sqlite_on_conflict_not_null="IGNORE")), (), LITE
    ),
    "a column with a conflict clause is renamed and allows NULL": case(
        t(col("a", sa.Integer, nullable=False, server_default="0", sqlite_on_conflict_not_null="IGNORE")),
        t(renamed("b", "a", sa.Integer, server_default="0", sqlite_on_conflict_not_null="IGNORE")),
        SEVEN,
        LITE,
    ),
    "a conflict clause of a column that is made required": case(
        t(A), t(col("a", sa.Integer, nullable=False, sqlite_on_conflict_not_null="FAIL")), SEVEN, LITE
    ),
    "a key that takes NULL": case(
        t(),
        both(
            t(),
            lambda metadata: sa.Table("u", metadata, sa.Column("id", sa.String(9), primary_key=True, nullable=True)),
        ),
        ONE,
        LITE,
    ),
    "a column that ignores conflicts allows NULL": case(
        t(col("a", sa.Integer, nullable=False, server_default="0", sqlite_on_conflict_not_null="IGNORE")),
        t(col("a", sa.Integer, server_default="0", sqlite_on_conflict_not_null="IGNORE")),
        SEVEN,
        LITE,
    ),
    "a column that ignores conflicts becomes a computed one of a table WITHOUT ROWID": case(
        t(A, col("b", sa.Integer, nullable=False, server_default="0", sqlite_on_conflict_not_null="IGNORE")),
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=True)), sqlite_with_rowid=False),
        (),
        LITE,
    ),
    "a column that ignores conflicts goes": case(
        t(A, col("b", sa.Integer, nullable=False, server_default="0", sqlite_on_conflict_not_null="IGNORE")),
        t(A),
        SEVEN,
        LITE,
    ),
    "another collation": case(t(S), t(col("a", sa.String(20, collation="NOCASE"))), WORD, LITE),
    "a column beside a conflict clause is changed": case(
        t(A, col("b", sa.Integer, nullable=False, server_default="0", sqlite_on_conflict_not_null="IGNORE")),
        t(S, col("b", sa.Integer, nullable=False, server_default="0", sqlite_on_conflict_not_null="IGNORE")),
        SEVEN,
        LITE,
    ),
    # PostgreSQL.
    "an identity": case(t(), t(col("a", sa.Integer, lambda: sa.Identity(start=5))), ONE, PG),
    "an identity with options goes": case(
        t(A, col("b", sa.Integer, lambda: sa.Identity(start=10, increment=5))), t(A), SEVEN, PG
    ),
    "a column goes under an exclusion constraint": case(
        t(A, col("b", sa.Integer), lambda: postgresql.ExcludeConstraint(("b", "="), name="ex")), t(A), SEVEN, PG
    ),
    "a plain column becomes an identity": case(
        t(col("a", sa.Integer, nullable=False)), t(col("a", sa.Integer, lambda: sa.Identity(always=True))), SEVEN, PG
    ),
    "options of an identity": case(
        t(col("a", sa.Integer, lambda: sa.Identity(start=5))),
        t(col("a", sa.Integer, lambda: sa.Identity(always=True, start=5, increment=2))),
        ONE,
        PG,
    ),
    "another expression of a virtual column beside a check": case(
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 1", persisted=False)), check("a > 0", name="ck")),
        t(A, col("b", sa.Integer, lambda: sa.Computed("a + 2", persisted=False)), check("a > 0", name="ck")),
        SEVEN,
        PG,
    ),
    "a key that counts itself becomes an identity": case(
        t(A),
        lambda metadata: sa.Table("t", metadata, sa.Column("id", sa.Integer, sa.Identity(), primary_key=True), A()),
        SEVEN,
        PG,
    ),
    "a counted key grows": case(
        t(A), lambda metadata: sa.Table("t", metadata, sa.Column("id", sa.BigInteger, primary_key=True), A()), SEVEN
    ),
    "a sequence": case(
        t(),
        lambda metadata: sa.Table(
            "t",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("a", sa.Integer, seq := sa.Sequence("numbers", start=5), server_default=seq.next_value()),
        ),
        ONE,
        PG,
    ),
    "an identity becomes a text": case(
        t(col("a", sa.Integer, sa.Identity)), t(col("a", sa.String(20), nullable=False)), (), PG
    ),
    "an identity becomes a text that may be NULL": case(t(col("a", sa.Integer, sa.Identity)), t(S), (), PG),
    "a column becomes a new domain": case(
        t(A), t(col("a", postgresql.DOMAIN("positive", sa.BigInteger(), check="VALUE > 0"))), SEVEN, PG
    ),
    "an interval with fields goes": case(t(A, col("b", postgresql.INTERVAL(fields="DAY TO SECOND"))), t(A), SEVEN, PG),
    "a renamed column counts by a new sequence": case(t(A), t(numbered), SEVEN, PG),
    "a sequence that no column counts by any more": case(t(A, numbered), t(A, col("b", sa.Integer)), SEVEN, PG),
    "a table that goes holds the name of an exclusion constraint": case(
        t(A, exclusion("ex"), name="u"), t(A, exclusion("ex")), (), PG
    ),
    "a key that counts becomes a text": case(
        lambda metadata: sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True)),
        lambda metadata: sa.Table("t", metadata, sa.Column("id", sa.String(20), primary_key=True)),
        (),
        PG,
    ),
    "the key of an UNLOGGED table that counts becomes a text": case(
        lambda metadata: sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True), prefixes=["UNLOGGED"]),
        lambda metadata: sa.Table(
            "t", metadata, sa.Column("id", sa.String(20), primary_key=True), prefixes=["UNLOGGED"]
        ),
        (),
        PG,
    ),
    "a required column with a comment becomes a bigger one beside writers, under a deferred constraint": case(
        t(
            col("a", sa.Integer, nullable=False, server_default="1", comment="c"),
            unique("a", name="uq", deferrable=True, initially="DEFERRED", comment="u"),
        ),
        t(
            col("a", sa.BigInteger, nullable=False, server_default="2", comment="c"),
            unique("a", name="uq", deferrable=True, initially="DEFERRED", comment="u"),
        ),
        SEVEN,
        PG,
    ),
    "a required column with a default and a comment goes, with its constraint": case(
        t(
            A,
            col("b", sa.Integer, nullable=False, server_default="1", comment="c"),
            unique("b", name="uq", postgresql_nulls_not_distinct=True, comment="u"),
        ),
        t(A),
        SEVEN,
        PG,
    ),
    "a check without a name that the server spells its own way goes with its column": case(
        t(A, S_B, check("b > 'x' OR b IS NULL")), t(A, col("c", sa.Integer), check("c > 0 OR c IS NULL")), SEVEN, PG
    ),
    "an array with a comment is renamed and made required": case(
        t(col("a", postgresql.ARRAY(sa.Integer), comment="c")),
        t(renamed("b", "a", postgresql.ARRAY(sa.Integer), nullable=False, comment="c")),
        (),
        PG,
    ),
    "a column that refers to a table is renamed with it": case(
        both(PARENT, t(A, foreign(name="fk"))),
        both(
            t(name="q", info={"renamed_from": "p"}),
            t(renamed("b", "a", sa.Integer), lambda: sa.ForeignKeyConstraint(["b"], ["q.id"], name="fk")),
        ),
        WITH_PARENT,
        PG,
    ),
    "a text of a length has no default any more": case(
        t(col("a", sa.String(60), server_default="x")), t(col("a", sa.String(60))), SEVEN, PG
    ),
    "a text becomes a domain that has a default": case(
        t(S, index("ix", "a")), t(col("a", postgresql.DOMAIN("label", sa.String(30), default="new"))), WORD, PG
    ),
    "a column of a domain that has a default is renamed": case(
        t(col("a", postgresql.DOMAIN("label", sa.String(30), default="new"))),
        t(renamed("b", "a", postgresql.DOMAIN("label", sa.String(30), default="new"))),
        WORD,
        PG,
    ),
    "two exclusion constraints that are one": case(
        t(A, exclusion("ex"), exclusion("ey")), t(A, S_B, exclusion("ex"), exclusion("ey")), SEVEN, PG
    ),
    "a domain": case(t(), t(col("a", postgresql.DOMAIN("positive", sa.Integer(), check="VALUE > 0"))), ONE, PG),
    "a domain of a new table": case(
        t(), both(t(), t(col("a", postgresql.DOMAIN("positive", sa.Integer(), check="VALUE > 0")), name="u")), ONE, PG
    ),
    "a new UNLOGGED table": case(
        t(), both(t(), t(col("a", sa.Integer, comment="c"), index("ix", "a"), name="u", prefixes=["UNLOGGED"])), ONE, PG
    ),
    "a table becomes UNLOGGED": case(t(A), t(A, prefixes=["UNLOGGED"]), SEVEN, PG),
    "a new table with parameters": case(t(), both(t(), t(A, name="u", postgresql_with={"fillfactor": 70})), ONE, PG),
    "parameters of a table": case(t(A), t(A, postgresql_with={"fillfactor": 70}), SEVEN, PG),
    "an array": case(t(), t(col("a", postgresql.ARRAY(sa.Integer), server_default="{}")), ONE, PG),
    "a moment gets a zone": case(
        t(col("a", sa.DateTime)),
        t(col("a", sa.DateTime(timezone=True))),
        ("INSERT INTO t (id, a) VALUES (1, '2024-02-29 12:30:00')",),
        PG,
        fits=False,
    ),
    "another collation on PostgreSQL": case(t(S), t(col("a", sa.String(20, collation="C"))), WORD, PG),
    # MariaDB.
    "columns beside an indexed virtual column": case(
        t(A, S_B, col("d", sa.Integer, lambda: sa.Computed("a + 1", persisted=False)), index("ix", "d")),
        t(
            A,
            col("b", sa.String(20), nullable=False, server_default="x"),
            col("d", sa.Integer, lambda: sa.Computed("a + 1", persisted=False)),
            col("c", sa.Integer),
            index("ix", "d"),
        ),
        ("INSERT INTO t (id, a, b) VALUES (1, 7, 'y')",),
        MARIA,
    ),
    "another character set beside a column that is renamed and made required": case(
        t(A, S_B),
        t(renamed("c", "a", sa.Integer, nullable=False), col("b", sa.String(20)), mariadb_default_charset="latin1"),
        SEVEN,
        MARIA,
    ),
    "a unique constraint that serves a foreign key goes": case(
        both(PARENT, t(A, foreign(name="fk"), unique("a", name="uq"))), referring(name="fk"), WITH_PARENT, MARIA
    ),
    "a foreign key that the server named goes": case(referring(), both(PARENT, t(A)), WITH_PARENT, MARIA),
    "another action of a foreign key that the server named": case(
        referring(), referring(ondelete="CASCADE"), WITH_PARENT, MARIA
    ),
    "a foreign key that the server names follows one that goes with its column": case(
        referring(),
        both(PARENT, t(col("b", sa.Integer), lambda: sa.ForeignKeyConstraint(["b"], ["p.id"]))),
        WITH_PARENT,
        MARIA,
    ),
    "a table that goes holds the name of a foreign key": case(
        both(PARENT, t(A, foreign(name="fk"))), both(PARENT, t(A, foreign(name="fk"), name="u")), WITH_PARENT, MARIA
    ),
    "another table's foreign key goes and gives its name": case(
        both(PARENT, t(A, foreign(name="fk"))),
        both(PARENT, t(A), t(A, foreign(name="fk"), name="u")),
        WITH_PARENT,
        MARIA,
    ),
    "a column is made required, and gets a default and a comment": case(
        t(col("a", mysql.SET("x", "y"))),
        t(col("a", mysql.SET("x", "y"), nullable=False, server_default="x", comment="c")),
        (),
        MARIA,
    ),
    "a moment that is updated is made required": case(
        t(col("a", sa.TIMESTAMP, server_default=sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"))),
        t(
            col(
                "a",
                sa.TIMESTAMP,
                nullable=False,
                server_default=sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"),
            )
        ),
        ONE,
        MARIA,
    ),
    "a unique index and a constraint that are one, of a table that is renamed under a convention": case(
        convention(t(A, index("ix", "a", unique=True), unique("a", name="uq"), check("a > 0", name="pos"))),
        convention(
            t(
                A,
                index("ix", "a", unique=True),
                unique("a", name="uq"),
                check("a > 0", name="pos"),
                name="u",
                info={"renamed_from": "t"},
            )
        ),
        SEVEN,
    ),
    "a foreign key that the server named goes from a unique column": case(
        both(PARENT, t(A, foreign(), unique("a", name="uq"))),
        both(PARENT, t(A, unique("a", name="uq"))),
        WITH_PARENT,
        MARIA,
    ),
    "an index of a named method beside that of a foreign key": case(
        referring(name="fk"),
        both(PARENT, t(A, foreign(name="fk"), index("ix", "a", mysql_using="hash", mariadb_using="hash"))),
        WITH_PARENT,
        MARIA,
    ),
    "an unsigned integer": case(t(), t(col("a", mysql.INTEGER(unsigned=True))), ONE, MARIA),
    "an integer becomes unsigned": case(t(A), t(col("a", mysql.INTEGER(unsigned=True))), SEVEN, MARIA),
    "a moment that is updated": case(
        t(),
        t(col("a", sa.DateTime, server_default=sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"))),
        (),
        MARIA,
    ),
    "a moment is no longer updated": case(
        t(col("a", sa.DateTime, server_default=sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"))),
        t(col("a", sa.DateTime, server_default=NOW)),
        (),
        MARIA,
    ),
    "a comment of a moment that is updated": case(
        t(col("a", sa.DateTime, server_default=sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"))),
        t(col("a", sa.DateTime, comment="c", server_default=sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"))),
        (),
        MARIA,
    ),
    "a value of an ENUM": case(t(col("a", mysql.ENUM("x", "y"))), t(col("a", mysql.ENUM("x", "y", "z"))), WORD, MARIA),
    "a value of a SET": case(t(col("a", mysql.SET("x", "y"))), t(col("a", mysql.SET("x", "y", "z"))), WORD, MARIA),
    "a comment of an ENUM": case(
        t(col("a", mysql.ENUM("x", "y"), nullable=False, server_default="x")),
        t(col("a", mysql.ENUM("x", "y"), nullable=False, server_default="x", comment="c")),
        WORD,
        MARIA,
    ),
    "a column of another collation": case(t(S), t(col("a", sa.String(20, collation="utf8mb4_bin"))), WORD, MARIA),
    "a column with a collation": case(t(), t(col("a", sa.String(20, collation="utf8mb4_bin"))), ONE, MARIA),
    "a new table of another character set": case(
        t(), both(t(), t(S, name="u", mysql_default_charset="latin1", mariadb_default_charset="latin1")), ONE, MARIA
    ),
    "a table of another collation": case(
        t(S),
        t(
            S,
            mysql_charset="utf8mb4",
            mysql_collate="utf8mb4_bin",
            mariadb_charset="utf8mb4",
            mariadb_collate="utf8mb4_bin",
        ),
        WORD,
        MARIA,
    ),
    "a table of another character set": case(
        t(S, col("b", sa.String(9, collation="utf8mb4_bin")), col("c", sa.JSON)),
        t(S, col("b", sa.String(9, collation="utf8mb4_bin")), col("c", sa.JSON), mariadb_default_charset="latin1"),
        WORD,
        MARIA,
    ),
    "options of a table": case(
        t(A), t(A, mariadb_engine="MyISAM", mariadb_stats_persistent="1", mariadb_max_rows="1000"), SEVEN, MARIA
    ),
    "a table gets partitions": case(t(A), t(A, mariadb_partition_by="HASH(id)", mariadb_partitions="4"), SEVEN, MARIA),
    "a table of another row format": case(
        t(A), t(A, mysql_row_format="COMPACT", mariadb_row_format="COMPACT"), SEVEN, MARIA
    ),
    "more places of a second": case(
        t(col("a", mysql.DATETIME(fsp=3), server_default=sa.text("CURRENT_TIMESTAMP(3)"))),
        t(col("a", mysql.DATETIME(fsp=6), server_default=sa.text("CURRENT_TIMESTAMP(6)"))),
        (),
        MARIA,
    ),
}


def _marks(dialect: str) -> list[pytest.MarkDecorator]:
    return {PG: [pytest.mark.postgres], MARIA: [pytest.mark.mariadb]}.get(dialect, [])


def _by_day(dialect: str, name: str) -> bool:
    """What is the same on all databases is tried on SQLite and, two in three, on a server; at night on all."""
    return CASES[name].dialects != DIALECTS or dialect in (LITE, (PG, MARIA, LITE)[zlib.crc32(name.encode()) % 3])


PARAMETERS = [
    pytest.param(dialect, name, id=f"{dialect}-{name}", marks=_marks(dialect))
    for dialect in DIALECTS
    for name, one in CASES.items()
    if dialect in one.dialects and (NIGHTLY or _by_day(dialect, name))
]


@pytest.mark.parametrize(("dialect", "name"), PARAMETERS)
def test_the_ways_lead_to_one_schema(places_of: PlacesOf, dialect: str, name: str) -> None:
    proof = prove(places_of(dialect), CASES[name].pair)
    assert not proof.wrong, str(proof)
    assert not proof.unlike, str(proof)
