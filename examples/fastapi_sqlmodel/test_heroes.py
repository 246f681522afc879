"""The application on a migrated database; and the revisions go up, down, up, and agree with the models."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from framework_m_migrations.testing.migrations import *  # noqa: F403


def test_a_hero_is_listed(migrated_template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{migrated_template}")
    from heroes.main import app

    with TestClient(app) as client:
        client.post("/heroes", json={"name": "Deadpond"}).raise_for_status()
        assert [hero["name"] for hero in client.get("/heroes").json()] == ["Deadpond"]
