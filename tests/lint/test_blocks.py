"""What is read out of DO blocks, and what is told to be unread."""

from __future__ import annotations

import pytest

from framework_m_migrations.adapters.sql.dialects.postgresql.lint.statements import (
    Block,
    block,
    called,
    defined_function,
    split,
)

PLAIN = """
DO $do$
DECLARE
    n int := 0;  -- DROP TABLE nobody
BEGIN
    <<outer>>
    FOR i IN 1..3 LOOP
        UPDATE a SET b = 'x;y' WHERE c = i;
    END LOOP;
    IF NOT EXISTS (SELECT 1 FROM d WHERE CASE WHEN e THEN true ELSE false END) THEN
        ALTER TABLE a ADD COLUMN f int NOT NULL;
    ELSIF n > 1 THEN
        DROP TABLE g;
    ELSE
        BEGIN
            TRUNCATE h;
        EXCEPTION WHEN others THEN
            DELETE FROM i;
        END;
    END IF;
    CASE n WHEN 1 THEN DROP TABLE j; END CASE;
    FOR r IN DELETE FROM k RETURNING * LOOP NULL; END LOOP;
END
$do$
"""


def inside(sql: str) -> Block:
    [statement] = split(sql)
    found = block(statement)
    assert found is not None
    return found


def test_every_statement_of_a_block_is_found() -> None:
    found = inside(PLAIN)
    assert found.unjudged == ()
    verbs = ("UPDATE", "ALTER", "DROP", "TRUNCATE", "DELETE")
    assert [one for one in found.statements if one.startswith(verbs)] == [
        "UPDATE a SET b = 'x;y' WHERE c = i",
        "ALTER TABLE a ADD COLUMN f int NOT NULL",
        "DROP TABLE g",
        "TRUNCATE h",
        "DELETE FROM i",
        "DROP TABLE j",
        "DELETE FROM k RETURNING *",
    ]


@pytest.mark.parametrize(
    ("body", "statements"),
    [
        ("EXECUTE 'DROP TABLE a; TRUNCATE b';", ["DROP TABLE a", "TRUNCATE b"]),
        ("EXECUTE E'DROP TABLE \\'a\\'' INTO x;", ["DROP TABLE 'a'"]),
        ("EXECUTE format('ALTER TABLE %I DROP COLUMN %2$I', t, c) USING 1;", ['ALTER TABLE "..." DROP COLUMN "..."']),
        ("EXECUTE format('SELECT %L, 100%%', x);", ["SELECT '...', 100%"]),
    ],
)
def test_sql_in_texts_is_read(body: str, statements: list[str]) -> None:
    found = inside(f"DO $$ BEGIN {body} END $$")
    assert [one for one in found.statements if not one.startswith("END")] == statements
    assert found.unjudged == ()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("DO $$ BEGIN EXECUTE 'DROP TABLE ' || x; END $$", "EXECUTE"),
        ("DO $$ BEGIN EXECUTE x; END $$", "EXECUTE"),
        ("DO $$ BEGIN EXECUTE format('%s', x); END $$", "EXECUTE"),
        ("DO $$ BEGIN FOR r IN EXECUTE x LOOP NULL; END LOOP; END $$", "EXECUTE"),
        ("DO LANGUAGE plpython3u $$ plpy.execute('DROP TABLE a') $$", "plpython3u"),
        ("DO $$ x $$ LANGUAGE 'plperl'", "plperl"),
        ("DO something_else", "cannot be told"),
    ],
)
def test_what_cannot_be_read_is_told(sql: str, reason: str) -> None:
    [told] = inside(sql).unjudged
    assert reason in told


def test_a_body_in_single_quotes() -> None:
    assert "DROP TABLE a" in inside("DO 'BEGIN DROP TABLE a; INSERT INTO b VALUES (''x''); END'").statements
    assert "DROP TABLE a" in inside("DO LANGUAGE plpgsql $$BEGIN DROP TABLE a; END$$").statements
    assert block("DROP TABLE a") is None
    assert block("DOMINATE a") is None


def test_rights_and_triggers_are_no_dynamic_sql() -> None:
    found = inside("DO $$ BEGIN GRANT EXECUTE ON FUNCTION f() TO x; CREATE TRIGGER t EXECUTE FUNCTION f(); END $$")
    assert found.unjudged == ()


def test_calls_are_told() -> None:
    made = defined_function("CREATE OR REPLACE FUNCTION s.Mend(int) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$")
    assert made == "mend"
    for sql in ("SELECT s.mend(1)", 'PERFORM "mend" (1)', "UPDATE a SET b = mend(b)"):
        assert "mend" in str(called(sql, frozenset({"mend"})))
    for sql in ("SELECT amend(1)", "SELECT 'mend(1)'", "CREATE TRIGGER t EXECUTE FUNCTION mend()", "SELECT lower('x')"):
        assert called(sql, frozenset({"mend"})) is None
    assert "archive" in str(called("CALL archive(1)", frozenset()))
