"""Chains that are longer than Python's limit for recursion."""

from __future__ import annotations

import sys
from pathlib import Path

import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings


def test_a_chain_of_foreign_keys_longer_than_the_recursion_limit(tmp_path: Path) -> None:
    length = sys.getrecursionlimit() + 200
    metadata = sa.MetaData()
    for number in range(length):
        target = sa.ForeignKey(f"c{number + 1}.id") if number + 1 < length else None
        columns = [sa.Column("next", sa.Integer, target) if target is not None else sa.Column("next", sa.Integer)]
        sa.Table(f"c{number}", metadata, sa.Column("id", sa.Integer, primary_key=True), *columns)
    settings = MigrationSettings(
        metadata=(metadata,), database_url=f"sqlite:///{tmp_path / 'app.db'}", apps=(), path=tmp_path
    )
    manager = MigrationManager(settings)
    assert manager.sync().applied
    assert not manager.plan(force=True).plan.changes
