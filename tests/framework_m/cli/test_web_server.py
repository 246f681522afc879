"""The host's real web server: its boot is ours, on empty and on old databases, by one process and by many at once."""

from __future__ import annotations

import json
import os
import signal
import socket
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
def serving(project: Project, replicas: int = 1) -> Iterator[list[tuple[int, Run]]]:
    """That many web servers that start at once; all of them answer."""
    found = [(port, project.start("serve", str(port))) for port in free_ports(replicas)]
    try:
        for port, run in found:
            _await_answer(port, run)
        yield found
    finally:
        for _, run in found:
            if not (run.folder / "rc").exists():
                os.kill(int((run.folder / "pid").read_text()), signal.SIGTERM)
        for _, run in found:
            run.wait()


def assert_in_order(project: Project) -> None:
    assert project.plan() == []
    assert project.m("verify", "--strict").out
    tables = project.tables()
    assert {"thing", "shoporder", "shoprow", "_jobs"} <= tables
    assert "shopvirtual" not in tables
    assert ("shopnote" in tables) is (project.plain.dialect.name == "sqlite")


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


def test_one_server_and_what_it_says_of_a_boot_that_failed(on_sqlite: Project) -> None:
    write_app(on_sqlite)
    with serving(on_sqlite) as [(port, _)]:
        assert get(port, "/ready") == (200, {"status": "ready"})
    assert_in_order(on_sqlite)
    on_sqlite.app("bad", {"doctypes/bad.py": "import no_such_module\n"})
    with serving(on_sqlite) as [(port, run)]:
        status, answer = get(port, "/ready") or (0, {})
    assert status == 503, answer
    assert "bad" in run.err
    assert "no_such_module" in run.err
