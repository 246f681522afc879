"""One decision about what is not ours, and the ports of a session through it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from framework_m_migrations.container.settings import MigrationSettings
from framework_m_migrations.domain.exclusion import Exclusion, Hook
from framework_m_migrations.domain.ownership import Ownership
from framework_m_migrations.domain.schema import Catalog, SchemaObject, Table, TableName
from framework_m_migrations.ports.inspector import Inspector
from framework_m_migrations.ports.ledger import Ledger

if TYPE_CHECKING:
    import sqlalchemy as sa


def exclusion(settings: MigrationSettings, more: Iterable[str] = ()) -> Exclusion:
    """What the settings leave out; what models leave out themselves is their source's to add.

    Args:
        settings: of the session.
        more: patterns beside the settings' own.

    Raises:
        ConfigurationError: a pattern is none, or the hook cannot be imported.
    """
    include = settings.include_object
    if isinstance(include, str):
        from framework_m_migrations.container.desired import load_attribute

        include = load_attribute(include, settings.path)
    return Exclusion.of((*settings.exclude, *more), None if include is None else _hook(include))


def _hook(include: Callable[..., Any]) -> Hook:
    """A function like Alembic's ``include_object`` as the domain asks it."""
    import sqlalchemy as sa

    def excluded(kind: str, name: str, table: TableName, native: object) -> bool:
        declared = isinstance(native, sa.schema.SchemaItem)
        return not include(native if declared else _bare(kind, name, table), name, kind, not declared, None)

    return excluded


def _bare(kind: str, name: str, table: TableName) -> sa.Table | sa.Index | sa.Constraint:
    """Something that only the database has, as far as its name and its table tell."""
    import sqlalchemy as sa

    owner = sa.Table(table.name, sa.MetaData(), schema=table.schema)
    if kind == "table":
        return owner
    found: sa.Index | sa.Constraint = sa.Index(name) if kind == "index" else sa.Constraint(name)
    found._set_parent(owner)  # noqa: SLF001 - what SQLAlchemy does when it is handed to a Table
    return found


class ExcludingInspector:
    """An Inspector that does not see what is left out.

    Args:
        inner: the Inspector that does.
        exclusion: gives what decides.
    """

    def __init__(self, inner: Inspector, exclusion: Callable[[], Exclusion]) -> None:
        self._inner = inner
        self._exclusion = exclusion

    def read(self, tables: Collection[TableName] | None = None) -> Catalog:
        """See Inspector."""
        return self._exclusion().narrowed(self._inner.read(tables))

    def surplus(
        self, pairs: Sequence[tuple[Table, Table]], objects: Collection[SchemaObject] = ()
    ) -> Mapping[TableName, tuple[str, ...]]:
        """See Inspector."""
        exclusion, tables = self._exclusion(), {wanted.name for wanted, _ in pairs}
        return {
            table: tuple(
                one
                for one in said
                # By its name, or by its kind too: `object:policy *`, `object:row level security`.
                if not any(exclusion.hides(*named, table) for named in (_split(one), ("object", one)))
            )
            for table, said in self._inner.surplus(pairs, objects).items()
            if table in tables or not exclusion.excludes(table)
        }

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class ExcludingLedger:
    """A Ledger in which tables that are left out are not ours, for as long as they are.

    Args:
        inner: the Ledger.
        exclusion: gives what decides.
    """

    def __init__(self, inner: Ledger, exclusion: Callable[[], Exclusion]) -> None:
        self._inner = inner
        self._exclusion = exclusion

    def objects(self, tables: Collection[TableName] | None = None) -> Ownership:
        """See Ledger."""
        found, exclusion = self._inner.objects(tables), self._exclusion()
        if not exclusion:
            return found
        return {name: owned for name, owned in found.items() if not exclusion.excludes(name)}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _split(surplus: str) -> tuple[str, str]:
    """The kind and the name of what a table has beside the models."""
    kind, _, name = surplus.partition(" ")
    return kind, name
