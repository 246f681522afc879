"""The ledger's notes about columns whose rows wait for values, and the key that the rows are gone through by."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import LedgerCorrupt
from framework_m_migrations.domain.filling import Batch, Fill, closed, key_of, opened, pending, state_key
from framework_m_migrations.domain.schema import Column, Index, IndexKey, PrimaryKey, Table, TableName
from tests.unit.domain.build import column, index, table, unique

T = TableName("t", "s")
FILL = Fill(T, "b", after="17", done=2000, changed=1500, by=("id",))


def test_a_note_is_read_as_it_was_written_and_is_nobody_elses() -> None:
    notes = [FILL, replace(FILL, table=TableName("t")), replace(FILL, column="c", after=None, written=True, by=())]
    state = {"catalog_token": "x", **{fill.key: fill.dump() for fill in notes}}
    assert len(state) == 4
    assert pending(state) == {(fill.table, fill.column): fill for fill in notes}
    assert {len(fill.key) for fill in notes} == {45}
    assert all(fill.key.startswith("fill:") for fill in notes)
    assert replace(FILL, after=None, done=0).key == FILL.key
    assert json.loads(FILL.dump()) == {
        "table": ["s", "t"], "column": "b", "by": ["id"],
        "after": "17", "done": 2000, "changed": 1500, "written": False,
    }  # fmt: skip
    assert Fill(T, "\ud800").key != Fill(T, "\ud801").key


@pytest.mark.parametrize(
    "damage",
    [
        {"table": ["s", "other"]},
        {"table": ["t"]},
        {"table": [5, "t"]},
        {"table": [None, 5]},
        {"column": "c"},
        {"column": 5},
        {"after": 17},
        {"done": "2000"},
        {"done": 2.5},
        {"changed": None},
        {"written": 1},
        {"written": "no"},
        {"by": [5]},
        {"by": None},
        {"more": 1},
        None,
        "no json",
        "[]",
        "5",
        "[" * 100_000,
    ],
)
def test_a_note_that_is_damaged_is_told_and_never_guessed(damage: dict[str, object] | str | None) -> None:
    text = damage if isinstance(damage, str) else json.dumps({**json.loads(FILL.dump()), **(damage or {})})
    if damage is None:
        text = json.dumps({name: value for name, value in json.loads(FILL.dump()).items() if name != "done"})
    with pytest.raises(
        LedgerCorrupt, match=f"entry {FILL.key} about a column to be filled cannot be read: .+"
    ) as caught:
        pending({FILL.key: text})
    assert caught.value.details == {"entry": FILL.key}


def test_a_note_moves_with_each_batch_and_begins_anew_along_another_key() -> None:
    assert FILL.moved(Batch(1000, 900, "42")) == replace(FILL, after="42", done=3000, changed=2400)
    assert FILL.moved(Batch(0, 0, None)) == FILL
    assert FILL.along(("id",)) == FILL
    assert FILL.along(("code",)) == replace(FILL, by=("code",), after=None)


A, B = column("a", nullable=False), column("b")


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ({}, ("id",)),
        ({"primary_key": None}, ()),
        ({"primary_key": PrimaryKey(("a", "id"))}, ("a", "id")),
        ({"primary_key": None, "uniques": (unique("b"), unique("a", "b"), unique("a"))}, ("a",)),
        ({"primary_key": None, "uniques": (unique("gone"),)}, ()),
        ({"primary_key": None, "indexes": (index("i", "a"),)}, ()),
        ({"primary_key": None, "indexes": (index("i", "a", unique=True),)}, ("a",)),
        ({"primary_key": None, "indexes": (index("i", "a", unique=True, valid=False),)}, ()),
        ({"primary_key": None, "indexes": (index("i", "a", unique=True, where="a > 0"),)}, ()),
        ({"primary_key": None, "indexes": (Index("i", (IndexKey(None, "a + 1"),), unique=True),)}, ()),
    ],
)
def test_rows_are_gone_through_by_what_tells_them_apart_and_has_no_null(
    parts: dict[str, object], names: tuple[str, ...]
) -> None:
    made: Table = replace(table("t", A, B), **parts)  # type: ignore[arg-type]
    assert [one.name for one in key_of(made)] == list(names)


def test_a_column_in_stages_opens_a_note_and_its_not_null_closes_it() -> None:
    staged: Column = replace(B, default="gen()")
    key = Fill(T, "b").key
    assert opened([o.AddColumn(T, staged, staged=True), o.AddColumn(T, A)]) == {key: Fill(T, "b").dump()}
    assert closed([o.ValidateNotNull(T, staged), o.SetNotNull(T, A), o.AddColumn(T, staged, staged=True)]) == {
        key: None
    }


def test_a_note_under_its_own_key_with_a_schema_that_is_no_name_is_told() -> None:
    values = {**json.loads(FILL.dump()), "table": [5, FILL.table.name]}
    key = state_key(TableName(FILL.table.name, 5), FILL.column)  # type: ignore[arg-type]
    with pytest.raises(LedgerCorrupt):
        pending({key: json.dumps(values)})
