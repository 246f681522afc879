"""Issue 2, points 4 and 5: large first syncs, resuming, and how many statements things cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain.errors import DatabaseError
from framework_m_migrations.domain.events import Event, StepFinished
from tests.support.profile import cases
from tests.sync.conftest import Site

TABLES = cases(300, 1000)


def many(count: int, extra: dict[int, str] | None = None) -> sa.MetaData:
    metadata = sa.MetaData()
    for number in range(count):
        table = sa.Table(
            f"t{number:04}",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(140), index=True),
            sa.Column("code", sa.String(140), unique=True),
            sa.Column("modified", sa.DateTime, index=True),
            sa.Column("parent", sa.ForeignKey(f"t{(number + 1) % 3:04}.id", use_alter=True, name=f"fk{number}")),
        )
        if extra and number in extra:
            table.append_column(sa.Column(extra[number], sa.Text))
    return metadata


@contextmanager
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def listen(conn: object, cursor: object, statement: str, *rest: object) -> None:
        seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", listen)


def cost(site: Site, metadata: sa.MetaData, *, force: bool = False) -> list[str]:
    with statements() as seen:
        site.manager(metadata).plan(force=force)
    return seen


def test_an_unchanged_schema_costs_two_statements_at_any_size(site: Site) -> None:
    for count in (3, 40):
        site.settle(many(count))
        with statements() as seen:
            result = site.sync(many(count))
        assert result.up_to_date
        assert len(seen) <= 2, seen


def test_a_full_comparison_costs_the_same_number_of_statements_at_any_size(site: Site) -> None:
    site.sync(many(5))
    few = len(cost(site, many(5), force=True))
    site.sync(many(60))
    assert len(cost(site, many(60), force=True)) == few


def test_one_changed_doctype_costs_the_reading_of_its_own_table(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.settle(many(40))
    changed = many(40, {7: "note"})
    plan = site.plan(changed, force=False)
    assert [str(p.change.table) for p in plan.plan.changes] == ["t0007"]
    from framework_m_migrations.domain.schema import Catalog, TableName
    from framework_m_migrations.services import sync_planner

    read: list[object] = []
    original = sync_planner.SyncPlanner._differences

    def spy(self: object, doctypes: object, catalog: Catalog, *rest: object) -> object:
        read.append(set(catalog.tables))
        return original(self, doctypes, catalog, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(sync_planner.SyncPlanner, "_differences", spy)
    site.plan(changed, force=False)
    assert read == [{TableName("t0007")}]


@pytest.mark.slow
@pytest.mark.postgres
def test_many_tables_with_their_indexes_and_keys_in_one_sync(site: Site) -> None:
    result = site.settle(many(TABLES))
    assert result.applied
    assert len(site.rows("SELECT doctype_name FROM __schema_versions__")) == TABLES


def test_a_failure_in_the_middle_leaves_a_state_that_the_next_sync_goes_on_from(site: Site) -> None:
    """Somebody takes the last table's name after the first step: its CREATE fails after others were committed."""
    metadata = many(30)
    from framework_m_migrations.domain import capabilities

    class Somebody:
        done = False

        def emit(self, event: Event) -> None:
            if isinstance(event, StepFinished) and not self.done:
                self.done = True
                site.execute("CREATE VIEW t0029 AS SELECT 1 AS id")

    original = capabilities.Capabilities.__init__

    def light(self: capabilities.Capabilities, *args: object, **kwargs: object) -> None:
        kwargs["step_weight"] = 20
        original(self, *args, **kwargs)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capabilities.Capabilities, "__init__", light)
        with pytest.raises(DatabaseError):
            MigrationManager(MigrationSettings(site.url, metadata=(metadata,)), events=Somebody()).sync()
    tables = {name for name in site.inspect().get_table_names() if name.startswith("t0")}
    assert tables, "the steps before the failing one stand"
    assert len(tables) < 30
    recorded = {str(row[0]) for row in site.rows("SELECT doctype_name FROM __schema_versions__")}
    assert recorded <= tables
    owned = {str(row[0]) for row in site.rows("SELECT table_name FROM __schema_objects__")}
    assert owned == tables
    site.execute("DROP VIEW t0029")
    site.settle(metadata)
