"""Indexes, keys and enumerations declared under a name of the engine's own tables: refused before anything is made.

Found at night: ``create`` wrote such an index into a revision, ``run`` made it, and every command after that was M301.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.errors import InvalidMetadata
from tests.hostile.outcome import Prey, check_error, sqlite_prey, wipe
from tests.hostile.test_taken_names import NAMES, catalog

DECLARED: dict[str, Callable[[str], sa.schema.SchemaItem]] = {
    "index": lambda name: sa.Index(name, "word"),
    "unique index": lambda name: sa.Index(name, "word", unique=True),
    "unique constraint": lambda name: sa.UniqueConstraint("word", name=name),
    "primary key": lambda name: sa.PrimaryKeyConstraint("id", name=name),
}


def holding(*items: sa.schema.SchemaItem) -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table("item", metadata, sa.Column("id", sa.Integer, nullable=False), sa.Column("word", sa.Text), *items)
    return metadata


def refused(prey: Prey, declared: sa.MetaData, project: Path, name: str) -> None:
    (project / "own_app" / "migrations" / "versions").mkdir(parents=True, exist_ok=True)
    (project / "own_app" / "__init__.py").touch()
    before = catalog(prey)
    manager = prey.manager(declared, path=project, apps=("own_app",))
    for call in (manager.plan, manager.sync, manager.verify, partial(manager.create, "more", app="own_app")):
        with pytest.raises(InvalidMetadata) as caught:
            call()
        check_error(caught.value)
        assert caught.value.details == {"name": name}
    assert catalog(prey) == before
    assert list(project.glob("**/versions/*.py")) == []


@pytest.mark.parametrize(
    ("kind", "name"), [*zip(DECLARED, NAMES, strict=False), ("index", "alembic_version"), ("index", "__Schema_State__")]
)
def test_on_sqlite(kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    with sqlite_prey() as prey:
        refused(prey, holding(DECLARED[kind](name)), tmp_path, name)


@pytest.mark.parametrize(("kind", "name"), [*zip(DECLARED, NAMES, strict=False), ("index", "alembic_version")])
def test_on_postgresql(
    postgres_prey: Prey, kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    wipe(postgres_prey)
    refused(postgres_prey, holding(DECLARED[kind](name)), tmp_path, name)


def test_an_enumeration(postgres_prey: Prey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    wipe(postgres_prey)
    metadata = sa.MetaData()
    kind = sa.Enum("a", name="__schema_lease__")
    sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("kind", kind))
    refused(postgres_prey, metadata, tmp_path, "__schema_lease__")
