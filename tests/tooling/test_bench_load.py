"""The benchmark under load: a class that fails is told, the others are kept, and a run is continued."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import Operations

from benchmarks import load
from benchmarks.load_changes import CASES, LoadCase
from benchmarks.probes import PLAIN, PREPARING, client
from tests._postgres import PostgresDatabase


def _broken(op: Operations) -> None:
    op.execute("SELECT nothing FROM nowhere")


@pytest.mark.night
def test_a_failing_class_is_told_and_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [good] = [case for case in CASES if case.name == "nullable column"]
    broken = LoadCase("broken", lambda m: m.tables["item"].append_column(sa.Column("extra", sa.Text)), _broken)
    file, table = tmp_path / "load.json", tmp_path / "load.md"
    arguments = ["--rows", "500", "--reader", "0", "--rate", "50", "--json", str(file), "--markdown", str(table)]
    monkeypatch.setattr(load, "CASES", (broken, good))
    assert load.main([*arguments, "--only", "broken"]) == 1
    first = json.loads(file.read_text())
    assert "nowhere" in first["changes"]["broken"]["alembic"]["error"]
    assert first["changes"]["broken"]["engine"]["refused"] == 0
    assert first["changes"]["broken"]["engine"]["operations"] > 0
    assert load.main([*arguments, "--resume", "--rate", "60"]) == 2
    assert json.loads(file.read_text()) == first

    monkeypatch.setattr(load, "CASES", (LoadCase("broken", broken.wanted, good.plain), good))
    assert load.main([*arguments, "--resume"]) == 0
    second = json.loads(file.read_text())
    assert second["changes"]["broken"]["engine"] == first["changes"]["broken"]["engine"]
    assert second["changes"]["broken"]["alembic"]["operations"] > 0
    assert set(second["changes"]["nullable column"]) == {"engine", "alembic"}
    assert second["lock_timeout_ms"] == 500
    lines = table.read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| broken", "| nullable column"]
    with pytest.raises(SystemExit, match="no class nonsense"):
        load.main(["--only", "nonsense"])


@pytest.mark.postgres
@pytest.mark.parametrize("kind", [PLAIN, *PREPARING])
def test_the_clients_keep_what_their_drivers_prepare(postgres_database: PostgresDatabase, kind: str) -> None:
    """A wider column, after which psycopg in autocommit is refused each time, and SQLAlchemy over asyncpg once."""
    engine = sa.create_engine(postgres_database.sync_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection, client(kind, postgres_database.dsn) as send:
        connection.exec_driver_sql("CREATE TABLE item (id int, code varchar(9))")
        for _ in range(10):
            send("SELECT * FROM item WHERE id = %(id)s", 1)
        connection.exec_driver_sql("ALTER TABLE item ALTER code TYPE varchar(10)")
        refused = 0
        for _ in range(5):
            try:
                send("SELECT * FROM item WHERE id = %(id)s", 1)
            except Exception as error:  # noqa: BLE001 - of any driver
                refused += "cached" in str(error)
    assert refused == {"psycopg": 5, "SQLAlchemy over asyncpg": 1}.get(kind, 0)
