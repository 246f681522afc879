"""Fixtures and tests for a project's own test suite: its revisions go up, down and up, and agree with its models.

In a conftest.py or a test module::

    from framework_m_migrations.testing.migrations import *

The project's settings are read as ``m-migrate`` reads them; the database is a SQLite file, made once a session and
copied for each test. Define a fixture of the same name to choose otherwise: ``migration_settings`` for other settings,
``migration_url`` for the URL of an empty database on a server. Nothing is registered with pytest.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.embedding.sync import MigrationManager

__all__ = [
    "migrated_engine",
    "migrated_template",
    "migration_manager",
    "migration_settings",
    "migration_url",
    "test_each_app_has_one_head",
    "test_models_match_the_database",
    "test_revisions_go_up_down_up",
]


@pytest.fixture(scope="session")
def migration_settings() -> MigrationSettings:
    """What to migrate: the project's file and the environment; the database is ``migration_url``."""
    return MigrationSettings.from_environment()


@pytest.fixture
def migration_url(tmp_path: Path) -> str:
    """URL of an empty database for one test."""
    return f"sqlite:///{(tmp_path / 'migrations.db').as_posix()}"


@pytest.fixture
def migration_manager(migration_settings: MigrationSettings, migration_url: str) -> MigrationManager:
    """The commands over an empty database."""
    return MigrationManager(replace(migration_settings, database_url=migration_url))


@pytest.fixture(scope="session")
def migrated_template(migration_settings: MigrationSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all revisions and models applied; tests get copies of it."""
    file = tmp_path_factory.mktemp("migrated") / "template.db"
    settings = replace(migration_settings, database_url=f"sqlite:///{file.as_posix()}")
    MigrationManager(settings).all()
    return file


@pytest.fixture
def migrated_engine(migrated_template: Path, tmp_path: Path) -> Iterator[sa.Engine]:
    """An engine over a database of the test's own, with all revisions and models applied."""
    file = tmp_path / "migrated.db"
    shutil.copy(migrated_template, file)
    engine = sa.create_engine(f"sqlite:///{file.as_posix()}")
    yield engine
    engine.dispose()


def test_each_app_has_one_head(migration_manager: MigrationManager) -> None:
    """No app's history has more than one head."""
    heads = Counter(revision.app or "" for revision, _ in migration_manager.history().heads().revisions)
    several = [app for app, number in heads.items() if number > 1]
    if several:
        pytest.fail(f"Several heads: {', '.join(several)}. Join them: m-migrate create MESSAGE --app APP --merge")


def test_revisions_go_up_down_up(migration_manager: MigrationManager) -> None:
    """All revisions can be applied, taken back and applied again."""
    applied = migration_manager.run(contract=True).revisions
    if not applied:
        return
    migration_manager.rollback(to="base")
    left = [revision.id for revision, is_applied in migration_manager.history().revisions if is_applied]
    if left:
        pytest.fail(f"Still applied after the rollback to base: {', '.join(left)}")
    again = migration_manager.run(contract=True).revisions
    if again != applied:
        pytest.fail(f"Applied at first: {', '.join(applied)}; after the rollback: {', '.join(again)}")


def test_models_match_the_database(migration_manager: MigrationManager) -> None:
    """After all revisions the models want nothing more than what ``sync`` applies."""
    migration_manager.run(contract=True)
    migration_manager.sync()
    changes = migration_manager.plan(force=True).plan.changes
    if changes:
        pytest.fail("The database differs from the models:\n" + "\n".join(f"- {change}" for change in changes))
