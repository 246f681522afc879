"""Are our findings Alembic's? Thirteen known differences, looked for by both, on a schema that has no other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from benchmarks.synthetic import TABLE, Parts, build, reference
from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.domain import changes as c

type Finding = tuple[str, str, str]
"""Kind, table, and the column, index or constraint it is about."""

EXPECTED: frozenset[Finding] = frozenset(
    {
        ("add_column", TABLE.format(1), "nickname"),
        ("remove_column", TABLE.format(2), "legacy"),
        ("add_index", TABLE.format(3), "ix_posted"),
        ("remove_index", TABLE.format(4), "ix_legacy"),
        ("add_unique", TABLE.format(5), "uq_new"),
        ("remove_unique", TABLE.format(6), "uq_legacy"),
        ("add_fk", TABLE.format(7), "related_id"),
        ("remove_fk", TABLE.format(9), "related_id"),
        ("modify_type", TABLE.format(10), "title"),
        ("modify_nullable", TABLE.format(12), "email"),
        ("modify_default", TABLE.format(13), "status"),
        ("add_table", "tab_new", ""),
        ("remove_table", "tab_legacy", ""),
    }
)
SMALLEST = 20
"""Tables that the differences need."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What each of the two reported, on an unchanged schema and on the changed one."""

    ours_unchanged: tuple[Finding, ...]
    alembic_unchanged: tuple[Finding, ...]
    ours: frozenset[Finding]
    alembic: frozenset[Finding]

    @property
    def complete(self) -> bool:
        """Every known difference was found by us, and nothing else, and nothing where nothing had changed."""
        return self.ours == EXPECTED and not self.ours_unchanged

    @property
    def same(self) -> bool:
        """Both reported exactly the same."""
        return self.ours == self.alembic and self.complete

    def to_dict(self) -> dict[str, Any]:
        return {
            "same": self.same,
            "expected": sorted(EXPECTED),
            "missed_by_us": sorted(EXPECTED - self.ours),
            "invented_by_us": sorted({*self.ours - EXPECTED, *self.ours_unchanged}),
            "missed_by_alembic": sorted(EXPECTED - self.alembic),
            "invented_by_alembic": sorted({*self.alembic - EXPECTED, *self.alembic_unchanged}),
        }


def _edit(number: int, parts: Parts, *, after: bool) -> str | None:
    name = TABLE.format(number)
    columns = {part.name: part for part in parts if isinstance(part, sa.Column)}
    extra: dict[tuple[int, bool], Any] = {
        (1, True): lambda: sa.Column("nickname", sa.String(80)),
        (2, False): lambda: sa.Column("legacy", sa.String(80)),
        (3, True): lambda: sa.Index("ix_posted", "posted_on"),
        (4, False): lambda: sa.Index("ix_legacy", "posted_on"),
        (5, True): lambda: sa.UniqueConstraint("name", "owner", name="uq_new"),
        (6, False): lambda: sa.UniqueConstraint("name", "owner", name="uq_legacy"),
        (7, True): lambda: reference(name, "related_id", TABLE.format(0)),
        (9, False): lambda: reference(name, "related_id", TABLE.format(0)),
    }
    if (number, after) in extra:
        parts.append(extra[number, after]())
    if after:
        match number:
            case 10:
                columns["title"].type = sa.String(280)
            case 12:
                columns["email"].nullable = False
            case 13:
                columns["status"].server_default = sa.DefaultClause("Open")
            case _:
                pass
    return None


def changed_schema(tables: int, *, after: bool) -> sa.MetaData:
    """The schema before or after the thirteen differences."""
    metadata = build(tables, edit=lambda number, parts: _edit(number, parts, after=after))
    sa.Table("tab_new" if after else "tab_legacy", metadata, sa.Column("id", sa.Integer, primary_key=True))
    return metadata


def agreement(engine: sa.Engine, tables: int) -> Agreement:
    """Sync the schema from before, then let both compare it with itself and with the one from after."""
    before, after = changed_schema(tables, after=False), changed_schema(tables, after=True)
    MigrationManager(MigrationSettings(metadata=(before,)), engine=engine).sync()
    return Agreement(
        tuple(ours(engine, before)),
        tuple(alembics(engine, before)),
        frozenset(ours(engine, after)),
        frozenset(alembics(engine, after)),
    )


def is_ours(name: str | None) -> bool:
    """The engine's own tables, which are no part of the comparison."""
    return name is not None and name.startswith(("__schema", "alembic_version"))


def compare(engine: sa.Engine, metadata: sa.MetaData, *, defaults: bool = False) -> list[Any]:
    """Alembic's comparison, as `alembic check` makes it."""
    options: dict[str, Any] = {
        "compare_server_default": defaults,
        "include_name": lambda name, kind, _parents: kind != "table" or not is_ours(name),
    }
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def ours(engine: sa.Engine, metadata: sa.MetaData) -> Iterable[Finding]:
    """Our findings in common terms."""
    result = MigrationManager(MigrationSettings(metadata=(metadata,)), engine=engine).plan(force=True)
    for planned in result.plan.changes:
        change = planned.change
        yield _term(change), str(change.table), _object(change)


def _term(change: c.Change) -> str:
    return {
        c.TableAdded: "add_table",
        c.TableRemoved: "remove_table",
        c.ColumnAdded: "add_column",
        c.ColumnRemoved: "remove_column",
        c.IndexAdded: "add_index",
        c.IndexRemoved: "remove_index",
        c.UniqueAdded: "add_unique",
        c.UniqueRemoved: "remove_unique",
        c.ForeignKeyAdded: "add_fk",
        c.ForeignKeyRemoved: "remove_fk",
        c.ColumnTypeChanged: "modify_type",
        c.ColumnNullabilityChanged: "modify_nullable",
        c.ColumnDefaultChanged: "modify_default",
    }.get(type(change), type(change).__name__)


def _object(change: c.Change) -> str:
    match change:
        case c.TableAdded() | c.TableRemoved():
            return ""
        case c.IndexAdded(index=index) | c.IndexRemoved(index=index):
            return index.name
        case c.UniqueAdded(unique=unique) | c.UniqueRemoved(unique=unique):
            return unique.name or ""
        case c.ForeignKeyAdded(foreign_key=key) | c.ForeignKeyRemoved(foreign_key=key):
            return ", ".join(key.columns)
        case _:
            column = getattr(change, "column", None)
            return "" if column is None else column.name


def alembics(engine: sa.Engine, metadata: sa.MetaData) -> Iterable[Finding]:
    """Alembic's findings in common terms."""
    for entry in compare(engine, metadata, defaults=True):
        for one in entry if isinstance(entry, list) else [entry]:
            yield _alembic(one)


def _alembic(entry: tuple[Any, ...]) -> Finding:
    kind, *rest = entry
    match kind:
        case "add_table" | "remove_table":
            return kind, rest[0].name, ""
        case "add_column" | "remove_column":
            return kind, rest[1], rest[2].name
        case "add_index" | "remove_index":
            return kind, rest[0].table.name, rest[0].name
        case "add_constraint" | "remove_constraint":
            return kind.replace("constraint", "unique"), rest[0].table.name, rest[0].name
        case "add_fk" | "remove_fk":
            return kind, rest[0].table.name, ", ".join(rest[0].column_keys)
        case _:
            return kind, rest[1], rest[2]
