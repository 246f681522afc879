"""The same program against a real Postgres, through asyncpg and psycopg; no password in anything it says."""

from __future__ import annotations

import json

import psycopg
import pytest

from tests._postgres import PostgresDatabase
from tests.cli._program import ALL_RISKS, BASE, WITH_OLD, Project

APPS = ("--apps", "shop,stock")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
def test_both_tracks_from_first_to_last_command(
    apps: Project, postgres_database: PostgresDatabase, driver: str
) -> None:
    url = postgres_database.url if driver == "asyncpg" else postgres_database.sync_url
    site = Project(apps.path, apps.server, url)
    site.models(WITH_OLD)
    assert site.run("all", *APPS).code == 0
    assert site.run("sync", "--force", *APPS).out.startswith("Up to date: ")
    with psycopg.connect(postgres_database.dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO customer (id, title) VALUES (1, 'first')")
    site.models(ALL_RISKS)
    plan = site.run("plan", *APPS, "--json").json
    assert plan["counts"] == {"safe": 1, "warning": 1, "breaking": 1}
    assert "locks ACCESS EXCLUSIVE on customer" in site.run("plan", *APPS).out
    with psycopg.connect(postgres_database.dsn, autocommit=True) as connection:
        for statement in site.run("sync", "--sql", *APPS).out.splitlines():
            if not statement.startswith("--"):
                connection.execute(statement.encode())
        columns = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'customer' ORDER BY ordinal_position"
        ).fetchall()
    assert [name for (name,) in columns] == ["id", "title", "note"]
    assert site.run("plan", *APPS, "--json").json["counts"] == {"safe": 0, "warning": 1, "breaking": 1}
    assert site.run("verify", *APPS).code == 3
    assert json.loads(site.run("rollback", *APPS, "--json").out)["revisions"] == ["bb01"]
    dropped = site.run("sync", "--allow-drop", "--yes", *APPS)
    assert dropped.code == 0
    assert dropped.out.index("To be dropped") < dropped.out.index("DROP TABLE")
    assert site.run("status", *APPS).code == 0


def test_no_password_is_shown_whatever_happens(project: Project, postgres_database: PostgresDatabase) -> None:
    secret = "h1dden/p@ss word"
    encoded = "h1dden%2Fp%40ss%20word"
    server = postgres_database.server
    role = f"cli_{postgres_database.name}"
    with psycopg.connect(postgres_database.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{secret}'".encode())
        connection.execute(f"GRANT ALL ON DATABASE {postgres_database.name} TO {role}".encode())
        connection.execute(f"CREATE SCHEMA own AUTHORIZATION {role}".encode())
    try:
        for driver in ("asyncpg", "psycopg"):
            place = f"{server.host}:{server.port}"
            right = f"postgresql+{driver}://{role}:{encoded}@{place}/{postgres_database.name}"
            wrong_port = f"postgresql+{driver}://{role}:{encoded}@{server.host}:1/{postgres_database.name}"
            wrong_base = f"postgresql+{driver}://{role}:{encoded}@{place}/absent"
            unreadable = f"postgresql+{driver}://{role}:{encoded}@{place}x/absent"
            for url, codes in (
                (right, {0, 1, 3}),
                (wrong_port, {1}),
                (wrong_base, {1}),
                (unreadable, {2}),
            ):
                for command in (("status",), ("sync", "--schema", "own"), ("verify", "--json"), ("plan", "-v")):
                    done = project.run(*command, "--database-url", url)
                    assert done.code in codes, (command, done.err)
                    for text in (done.out, done.err):
                        assert "h1dden" not in text
                        assert "p@ss" not in text
                        assert "p%40ss" not in text
    finally:
        with psycopg.connect(postgres_database.dsn, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role} CASCADE".encode())
            connection.execute(f"DROP ROLE {role}".encode())


def test_a_schema_of_its_own(project: Project, postgres_database: PostgresDatabase) -> None:
    with psycopg.connect(postgres_database.dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA tenant")
        site = Project(project.path, project.server, postgres_database.url)
        site.models(BASE)
        assert site.run("sync", "--schema", "tenant").code == 0
        found = connection.execute(
            "SELECT table_schema FROM information_schema.tables WHERE table_name = 'customer'"
        ).fetchall()
    assert found == [("tenant",)]
    assert site.run("verify", "--schema", "tenant", "--strict").code == 0


def test_a_table_lock_that_is_not_had_is_exit_code_4(project: Project, postgres_database: PostgresDatabase) -> None:
    site = Project(project.path, project.server, postgres_database.url)
    site.models(BASE)
    assert site.run("sync").code == 0
    site.models(ALL_RISKS)
    with psycopg.connect(postgres_database.dsn) as connection:
        connection.execute("SELECT * FROM customer")
        done = site.run("sync", "--lock-timeout", "50ms", "--lock-retries", "1", "--json")
        assert done.code == 4
        assert done.json["error"]["code"] == "M210"
        assert "Trying again in" in done.err
    assert site.run("sync").code == 0
