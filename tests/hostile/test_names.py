"""Hostile names, defaults, comments and labels in the wanted schema: refused with a code, or stored as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m_migrations.domain.errors import InvalidMetadata, MigrationError
from tests.hostile.outcome import Prey, outcome, sqlite_prey, wipe
from tests.hostile.texts import hostile, names
from tests.support.profile import cases

TYPES: tuple[Callable[[str], Any], ...] = (
    lambda _: sa.Integer(),
    lambda _: sa.String(20),
    lambda _: sa.Text(),
    lambda label: sa.Enum(label, "second", name=label),
    lambda label: sa.Enum(label, "second", name="kind", native_enum=False, create_constraint=True),
)


@st.composite
def schemas(draw: st.DrawFn) -> Callable[[], sa.MetaData]:
    """A function that declares a schema: SQLAlchemy itself may refuse a part of it, which is left out then."""
    tables = draw(st.lists(names, min_size=1, max_size=2, unique=True))
    columns = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    kinds = [draw(st.sampled_from(TYPES)) for _ in columns]
    label, default, comment, index, check = (draw(hostile) for _ in range(5))
    parts = draw(st.sets(st.sampled_from(("default", "comment", "index", "check", "unique", "key", "info"))))

    def declare() -> sa.MetaData:
        metadata = sa.MetaData()
        for number, name in enumerate(tables):
            made = sa.Table(
                name,
                metadata,
                sa.Column("id", sa.Integer, primary_key=True),
                comment=comment if "comment" in parts else None,
                info={"doctype": label} if "info" in parts and number == 0 else {},
            )
            for column, kind in zip(columns, kinds, strict=True):
                textual = default if "default" in parts else None
                made.append_column(
                    sa.Column(column, kind(label), server_default=textual, comment=comment), replace_existing=True
                )
            first = made.columns[columns[0]]
            if "index" in parts and number == 0:
                sa.Index(index, first)
            if "unique" in parts:
                made.append_constraint(sa.UniqueConstraint(first, name=f"{index}{number}"))
            if "check" in parts:
                made.append_constraint(sa.CheckConstraint(first.is_not(sa.literal("")), name=f"{check}{number}"))
            if "key" in parts and number == 1:
                made.append_column(
                    sa.Column("up", sa.ForeignKey(next(iter(metadata.tables.values())).c.id, name=check))
                )
        return metadata

    return declare


def declared(declare: Callable[[], sa.MetaData]) -> sa.MetaData | None:
    """The schema; None where SQLAlchemy itself does not take it."""
    try:
        return declare()
    except (sa.exc.SQLAlchemyError, ValueError, TypeError):
        return None


def attack(prey: Prey, declare: Callable[[], sa.MetaData]) -> None:
    metadata = declared(declare)
    if metadata is None:
        return
    manager = prey.manager(metadata)
    before = prey.tables()
    result = outcome(manager.sync)
    prey.check()
    if isinstance(result, MigrationError):
        if isinstance(result, InvalidMetadata):
            assert prey.tables() == before, "a schema that is refused leaves nothing behind"
        return
    assert prey.tables() - before <= {table.name[:63] for table in metadata.tables.values()} | {
        table.name.encode()[:63].decode(errors="ignore") for table in metadata.tables.values()
    } | {table.name for table in metadata.tables.values()}
    again = outcome(lambda: manager.plan(force=True))
    assert not isinstance(again, MigrationError), again
    assert not again.plan.applied, again.to_dict()
    outcome(manager.verify)
    assert not isinstance(outcome(manager.status), MigrationError)
    prey.check()


@settings(max_examples=cases(50, 6000), suppress_health_check=[HealthCheck.too_slow])
@given(schemas())
def test_hostile_schemas_on_sqlite(declare: Callable[[], sa.MetaData]) -> None:
    with sqlite_prey() as prey:
        attack(prey, declare)


@settings(max_examples=cases(18, 2000), suppress_health_check=[HealthCheck.too_slow])
@given(declare=schemas())
def test_hostile_schemas_on_postgres(postgres_prey: Prey, declare: Callable[[], sa.MetaData]) -> None:
    wipe(postgres_prey)
    attack(postgres_prey, declare)
