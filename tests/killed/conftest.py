"""A released project, the database from before the release with rows in it, and how it looks when all went well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.killed.project import write_project
from tests.killed.sites import Copy, Files, Forker, Look, OnPostgres, Site, execute, look


@dataclass(frozen=True)
class Stage:
    """What a test of a killed run needs.

    Attributes:
        site: where copies are made.
        base: the database before the release.
        project: the released project.
        fork: runs commands.
        expected: the database after a run that nobody disturbed.
        statements: what that run sent to change it, in order.
    """

    site: Site
    base: Copy
    project: Path
    fork: Forker
    expected: Look
    statements: list[str]


@pytest.fixture(scope="module")
def fork() -> Iterator[Forker]:
    forker = Forker()
    yield forker
    forker.close()


@pytest.fixture(scope="module", params=["sqlite", "psycopg", "asyncpg"])
def stage(request: pytest.FixtureRequest, fork: Forker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("killed")
    before = write_project(folder / "before", released=False)
    project = write_project(folder / "after", released=True)
    server = None if request.param == "sqlite" else request.getfixturevalue("postgres_server")
    site: Files | OnPostgres = Files(folder) if server is None else OnPostgres(server, request.param)
    base = site.empty()
    assert fork("all", base, before)["code"] is None
    execute(
        base,
        *(f"INSERT INTO customer (id, name, kind) VALUES ({n}, 'name {n}', 'trade')" for n in range(1, 40)),
        *(f"INSERT INTO invoice (id, customer_id, total) VALUES ({n}, {n % 39 + 1}, {n})" for n in range(1, 80)),
    )
    with site.copy(base) as copy:
        whole = fork("all", copy, project)
        assert whole["code"] is None, whole
        assert whole["withheld"] == []
        expected = look(copy)
    yield Stage(site, base, project, fork, expected, whole["seen"])
    if isinstance(site, OnPostgres):
        site.close()
