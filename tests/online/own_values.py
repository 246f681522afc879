"""A table with rows that gets columns whose defaults are another for each row."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.events import BackfillMoved, Event
from framework_m_migrations.domain.options import LockOptions
from framework_m_migrations.domain.results import PlanResult
from tests._postgres import PostgresDatabase

BEFORE = "CREATE TABLE item (id int PRIMARY KEY, n int)"
ROWS = "INSERT INTO item SELECT g, g FROM generate_series(1, 2500) g"
FILES = "SELECT relname::text, relfilenode FROM pg_class WHERE relname IN ('item', 'item_pkey') ORDER BY 1"
NOTES = "SELECT key, value FROM __schema_state__ WHERE key LIKE 'fill:%'"
CHANGES = re.compile(r"\s*(ALTER|WITH m_migrate|INSERT|UPDATE|DELETE|CREATE|REINDEX)", re.IGNORECASE)
PATIENT = LockOptions(wait=30.0)


def item(*columns: sa.Column[Any], key: bool = True) -> sa.MetaData:
    """The table as it is wanted."""
    metadata = sa.MetaData()
    first: sa.Column[Any] = sa.Column("id", sa.Integer, primary_key=key, autoincrement=False)
    sa.Table("item", metadata, first, sa.Column("n", sa.Integer), *columns)
    return metadata


def drawn(name: str, type_: Any, default: str, **traits: Any) -> sa.Column[Any]:
    """A column whose default is SQL."""
    return sa.Column(name, type_, server_default=sa.text(default), **traits)


def three(*, index: bool = False) -> sa.MetaData:
    """One column of each kind: distinct and required, without a rule, and required again."""
    return item(
        drawn("token", sa.Uuid, "gen_random_uuid()", nullable=False, unique=index),
        drawn("draw", sa.Float, "random()", index=index),
        drawn("seen", sa.DateTime(timezone=True), "clock_timestamp()", nullable=False),
    )


class Heard(list[Event]):
    """A sink that does something when a batch is committed."""

    then: Callable[[BackfillMoved], object] | None = None

    def emit(self, event: Event) -> None:
        self.append(event)
        if self.then is not None and isinstance(event, BackfillMoved):
            self.then(event)


@dataclass(frozen=True)
class Site:
    """A database, and a plain connection beside the engine's for looks and for the application's writes."""

    database: PostgresDatabase
    plain: psycopg.Connection[tuple[Any, ...]]

    def send(self, *statements: str) -> None:
        for statement in statements:
            self.plain.execute(statement.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.plain.execute(query.encode()).fetchall()

    def manager(
        self,
        metadata: sa.MetaData,
        events: Heard | None = None,
        *,
        engine: sa.Engine | None = None,
        driver: str = "psycopg",
        **traits: Any,
    ) -> MigrationManager:
        url = self.database.server.url(self.database.name, driver)
        settings = MigrationSettings(url, metadata=(metadata,), **{"locks": PATIENT, **traits})
        return MigrationManager(settings, engine=engine, events=events)

    @property
    def left_nullable(self) -> frozenset[tuple[str, str]]:
        """What sync leaves to a revision of a required column: NOT NULL, where the server has no NOT VALID for it."""
        modern = self.database.server.major >= 18
        return frozenset() if modern else frozenset({("null-forbidden", "create")})

    def settle(self, metadata: sa.MetaData, *, required: bool = False, **traits: Any) -> None:
        """Sync until nothing is left, which one run must be enough for; no note is left behind either.

        Args:
            metadata: wanted.
            required: a column of it that gets values is NOT NULL, so that an older server is left with that.
            traits: of the settings.
        """
        left = self.left_nullable if required else frozenset()
        result = self.manager(metadata, **traits).sync()
        assert {(one.judgement.rule, one.judgement.handled_by) for one in result.withheld} == left, result.to_dict()
        plan = self.manager(metadata).plan(force=True).plan
        assert plan.steps == ()
        assert self.open_(metadata) == left
        assert plan.is_empty == (not left)
        assert self.rows(NOTES) == []

    def open_(self, metadata: sa.MetaData) -> set[tuple[str, str]]:
        """What is withheld, by rule and by who handles it."""
        made: PlanResult = self.manager(metadata).plan(force=True)
        return {(one.judgement.rule, one.judgement.handled_by) for one in made.plan.withheld}


def stopped_before(site: Site, number: int, metadata: sa.MetaData) -> bool:
    """Sync, and have the server end the session just before its change ``number``; False where it had fewer."""
    engine = sa.create_engine(site.database.sync_url, poolclass=sa.NullPool)
    sent = 0

    def watch(conn: sa.Connection, _cursor: object, statement: str, *_rest: object) -> None:
        nonlocal sent
        if CHANGES.match(statement) is None:
            return
        sent += 1
        if sent == number:
            driver = conn.connection.dbapi_connection
            site.send(f"SELECT pg_terminate_backend({driver.info.backend_pid})")  # type: ignore[union-attr]

    sa.event.listen(engine, "before_cursor_execute", watch)
    try:
        site.manager(metadata, engine=engine).sync()
    except MigrationError:
        return True
    finally:
        engine.dispose()
    return False
