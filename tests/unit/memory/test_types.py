from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.risk.facts import TypeChange
from framework_m_migrations.domain.schema import TableName
from tests.fakes.memory import enum_type, memory_type
from tests.fakes.memory.types import coerce, compare_types

SPELLINGS = ["integer", "bigint", "smallint", "text", "string", "string(5)", "string(50)", "decimal", "decimal(6,2)",
             "decimal(8,2)", "decimal(8,4)", "float", "boolean", "date", "datetime", "uuid", "json"]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "spelling"),
    [("VARCHAR(50)", "string(50)"), ("numeric( 10 , 2 )", "decimal(10,2)"), ("decimal(10)", "decimal(10,0)"),
     ("INT", "integer"), ("Bool", "boolean"), ("character varying(3)", "string(3)"), ("money", "money")],
)  # fmt: skip
def test_types_have_one_spelling(written: str, spelling: str) -> None:
    assert memory_type(written).spelling == spelling
    assert memory_type(spelling) == memory_type(written)


@pytest.mark.parametrize("written", ["", "5", "string(", "string(x)", "a; b"])
def test_what_is_no_type_is_refused(written: str) -> None:
    with pytest.raises(DatabaseError):
        memory_type(written)


@pytest.mark.parametrize("before", SPELLINGS)
@pytest.mark.parametrize("after", SPELLINGS)
def test_equal_means_equal(before: str, after: str) -> None:
    change = compare_types(memory_type(before), memory_type(after))
    assert (change is TypeChange.EQUAL) == (before == after)


def test_an_enumeration_is_like_nothing_else() -> None:
    tier = enum_type(TableName("tier"))
    assert compare_types(tier, tier) is TypeChange.EQUAL
    assert compare_types(tier, memory_type("text")) is TypeChange.INCOMPATIBLE


@given(st.sampled_from(SPELLINGS), st.sampled_from(SPELLINGS), st.integers(0, 10**7), st.integers(0, 10**4))
def test_a_safe_change_of_type_takes_every_value(before: str, after: str, whole: int, fraction: int) -> None:
    old, new = memory_type(before), memory_type(after)
    change = compare_types(old, new)
    if change not in {TypeChange.WIDENING, TypeChange.REWRITE} or old.base in {"json", "boolean", "uuid"}:
        return
    raw: object = Decimal(whole) + Decimal(fraction).scaleb(-4) if old.base in {"decimal", "float"} else whole
    if old.base in {"date", "datetime"}:
        raw = dt.datetime.fromisoformat("2024-01-01") + dt.timedelta(minutes=whole)
    try:
        value = coerce(raw, old)
    except DatabaseError:
        return
    kept = coerce(value, new)
    if change is TypeChange.WIDENING or new.base == "decimal":
        assert kept == value


@pytest.mark.parametrize(
    ("value", "kind"),
    [("abcdef", "string(5)"), ("x", "integer"), ("x", "decimal(6,2)"), (Decimal(10000), "decimal(6,2)"),
     ("maybe", "boolean"), ("x", "date"), ("x", "uuid"), ("NaN", "decimal(6,2)")],
)  # fmt: skip
def test_what_does_not_fit_is_refused(value: object, kind: str) -> None:
    with pytest.raises(DatabaseError):
        coerce(value, memory_type(kind))


def test_null_fits_every_type() -> None:
    assert [coerce(None, memory_type(kind)) for kind in SPELLINGS] == [None] * len(SPELLINGS)
