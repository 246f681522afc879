"""Many tenants through the real ``m-migrate``: in a pipe, for programs, and on a terminal."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import psycopg
import pytest

from scripts.waiting import wait_until
from tests._postgres import PostgresDatabase
from tests.cli._program import REVISION, Project, Server

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("shared", metadata, sa.Column("id", sa.Integer, primary_key=True), info={"tenant": False})
own = sa.Table("own", metadata, sa.Column("id", sa.Integer, primary_key=True), info={"tenant": True})
"""
WITH_CODE = MODELS + 'own.append_column(sa.Column("code", sa.Integer))\n'


@pytest.fixture
def site(tmp_path: Path, server: Server, postgres_database: PostgresDatabase) -> Project:
    made = Project(tmp_path, server, postgres_database.url)
    made.models(MODELS)
    return made


@pytest.fixture
def fleet(site: Project, postgres_database: PostgresDatabase) -> Project:
    """Three tenants; the models have changed since, and one of the tenants cannot follow."""
    assert site.run("sync", "--tenant", "a,b", "--tenant", "c", "--quiet").code == 0
    with psycopg.connect(postgres_database.dsn, autocommit=True) as connection:
        connection.execute("ALTER TABLE b.__schema_state__ RENAME COLUMN value TO other")
    site.models(WITH_CODE)
    return site


def test_in_a_pipe(fleet: Project) -> None:
    done = fleet.run("sync", "--tenant", "a,b,c", "--jobs", "2")
    assert done.code == 1
    assert re.search(r"failed +b +M300: ", done.out)
    assert re.search(r"changed +a +1 ", done.out)
    assert "3 tenants: 2 changed, 1 failed (" in done.out
    assert "m-migrate repair" in done.out
    turns = re.findall(r"^\[(\d)/3\] (\w): (\w+)", done.err, re.MULTILINE)
    assert [number for number, _, _ in turns] == ["1", "2", "3"]
    assert {(name, state) for _, name, state in turns} == {("a", "changed"), ("b", "failed"), ("c", "changed")}
    assert "\x1b" not in done.out + done.err
    again = fleet.run("sync", "--tenant", "a,c")
    assert again.code == 0
    assert again.out.startswith("2 tenants: 2 unchanged (")
    assert again.err.startswith("Database postgresql")
    assert again.err.count("\n") == 1


def test_for_programs(fleet: Project) -> None:
    found = fleet.run("plan", "--tenant", "a,b", "--json")
    assert found.code == 1
    assert [(one["tenant"], one["state"]) for one in found.json["tenants"]] == [("a", "pending"), ("b", "failed")]
    assert found.json["tenants"][1]["error"]["code"] == "M300"
    (change,) = found.json["tenants"][0]["result"]["changes"]
    assert change["sql"] == ["ALTER TABLE a.own ADD COLUMN code INTEGER"]
    verified = fleet.run("verify", "--strict", "--tenant", "a,c", "--json")
    assert verified.code == 3
    assert verified.json["states"] == {"dirty": 2}
    assert fleet.run("verify", "--tenant", "a,c").code == 0
    status = fleet.run("status", "--ready", "--tenant", "a,c", "--json")
    # A column that the models have is missing.
    assert (status.code, status.json["ready"], status.json["states"]) == (3, False, {"not ready": 2})
    assert fleet.run("status", "--ready", "--tolerant", "--tenant", "a,c").code == 0


def test_on_a_terminal(fleet: Project) -> None:
    url = fleet.url.replace("+asyncpg", "")
    with (
        psycopg.connect(url, autocommit=True) as connection,
        psycopg.connect(url, autocommit=True) as other,
        psycopg.connect(url, autocommit=True) as looking,
    ):

        def waits() -> bool:
            found = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'a.own'::regclass"
            return looking.execute(found).fetchone() != (0,)

        def give_way_after_a_try() -> None:
            wait_until(waits, what="a to wait for its table")
            wait_until(lambda: not waits(), what="a to give up its first try")
            other.execute("ROLLBACK")

        connection.execute("BEGIN; LOCK TABLE c.own")
        other.execute("BEGIN; LOCK TABLE a.own")
        giving_way = threading.Thread(target=give_way_after_a_try)
        giving_way.start()
        # Longer than the bar's patience: a and c wait for their tables and try again, and c gives up.
        done = fleet.run_on_terminal("sync", "--tenant", "a,b,c", "--lock-timeout", "300ms", "--lock-retries", "2")
        giving_way.join()
    assert done.code == 1
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.out)
    assert re.search(r"[12]/3 [━╸╺]+ .* [ab]", shown)
    assert re.search(r"\[\d/3\] c: failed", shown)
    assert re.search(r"✖ failed +c +M210: ", shown)


def test_revisions_run_once_and_before(site: Project, postgres_database: PostgresDatabase) -> None:
    folder = site.path / "shop" / "migrations" / "versions"
    folder.mkdir(parents=True)
    (site.path / "shop" / "__init__.py").touch()
    made = REVISION.format(id="aa01", message="first", down=None, labels=("shop",), depends=None)
    (folder / "aa01.py").write_text(made)
    site.run("sync", "--apps", "shop", "--tenant", "a,b")
    done = site.run("all", "--apps", "shop", "--all-tenants", "--json")
    assert done.code == 0
    assert [run["revisions"] for run in done.json["runs"]] == [["aa01"]]
    assert [one["state"] for one in done.json["shared"]] == ["changed"]
    assert done.json["states"] == {"unchanged": 2}
    with psycopg.connect(postgres_database.dsn) as connection:
        rows = connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE tablename !~ '^(pg|sql|__)'"
        )
        assert {row[0] for row in rows} == {
            "public.alembic_version",
            "public.t_aa01",
            "public.shared",
            "a.own",
            "b.own",
        }
    (folder / "aa02.py").write_text(
        REVISION.format(id="aa02", message="bad", down="aa01", labels=None, depends=None).replace("t_aa02", "t_aa01")
    )
    failed = site.run("all", "--apps", "shop", "--all-tenants", "--json")
    assert (failed.code, failed.json["error"]["code"]) == (1, "M505")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--tenant", "a,b"), "one tenant at a time"),
        (("rollback", "--all-tenants"), "one tenant at a time"),
        (("sync", "--tenant", "a,b", "--allow-drop"), "--allow-drop works on one tenant"),
        (("sync", "--tenant", "a,b", "--sql"), "--sql works on one tenant"),
        (("sync", "--tenant", "a", "--all-tenants"), "exclude each other"),
        (("sync", "--tenant", "a", "--schema", "b"), "exclude each other"),
        (("sync", "--tenant", ","), "--tenant is empty"),
        (("sync", "--tenant", "a,b", "--jobs", "0"), "--jobs must be at least 1"),
        (("sync", "--all-tenants"), "No tenant was found"),
        (("sync", "--tenant", "a,public"), "cannot be a tenant's"),
        (("status", "--tolerant", "--tenant", "a,b"), "--tolerant"),
    ],
)
def test_what_makes_no_sense_is_refused(site: Project, arguments: tuple[str, ...], said: str) -> None:
    done = site.run(*arguments)
    assert done.code == 2
    assert said in done.err


def test_one_tenant_is_a_command_as_any_other(site: Project) -> None:
    first = site.run("sync", "--tenant", "a", "--json")
    assert first.json["command"] == "sync"
    assert [change["table"] for change in first.json["plan"]["changes"]] == ["own"]
    site.models(WITH_CODE.replace('sa.Column("code", sa.Integer)', 'sa.Column("code", sa.Text)'))
    assert site.run("all", "--tenant", "a").code == 0
    assert site.run("verify", "--strict", "--tenant", "a").code == 0
    site.models(MODELS)
    assert "DROP COLUMN" in site.run("sync", "--tenant", "a", "--allow-drop", "--yes").out
    sqlite = Project(site.path, site.server)
    assert sqlite.run("sync", "--tenant", "a").code == 2
