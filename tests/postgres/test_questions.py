"""Questions about rows: the right answers, few statements, and none that holds anybody up."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.risk.facts import FactKind, Question
from framework_m_migrations.domain.schema import TableName
from tests._postgres import PostgresDatabase
from tests.postgres.support import DRIVERS, connected, counted, ddl, inspector, run

T, EMPTY, PARENT = TableName("select"), TableName("empty"), TableName("parent")
SETUP = (
    'CREATE TABLE "select" ("Na me" text, n int, flag bool, bits bit varying, j json)',
    "CREATE TABLE empty (id int)",
    "CREATE TABLE parent (id int PRIMARY KEY)",
    "INSERT INTO parent VALUES (1), (2)",
    """INSERT INTO "select" VALUES ('größe', 1, true, B'10101', '{}'), ('größe', 2, false, NULL, '{}'), (NULL, 3, true,
       NULL, NULL), (NULL, 3, true, NULL, NULL)""",
)
ANSWERS: list[tuple[Question, int]] = [
    (Question(FactKind.HAS_ROWS, T), 1),
    (Question(FactKind.HAS_ROWS, EMPTY), 0),
    (Question(FactKind.NULLS, T, ("Na me",)), 1),
    (Question(FactKind.NULLS, T, ("n",)), 0),
    (Question(FactKind.DUPLICATES, T, ("Na me",)), 1),
    (Question(FactKind.DUPLICATES, T, ("Na me", "n")), 0),
    (Question(FactKind.DUPLICATES, T, ("n",)), 1),
    (Question(FactKind.DUPLICATES, T, ("n",), "flag = false"), 0),
    (Question(FactKind.DUPLICATES, T, ("n",), '"Na me" IS NULL OR n < 0'), 1),
    (Question(FactKind.LONGEST, T, ("Na me",)), 5),
    (Question(FactKind.LONGEST, EMPTY, ("id",)), 0),
    (Question(FactKind.LONGEST, T, ("bits",)), 5),
    (Question(FactKind.VIOLATIONS, T, (), "n < 3"), 1),
    (Question(FactKind.VIOLATIONS, T, (), "\"Na me\" LIKE 'gr%' OR n = 100 % 7"), 0),
    (Question(FactKind.ORPHANS, T, ("n",), None, PARENT, ("id",)), 1),
    (Question(FactKind.ORPHANS, PARENT, ("id",), None, T, ("n",)), 0),
    (Question(FactKind.DUPLICATES, T, ("new",), assuming=(("new", "integer", "7"),)), 1),
    (Question(FactKind.DUPLICATES, T, ("new",), assuming=(("new", "integer", "NULL"),)), 0),
    (Question(FactKind.VIOLATIONS, T, (), "new <> 'it''s'", assuming=(("new", "character varying(9)", "'it''s'"),)), 1),
    (Question(FactKind.ORPHANS, T, ("new",), None, PARENT, ("id",), (("new", "integer", "2"),)), 0),
    (Question(FactKind.ORPHANS, T, ("new",), None, PARENT, ("id",), (("new", "integer", "5"),)), 1),
]
UNANSWERABLE = [
    Question(FactKind.DUPLICATES, T, ("j",)),
    Question(FactKind.NULLS, T, ("missing",)),
    Question(FactKind.HAS_ROWS, TableName("missing")),
    Question(FactKind.VIOLATIONS, T, (), "syntax error here"),
    Question(FactKind.ORPHANS, T, ("n",), None, TableName("missing"), ("id",)),
    Question(FactKind.DUPLICATES, T, ("new",), assuming=(("new", "no_such_type", "'a'"),)),
]


@pytest.mark.parametrize("driver", DRIVERS)
def test_answers(postgres_database: PostgresDatabase, driver: str) -> None:
    def check(connection: sa.Connection) -> None:
        ddl(connection, *SETUP)
        reader = inspector(connection)
        expected = dict(ANSWERS)
        with counted(connection) as sent:
            assert dict(reader.ask(expected)) == expected
        assert len(sent) <= 4
        assert dict(reader.ask([*expected, *UNANSWERABLE])) == expected
        assert dict(reader.ask([])) == {}
        # In the caller's transaction too, which stays usable.
        connection.rollback()
        connection.exec_driver_sql("INSERT INTO empty VALUES (1)")
        question = Question(FactKind.HAS_ROWS, EMPTY)
        assert reader.ask([question, *UNANSWERABLE])[question] == 1

    run(postgres_database, check, driver)


def test_in_a_schema_of_its_own(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(connection, 'CREATE SCHEMA "My Tenant"', 'CREATE TABLE "My Tenant".t (id int)', "CREATE TABLE t (id int)")
        ddl(connection, "INSERT INTO t VALUES (1)")
        question = Question(FactKind.HAS_ROWS, TableName("t"))
        assert inspector(connection, "My Tenant").ask([question])[question] == 0
        assert inspector(connection).ask([question])[question] == 1


def test_a_slow_question_is_given_up(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection:
        ddl(connection, *SETUP)
        slow = Question(FactKind.VIOLATIONS, PARENT, (), "pg_sleep(20) IS NOT NULL")
        quick = [question for question, _ in ANSWERS]
        facts = inspector(connection, probe_timeout=0.4).ask([*quick, slow])
        assert slow not in facts
        assert dict(facts) == dict(ANSWERS)
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "0"


def test_a_locked_table_is_not_waited_for(postgres_database: PostgresDatabase) -> None:
    with connected(postgres_database) as connection, connected(postgres_database) as other:
        ddl(connection, *SETUP)
        other.exec_driver_sql("LOCK TABLE parent IN ACCESS EXCLUSIVE MODE")
        locked, free = Question(FactKind.HAS_ROWS, PARENT), Question(FactKind.HAS_ROWS, T)
        assert dict(inspector(connection, probe_timeout=0.3).ask([locked, free])) == {free: 1}
