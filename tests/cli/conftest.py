"""A project of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli._program import ALL_RISKS, BASE, WITH_OLD, Project, Server


@pytest.fixture
def project(tmp_path: Path, server: Server) -> Project:
    """An empty database and models with one table."""
    made = Project(tmp_path, server)
    made.models(BASE)
    return made


@pytest.fixture
def drifted(project: Project) -> Project:
    """A synced database with a row, and models that differ from it by one change of each risk."""
    project.models(WITH_OLD)
    assert project.run("sync", "--quiet").code == 0
    project.query("INSERT INTO customer (id, title) VALUES (1, 'first')")
    project.query("INSERT INTO old (id) VALUES (1)")
    project.models(ALL_RISKS)
    return project


@pytest.fixture
def apps(project: Project) -> Project:
    """Two apps with revisions, one waiting for the other's."""
    project.app("shop", {"id": "aa01", "labels": ("shop",), "message": "first"}, {"id": "aa02", "down": "aa01"})
    project.app("stock", {"id": "bb01", "labels": ("stock",), "depends": "aa01"})
    return project
