"""Texts with half a character or a NUL in them, which no statement can hold: refused before anything is changed.

The nightly run found a comment with half a character, at which a sync ended in a UnicodeEncodeError. A NUL is worse: a
driver ends the statement there.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.dialect import SqliteDialect
from framework_m_migrations.adapters.sql.executor import send_text
from framework_m_migrations.domain.errors import ConfigurationError, InvalidMetadata, MigrationError
from tests.hostile.outcome import Prey, check_error, outcome, sqlite_prey, wipe

HALF = "\ud800"
BAD = pytest.mark.parametrize("bad", [HALF, "a\x00b"], ids=["half a character", "nul"])


def _check(bad: str, table: sa.Table) -> None:
    table.append_constraint(sa.CheckConstraint(f"a <> '{bad}'", name="ck"))


def _comment(bad: str, table: sa.Table) -> None:
    table.comment = bad


def _native_type(bad: str, table: sa.Table) -> None:
    table.append_column(sa.Column("b", sa.Enum(bad, "second", name="kind")))


def _match(bad: str, table: sa.Table) -> None:
    """Not one of the texts that are looked at: here what is about to be sent is refused."""
    table.append_constraint(sa.UniqueConstraint("a"))
    table.append_constraint(sa.ForeignKeyConstraint(["a"], ["customer.a"], match=f"FULL {bad}"))


ANYWHERE: dict[str, Callable[[str, sa.Table], object]] = {
    "default": lambda bad, table: table.append_column(sa.Column("b", sa.Text, server_default=bad)),
    "computed": lambda bad, table: table.append_column(sa.Column("b", sa.Text, sa.Computed(f"'{bad}'"))),
    "collation": lambda bad, table: table.append_column(sa.Column("b", sa.String(5, collation=bad))),
    "check": _check,
    "predicate": lambda bad, table: sa.Index(
        "ix", table.c.a, postgresql_where=table.c.a != bad, sqlite_where=table.c.a != bad
    ),
    "expression": lambda bad, table: sa.Index("ix", sa.text(f"(a || '{bad}')"), _table=table),
    "match of a foreign key": _match,
}
ON_POSTGRESQL: dict[str, Callable[[str, sa.Table], object]] = {
    **ANYWHERE,
    "comment": _comment,
    "comment of a column": lambda bad, table: table.append_column(sa.Column("b", sa.Text, comment=bad)),
    "label": _native_type,
}


def refused(prey: Prey, bad: str, lie: Callable[[str, sa.Table], object]) -> None:
    """As a table that is new, with another that is well; nothing of both is made."""
    metadata = sa.MetaData()
    sa.Table("well", metadata, sa.Column("id", sa.Integer, primary_key=True))
    lie(bad, sa.Table("customer", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Text)))
    result = outcome(prey.manager(metadata).sync)
    assert isinstance(result, InvalidMetadata), result
    str(result).encode()
    assert "customer" not in prey.tables()
    prey.check()


@BAD
@pytest.mark.parametrize("kind", ANYWHERE)
def test_on_sqlite(kind: str, bad: str) -> None:
    with sqlite_prey() as prey:
        refused(prey, bad, ANYWHERE[kind])


@BAD
@pytest.mark.parametrize("kind", ON_POSTGRESQL)
def test_on_postgresql(postgres_prey: Prey, kind: str, bad: str) -> None:
    wipe(postgres_prey)
    refused(postgres_prey, bad, ON_POSTGRESQL[kind])


@BAD
def test_a_default_in_python_is_no_statement_and_fills_no_row(postgres_prey: Prey, bad: str) -> None:
    wipe(postgres_prey)
    metadata = sa.MetaData()
    sa.Table("customer", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("a", sa.Text, default=bad))
    assert not isinstance(outcome(postgres_prey.manager(metadata).sync), MigrationError)


def test_what_stands_before_a_nul_is_never_carried_out(postgres_prey: Prey) -> None:
    """The driver would send CREATE TABLE pwned, and no more."""
    with postgres_prey.engine.connect() as connection, pytest.raises(InvalidMetadata) as caught:
        send_text(connection, SqliteDialect(), "CREATE TABLE pwned (i int) \x00 and more")
    check_error(caught.value)
    postgres_prey.check()


@pytest.mark.parametrize("name", [HALF, "a\x00b", "a\nb", ""])
@pytest.mark.parametrize("setting", ["schema", "version_table"])
def test_names_of_the_settings(postgres_prey: Prey, setting: str, name: str) -> None:
    wipe(postgres_prey)
    metadata = sa.MetaData()
    sa.Table("customer", metadata, sa.Column("id", sa.Integer, primary_key=True))
    for call in ("status", "plan", "run", "sync"):
        manager = postgres_prey.manager(metadata, **{setting: name})
        assert isinstance(outcome(getattr(manager, call)), ConfigurationError)
    assert postgres_prey.tables() == {"sentinel"}
