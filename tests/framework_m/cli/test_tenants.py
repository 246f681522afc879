"""Tenants through the real ``m``: who has which tables, whoever asks, and many of them in one command."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.framework_m.apps import HEADER
from tests.framework_m.cli.project import Project, thing
from tests.framework_m.cli.test_adoption import made_by_the_host

OWN = "is_tenant_specific = True"


def shop(project: Project, own: str = "a: int = 1") -> None:
    """A DocType that all share, and one that each tenant has, with a child, linked to the shared one."""
    link = "ref: UUID | None = Field(default=None, json_schema_extra={'link': 'Thing'})"
    fields = f"{own}\n{link}\nparts: list[Part] = Field(default_factory=list)"
    parent = thing(fields, name="Own", meta=OWN).removeprefix(HEADER)
    child = thing("label: str = ''", name="Part", meta="is_child_table = True")
    project.app("shop", {"doctypes/thing.py": thing("title: str = ''"), "doctypes/own.py": f"{child}{parent}"})


def own_tables(project: Project, schema: str) -> set[str]:
    return {name for name in project.tables(schema) if not name.startswith("__")}


def test_boot_and_commands_agree_on_who_has_what(on_postgres: Project) -> None:
    project = on_postgres
    shop(project)
    run = project.start("boot")
    assert run.wait() == 0, run.err
    assert "thing" in project.tables()
    assert {"own", "part"}.isdisjoint(project.tables())
    assert "Own" in run.json()["tables"]
    assert "Own" in run.err
    assert "[tenancy]" in run.err
    # Neither finds anything to do or to drop after the other.
    assert project.plan() == []
    project.m("sync", "--allow-drop", "--yes")
    project.m("sync", "--tenant", "acme")
    assert own_tables(project, "acme") == {"own", "part"}
    assert project.json("plan", "--force", "--tenant", "acme")["changes"] == []
    (project.home / "framework_config.toml").write_text('[tenants]\nregistry = ["acme"]\n')
    run = project.start("boot")
    assert run.wait() == 0
    assert run.json()["hooks"][0]["applied"] == 0
    assert "[tenancy]" not in run.err
    assert {"own", "part"}.isdisjoint(project.tables())
    assert project.plan() == []


def test_a_project_with_one_tenant_keeps_all_in_one_schema(on_postgres: Project) -> None:
    project = on_postgres
    shop(project)
    (project.home / "framework_config.toml").write_text('[tenancy]\nmode = "single"\n')
    run = project.start("boot")
    assert run.wait() == 0, run.err
    assert {"thing", "own", "part"} <= project.tables()
    assert project.plan() == []
    assert project.json("sync")["up_to_date"] is True


def test_many_tenants_in_one_command(on_postgres: Project) -> None:
    project = on_postgres
    shop(project)
    (project.home / "framework_config.toml").write_text(
        '[tenants]\nregistry = ["acme", "beta"]\n[tenants.schemas]\ngamma = "gamma_schema"\n'
    )
    first = project.json("all", "--all-tenants", "--jobs", "2")
    assert first["states"] == {"changed": 3}
    assert [one["state"] for one in first["shared"]] == ["changed"]
    assert "thing" in project.tables()
    for schema in ("acme", "beta", "gamma_schema"):
        assert own_tables(project, schema) == {"own", "part"}
        assert "ref" in project.columns("own", schema=schema)
        assert sa.inspect(project.plain).get_foreign_keys("own", schema=schema) == []
    again = project.m("sync", "--all-tenants")
    assert again.out.startswith("3 tenants: 3 unchanged")
    assert project.m("status", "--ready", "--all-tenants").out.startswith("3 tenants: 3 ready")

    shop(project, "a: int = 1\nb: str = 'x'")
    project.sql("alter table beta.__schema_state__ rename column value to other")
    run = project.m("sync", "--tenant", "acme,beta", "--tenant", "gamma", code=1)
    assert "3 tenants: 2 changed, 1 failed" in run.out
    for schema in ("acme", "gamma_schema"):
        assert "b" in project.columns("own", schema=schema)
    assert "M300" in run.out
    assert "[3/3]" in run.err
    project.m("status", "--ready", "--all-tenants", code=1)


def test_tenants_with_databases_of_their_own(on_sqlite: Project) -> None:
    project = on_sqlite
    shop(project)
    files = {name: project.folder / f"{name}.db" for name in ("acme", "beta")}
    lines = [f'{name} = "sqlite+aiosqlite:///{file}"' for name, file in files.items()]
    (project.home / "framework_config.toml").write_text("[tenants.databases]\n" + "\n".join(lines) + "\n")
    project.env["DATABASE_URL"] = ""
    assert project.json("all", "--all-tenants")["states"] == {"changed": 2}
    for file in files.values():
        with sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.NullPool).connect() as connection:
            assert {"thing", "own", "part"} <= set(sa.inspect(connection).get_table_names())
    files["beta"].write_bytes(b"no database, " * 100)
    found = project.json("sync", "--all-tenants", code=1)
    assert {one["tenant"]: one["state"] for one in found["tenants"]} == {"acme": "unchanged", "beta": "failed"}


@pytest.mark.parametrize("command", ["run", "create"])
def test_revisions_are_no_tenants(on_postgres: Project, command: str) -> None:
    shop(on_postgres)
    arguments = ("a message",) if command == "create" else ()
    assert "one tenant at a time" in on_postgres.m(command, *arguments, "--tenant", "a,b", code=2).err


def test_a_tenants_schema_that_the_host_made_is_adopted(on_postgres: Project) -> None:
    project = on_postgres
    project.app("shop", {"doctypes/own.py": thing("a: int = 1", name="Own", meta=OWN)})
    made_by_the_host(project, schema="acme")
    project.sql(
        "insert into acme.own (id, name, creation, modified, custom_fields, a)"
        " values ('a2345678-b234-5678-1234-567812345678', 'one', now(), now(), '{}', 5)"
    )
    project.app("shop", {"doctypes/own.py": thing("a: int = 1\nb: str = 'x'", name="Own", meta=OWN)})
    assert project.json("sync", "--tenant", "acme,fresh")["states"] == {"changed": 2}
    assert project.sql("select a, b from acme.own") == [(5, "x")]
    assert project.json("plan", "--force", "--tenant", "acme,fresh")["states"] == {"unchanged": 2}
    assert project.json("sync", "--all-tenants")["states"] == {"unchanged": 2}
