"""Questions about rows, answered by a real database."""

from __future__ import annotations

from pathlib import Path

import pytest

from framework_m_migrations.domain.risk.facts import FactKind, Question
from framework_m_migrations.domain.schema import TableName
from tests.sqlite._helpers import DIALECT, connected, script

T, P, EMPTY = TableName("the \"table's"), TableName("p"), TableName("empty")
SETUP = """
CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT COLLATE NOCASE);
CREATE TABLE empty (a);
CREATE TABLE "the ""table's" ("a b" INT, code TEXT COLLATE NOCASE, big TEXT, p INT, q INT, "NULL" INT NOT NULL);
INSERT INTO p VALUES (1, 'x'), (2, 'Y');
INSERT INTO "the ""table's" VALUES (1, 'X', 'größe', 1, 1, 0), (2, 'x', 'a', 2, 9, 0), (NULL, 'y', NULL, NULL, NULL, 0);
"""


def ask(question: Question, path: Path) -> int | None:
    with connected(path) as connection:
        inspector = DIALECT.inspector(connection, schema=None, ignored=frozenset())
        return inspector.ask([question]).get(question)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "q.db"
    script(path, SETUP)
    return path


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (Question(FactKind.HAS_ROWS, T), 1),
        (Question(FactKind.HAS_ROWS, EMPTY), 0),
        (Question(FactKind.HAS_ROWS, TableName("missing")), None),
        (Question(FactKind.NULLS, T, ("a b",)), 1),
        (Question(FactKind.NULLS, T, ("code",)), 0),
        (Question(FactKind.NULLS, T, ("NULL",)), 0),
        (Question(FactKind.NULLS, T, ("missing",)), None),
        (Question(FactKind.DUPLICATES, T, ("code",)), 1),
        (Question(FactKind.DUPLICATES, T, ("code", "a b")), 0),
        (Question(FactKind.DUPLICATES, T, ("a b",)), 0),
        (Question(FactKind.DUPLICATES, T, ("missing",)), None),
        (Question(FactKind.DUPLICATES, T, ("code",), '"a b" = 1'), 0),
        (Question(FactKind.DUPLICATES, T, ("code",), '"a b" IN (1, 2)'), 1),
        (Question(FactKind.LONGEST, T, ("big",)), 5),
        (Question(FactKind.LONGEST, EMPTY, ("a",)), 0),
        (Question(FactKind.VIOLATIONS, T, detail='"a b" > 0'), 0),
        (Question(FactKind.VIOLATIONS, T, detail='"a b" > 1'), 1),
        (Question(FactKind.VIOLATIONS, T, detail="missing > 1"), None),
        (Question(FactKind.VIOLATIONS, T, detail="broken ( "), None),
        (Question(FactKind.ORPHANS, T, ("p",), None, P, ("id",)), 0),
        (Question(FactKind.ORPHANS, T, ("q",), None, P, ("id",)), 1),
        (Question(FactKind.ORPHANS, T, ("p", "code"), None, P, ("id", "code")), 1),
        (Question(FactKind.ORPHANS, T, ("code",), None, P, ("code",)), 0),
        (Question(FactKind.ORPHANS, T, ("p",), None, TableName("to be made"), ("id",)), 1),
        (Question(FactKind.ORPHANS, EMPTY, ("a",), None, TableName("to be made"), ("id",)), 0),
    ],
    ids=str,
)
def test_answers(question: Question, answer: int | None, path: Path) -> None:
    assert ask(question, path) == answer


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (Question(FactKind.DUPLICATES, T, ("new",), assuming=(("new", "INTEGER", "5"),)), 1),
        (Question(FactKind.DUPLICATES, T, ("new", "a b"), assuming=(("new", "INTEGER", "5"),)), 0),
        (Question(FactKind.DUPLICATES, T, ("new",), assuming=(("new", "INTEGER", "NULL"),)), 0),
        (Question(FactKind.VIOLATIONS, T, detail="length(new) = 2", assuming=(("new", "VARCHAR(9)", "10"),)), 0),
        (Question(FactKind.VIOLATIONS, T, detail="json_valid(new)", assuming=(("new", "JSON", "'{}'"),)), 0),
        (Question(FactKind.VIOLATIONS, T, detail="new > '2020'", assuming=(("new", "DATE", "'2024-01-01'"),)), 0),
        (Question(FactKind.VIOLATIONS, T, detail="new = 'A'", assuming=(("new", "TEXT COLLATE NOCASE", "'a'"),)), 0),
        (Question(FactKind.VIOLATIONS, T, detail="new = 'A'", assuming=(("new", "TEXT", "'a'"),)), 1),
        (Question(FactKind.ORPHANS, T, ("new",), None, P, ("id",), assuming=(("new", "INTEGER", "2"),)), 0),
        (Question(FactKind.ORPHANS, T, ("new",), None, P, ("id",), assuming=(("new", "INTEGER", "3"),)), 1),
        (Question(FactKind.ORPHANS, T, ("new",), None, P, ("id",), assuming=(("new", "INTEGER", "NULL"),)), 0),
        (Question(FactKind.NULLS, T, ('n"w',), assuming=(('n"w', "", "NULL"), ("b", "BLOB", "x'00'"))), 1),
    ],
    ids=str,
)
def test_answers_about_columns_that_are_not_there_yet(question: Question, answer: int, path: Path) -> None:
    assert ask(question, path) == answer
