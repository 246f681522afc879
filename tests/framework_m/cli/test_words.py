"""The host's own words: its options in all spellings, apps as its scaffold lays them out, next steps that work."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import cyclopts
import pytest

from tests.framework_m.cli.project import Project, thing

SIGNATURES = """
import json, sys
from framework_m_standard.cli.migrate import migrate_app
commands = [name for name in migrate_app if not name.startswith("-")]
arguments = {name: migrate_app[name].assemble_argument_collection(parse_docstring=False) for name in commands}
json.dump({name: [one.names for one in found] for name, found in arguments.items()}, sys.stdout)
"""
"""In a process that does not load this package: each command of the host with the names of its arguments, in order."""


def test_whatever_the_host_takes_is_taken_and_in_its_places_too() -> None:
    from framework_m_migrations.cli.framework_m.commands import COMMANDS, PLACES

    command = [sys.executable, "-W", "ignore", "-c", SIGNATURES]
    host = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(host) >= 9
    for name, arguments in host.items():
        app = cyclopts.App(default_command=COMMANDS[name], default_parameter=cyclopts.Parameter(negative=()))
        ours = {text for one in app.assemble_argument_collection(parse_docstring=False) for text in one.names}
        assert {text for names in arguments for text in names} <= ours, name
        order = [names[0].removeprefix("--").replace("-", "_") for names in arguments if names[0] != "--message"]
        assert tuple(order[: len(PLACES[name])]) == PLACES[name], name


@pytest.fixture
def configured(on_sqlite: Project) -> Project:
    """A project whose database is named by framework_config.toml alone."""
    on_sqlite.things("title: str = ''")
    (on_sqlite.home / "framework_config.toml").write_text(f'database_url = "{on_sqlite.url}"\n')
    on_sqlite.env["DATABASE_URL"] = ""
    return on_sqlite


def test_next_steps_work_as_they_are_printed(configured: Project, tmp_path: Path) -> None:
    assert "m-migrate" not in configured.m("status").out
    assert "m migrate sync: apply what is safe" in configured.m("status").out
    elsewhere = f"sqlite+aiosqlite:///{tmp_path / 'a b.db'}"
    out = configured.m("status", "--database-url", elsewhere, "--apps", "shop").out
    step = next(line for line in out.splitlines() if "Next:" in line).partition("Next: m migrate ")[2]
    words = shlex.split(step.rpartition(": apply")[0])
    assert words == ["sync", "--database-url", elsewhere, "--apps", "shop"]
    configured.m(*words)
    assert (tmp_path / "a b.db").exists()
    assert configured.tables() == set()
    failure = configured.m("rollback", "--to", "nosuch", code=1)
    assert "`m migrate history`" in failure.err
    assert "m migrate history" in configured.json("rollback", "--to", "nosuch", code=1)["error"]["next_step"]


def test_places_and_negative_switches(on_sqlite: Project, tmp_path: Path) -> None:
    on_sqlite.things("title: str = ''")
    other = f"sqlite+aiosqlite:///{tmp_path / 'other.db'}"
    on_sqlite.m("sync", ".", other, "--no-dry-run", "--no-allow-drop", "--no-force", "--no-allow-dangerous")
    on_sqlite.m("create", "--message", "first", "--no-autogenerate", "--app", "shop", "--database-url", other)
    on_sqlite.m("run", ".", other, "--empty-x-arg")
    on_sqlite.m("status", ".", other)
    on_sqlite.m("rollback", ".", other)
    assert on_sqlite.tables() == set()
    on_sqlite.m("sync", ".", other, "--database-url", other, code=2)
    on_sqlite.m("init", ".", other, "more", code=2)


@pytest.mark.parametrize("how", ["--apps", "INSTALLED_APPS"])
def test_an_app_of_the_src_folder_is_named(on_sqlite: Project, how: str) -> None:
    package = on_sqlite.home / "src" / "store"
    (package / "doctypes").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "doctypes" / "__init__.py").touch()
    (package / "doctypes" / "item.py").write_text(thing("title: str = ''", name="StoreItem"))
    options: tuple[str, ...] = ("--apps", "store")
    if how == "INSTALLED_APPS":
        on_sqlite.env["INSTALLED_APPS"], options = "store", ()
    on_sqlite.m("sync", *options)
    assert [app["app"] for app in on_sqlite.json("status", *options)["apps"]] == ["store"]
    assert "storeitem" in on_sqlite.tables()
    assert "nosuch" in on_sqlite.m("status", "--apps", "nosuch", code=2).err
