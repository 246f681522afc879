"""The guard: nothing destructive passes, and nothing else is held up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine.default import DefaultDialect

from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.sqlite import SqliteDialect
from framework_m_migrations.adapters.sql.guard import Lexical, destructive_word, refuse_destruction, words
from framework_m_migrations.domain.errors import DropRefused

POSTGRESQL, SQLITE = (one.lexical(DefaultDialect()) for one in (PostgresqlDialect(), SqliteDialect()))
BOTH = (POSTGRESQL, SQLITE)


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE a",
        "drop\ttable a",
        "ALTER TABLE a DROP COLUMN b",
        "ALTER TABLE a ALTER COLUMN b DROP DEFAULT",
        "CREATE TABLE a (b int); DROP TABLE c",
        "CREATE TABLE a (b text DEFAULT 'it''s'); DROP TABLE c",
        "SELECT 'a' DROP",
        "SELECT '\\'; DROP TABLE a; --'",
        "SELECT 1 /* comment */ DROP TABLE a",
        "SELECT 1 -- comment\nDROP TABLE a",
        "SELECT 'never ends DROP TABLE a",
        'SELECT "never ends DROP TABLE a',
        "SELECT 1 /* never ends DROP TABLE a",
        "SELECT 1DROP TABLE a",
        "TRUNCATE a",
        "DELETE FROM a",
        "DELETE /* x */ FROM a",
        "WITH x AS (SELECT 1) DELETE FROM a",
        "MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE",
        "ALTER TABLE a RENAME TO b",
        'ALTER TABLE "a" RENAME COLUMN "b" TO "c"',
        "ALTER TABLE a RENAME b TO c",
        "UPDATE a SET b = 1",
        "UPDATE a SET b = 1 WHERE c IS NULL",
        'UPDATE "a" SET "b" = "b" WHERE "b" IS (1); UPDATE "a" SET "b" = 2',
        "WITH x AS (SELECT 1) UPDATE a SET b = 1",
        "CREATE TABLE a (b int); UPDATE a SET b = 1",
    ],
)
def test_what_destroys_is_refused(sql: str, dialect: Lexical) -> None:
    with pytest.raises(DropRefused):
        refuse_destruction(sql, dialect)


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE a (b text DEFAULT 'DROP TABLE a')",
        "CREATE TABLE a (b text DEFAULT 'it''s; DROP TABLE a')",
        'CREATE TABLE "drop" ("drop" text, "a""drop" text)',
        "CREATE TABLE dropped (drop_at date, airdrop text)",
        "CREATE TABLE a (rename int, updated int)",
        "CREATE TABLE a (b timestamp DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
        """UPDATE "main".sqlite_master SET sql = 'x' WHERE type = 'table' AND name = 'a'""",
        'UPDATE "main"."a" SET "b" = "b" WHERE "b" IS (1)',
        '/* 100 rows at a time */ UPDATE a SET "b" = now() WHERE "b" IS NULL',
        "CREATE TABLE a (b int REFERENCES c ON DELETE CASCADE ON UPDATE SET NULL)",
        "CREATE TABLE a (b int) -- DROP it later",
        "CREATE TABLE a (b int /* DROP */)",
        "COMMENT ON TABLE a IS 'DELETE FROM a'",
    ],
)
def test_what_builds_passes(sql: str, dialect: Lexical) -> None:
    refuse_destruction(sql, dialect)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT E'\\' DROP TABLE a; '",
        "CREATE FUNCTION f() AS $$ drop table a $$",
        "SELECT $tag$ drop $$ drop $tag$",
        "SELECT 1 /* a /* b */ DROP */",
    ],
)
def test_postgres_quotes_in_more_ways(sql: str) -> None:
    refuse_destruction(sql, POSTGRESQL)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a[1] DROP [x]",
        "SELECT $1 DROP $1",
        "SELECT a$b$ DROP TABLE a $b$",
        "SELECT $a$ drop",
        "SELECT 1 /* a /* b */ */ DROP",
        "SELECT E'\\'' DROP TABLE a; --'",
    ],
)
def test_postgres_quotes_no_more_than_that(sql: str) -> None:
    with pytest.raises(DropRefused):
        refuse_destruction(sql, POSTGRESQL)


def test_sqlite_quotes_with_brackets_and_backticks() -> None:
    refuse_destruction("CREATE TABLE [drop] (`drop` text)", SQLITE)
    with pytest.raises(DropRefused):
        refuse_destruction("SELECT E'\\' DROP TABLE a; --'", SQLITE)
    with pytest.raises(DropRefused):
        refuse_destruction("SELECT $$ DROP $$", SQLITE)
    with pytest.raises(DropRefused):
        refuse_destruction("SELECT 1 /* /* */ DROP */", SQLITE)


def test_without_lexical_rules_such_a_word_is_refused_wherever_it_stands() -> None:
    refuse_destruction("CREATE TABLE dropped (note text DEFAULT 'x')", None)
    with pytest.raises(DropRefused, match="no lexical rules to tell whether DROP is a word"):
        refuse_destruction("CREATE TABLE a (note text DEFAULT `drop`)", None)


def test_backslashes_where_the_server_takes_them_for_escapes() -> None:
    refuse_destruction("SELECT '\\' DROP TABLE a; '", replace(POSTGRESQL, backslash="'"))
    with pytest.raises(DropRefused):
        refuse_destruction("SELECT '\\'' DROP TABLE a; --'", replace(POSTGRESQL, backslash="'"))


@given(st.text(), st.text(alphabet="abc '\"$-/*[]`\\;\n"))
def test_a_literal_hides_all_that_it_holds_and_nothing_after_it(inside: str, odd: str) -> None:
    for held in (inside, odd, f"{odd} drop {inside}"):
        literal = "'" + held.replace("'", "''") + "'"
        for dialect in BOTH:
            assert list(words(f"select {literal} from t", dialect)) == ["select", "from", "t"]
            with pytest.raises(DropRefused):
                refuse_destruction(f"select {literal} ; drop table t", dialect)


_WORDS = (
    "drop",
    "DROP",
    "Truncate",
    "delete",
    "DELETE",
    "from",
    "FROM",
    "update",
    "Rename",
    "to",
    "on",
    "a",
    "1",
    "_",
    "\u0130",
    "\u212a",
    "\u03a3",
)
_MARKS = (";", "'", '"', "`", "[", "]", "--", "/*", "*/", "$", "$$", "e'", "\\", " ", "\n", "\u017f")
_PIECES = st.sampled_from((*_WORDS, *_MARKS))


@pytest.mark.parametrize("dialect", BOTH)
@given(st.lists(_PIECES, max_size=12).map("".join))
def test_the_quick_look_passes_nothing_that_the_careful_one_would_not(dialect: Lexical, sql: str) -> None:
    destroys = destructive_word(sql, dialect) is not None
    try:
        refuse_destruction(sql, dialect)
    except DropRefused:
        assert destroys
    else:
        assert not destroys
