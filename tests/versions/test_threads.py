"""Two threads: Alembic's globals belong to one at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from framework_m_migrations.domain.errors import RevisionFailed
from scripts.waiting import join
from tests.versions.support import Apps, Bench, connected

A1 = "aaaaaaaaaaa1"


def test_two_threads_on_two_databases(tmp_path: Path, apps: Apps) -> None:
    apps.revision(
        "wms",
        A1,
        """
        import time
        name = sa.inspect(op.get_bind()).engine.url.database
        for number in range(5):
            time.sleep(0.02)
            assert op.get_bind().engine.url.database == name
            op.create_table(f"t{number}", sa.Column("id", sa.Integer, primary_key=True))
        """,
    )
    found: dict[str, set[str]] = {}
    errors: list[Exception] = []

    def migrate(name: str) -> None:
        try:
            with connected(f"sqlite:///{tmp_path / name}") as connection:
                bench = Bench(connection, apps)
                bench.track().upgrade(A1)
                found[name] = bench.tables()
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=migrate, args=(f"{number}.db",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        join(thread, what="a migration in a thread")
    assert errors == []
    assert all(len(tables) == 6 for tables in found.values())
    assert len(found) == 3


def test_a_revision_that_starts_another_migration(sqlite_bench: Bench, apps: Apps) -> None:
    apps.revision(
        "wms",
        A1,
        """
        from framework_m_migrations.adapters.sql.revisions.environment import exclusive
        with exclusive(op.get_bind()):
            pass
        """,
    )
    with pytest.raises(RevisionFailed, match="starts another migration"):
        sqlite_bench.track().upgrade(A1)
