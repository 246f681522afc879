"""MigrationSettings take metadata and apps as people write them, and refuse the rest with words."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

import framework_m_migrations
from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.engines import parse_url
from framework_m_migrations.domain.errors import ConfigurationError


class Base(DeclarativeBase):
    pass


@pytest.mark.parametrize(
    "given", [Base, Base.metadata, (Base,), [Base.metadata], iter([Base]), {Base.metadata: None}.keys()]
)
def test_metadata_is_taken_as_it_is_written(given: Any) -> None:
    assert MigrationSettings(metadata=given).named_metadata == (Base.metadata,)


@pytest.mark.parametrize(
    ("given", "taken"), [("models:Base", ("models:Base",)), (["a:b", "c:d"], ("a:b", "c:d")), ((), ())]
)
def test_a_text_is_not_taken_letter_by_letter(given: Any, taken: tuple[str, ...]) -> None:
    assert MigrationSettings(metadata=given).named_metadata == taken


@pytest.mark.parametrize("given", [3, None, object(), [None], (sa.Table,), {"a": 1}.values()])
def test_what_is_no_metadata_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="takes MetaData, a declarative Base or a text"):
        MigrationSettings(metadata=given)


def test_apps_are_names() -> None:
    assert MigrationSettings(apps="shop, stock").apps == ("shop", "stock")  # type: ignore[arg-type]
    assert MigrationSettings(apps=["shop"]).apps == ("shop",)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="names of apps"):
        MigrationSettings(apps=3)  # type: ignore[arg-type]


def test_the_scheme_of_hosting_services_is_understood() -> None:
    assert parse_url("postgres://me:x@db/shop").drivername == "postgresql"
    assert parse_url("postgres+asyncpg://me:x@db/shop").drivername == "postgresql+asyncpg"


def test_every_public_name_can_be_imported_from_the_root() -> None:
    for name in framework_m_migrations.__all__:
        assert getattr(framework_m_migrations, name) is not None, name
    returned = {
        inspect.signature(method).return_annotation
        for _, method in inspect.getmembers(MigrationManager)
        if inspect.isfunction(method) and not method.__name__.startswith("_")
    }
    results = {name for name in returned if isinstance(name, str) and name.endswith("Result")}
    assert results <= set(framework_m_migrations.__all__), results - set(framework_m_migrations.__all__)
