from __future__ import annotations

import pytest

from framework_m_migrations.adapters.sql.dialects.sqlite.types import affinity, compare_types, declared_type
from framework_m_migrations.domain.risk.facts import TypeChange


@pytest.mark.parametrize(
    ("text", "spelling", "base", "length", "precision", "scale"),
    [
        ("varchar ( 10 )", "VARCHAR(10)", "varchar", 10, None, None),
        ("Numeric(10,2)", "NUMERIC(10, 2)", "numeric", None, 10, 2),
        ("double   precision", "DOUBLE PRECISION", "double precision", None, None, None),
        ("my type (a, b)", "MY TYPE (A, B)", "my type (a, b)", None, None, None),
        ("", "", "", None, None, None),
    ],
)
def test_declared_texts(
    text: str, spelling: str, base: str, length: int | None, precision: int | None, scale: int | None
) -> None:
    found = declared_type(text)
    assert (found.spelling, found.base, found.length, found.precision, found.scale) == (
        spelling,
        base,
        length,
        precision,
        scale,
    )


def test_the_default_collation_is_not_told() -> None:
    assert declared_type("TEXT", "binary") == declared_type("TEXT")
    assert declared_type("TEXT", "nocase").spelling == "TEXT COLLATE NOCASE"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INT", "INTEGER"),
        ("POINT", "INTEGER"),
        ("CHARINT", "INTEGER"),
        ("VARCHAR(10)", "TEXT"),
        ("CLOB", "TEXT"),
        ("BLOB", "BLOB"),
        ("", "BLOB"),
        ("DOUBLE PRECISION", "REAL"),
        ("FLOAT", "REAL"),
        ("JSON", "NUMERIC"),
        ("DATETIME", "NUMERIC"),
        ("VARBINARY(10)", "NUMERIC"),
    ],
)
def test_affinities(text: str, expected: str) -> None:
    assert affinity(text) == expected


E, W, R, N, X = (
    TypeChange.EQUAL,
    TypeChange.WIDENING,
    TypeChange.REWRITE,
    TypeChange.NARROWING,
    TypeChange.INCOMPATIBLE,
)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("VARCHAR(10)", "VARCHAR(10)", E),
        ("INT", "INTEGER", E),
        ("BOOL", "BOOLEAN", E),
        ("DECIMAL(10, 2)", "NUMERIC(10, 2)", E),
        ("TIMESTAMP", "DATETIME", E),
        ("CHARACTER VARYING(9)", "VARCHAR(9)", E),
        ("VARCHAR(10)", "VARCHAR(140)", W),
        ("VARCHAR(140)", "VARCHAR(10)", N),
        ("VARCHAR(10)", "VARCHAR", W),
        ("VARCHAR", "VARCHAR(10)", N),
        ("VARCHAR(10)", "TEXT", W),
        ("TEXT", "VARCHAR(255)", N),
        ("TEXT", "VARCHAR", W),
        ("CHAR(10)", "VARCHAR(10)", W),
        ("VARCHAR(10)", "CHAR(10)", N),
        ("CHAR(32)", "VARCHAR(140)", X),
        ("VARCHAR(140)", "CHAR(32)", X),
        ("TEXT", "CHAR(32)", X),
        ("CHAR(32)", "CHAR(36)", W),
        ("SMALLINT", "INTEGER", W),
        ("INTEGER", "BIGINT", W),
        ("BIGINT", "INTEGER", N),
        ("INTEGER", "NUMERIC(10, 0)", W),
        ("INTEGER", "NUMERIC(10, 2)", N),
        ("BIGINT", "NUMERIC", W),
        ("INTEGER", "FLOAT", R),
        ("FLOAT", "DOUBLE", W),
        ("FLOAT", "INTEGER", X),
        ("FLOAT", "NUMERIC(10, 2)", N),
        ("NUMERIC(10, 2)", "FLOAT", N),
        ("NUMERIC(10, 2)", "INTEGER", N),
        ("NUMERIC(10, 2)", "NUMERIC(12, 2)", W),
        ("NUMERIC(10, 2)", "NUMERIC(12, 4)", W),
        ("NUMERIC(10, 2)", "NUMERIC(10, 4)", N),
        ("NUMERIC(10, 2)", "NUMERIC(12, 0)", N),
        ("NUMERIC(10, 2)", "NUMERIC", W),
        ("NUMERIC", "NUMERIC(10, 2)", N),
        ("DATE", "DATETIME", R),
        ("DATETIME", "DATE", N),
        ("DATE", "TIME", X),
        ("BOOLEAN", "INTEGER", X),
        ("INTEGER", "BOOLEAN", X),
        ("INTEGER", "TEXT", X),
        ("TEXT", "INTEGER", X),
        ("VARCHAR(10)", "DATE", X),
        ("JSON", "TEXT", X),
        ("TEXT", "JSON", X),
        ("BLOB", "TEXT", X),
        ("", "TEXT", X),
        ("VARBINARY(10)", "VARBINARY(20)", W),
        ("VARBINARY(20)", "VARBINARY(10)", N),
    ],
)
def test_changes(before: str, after: str, change: TypeChange) -> None:
    assert compare_types(declared_type(before), declared_type(after)) is change


def test_a_collation_orders_indexes() -> None:
    plain, folded = declared_type("VARCHAR(10)"), declared_type("VARCHAR(20)", "NOCASE")
    assert compare_types(plain, folded) is R
    assert compare_types(folded, plain) is N
    assert compare_types(declared_type("INTEGER"), declared_type("TEXT", "NOCASE")) is X


NAMES = ["VARCHAR(9)", "TEXT", "CHAR(32)", "INT", "INTEGER", "BIGINT", "NUMERIC(9, 2)", "FLOAT", "DATE", "DATETIME"]
NAMES += ["BOOLEAN", "JSON", "BLOB", "", "REAL", "TIME", "POINT", "DECIMAL", "SMALLINT", "CLOB", "VARBINARY(3)"]


@pytest.mark.parametrize("before", NAMES)
@pytest.mark.parametrize("after", NAMES)
def test_what_is_applied_to_rows_never_changes_how_they_are_stored_or_compared(before: str, after: str) -> None:
    """INTEGER and NUMERIC store and compare alike; nothing else may cross affinities."""
    if compare_types(declared_type(before), declared_type(after)) in {E, W}:
        alike = {"INTEGER": "NUMERIC"}
        kinds = [affinity(before), affinity(after)]
        assert len({alike.get(kind, kind) for kind in kinds}) == 1
