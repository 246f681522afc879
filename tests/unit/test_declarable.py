"""The list of what can be declared is complete for the installed SQLAlchemy, and says the truth where that is cheap."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.dialects.mysql.base import MySQLDDLCompiler, MySQLDialect
from sqlalchemy.dialects.postgresql.base import PGDDLCompiler, PGDialect
from sqlalchemy.dialects.sqlite.base import SQLiteDDLCompiler, SQLiteDialect

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.desired.declarable import MEANING, refuse, rows
from framework_m_migrations.domain.errors import InvalidMetadata
from scripts import make_objects

KEYWORDS: tuple[Any, ...] = (
    *(sa.MetaData, sa.Table, sa.Column, sa.Index, sa.Computed, sa.Identity, sa.Sequence),
    *(sa.FetchedValue, sa.DefaultClause, sa.sql.schema.Constraint, sa.ForeignKey, sa.ForeignKeyConstraint),
    *(sa.PrimaryKeyConstraint, sa.UniqueConstraint, sa.CheckConstraint, postgresql.DOMAIN, postgresql.ENUM),
)
VARIABLE = {"self", "args", "kw", "dialect_kw", "dialect_kwargs", "enums", "expressions"}
COMPILERS: tuple[Any, ...] = (SQLiteDDLCompiler, PGDDLCompiler, MySQLDDLCompiler)
BOOKKEEPING = ("visit_drop_", "visit_unsupported")


def below(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from below(one)


def own(kind: type[Any], base: type[Any]) -> bool:
    return kind.__module__.startswith("sqlalchemy.") and not kind.__name__.startswith(("_", "Annotated", base.__name__))


def derived() -> set[str]:
    """Every name, from SQLAlchemy alone."""
    found = {kind.__name__ for kind in below(sa.schema.SchemaItem) if own(kind, sa.schema.SchemaItem)}
    for kind in below(sa.types.SchemaType):
        module = kind.__module__.split(".")
        if own(kind, sa.types.SchemaType) and not kind.__name__.startswith("Asyncp") and "AsyncPg" not in kind.__name__:
            found.add(f"type {'sqltypes' if module[1] == 'sql' else module[-2]}.{kind.__name__}")
    for kind in KEYWORDS:
        names = inspect.signature(kind.__init__).parameters
        found |= {f"{kind.__name__}.{name}" for name in names if name not in VARIABLE and not name.startswith("_")}
    found |= {"Column.name", "Column.type_"}
    dialects: tuple[Any, ...] = (SQLiteDialect, PGDialect, MySQLDialect)
    for dialect in dialects:
        for kind, options in dialect.construct_arguments or []:
            found |= {f"{dialect.name}.{kind.__name__}.{name}" for name in options}
    for compiler in COMPILERS:
        visitors = {name for name in dir(compiler) if name.startswith("visit_") and not name.startswith(BOOKKEEPING)}
        found |= {f"ddl {name.removeprefix('visit_')}" for name in visitors}
    return found


def test_the_list_is_complete() -> None:
    names = [row.name for row in rows()]
    assert len(names) == len(set(names))
    assert derived() - set(names) == set(), "SQLAlchemy can declare this, and nobody has said what becomes of it"
    assert all(set(row.states) <= MEANING.keys() and len(row.states) == 3 for row in rows())


def test_the_document_is_current() -> None:
    assert make_objects.DOCUMENT.read_text(encoding="utf-8") == make_objects.text(), "run scripts/make_objects.py"


def table(*parts: Any, **options: Any) -> sa.Table:
    return sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *parts, **options)


A = sa.Column("a", sa.Integer)


@pytest.mark.parametrize(
    ("dialect", "parts", "options"),
    [
        ("sqlite", lambda: (sa.UniqueConstraint("id", deferrable=True),), {}),
        ("sqlite", lambda: (sa.CheckConstraint("id > 0", initially="DEFERRED"),), {}),
        ("sqlite", lambda: (postgresql.ExcludeConstraint(("id", "=")),), {}),
        ("sqlite", tuple, {"prefixes": ["VIRTUAL"]}),
        ("postgresql", lambda: (sa.CheckConstraint("id > 0", deferrable=True),), {}),
        ("postgresql", tuple, {"postgresql_with_oids": True}),
        ("postgresql", tuple, {"postgresql_on_commit": "DROP"}),
        ("mariadb", lambda: (sa.UniqueConstraint("id", deferrable=True),), {}),
        ("mariadb", lambda: (sa.ForeignKeyConstraint(["id"], ["t.id"], deferrable=True),), {}),
        ("mariadb", lambda: (postgresql.ExcludeConstraint(("id", "=")),), {}),
        ("mariadb", tuple, {"prefixes": ["OR REPLACE"]}),
    ],
)
def test_what_is_refused_is_refused(dialect: str, parts: Any, options: dict[str, Any]) -> None:
    made = table(*parts(), **options)
    engines: dict[str, sa.Dialect] = {
        "sqlite": SQLiteDialect(),
        "postgresql": PGDialect(),  # type: ignore[no-untyped-call]
        "mariadb": mysql.mariadb.MariaDBDialect(),
    }
    with pytest.raises(InvalidMetadata):
        refuse(made, engines[dialect], list(made.constraints))


@pytest.mark.parametrize(
    "parts", [(sa.UniqueConstraint("id", deferrable=True),), (postgresql.ExcludeConstraint(("id", "=")),)]
)
def test_it_is_refused_before_anything_is_sent(parts: Any) -> None:
    made = table(*parts)
    manager = MigrationManager(MigrationSettings(database_url="sqlite://", metadata=(made.metadata,)))
    with pytest.raises(InvalidMetadata, match="which sqlite does not have"):
        manager.plan(force=True)
