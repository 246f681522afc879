"""Several migrators at once on one Postgres, tenants, and asyncpg alone, through the real ``m``."""

from __future__ import annotations

import sqlalchemy as sa

from tests.framework_m.cli.project import Project, Run, thing
from tests.framework_m.cli.test_versioned import _revision


def _end_well(runs: list[Run]) -> None:
    assert [run.wait() for run in runs] == [0] * len(runs), [run.err for run in runs]


def test_two_syncs_at_once(on_postgres: Project) -> None:
    project = on_postgres
    project.things("title: str = ''")
    _end_well([project.start("sync") for _ in range(2)])
    project.things("title: str = ''\nextra: int = 1")
    _end_well([project.start("sync") for _ in range(2)])
    assert "extra" in project.columns()
    assert project.plan() == []


def test_two_runs_at_once(on_postgres: Project) -> None:
    project = on_postgres
    project.app("shop", {"migrations/versions/a.py": _revision("aaaa", None, "one")})
    _end_well([project.start("run") for _ in range(3)])
    assert "one" in project.tables()
    assert project.sql("select version_num from alembic_version") == [("aaaa",)]


def test_asyncpg_is_enough(on_postgres: Project) -> None:
    project = on_postgres
    block = "import sys\nfor name in ('psycopg', 'psycopg2', 'pg8000'):\n    sys.modules[name] = None\n"
    project.app("shop", {"__init__.py": f"app = object()\n{block}", "doctypes/thing.py": thing("title: str = ''")})
    project.m("all")
    assert "thing" in project.tables()


def test_a_tenants_schema_evolves(on_postgres: Project) -> None:
    project = on_postgres
    project.app(
        "shop",
        {
            "doctypes/thing.py": thing("title: str = ''"),
            "doctypes/own.py": thing("a: int = 1", name="Own", meta="is_tenant_specific = True"),
        },
    )
    project.sql("create schema acme")
    project.m("sync")
    project.m("sync", "--tenant", "acme")
    assert "own" not in project.tables()
    assert "thing" in project.tables()
    assert {name for name in project.tables("acme") if not name.startswith("__")} >= {"own"}
    assert "thing" not in project.tables("acme")
    (project.site / "shop" / "doctypes" / "own.py").write_text(
        thing("a: int = 1\nb: str = 'x'", name="Own", meta="is_tenant_specific = True")
    )
    project.m("sync", "--tenant", "acme")
    assert "b" in {column["name"] for column in sa.inspect(project.plain).get_columns("own", schema="acme")}
    assert project.json("plan", "--force", "--tenant", "acme")["changes"] == []
