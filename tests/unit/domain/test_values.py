"""A class made quick is the same in every respect."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from dataclasses import dataclass, field
from typing import Any

import pytest

from framework_m_migrations.domain.schema import Column, ColumnType, Index, IndexKey
from framework_m_migrations.domain.values import quick

TEXT = ColumnType("TEXT")


def test_what_is_made_is_frozen_and_equal_to_its_like() -> None:
    column = Column("title", TEXT, nullable=False, native=object())
    assert column == Column("title", TEXT, False)
    assert hash(column) == hash(Column("title", TEXT, False))
    assert type(column) is Column
    assert (column.default, column.fill, column.volatile_default) == (None, None, False)
    with pytest.raises(dataclasses.FrozenInstanceError):
        column.name = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        _ = column.__dict__


def test_copies_and_changed_copies_are_frozen_too() -> None:
    index = Index("ix", (IndexKey("title"),), unique=True)
    for other in (copy.copy(index), pickle.loads(pickle.dumps(index)), dataclasses.replace(index, name="ix")):
        assert other == index
        assert type(other) is Index
        with pytest.raises(dataclasses.FrozenInstanceError):
            other.name = "other"  # type: ignore[misc]
    assert dataclasses.replace(index, name="iy") != index


def test_what_is_compared_is_what_the_dataclass_says() -> None:
    assert Column.__eq__(Column("title", TEXT), TEXT) is NotImplemented
    plain = Column("title", TEXT)
    for one in dataclasses.fields(Column):
        if one.name != "type":
            changes: dict[str, Any] = {one.name: "other"}
            assert (dataclasses.replace(plain, **changes) != plain) is one.compare, one.name
    assert dataclasses.replace(plain, type=ColumnType("INTEGER")) != plain
    assert dataclasses.replace(plain, type=ColumnType("TEXT", base="text", length=3)) == plain


def test_arguments_are_those_of_the_dataclass() -> None:
    assert list(inspect.signature(Column).parameters) == [one.name for one in dataclasses.fields(Column)]
    with pytest.raises(TypeError):
        Column("title")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Column("title", TEXT, colour="red")  # type: ignore[call-arg]


def test_what_it_cannot_do_is_refused() -> None:
    @dataclass(frozen=True, slots=True)
    class Lists:
        items: list[int] = field(default_factory=list)

    @dataclass(frozen=True, slots=True)
    class Checks:
        item: int

        def __post_init__(self) -> None:
            raise AssertionError

    for one in (Lists, Checks):
        with pytest.raises(TypeError, match="quick"):
            quick(one)
