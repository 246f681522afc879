"""A released project, the database from before the release with rows in it, and how it looks when all went well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.killed.scenarios import SCENARIOS, Scenario
from tests.killed.sites import Copy, Files, Forker, Look, OnPostgres, Site, execute, look


@dataclass(frozen=True)
class Stage:
    """What a test of a killed run needs.

    Attributes:
        name: of the scenario.
        scenario: what is released, and how.
        driver: ``sqlite``, ``psycopg`` or ``asyncpg``.
        site: where copies are made.
        base: the database before the release.
        project: the released project.
        fork: runs commands.
        expected: the database after a run that nobody disturbed.
        statements: what that run sent to change it, in order.
    """

    name: str
    scenario: Scenario
    driver: str
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


@pytest.fixture(scope="module", params=["release-sqlite", "release-psycopg", "release-asyncpg"])
def stage(request: pytest.FixtureRequest, fork: Forker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    name, _, driver = request.param.partition("-")
    scenario = SCENARIOS[name]
    folder = tmp_path_factory.mktemp("killed")
    before, project = scenario.write(folder)
    server = None if driver == "sqlite" else request.getfixturevalue("postgres_server")
    site: Files | OnPostgres = Files(folder) if server is None else OnPostgres(server, driver)
    base = site.empty()
    execute(base, *(scenario.setup if driver != "sqlite" else ()))
    # In the process that is forked for all others, so that each of them finds everything loaded and compiled.
    first = fork(scenario.start, base, before, here=True)
    assert first["code"] is None, first
    execute(base, *scenario.rows)
    if scenario.writes_revisions:
        assert fork("create", base, project, here=True)["code"] is None
    with site.copy(base) as copy:
        whole = fork(scenario.command, copy, project, here=True)
        assert whole["code"] is None, whole
        assert whole["withheld"] == []
        expected = look(copy)
        fork("look", copy, project, here=True)
    yield Stage(name, scenario, driver, site, base, project, fork, expected, whole["seen"])
    if isinstance(site, OnPostgres):
        site.close()
