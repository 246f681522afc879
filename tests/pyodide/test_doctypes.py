"""Real DocTypes in a browser's worker: the host's base class, registry and schema mapper, from the wheels there are."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from framework_m_migrations import AsyncMigrationManager, MigrationSettings
from tests.pyodide.where import INSIDE

if INSIDE or TYPE_CHECKING:
    from tests.pyodide import files

pytestmark = pytest.mark.pyodide
_numbers = itertools.count(1)

CUSTOMER = """
from decimal import Decimal
from framework_m_core.domain.base_doctype import BaseDocType, Field

class Address(BaseDocType):
    street: str
    class Meta:
        is_child_table = True

class Customer(BaseDocType):
    title: str
    email: str | None = Field(default=None, max_length=140, json_schema_extra={"unique": True})
    credit: Decimal = Decimal("0")
    addresses: list[Address] = Field(default_factory=list)
"""
LATER = CUSTOMER + '    note: str = "it\'s new"\n    phone: str | None = None\n'

type Project = Callable[[str], AsyncMigrationManager]


@pytest.fixture
def folder() -> str:
    return f"/doctypes/{next(_numbers)}"


@pytest.fixture
def project(folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An app whose DocTypes are the given text, as a worker that starts with it sees it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / "shop"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").touch()

    def forget() -> None:
        for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
            del sys.modules[name]
        registry = sys.modules.get("framework_m_core.registry")
        if registry is not None:
            registry.MetaRegistry.get_instance().clear()

    def make(text: str) -> AsyncMigrationManager:
        forget()
        (package / "doctypes.py").write_text(text)
        importlib.invalidate_caches()
        settings = MigrationSettings(f"sqlite+aiosqlite:///{folder}/dev.db", apps=("shop",), path=tmp_path)
        return AsyncMigrationManager(settings)

    yield make
    forget()


def engine(folder: str) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{folder}/dev.db", poolclass=sa.NullPool)


async def test_doctypes_are_kept_and_grow(folder: str, project: Project) -> None:
    first = await project(CUSTOMER).sync()
    assert first.applied
    assert first.withheld == ()
    with engine(folder).begin() as connection:
        assert {"customer", "address"} <= set(sa.inspect(connection).get_table_names())
        connection.exec_driver_sql(
            "INSERT INTO customer (id, title, credit, custom_fields, creation, modified)"
            " VALUES ('a', 'kept', 1, '{}', '2026-01-01', '2026-01-01')"
        )
    assert (await project(CUSTOMER).sync()).up_to_date
    files.another_worker(folder)
    second = await project(LATER).sync()
    assert second.withheld == ()
    assert {change.planned.change.column.name for change in second.plan.changes} == {"note", "phone"}  # type: ignore[union-attr]
    with engine(folder).connect() as connection:
        found = connection.exec_driver_sql("SELECT title, note, phone FROM customer").all()
    assert found == [("kept", "it's new", None)]
    assert not (await project(LATER).verify()).findings


async def test_the_versioned_track_writes_and_applies_a_revision_of_doctypes(folder: str, project: Project) -> None:
    created = await project(CUSTOMER).create("customers", app="shop")
    assert created.path is not None
    assert created.revision in (await project(CUSTOMER).run()).revisions
    left = (await project(CUSTOMER).plan()).changes
    assert not any(change.planned.change.table.name == "customer" for change in left)
    assert sa.inspect(engine(folder)).has_table("address")
    assert (await project(CUSTOMER).rollback(app="shop")).revisions == (created.revision,)
    assert not sa.inspect(engine(folder)).has_table("customer")
