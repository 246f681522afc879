"""``--apps`` with an app whose revisions depend on those of another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import UnknownRevision

REVISION = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "{id}", None, ("{app}",), {needs}
def upgrade(): op.execute("CREATE TABLE {app} (a int)")
def downgrade(): op.execute("DROP TABLE {app}")
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    for app, revision, needs in (("named_one", "n1", "'n2'"), ("named_two", "n2", None)):
        versions = tmp_path / app / "migrations/versions"
        versions.mkdir(parents=True)
        (tmp_path / app / "__init__.py").touch()
        (versions / f"{revision}.py").write_text(REVISION.format(id=revision, app=app, needs=needs))
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before


def manager(site: Path, *apps: str) -> MigrationManager:
    url = f"sqlite:///{site / 'app.db'}"
    settings = MigrationSettings(metadata=(sa.MetaData(),), allow_empty=True, database_url=url, apps=apps, path=site)
    return MigrationManager(settings)


def test_the_app_of_a_dependency_is_named_and_naming_it_helps(site: Path) -> None:
    for call in (manager(site, "named_one").run, manager(site, "named_one").status, manager(site, "named_one").lint):
        with pytest.raises(UnknownRevision, match="a revision of app named_two") as failure:
            call()
        assert "--apps named_one,named_two" in failure.value.next_step
    assert manager(site, "named_one", "named_two").run().revisions == ("n2", "n1")


def test_the_app_of_a_revision_that_the_database_has_is_named(site: Path) -> None:
    manager(site, "named_one", "named_two").run()
    with pytest.raises(UnknownRevision, match="at revision n1, a revision of app named_one") as failure:
        manager(site, "named_two").run()
    assert "--apps named_two,named_one" in failure.value.next_step
