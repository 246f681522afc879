"""Framework M's DocTypes on real databases, from the first sync on."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.doctypes.framework_m import FrameworkMSource, framework_m_doctypes
from framework_m_migrations.adapters.sql.desired.tables import Target
from framework_m_migrations.container.context import Context
from framework_m_migrations.domain.errors import AppBroken
from framework_m_migrations.domain.results import SyncResult
from framework_m_migrations.ports.app_discovery import App
from tests._postgres import PostgresDatabase
from tests.framework_m.apps import AWKWARD, AWKWARD_VALUES, EMPTY_AWKWARD, HEADER, SHOP
from tests.framework_m.conftest import MakeApp
from tests.framework_m.test_loading import doctype
from tests.support.statements import recorded


@dataclass(frozen=True)
class Site:
    """A database that belongs to a Framework M project."""

    url: str
    plain: sa.Engine

    def manager(self, *apps: App, engine: sa.Engine | None = None) -> MigrationManager:
        """Of these apps; without any, of the host's own DocTypes, whose 44 tables would slow each test down."""

        def source(context: Context) -> FrameworkMSource:
            return FrameworkMSource(apps, Target.of(context.live.dialect, context.sql), include_core=not apps)

        settings = MigrationSettings(database_url="" if engine is not None else self.url)
        return MigrationManager(settings, engine=engine, overrides={"source": source})

    def settle(self, *apps: App) -> SyncResult:
        """Sync; afterwards nothing is left to do, by checksums and by a full comparison."""
        manager = self.manager(*apps)
        result = manager.sync()
        assert [p.change for p in result.withheld] == []
        plans = [manager.plan(force=force).plan for force in (False, True)]
        assert [p.change for plan in plans for p in plan.changes] == []
        assert not plans[1].touches_database
        return result

    def tables(self) -> set[str]:
        return set(sa.inspect(self.plain).get_table_names())

    def insert(self, table: sa.Table, **values: object) -> None:
        row = {"id": uuid4(), "name": str(uuid4()), "custom_fields": {"a": [1]}, **values}
        with self.plain.begin() as connection:
            connection.execute(sa.insert(table), [row])

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        with self.plain.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(sa.select(table).order_by(table.c.name))]


on_aiosqlite_too = pytest.mark.parametrize(
    "site", ["sqlite", "aiosqlite", pytest.param("asyncpg", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture(params=["sqlite", pytest.param("asyncpg", marks=pytest.mark.postgres)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param != "asyncpg":
        prefix = "sqlite" if request.param == "sqlite" else "sqlite+aiosqlite"
        file = tmp_path / "site.db"
        return Site(f"{prefix}:///{file}", sa.create_engine(f"sqlite:///{file}", poolclass=sa.pool.NullPool))
    make: Callable[[], PostgresDatabase] = request.getfixturevalue("make_postgres_database")
    database = make()
    return Site(database.url, sa.create_engine(database.sync_url, poolclass=sa.pool.NullPool))


def own_tables(*apps: App, include_core: bool = False) -> dict[str, sa.Table]:
    found = framework_m_doctypes(apps, include_core=include_core)
    return {table.name: table for item in found for table in item.tables}


def test_all_doctypes_of_the_host(site: Site) -> None:
    wanted = own_tables(include_core=True)
    result = site.settle()
    assert wanted.keys() <= site.tables()
    assert len(wanted) >= 44
    assert {type(p.change).__name__ for p in result.plan.plan.applied} == {"TableAdded"}
    inspector = sa.inspect(site.plain)
    for table in wanted.values():
        assert inspector.get_pk_constraint(table.name)["constrained_columns"] == ["id"]
        assert {str(index.name) for index in table.indexes} <= {i["name"] for i in inspector.get_indexes(table.name)}
    assert not site.manager().verify().dirty
    with recorded(site.plain) as statements:
        assert site.manager(engine=site.plain).sync().up_to_date
    assert len(statements.sent) <= (2 if site.plain.dialect.name == "sqlite" else 4), statements.sent
    assert statements.writes == []


def test_what_the_host_made_itself_is_adopted_without_a_change(site: Site) -> None:
    from framework_m_core.registry import MetaRegistry
    from framework_m_standard.adapters.db.job_queue_repository import create_jobs_table
    from framework_m_standard.adapters.db.schema_mapper import SchemaMapper

    registry = MetaRegistry.get_instance()
    registry.load_apps(["framework_m_core"])
    metadata = sa.MetaData()
    for name in registry.list_doctypes():
        SchemaMapper().create_table(registry.get_doctype(name), metadata)
    create_jobs_table(metadata)
    metadata.create_all(site.plain)
    result = site.settle()
    assert [p.change for p in result.plan.plan.applied] == []
    assert result.plan.plan.settled != ()


def test_a_child_table_that_the_host_made_without_a_key_is_reported(site: Site, make_app: MakeApp) -> None:
    from framework_m_standard.adapters.db.schema_mapper import SchemaMapper

    app = make_app("shop", SHOP)
    made = sa.MetaData()
    SchemaMapper().create_tables(importlib.import_module("shop.doctypes.basket").Basket, made)
    made.create_all(site.plain)
    withheld = site.manager(app).sync().withheld
    assert [(type(p.change).__name__, str(p.change.table)) for p in withheld] == [("PrimaryKeyChanged", "line")]


def test_an_app_with_all_kinds_of_doctypes(site: Site, make_app: MakeApp) -> None:
    shop = make_app("shop", SHOP)
    site.settle(shop)
    assert {"basket", "customer", "line", "shelf", "depots", "shopsettings"} <= site.tables()
    assert not {"figures", "virtualpart"} & site.tables()
    inspector = sa.inspect(site.plain)
    targets = {key["constrained_columns"][0]: key["referred_table"] for key in inspector.get_foreign_keys("basket")}
    assert targets == {"buyer": "customer", "depot": "depots"}


def test_awkward_defaults_in_a_new_table(site: Site, make_app: MakeApp) -> None:
    app = make_app("awkward", {"doctypes/awkward.py": AWKWARD})
    site.settle(app)
    table = own_tables(app)["awkward"]
    served = {column.name for column in table.columns if column.server_default is not None}
    _insert_with_server_defaults(site, table, served)
    (row,) = site.rows(table)
    assert {name: row[name] for name in served} == {name: AWKWARD_VALUES[name] for name in served}


def _insert_with_server_defaults(site: Site, table: sa.Table, served: set[str]) -> None:
    """A row as old code would write it, which knows nothing of the columns with server defaults."""
    without = sa.Table(
        table.name,
        sa.MetaData(),
        *(sa.Column(c.name, c.type, primary_key=c.primary_key) for c in table.columns if c.name not in served),
    )
    now = datetime(2024, 1, 1, tzinfo=UTC)
    values = {
        "creation": now, "modified": now, "moment": now, "plain": "1", "credit": Decimal("1.5"), "ref": uuid4(),
        "day": date(2024, 1, 1), "clock": "08:00:00", "data": {}, "rows": [], "preset": {},
    }  # fmt: skip
    site.insert(without, **values)


@on_aiosqlite_too
def test_awkward_defaults_in_a_table_with_rows(site: Site, make_app: MakeApp) -> None:
    before = make_app("awkward", {"doctypes/awkward.py": EMPTY_AWKWARD})
    site.settle(before)
    old = own_tables(before)["awkward"]
    for name in ("a", "b"):
        site.insert(old, name=name, owner="it's")
    rows = site.rows(old)

    after = make_app("awkward", {"doctypes/awkward.py": AWKWARD})
    site.settle(after)
    table = own_tables(after)["awkward"]
    found = site.rows(table)
    assert [{key: row[key] for key in rows[0]} for row in found] == rows
    for row in found:
        assert {name: row[name] for name in AWKWARD_VALUES} == AWKWARD_VALUES
        assert row["credit"] == Decimal("12.50")
        assert row["day"] == date(2024, 2, 29)
        assert row["moment"].replace(tzinfo=UTC) == datetime(2024, 2, 29, 12, 30, 15, tzinfo=UTC)
        assert row["ref"] == UUID("a2345678-b234-5678-1234-567812345678")
    assert not any(column.nullable for column in table.columns if column.name in AWKWARD_VALUES)


def test_code_from_before_can_still_insert_after_fields_were_added(site: Site, make_app: MakeApp) -> None:
    before = make_app("awkward", {"doctypes/awkward.py": EMPTY_AWKWARD})
    site.settle(before)
    old = own_tables(before)["awkward"]
    site.insert(old, name="a")
    site.settle(make_app("awkward", {"doctypes/awkward.py": AWKWARD}))
    site.insert(old, name="b")
    assert len(site.rows(old)) == 2


def test_a_required_field_is_withheld_while_there_are_rows_and_the_rest_goes_on(site: Site, make_app: MakeApp) -> None:
    first = make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    site.settle(first)
    site.insert(own_tables(first)["thing"], title="one")
    second = make_app("shop", {"doctypes/thing.py": doctype("title: str = ''\n    code: str\n    extra: int = 1")})
    manager = site.manager(second)
    for _ in range(2):
        withheld = manager.sync().withheld
        assert [p.judgement.rule for p in withheld] == ["column-required"]
    assert "extra" in {column["name"] for column in sa.inspect(site.plain).get_columns("thing")}


def test_a_changed_default_reaches_the_database_and_no_row(site: Site, make_app: MakeApp) -> None:
    app = make_app("shop", {"doctypes/thing.py": doctype("title: str = 'x'")})
    site.settle(app)
    site.insert(own_tables(app)["thing"])
    app = make_app("shop", {"doctypes/thing.py": doctype("title: str = 'x'\n    level: str = 'low'")})
    site.settle(app)
    app = make_app("shop", {"doctypes/thing.py": doctype("title: str = 'x'\n    level: str = \"it's :high\"")})
    site.settle(app)
    assert [row["level"] for row in site.rows(own_tables(app)["thing"])] == ["low"]
    site.insert(own_tables(app)["thing"], name="new", title="y")
    assert sorted(row["level"] for row in site.rows(own_tables(app)["thing"])) == ["it's :high", "low"]


def test_a_default_that_lives_in_the_application_may_change(site: Site, make_app: MakeApp) -> None:
    app = make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    site.settle(app)
    site.insert(own_tables(app)["thing"])
    for number in (1, 2, 3):
        fields = f"title: str = ''\n    credit: Decimal = Decimal('{number}')\n    day: date = date(202{number}, 1, 1)"
        app = make_app("shop", {"doctypes/thing.py": doctype(fields)})
        site.settle(app)
        (row,) = site.rows(own_tables(app)["thing"])
        assert (row["credit"], row["day"]) == (Decimal(1), date(2021, 1, 1))


def test_a_declared_rename_is_never_a_drop_and_an_add(site: Site, make_app: MakeApp) -> None:
    app = make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    site.settle(app)
    site.insert(own_tables(app)["thing"], title="kept")
    renamed = "label: str = Field(default='', json_schema_extra={'renamed_from': 'title'})"
    app = make_app("shop", {"doctypes/thing.py": doctype(renamed)})
    withheld = site.manager(app).sync().withheld
    assert [type(p.change).__name__ for p in withheld] == ["ColumnRenamed"]
    assert "label" not in {column["name"] for column in sa.inspect(site.plain).get_columns("thing")}


def test_a_field_of_another_app_is_created(site: Site, make_app: MakeApp) -> None:
    from framework_m_core.metadata_decorator import MetadataDecoratorRegistry

    app = make_app("shop", {"doctypes/thing.py": doctype("title: str = ''")})
    site.settle(app)
    site.insert(own_tables(app)["thing"])
    MetadataDecoratorRegistry.get_instance().register_property("Thing", "loyalty", int)
    result = site.settle(app)
    assert [p.doctype for p in result.plan.plan.applied] == ["Thing"]
    assert site.rows(own_tables(app)["thing"])[0]["loyalty"] is None


def test_a_broken_module_stops_the_sync_before_anything_is_missed(site: Site, make_app: MakeApp) -> None:
    good = {"doctypes/thing.py": doctype("title: str = ''")}
    site.settle(make_app("shop", good))
    broken = make_app("shop", {**good, "doctypes/other.py": "import no_such_package"})
    with pytest.raises(AppBroken, match=r"shop\.doctypes\.other"):
        site.manager(broken).sync()
    assert "thing" in site.tables()


def test_apps_named_in_the_settings(site: Site, make_app: MakeApp) -> None:
    make_app("acme_shop", {"doctypes/thing.py": doctype("title: str = ''")}, name="shop", reference="acme_shop:app")
    manager = MigrationManager(MigrationSettings(database_url=site.url, apps=("shop",)))
    manager.sync()
    assert {"thing", "localuser", "_jobs"} <= site.tables()
    assert manager.plan(force=True).plan.is_empty
    doctypes = json.loads(json.dumps(manager.status().to_dict()))
    assert "shop" in json.dumps(doctypes)


@pytest.mark.parametrize("site", [pytest.param("asyncpg", marks=pytest.mark.postgres)], indirect=True)
def test_hundreds_of_doctypes(site: Site, make_app: MakeApp) -> None:
    fields = "    title: str = ''\n    ref: UUID | None = Field(default=None, json_schema_extra={{'link': 'Doc{}'}})\n"
    body = "".join(f"class Doc{n}(BaseDocType):\n{fields.format((n * 7 + 3) % 200)}\n\n" for n in range(200))
    app = make_app("big", {"doctypes/all.py": f"{HEADER}\n\n{body}"})
    site.settle(app)
    assert sum(name.startswith("doc") for name in site.tables()) >= 200
