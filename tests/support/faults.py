"""A project with one app of revisions, in which a database fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.options import LockOptions


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    versions = tmp_path / "faulty_shop/migrations/versions"
    versions.mkdir(parents=True)
    (tmp_path / "faulty_shop/__init__.py").touch()
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    sys.modules.pop("faulty_shop", None)


def manager(site: Path, url: str, *, column: str | None = None) -> MigrationManager:
    """For a model with one table, which has one more column where one is named."""
    metadata = sa.MetaData()
    table = sa.Table("t", metadata, sa.Column("id", sa.Integer, primary_key=True))
    if column is not None:
        table.append_column(sa.Column(column, sa.Integer))
    return MigrationManager(
        MigrationSettings(
            metadata=(metadata,), database_url=url, apps=("faulty_shop",), path=site, locks=LockOptions(60, retries=1)
        )
    )
