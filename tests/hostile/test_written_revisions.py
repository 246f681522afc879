"""Revisions written for hostile names: Python that says what is meant, in the app's own folder, and nothing more."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m_migrations.domain.errors import MigrationError
from tests.hostile.outcome import outcome, sqlite_prey
from tests.hostile.test_names import declared, schemas
from tests.hostile.texts import hostile
from tests.support.profile import cases

APP = "written_app"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / APP / "migrations" / "versions").mkdir(parents=True)
    (tmp_path / APP / "__init__.py").touch()
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before


@settings(
    max_examples=cases(30, 1500), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(declare=schemas(), message=st.one_of(hostile, st.just("plain")))
def test_a_written_revision_is_what_it_seems(project: Path, declare: Callable[[], sa.MetaData], message: str) -> None:
    metadata = declared(declare)
    if metadata is None:
        return
    versions = project / APP / "migrations" / "versions"
    with sqlite_prey() as prey:
        written = outcome(lambda: prey.manager(metadata, path=project, apps=(APP,)).create(message, app=APP))
        files = sorted(versions.glob("**/*.py"))
        try:
            if isinstance(written, MigrationError):
                assert files == []
                return
            assert len(files) == 1
            text = files[0].read_text(encoding="utf-8")
            check_text(text)
            ran = outcome(prey.manager(metadata, path=project, apps=(APP,)).run)
            prey.check()
            if not isinstance(ran, MigrationError):
                left = outcome(lambda: prey.manager(metadata, path=project, apps=(APP,)).plan(force=True))
                assert not isinstance(left, MigrationError), left
                assert not [planned for planned in left.plan.applied if type(planned.change).__name__ == "TableAdded"]
        finally:
            for file in files:
                file.unlink()
    assert sorted(path.name for path in project.iterdir()) == [APP], "nothing is written beside the app"


def check_text(text: str) -> None:
    """The top level holds a docstring, imports, assignments and the two functions; no statement got in by a name."""
    tree = ast.parse(text)
    allowed = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef)
    for number, node in enumerate(tree.body):
        assert isinstance(node, allowed), ast.dump(node)
        if isinstance(node, ast.Expr):
            assert number == 0
            assert isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= {"sqlalchemy", "alembic"}, ast.dump(node)
    assert {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} == {"upgrade", "downgrade"}
