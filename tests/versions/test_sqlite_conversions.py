"""Every pair of types: values come through exactly as they should, or the revision says how many would be lost."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from framework_m_migrations.domain.errors import ValuesWouldBeLost
from tests.versions.support import Apps, Bench

A1 = "aaaaaaaaaaa1"

TYPES = {
    "text": "sa.Text()",
    "integer": "sa.Integer()",
    "numeric": "sa.Numeric(10, 2)",
    "real": "sa.Float()",
    "boolean": "sa.Boolean()",
    "date": "sa.Date()",
    "datetime": "sa.DateTime()",
    "time": "sa.Time()",
    "blob": "sa.LargeBinary()",
    "json": "sa.JSON()",
    "uuid": "sa.Uuid()",
}
DECLARED = {
    "text": "TEXT",
    "integer": "INTEGER",
    "numeric": "NUMERIC(10, 2)",
    "real": "FLOAT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "datetime": "DATETIME",
    "time": "TIME",
    "blob": "BLOB",
    "json": "JSON",
    "uuid": "CHAR(32)",
}
HEX = "0123456789abcdef0123456789abcdef"
DASHED = "01234567-89ab-cdef-0123-456789abcdef"
NUMBERS = {"numeric", "real", "integer"}
MIDNIGHT, MOMENT, HOUR = "2020-01-02 00:00:00.000000", "2020-01-02 03:04:05.000006", "03:04:05.000006"

VALUES: dict[str, dict[Any, dict[str, Any]]] = {
    # Of each type values, with what they become; what is missing is lost.
    "text": {
        "5": {"integer": 5, "numeric": 5, "real": 5.0, "blob": b"5", "json": 5},
        "007": {"blob": b"007"},
        " 7": {"blob": b" 7"},
        "1e3": {"blob": b"1e3"},
        "12.50": {"numeric": 12.5, "real": 12.5, "blob": b"12.50", "json": 12.5},
        "12345678901234567890": {"blob": b"12345678901234567890"},
        "0.12345678901234567890123": {"blob": b"0.12345678901234567890123"},
        "1": {"integer": 1, "numeric": 1, "real": 1.0, "boolean": 1, "blob": b"1", "json": 1},
        "true": {"boolean": 1, "blob": b"true", "json": "true"},
        "2020-01-02": {"date": "2020-01-02", "datetime": MIDNIGHT, "blob": b"2020-01-02"},
        "2020-02-30": {"blob": b"2020-02-30"},
        "2020-01-02T03:04:05": {"datetime": "2020-01-02 03:04:05.000000", "blob": b"2020-01-02T03:04:05"},
        "2020-01-02 03:04:05+01:00": {"blob": b"2020-01-02 03:04:05+01:00"},
        MIDNIGHT: {"date": "2020-01-02", "datetime": MIDNIGHT, "blob": MIDNIGHT.encode()},
        "03:04:05.5": {"time": "03:04:05.500000", "blob": b"03:04:05.5"},
        "25:00:00": {"blob": b"25:00:00"},
        "": {"blob": b""},
        "größe": {"blob": "größe".encode()},
        '{"a": 1}': {"json": '{"a": 1}', "blob": b'{"a": 1}'},
        '"x"': {"json": '"x"', "blob": b'"x"'},
        DASHED: {"uuid": HEX, "blob": DASHED.encode()},
        HEX.upper(): {"uuid": HEX, "blob": HEX.upper().encode()},
    },
    "integer": {
        0: {"text": "0", "numeric": 0, "real": 0.0, "boolean": 0, "blob": b"0", "json": 0},
        -7: {"text": "-7", "numeric": -7, "real": -7.0, "blob": b"-7", "json": -7},
        2**53 + 1: {
            "text": "9007199254740993",
            "numeric": 2**53 + 1,
            "blob": b"9007199254740993",
            "json": 2**53 + 1,
        },
        "abc": {"text": "abc", "blob": b"abc"},
    },
    "numeric": {
        1.5: {"text": "1.5", "real": 1.5, "blob": b"1.5", "json": 1.5},
        3: {"text": "3", "integer": 3, "real": 3.0, "blob": b"3", "json": 3},
    },
    "real": {
        1.5: {"text": "1.5", "numeric": 1.5, "blob": b"1.5", "json": 1.5},
        2.0: {"text": "2.0", "integer": 2, "numeric": 2, "blob": b"2.0", "json": 2},
        0.1 + 0.2: {
            "text": "0.30000000000000004",
            "numeric": 0.1 + 0.2,
            "blob": b"0.30000000000000004",
            "json": 0.1 + 0.2,
        },
        1e300: {"text": "1.0e+300", "numeric": 1e300, "blob": b"1.0e+300", "json": 1e300},
    },
    "boolean": {
        0: {"text": "0", "integer": 0, "numeric": 0, "real": 0.0, "blob": b"0", "json": "false"},
        1: {"text": "1", "integer": 1, "numeric": 1, "real": 1.0, "blob": b"1", "json": "true"},
    },
    "date": {
        "2020-01-02": {"text": "2020-01-02", "datetime": MIDNIGHT, "blob": b"2020-01-02", "json": '"2020-01-02"'},
    },
    "datetime": {
        MOMENT: {"text": MOMENT, "blob": MOMENT.encode(), "json": f'"{MOMENT}"'},
        MIDNIGHT: {"text": MIDNIGHT, "date": "2020-01-02", "blob": MIDNIGHT.encode(), "json": f'"{MIDNIGHT}"'},
    },
    "time": {HOUR: {"text": HOUR, "blob": HOUR.encode(), "json": f'"{HOUR}"'}},
    "blob": {
        b"5": {"text": "5", "integer": 5, "numeric": 5, "real": 5.0, "json": 5},
        b"2020-01-02": {"text": "2020-01-02", "date": "2020-01-02", "datetime": MIDNIGHT},
        b"\xff\x00": {},
        "größe".encode(): {},
        DASHED.encode(): {"text": DASHED, "uuid": HEX},
    },
    "json": {
        5: {"text": "5", "integer": 5, "numeric": 5, "real": 5.0, "blob": b"5"},
        "true": {"text": "true", "boolean": 1, "blob": b"true"},
        '"2020-01-02"': {
            "text": '"2020-01-02"',
            "date": "2020-01-02",
            "datetime": MIDNIGHT,
            "blob": b'"2020-01-02"',
        },
        f'"{DASHED}"': {"text": f'"{DASHED}"', "uuid": HEX, "blob": f'"{DASHED}"'.encode()},
        '{"a": "007"}': {"text": '{"a": "007"}', "blob": b'{"a": "007"}'},
    },
    "uuid": {HEX: {"text": DASHED, "blob": DASHED.encode(), "json": f'"{DASHED}"'}},
}


def change(apps: Apps, source: str, target: str, before: str = "pass") -> None:
    apps.revision(
        "wms",
        A1,
        f"""
        {before}
        with op.batch_alter_table("t") as batch_op:
            batch_op.alter_column("v", existing_type={TYPES[source]}, type_={TYPES[target]})
        """,
    )


def stored(bench: Bench) -> list[tuple[Any, ...]]:
    return bench.rows("SELECT id, v, typeof(v) FROM t ORDER BY id")


def fill(bench: Bench, source: str, values: list[Any]) -> None:
    bench.run(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {DECLARED[source]})", "INSERT INTO t VALUES (0, NULL)")
    with bench.connection.begin():
        for value in values:
            bench.connection.exec_driver_sql("INSERT INTO t (v) VALUES (?)", (value,))


PAIRS = list(itertools.permutations(TYPES, 2))


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_values_of_every_pair(sqlite_bench: Bench, apps: Apps, source: str, target: str) -> None:
    expected = {
        value: value if target == "text" and source == "text" else becomes.get(target)
        for value, becomes in VALUES[source].items()
    }
    kept = [value for value, becomes in expected.items() if becomes is not None]
    fill(sqlite_bench, source, kept)
    change(apps, source, target)
    sqlite_bench.track().upgrade(A1)
    found = [(row[1], type(row[1])) for row in stored(sqlite_bench)]
    assert found == [(None, type(None)), *((expected[value], type(expected[value])) for value in kept)]
    assert DECLARED[target] in sqlite_bench.rows("SELECT sql FROM sqlite_master WHERE name = 't'")[0][0]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_losses_of_every_pair(sqlite_bench: Bench, apps: Apps, source: str, target: str) -> None:
    lossy = [value for value, becomes in VALUES[source].items() if becomes.get(target) is None]
    if source == "numeric" and target == "integer":
        lossy = [1.5]
    if not lossy:
        pytest.fail("give VALUES one that is lost") if (source, target) not in LOSSLESS else None
        return
    fill(sqlite_bench, source, [*VALUES[source]])
    before = stored(sqlite_bench), sqlite_bench.rows("SELECT sql FROM sqlite_master")
    change(apps, source, target)
    with pytest.raises(
        ValuesWouldBeLost, match=rf"{len(lossy)} row(s hold values| holds a value) of t\.v that would be"
    ):
        sqlite_bench.track().upgrade(A1)
    assert (stored(sqlite_bench), sqlite_bench.rows("SELECT sql FROM sqlite_master WHERE name = 't'")) == before


LOSSLESS = {
    *((source, "text") for source in TYPES if source != "blob"),
    *((source, "blob") for source in TYPES),
    *((source, "json") for source in TYPES if source not in {"text", "blob", "integer"}),
    *((source, target) for source in ("numeric", "real", "boolean") for target in NUMBERS if target != "integer"),
    ("boolean", "integer"),
    ("date", "datetime"),
}
"""Pairs in which every sound value has a form."""


def test_a_conversion_of_ones_own_before_it(sqlite_bench: Bench, apps: Apps) -> None:
    fill(sqlite_bench, "text", ["007", "x"])
    own = "op.execute(\"UPDATE t SET v = CASE v WHEN 'x' THEN NULL ELSE CAST(v AS INTEGER) END\")"
    change(apps, "text", "integer", own)
    sqlite_bench.track().upgrade(A1)
    assert stored(sqlite_bench) == [(0, None, "null"), (1, 7, "integer"), (2, None, "null")]


def test_a_text_of_32_characters_is_no_uuid(sqlite_bench: Bench, apps: Apps) -> None:
    """CHAR(32) is what SQLAlchemy makes of a UUID, and of text of this length: the revision's type says which."""
    fill(sqlite_bench, "uuid", [HEX, "a hash of another kind"])
    apps.revision("wms", A1, 'op.alter_column("t", "v", existing_type=sa.CHAR(32), type_=sa.Text())')
    sqlite_bench.track().upgrade(A1)
    assert [row[1] for row in stored(sqlite_bench)] == [None, HEX, "a hash of another kind"]
