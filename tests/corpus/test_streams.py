"""Every single change that three apps made to their schemas, in order, in batches, with rows in between."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import batched
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.doctypes.metadata import MetadataSource, doctypes_of
from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.container.context import Context
from tests.corpus.conftest import Corpus, Record
from tests.corpus.databases import Database, open_sqlite
from tests.corpus.oracle import counted, differences, reported
from tests.corpus.rows import rows_for, typed
from tests.corpus.test_histories import compare
from tests.support.statements import recorded

STREAMS = {"erpnext-2014-2018": 100, "lms": 15, "crm": 8}
"""Stream to steps in a batch. The small apps are replayed in small batches, so that more states in between are seen."""


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "site.db"
    database = open_sqlite(sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool), str(path))
    yield database
    database.raw.close()


class Site:
    """A site that follows a stream: only tables that a batch touched are built anew."""

    def __init__(self, corpus: Corpus, database: Database) -> None:
        self.corpus = corpus
        self.database = database
        self.metadata = sa.MetaData()
        self.unique: dict[str, set[str]] = {}

        def source(context: Context) -> MetadataSource:
            return MetadataSource(doctypes_of(self.metadata), Target.of(context.live.dialect, context.sql))

        self.manager = MigrationManager(MigrationSettings(), engine=database.engine, overrides={"source": source})

    def declare(self, name: str, schema: Record | None) -> str:
        table = self.metadata.tables.get(f"tab{name}")
        if table is not None:
            self.metadata.remove(table)
        if schema is not None:
            self.corpus.table_for(schema, self.metadata)
        return f"tab{name}"

    def remember_uniques(self) -> None:
        """What was unique once stays so in the database: sync drops no constraint."""
        for table in self.metadata.tables.values():
            for constraint in table.constraints:
                if isinstance(constraint, sa.UniqueConstraint):
                    self.unique.setdefault(table.name, set()).update(column.name for column in constraint.columns)


@pytest.mark.parametrize(
    "stream", [pytest.param(name, marks=[] if name == "crm" else [pytest.mark.night]) for name in STREAMS]
)
def test_a_stream(stream: str, corpus: Corpus, sqlite: Database) -> None:
    site = Site(corpus, sqlite)
    seen: dict[str, dict[str, dict[str, int]]] = {}
    steps = (
        (step["doctype"], step.get("schema") if step["op"] != "drop" else None) for step, _ in corpus.replay(stream)
    )
    for number, batch in enumerate(batched(steps, STREAMS[stream])):
        touched = {site.declare(name, schema) for name, schema in batch}
        schema = sqlite.schema()
        filled = {table: columns for table, columns in schema.items() if table in touched}
        with sqlite.transaction():
            for table, columns in filled.items():
                unique = frozenset(site.unique.get(table, ()))
                sqlite.insert(table, rows_for(table, columns, number, unique, native=False))
        before = sqlite.rows(filled)
        with recorded(sqlite.engine) as statements:
            result = site.manager.sync()
        assert statements.destructive == []
        site.remember_uniques()
        for table, rows in before.items():
            columns_before = list(rows[0])
            assert typed(sqlite.read(table, columns_before), columns_before) == typed(rows, columns_before), table
        again = site.manager.plan(force=True).plan
        assert again.applied == ()
        assert differences(site.metadata, sqlite, sqlite.schema()) == reported(again.withheld)
        seen[f"batch {number}"] = {
            "applied": counted(result.plan.plan.applied),
            "withheld": counted(again.withheld),
        }
    last = json.dumps(seen[f"batch {number}"], indent=2)
    sys.stdout.write(f"\n{stream} on sqlite: {number + 1} batches, {len(site.metadata.tables)} tables\n{last}\n")
    compare(Path(__file__).parent / "expected" / f"stream-{stream}.json", seen)
