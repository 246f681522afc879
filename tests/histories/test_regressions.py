"""Histories that found something, each shortened to what it takes, and named after what was wrong."""

from __future__ import annotations

import pytest

from tests.histories.choices import Mutation
from tests.histories.conftest import MakeHistory

type Release = tuple[list[Mutation], list[int]] | tuple[list[Mutation], list[int], bool]

FIRST: Release = ([Mutation("add_table", 0, 0, 2, 1)], [])
CASES: dict[str, list[Release]] = {
    "a DocType whose change was withheld left no checksum, so that its table was no ghost when it went": [
        ([Mutation("add_table", 0, 0, 2, 1)], [0]),
        ([Mutation("add_reference", 5, 8, 7, 8)], []),
        ([Mutation("remove_table", 10, 8, 3, 7)], []),
    ],
    "a table declared as a former name was passed over where the new name existed": [
        FIRST,
        ([Mutation("add_table", 5, 9, 10, 4)], []),
        ([Mutation("rename_table", 11, 10, 2, 11)], []),
        ([Mutation("add_table", 8, 0, 2, 4), Mutation("add_table", 6, 4, 4, 9)], []),
        ([Mutation("rename_table", 7, 3, 10, 3)], []),
    ],
    "PostgreSQL refused another type under a foreign key that nobody wanted any more": [
        FIRST,
        ([Mutation("add_table", 5, 6, 4, 7), Mutation("add_reference", 10, 11, 8, 0)], []),
        ([Mutation("rename_table", 3, 1, 9, 10)], []),
        ([Mutation("add_table", 2, 6, 9, 11), Mutation("add_table", 8, 6, 7, 4)], []),
    ],
    "a reference over a new optional column was judged by the application's default": [
        ([Mutation("add_table", 0, 0, 2, 1)], [0]),
        ([Mutation("add_field", 3, 4, 5, 4), Mutation("add_reference", 9, 7, 5, 3)], []),
    ],
    "a default went while the NOT NULL that needed it was withheld": [
        FIRST,
        ([Mutation("redefault", how=1)], [0, 1]),
        ([Mutation("redefault"), Mutation("require")], []),
    ],
    "a check over a computed column of the same release was judged as if it held NULL": [
        ([Mutation("add_table", 0, 0, 2, 1)], [0]),
        ([Mutation("compute_field", 7, 5, 5, 5), Mutation("compute_field", 7, 8, 0, 5)], []),
        (
            [
                Mutation("compute_field", 2, 8, 5, 7),
                Mutation("add_field", 2, 10, 5, 1),
                Mutation("add_rule", 10, 5, 11, 5),
            ],
            [],
        ),
    ],
    "a rename made every column that is computed of the renamed one differ": [
        FIRST,
        ([Mutation("compute_field", 4, 4, 7, 11)], []),
        ([Mutation("rename_field", 10, 4, 6, 5)], []),
    ],
    "an unnamed unique constraint that SQLite keeps as an index was not told when nobody wanted it any more": [
        FIRST,
        ([Mutation("add_key", 6, 7, 9, 5)], []),
        ([Mutation("remove_key", 11, 9, 3, 7)], []),
        ([], [], True),
    ],
    "an enumeration named like a key word that may name a column, but no type": [
        FIRST,
        ([Mutation("label", 2), Mutation("add_field", 0, 3, 14, 2)], [0, 1]),
        ([Mutation("label", 2, how=1), Mutation("add_field", 0, 4, 14, 3)], [2]),
    ],
    "a column was dropped before the one that is computed of it": [
        FIRST,
        ([Mutation("compute_field", 6, 2, 9, 9)], [0]),
        ([Mutation("remove_field", 6, 10, 11, 3)], []),
        ([], [], True),
    ],
    "a new column with quotes in its name was not recognised in a check, which SQLite then took for one over a text": [
        FIRST,
        ([Mutation("add_table", 0, 11, 6), Mutation("add_table", 0, 5, 4, 11)], [59]),
        ([Mutation("add_field", 11, 4, 8), Mutation("add_rule", 5, 0, 11, 4)], []),
    ],
    "a column that --allow-drop dropped was told as withheld, as SQLite's statements for it were others by then": [
        ([Mutation("add_table", 0, 0, 2, 1)], [0]),
        ([Mutation("compute_field", 4, 10, 8, 9), Mutation("add_key", 11, 11, 6, 2)], []),
        ([Mutation("remove_field", 8, 10, 11)], [], True),
    ],
    "PostgreSQL prints a check by the type of its column, whose change waits": [
        FIRST,
        ([Mutation("add_rule")], [1, 39]),
        ([Mutation("retype", 0, 1, 7)], []),
    ],
    "an index over an expression differed by the quotes that its column's former name needed": [
        FIRST,
        ([Mutation("add_field", 5, 1, 0, 6), Mutation("lower_key", 1, 1, 10, 7)], []),
        ([Mutation("rename_field", 10, 3, 5, 7)], []),
    ],
    "a default that was taken away left a NULL with a type": [
        FIRST,
        ([Mutation("add_field", 3, 1, 5, 7), Mutation("add_field", 4, 6, 0, 3), Mutation("add_field", 1, 1, 0, 8)], []),
        ([Mutation("remove_field", 11, 10, 0, 10), Mutation("redefault", 2, 4, 4, 6)], []),
    ],
    "an index was made over a computed column that waited for another's type": [
        ([Mutation("add_table", 0, 0, 2, 1)], [0]),
        ([Mutation("add_field", 1, 5, 3, 11)], []),
        ([Mutation("compute_field", 3, 4, 10, 11), Mutation("retype", 10, 10, 11, 8)], [], True),
        ([Mutation("add_key", 2, 4, 1, 9)], []),
    ],
    "what was withheld before the drops was told when they had made something else of it: an index": [
        FIRST,
        ([Mutation("partial_key")], []),
        ([Mutation("rename_field"), Mutation("rename_field", pick=8)], [], True),
    ],
    "what was withheld before the drops was told when they had made something else of it: a check": [
        FIRST,
        ([Mutation("add_rule", 4, 3, how=8)], []),
        ([Mutation("rename_field", 4, 4, 2)], []),
        ([Mutation("forget_rename")], []),
        ([], [], True),
    ],
    "a check over a column whose type waits in one database only, as the tests did not know": [
        FIRST,
        ([Mutation("retype", 0, 2, 7, 2), Mutation("add_rule", 1, how=8)], []),
    ],
    "a foreign key without a name was dropped in PostgreSQL, which had given it one, and nowhere else": [
        FIRST,
        ([Mutation("add_reference")], []),
        ([Mutation("change_reference", how=1)], [], True),
        ([], [], True),
    ],
    "a column of a unique constraint of CREATE TABLE was dropped everywhere but in SQLite": [
        FIRST,
        ([Mutation("add_table", pick=1), Mutation("add_key", 1, how=11)], []),
        ([Mutation("remove_field", 1)], [], True),
        ([], [], True),
    ],
    "a column was computed of another one than before, which the tests did not see in SQLite": [
        FIRST,
        ([Mutation("compute_field", 0, 11)], [33]),
        ([Mutation("rename_field", 0, 2, 2)], []),
        ([Mutation("rename_field", 0, 2, 2)], []),
    ],
    "a column whose type waits in one database only was renamed, as the tests did not know": [
        FIRST,
        ([Mutation("retype", 0, 2, 7, 2), Mutation("add_rule", 1, how=8)], []),
        ([Mutation("rename_field", 0, 2, 2)], []),
    ],
    "a decimal default was another one to the tests where CREATE TABLE has it in quotes and sync has not": [
        FIRST,
        ([Mutation("add_table", pick=6)], []),
        ([Mutation("redefault", 1, how=4)], []),
    ],
    "the word TRUE as a default was another one than 1 to the tests": [
        FIRST,
        ([Mutation("add_table", 1, 3, 9, 11)], []),
        ([Mutation("redefault", 1, how=1)], []),
    ],
    "a unique constraint that SQLite has as an index was defined anew, which the tests took for something else": [
        FIRST,
        ([Mutation("add_key", 0, 11, 0, 2)], []),
        ([Mutation("change_key")], []),
    ],
    "a table was dropped everywhere but where a foreign key without a name cannot be dropped alone": [
        FIRST,
        ([Mutation("add_table", 0, 0, 5, 0), Mutation("add_reference", 1, 0, 0, 0)], []),
        ([Mutation("remove_table")], [], True),
        ([Mutation("return_table")], []),
    ],
    "an index whose predicate names a dropped column stayed in memory": [
        FIRST,
        ([Mutation("partial_key", pick=10)], []),
        ([Mutation("rename_field", on=10, pick=7)], []),
        ([Mutation("forget_rename")], [], True),
        ([], [], True),
    ],
    "an index goes with its column when that is renamed": [
        FIRST,
        ([Mutation("add_key", 1, 7, 7, 7)], []),
        ([Mutation("add_field", 6, 8, 10, 1)], []),
        ([Mutation("remove_key", 8, 10, 3, 4), Mutation("remove_field", 6, 10, 2, 5)], []),
        ([Mutation("rename_field", 0, 4, 11, 9)], []),
    ],
    "a unique constraint that only memory had on a computed column was defined anew": [
        ([Mutation("add_table", 0, 0, 2, 1)], [0]),
        ([Mutation("compute_field"), Mutation("add_key", 0, 11, 0, 2)], []),
        ([Mutation("change_key")], []),
    ],
    "a unique index that PostgreSQL could not have on a computed column was defined anew": [
        ([Mutation("add_table", 0, 0, 2, 1)], [0]),
        ([Mutation("compute_field", pick=4), Mutation("add_key", 0, 7, 2, 7)], []),
        ([Mutation("change_key")], []),
    ],
    "a check was declared under another name, and the one that stood for it was taken for surplus": [
        FIRST,
        ([Mutation("add_rule", 1, 0, 0, 11)], []),
        ([Mutation("change_rule"), Mutation("add_rule", 1, 0, 0, 11)], []),
    ],
    "an index on lower() of a renamed column has the pending type in its expression": [
        ([Mutation("add_table", 0, 0, 2, 1)], [0]),
        ([Mutation("lower_key", 0, 0, 11, 0)], [16]),
        (
            [
                Mutation("add_field", 0, 1, 0, 11),
                Mutation("add_rule", 0, 0, 0, 9),
                Mutation("add_field", 0, 9, 0, 11),
                Mutation("retype"),
            ],
            [45, 30, 41, 40],
        ),
        ([Mutation("rename_field", 8, 10, 0, 9)], [32, 21, 33, 10]),
    ],
    "a moment that became the application's default is written otherwise in SQLite": [
        FIRST,
        ([Mutation("add_table", 0, 0, 11, 2)], []),
        ([Mutation("redefault", 1, 0, 11, 5)], []),
    ],
    "an index stood on a column that a computed one keeps in SQLite, and was defined anew for another": [
        FIRST,
        ([Mutation("add_field", 0, 3, 6, 0)], []),
        ([Mutation("partial_key", 0, 1, 3, 3), Mutation("compute_field", 0, 5, 3, 5)], []),
        ([Mutation("rename_field", 0, 3, 11, 2), Mutation("rename_field", 0, 3, 11, 2)], [], True),
        ([], []),
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_a_history_that_once_failed(make_history: MakeHistory, case: str) -> None:
    history = make_history()
    for mutations, rows, *drop in CASES[case]:
        history.release(mutations, rows, drop=bool(drop))
