from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests._postgres import PostgresDatabase
from tests.versions.support import Apps, Bench, connected


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apps]:
    """An empty folder for apps, importable; what was imported from it is forgotten afterwards."""
    root = tmp_path / "apps"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    made = Apps(root)
    yield made
    for name in [module for module in sys.modules if module.partition(".")[0] in made.names]:
        del sys.modules[name]


@pytest.fixture
def postgres(postgres_database: PostgresDatabase, apps: Apps) -> Iterator[Bench]:
    with connected(postgres_database.sync_url) as connection:
        yield Bench(connection, apps)


@pytest.fixture
def sqlite(tmp_path: Path, apps: Apps) -> Iterator[Bench]:
    with connected(f"sqlite:///{tmp_path / 'test.db'}") as connection:
        yield Bench(connection, apps)
