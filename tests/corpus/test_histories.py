"""Ten years of real schema history, with rows in every table, on both databases.

The expected counts in ``expected/`` come from a run whose every withheld change was read. To make them anew, run with
FRAMEWORK_M_CORPUS_UPDATE=1, and read what changed in them before it is committed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.doctypes.metadata import MetadataSource, doctypes_of
from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.container.context import Context
from tests._postgres import PostgresDatabase
from tests.corpus.conftest import Corpus
from tests.corpus.databases import Database, Rows, Schema, open_postgres, open_sqlite
from tests.corpus.histories import HISTORIES
from tests.corpus.oracle import counted, differences, reported
from tests.corpus.rows import rows_for, typed
from tests.support.statements import recorded

EXPECTED = Path(__file__).parent / "expected"
UPDATE = bool(os.environ.get("FRAMEWORK_M_CORPUS_UPDATE"))


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "site.db"
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool)
    database = open_sqlite(engine, str(path))
    yield database
    database.raw.close()


@pytest.fixture
def postgres(postgres_database: PostgresDatabase) -> Iterator[Database]:
    engine = sa.create_engine(postgres_database.sync_url, poolclass=sa.pool.NullPool)
    database = open_postgres(engine, postgres_database.dsn)
    yield database
    database.raw.close()


def manager(metadata: sa.MetaData, engine: sa.Engine | AsyncEngine) -> MigrationManager:
    def source(context: Context) -> MetadataSource:
        return MetadataSource(doctypes_of(metadata), Target.of(context.live.dialect, context.sql))

    return MigrationManager(MigrationSettings(), engine=engine, overrides={"source": source})


BY_DAY = {"sqlite": {"crm"}, "postgres": {"frappe"}}
"""The histories of `make test`: the longest of a site that grows, and beside these ``lms`` and ``crm`` below."""


def histories(database: str) -> list[Any]:
    """All histories, those of the night marked."""
    night = {history for history in HISTORIES if history not in BY_DAY[database]}
    return [pytest.param(name, marks=[pytest.mark.night] if name in night else []) for name in HISTORIES]


@pytest.mark.parametrize("history", histories("sqlite"))
def test_on_sqlite(history: str, corpus: Corpus, sqlite: Database) -> None:
    walk(history, corpus, sqlite)


@pytest.mark.parametrize("history", histories("postgres"))
def test_on_postgres(history: str, corpus: Corpus, postgres: Database) -> None:
    walk(history, corpus, postgres)


def test_through_aiosqlite(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "site.db"
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", poolclass=sa.pool.NullPool)
    database = open_sqlite(engine, str(path))
    with closing(database.raw):
        walk("lms", corpus, database)


def test_through_asyncpg(corpus: Corpus, postgres_database: PostgresDatabase) -> None:
    engine = create_async_engine(postgres_database.url, poolclass=sa.pool.NullPool)
    database = open_postgres(engine, postgres_database.dsn)
    with closing(database.raw):
        walk("crm", corpus, database)


def walk(history: str, corpus: Corpus, database: Database) -> None:
    """Sync a database through all points of a history."""
    seen: dict[str, dict[str, dict[str, int]]] = {}
    unique: dict[str, set[str]] = {}
    schema: Schema = {}
    before: Rows = {}
    for number, points in enumerate(HISTORIES[history]):
        title = " + ".join(points)
        metadata = corpus.metadata_for(*points)
        if number:
            before = fill(database, schema, number, unique)
        seen[title], schema = step(metadata, database, before)
        lines = [f"{history} on {database.name}, {title}: {len(metadata.tables)} tables"]
        for part, counts in seen[title].items():
            lines += [f"  {part}: {count} x {what}" for what, count in counts.items()]
        sys.stdout.write("\n".join(["", *lines, ""]))
        for table in metadata.tables.values():
            for constraint in table.constraints:
                if isinstance(constraint, sa.UniqueConstraint):
                    unique.setdefault(table.name, set()).update(column.name for column in constraint.columns)
    compare(EXPECTED / f"{history}-{database.name}.json", seen)


def fill(database: Database, schema: Schema, number: int, unique: dict[str, set[str]]) -> Rows:
    """Put rows into every table, and read all rows back."""
    native = database.name == "postgresql"
    with database.transaction():
        for table, columns in schema.items():
            database.insert(table, rows_for(table, columns, number, frozenset(unique.get(table, ())), native=native))
    return database.rows(schema)


def step(metadata: sa.MetaData, database: Database, before: Rows) -> tuple[dict[str, dict[str, int]], Schema]:
    """One sync, with all that must be true of it."""
    migrations = manager(metadata, database.migrated)
    with recorded(database.engine) as statements:
        result = migrations.sync()
    assert statements.destructive == []
    schema = database.schema()
    for table, rows in before.items():
        columns = list(rows[0])
        assert typed(database.read(table, columns), columns) == typed(rows, columns), table

    again = migrations.plan(force=True).plan
    assert again.applied == ()
    assert again.steps == ()
    assert counted(again.withheld) == counted(result.withheld)
    assert differences(metadata, database, schema) == reported(again.withheld)

    quiet = migrations.sync()
    assert counted(quiet.withheld) == counted(again.withheld)  # withheld is never silent
    return {"applied": counted(result.plan.plan.applied), "withheld": counted(again.withheld)}, schema


def compare(file: Path, seen: dict[str, dict[str, dict[str, int]]]) -> None:
    if UPDATE:
        file.write_text(json.dumps(seen, indent=2) + "\n", encoding="utf-8")
    expected: object = json.loads(file.read_text(encoding="utf-8"))
    assert seen == expected
