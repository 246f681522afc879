"""What is shown of other sessions' statements: no value, and all the rest."""

from __future__ import annotations

import pytest

from framework_m_migrations.adapters.sql.dialects.postgresql.blockers import without_values

# https://www.postgresql.org/docs/current/sql-syntax-lexical.html has the forms of constants and comments.
SHOWN = {
    "SELECT $$a$$, b FROM t": "SELECT ?, b FROM t",
    "SELECT $$a$$ , $$b$$ FROM t": "SELECT ? , ? FROM t",
    "SELECT $tag$a $$ b$tag$, c FROM t": "SELECT ?, c FROM t",
    "SELECT $tag$a$other$b$tag$, c": "SELECT ?, c",
    "DO $$ BEGIN PERFORM secret(); END $$ LANGUAGE plpgsql": "DO ? LANGUAGE plpgsql",
    "SELECT $$never ended": "SELECT ?",
    "SELECT $tag$never ended $$": "SELECT ?",
    "SELECT $1, a$$b FROM t WHERE c = $2": "SELECT $1, a$$b FROM t WHERE c = $2",
    "UPDATE t SET p = 'it''s' WHERE q = E'a\\'b' AND r = U&'x'": "UPDATE t SET p = ? WHERE q = ? AND r = ?",
    'SELECT "it\'s" FROM "a$$b" WHERE n = 12.5e3': 'SELECT "it\'s" FROM "a$$b" WHERE n = ?',
    "SELECT a -- the password is x\nFROM t /* and y */ WHERE b": "SELECT a  \nFROM t   WHERE b",
    "SELECT 'never ended": "SELECT ?",
}


@pytest.mark.parametrize("sql", SHOWN)
def test_without_values(sql: str) -> None:
    assert without_values(sql) == SHOWN[sql]
