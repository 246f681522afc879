"""The host's real web server: its boot is ours, on empty and on old databases, by one process and by many at once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from scripts.waiting import wait_until
from tests.framework_m.cli.project import Project, Run, thing

CHILD = thing("item: str = ''", name="ShopRow", meta="is_child_table = True")
OTHERS = """
from framework_m_core.domain.base_doctype import BaseDocType, Field
from shop.doctypes.row import ShopRow

class ShopOrder(BaseDocType):
    status: str = "draft"
    rows: list[ShopRow] = Field(default_factory=list)

class ShopVirtual(BaseDocType):
    x: int = 0
    class Meta:
        create_schema = False

class ShopNote(BaseDocType):
    text: str = ""
    class Meta:
        is_tenant_specific = True
"""


def write_app(project: Project, fields: str = "title: str = ''") -> None:
    project.app("shop", {"doctypes/row.py": CHILD, "doctypes/others.py": OTHERS, "doctypes/thing.py": thing(fields)})
    project.env["FRAMEWORK_M_JWT_SECRET"] = "s" * 40


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def get(port: int, path: str) -> tuple[int, dict[str, str]] | None:
    """Status and answer; None while the server does not listen yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except urllib.error.URLError:
        return None


def _await_answer(port: int, run: Run) -> None:
    ended = run.folder / "rc"
    wait_until(
        lambda: get(port, "/health") is not None or ended.exists(), what="a web server", seen=lambda: run.err, every=0.2
    )
    assert not ended.exists(), run.err


@contextmanager
def serving(project: Project, replicas: int = 1, *command: str) -> Iterator[list[tuple[int, Run]]]:
    """That many web servers that start at once; all of them answer."""
    found = [(port, project.start(*(command or ("serve",)), str(port))) for port in free_ports(replicas)]
    try:
        for port, run in found:
            _await_answer(port, run)
        yield found
    finally:
        for _, run in found:
            run.stop()


def assert_in_order(project: Project) -> None:
    assert project.plan() == []
    assert project.m("verify", "--strict").out
    tables = project.tables()
    assert {"thing", "shoporder", "shoprow", "_jobs"} <= tables
    assert "shopvirtual" not in tables
    assert ("shopnote" in tables) is (project.plain.dialect.name == "sqlite")


SPOIL = """
import importlib, inspect, sys
import sqlalchemy as sa
from framework_m_core.domain.base_doctype import BaseDocType
from framework_m_core.registry import MetaRegistry
from framework_m_standard.adapters.db.schema_mapper import SchemaMapper

metadata, mapper, registry = sa.MetaData(), SchemaMapper(), MetaRegistry.get_instance()
registry.load_apps(["framework_m_core", "shop"])
for name in sorted(registry.list_doctypes(), key=lambda one: one == "ShopRow"):
    mapper.create_versioned_tables(registry.get_doctype(name), metadata)
metadata.create_all(sa.create_engine(sys.argv[1]))
"""
"""What the host's own lifespan does to a database."""


def test_what_the_hosts_own_boot_left_is_repaired_with_rows_kept(project: Project) -> None:
    write_app(project)
    environment = {**os.environ, "PYTHONPATH": str(project.site)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", SPOIL, project.plain_url], check=True, env=environment)
    names = "id, name, creation, modified, custom_fields"
    at = "'2024-01-01', '2024-01-01', '{}'"
    one, two = (f"'00000000-0000-0000-0000-00000000000{number}'" for number in (1, 2))
    for name in ("'a'", "'b'"):
        values = f"{one}, {name}, {at}, 'x', 'p', 'rows', 'ShopOrder', 1"
        project.sql(f"insert into shoprow ({names}, item, parent, parentfield, parenttype, idx) values ({values})")
    project.sql(f"insert into shopvirtual ({names}, x) values ({one}, 'v', {at}, 5)")
    actions = project.json("repair", "--boot", "--dry-run")["actions"]
    left = [action for action in actions if action.startswith("leave")]
    assert len(left) == 2, actions
    assert any("shoprow" in action and "occur more than once" in action for action in left)
    assert any("shopvirtual" in action and "1 row;" in action for action in left)
    project.sql(f"update shoprow set id = {two} where name = 'b'")
    project.sql("delete from shopvirtual")
    done = project.json("repair", "--boot", "--yes")
    assert "add the primary key (id) to shoprow, keeping its 2 rows" in done["actions"]
    assert project.sql("select name, item from shoprow order by name") == [("a", "x"), ("b", "x")]
    project.settle()
    assert_in_order(project)
    assert project.json("repair", "--boot", "--yes")["actions"] == []


def test_ten_replicas_serve_from_an_empty_and_from_an_old_database(on_postgres: Project) -> None:
    write_app(on_postgres)
    with serving(on_postgres, 10) as replicas:
        answers = [(get(port, "/health"), get(port, "/ready")) for port, _ in replicas]
        assert {(health[0], ready[0]) for health, ready in answers if health and ready} == {(200, 200)}, answers
    for _, run in replicas:
        assert "rror" not in run.err, run.err
        assert "failed" not in run.err, run.err
    assert_in_order(on_postgres)
    on_postgres.insert(title="kept")
    write_app(on_postgres, "title: str = ''\nextra: int = 7")
    with serving(on_postgres, 3) as replicas:
        assert [get(port, "/ready") for port, _ in replicas] == [(200, {"status": "ready"})] * 3
    assert on_postgres.sql("select title, extra from thing") == [("kept", 7)]
    assert_in_order(on_postgres)


def test_m_prod_boots_an_empty_database(on_sqlite: Project) -> None:
    write_app(on_sqlite)
    by_command(on_sqlite, "prod")


def test_m_start_boots_an_old_database(on_postgres: Project) -> None:
    write_app(on_postgres)
    on_postgres.settle()
    on_postgres.insert(title="kept")
    write_app(on_postgres, "title: str = ''\nextra: int = 7")
    by_command(on_postgres, "start")
    assert on_postgres.sql("select title, extra from thing") == [("kept", 7)]


def by_command(project: Project, command: str) -> None:
    """Serve by a command of ``m``, which starts the web server as a process with an interpreter of its own."""
    project.env["PYTHONPATH"] = str(project.site)
    with serving(project, 1, command, "--host", "127.0.0.1", "--port") as [(port, run)]:
        assert get(port, "/ready") == (200, {"status": "ready"}), run.err
    assert_in_order(project)


def test_a_server_says_that_its_boot_failed(on_sqlite: Project) -> None:
    write_app(on_sqlite)
    on_sqlite.app("bad", {"doctypes/bad.py": "import no_such_module\n"})
    with serving(on_sqlite) as [(port, run)]:
        status, answer = get(port, "/ready") or (0, {})
    assert status == 503, answer
    assert "bad" in run.err
    assert "no_such_module" in run.err
