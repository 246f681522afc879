"""What is not ours: tables, schemas and parts of tables that no command looks at.

A pattern is a name with ``*``, ``?`` and ``[...]``, and a kind before a colon: ``celery_*`` or ``table:celery_*``,
``table:audit.*``, ``schema:tiger``, ``index:ix_legacy_*``, ``constraint:...``, ``trigger:...``, or ``object:...`` for
anything within or beside a table. ``@postgis`` stands for the patterns of ``PRESETS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.schema import Catalog, Table, TableName

PRESETS: dict[str, tuple[str, ...]] = {
    "postgis": ("spatial_ref_sys", "schema:topology", "schema:tiger", "schema:tiger_data"),
    "timescaledb": ("schema:_timescaledb_*", "schema:timescaledb_*", "object:ts_insert_blocker"),
    "celery": (
        *("celery_taskmeta", "celery_tasksetmeta", "django_celery_*", "kombu_message", "kombu_queue"),
        *("object:task_id_sequence", "object:taskset_id_sequence"),
    ),
}
"""Patterns for what well-known tools keep in a database, by the name that follows ``@``."""
_KINDS = ("table", "schema", "index", "constraint", "trigger", "object")

type Hook = Callable[[str, str, TableName, object], bool]
"""Whether something is left out: its kind, its name, its table, and what the model declares it as (None: nothing)."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Decides what is left out.

    Attributes:
        patterns: (kind, pattern) pairs.
        tables: tables that their own models leave out.
        hook: asked where no pattern decides.
    """

    patterns: tuple[tuple[str, str], ...] = ()
    tables: frozenset[TableName] = field(default_factory=frozenset)
    hook: Hook | None = None

    @classmethod
    def of(cls, texts: Iterable[str], hook: Hook | None = None) -> Exclusion:
        """From patterns as a person writes them.

        Raises:
            ConfigurationError: one of them is empty, or of no kind that there is, or names no preset.
        """
        found: list[tuple[str, str]] = []
        for text in texts:
            if text.startswith("@"):
                if text[1:] not in PRESETS:
                    raise ConfigurationError(
                        f"There is no list of patterns {text}.",
                        next_step=f"The lists are {', '.join(f'@{name}' for name in PRESETS)}.",
                    )
                found += cls.of(PRESETS[text[1:]]).patterns
                continue
            kind, colon, pattern = text.partition(":")
            kind, pattern = (kind, pattern) if colon else ("table", text)
            if kind not in _KINDS or not pattern:
                raise ConfigurationError(
                    f"{text!r} is not a pattern of what to exclude.",
                    next_step=f"Write it as KIND:PATTERN; kinds are {', '.join(_KINDS)}.",
                )
            found.append((kind, pattern))
        return cls(tuple(found), hook=hook)

    def __bool__(self) -> bool:
        return bool(self.patterns or self.tables or self.hook)

    @property
    def salt(self) -> str:
        """What a checksum must hold of it: which parts of a table are left out. Empty where none are."""
        parts = [pattern for pattern in self.patterns if pattern[0] not in {"table", "schema", "trigger"}]
        return f"{parts!r} {self.hook is not None}" if parts or self.hook else ""

    def excludes(self, name: TableName, native: object = None) -> bool:
        """Whether a table is left out, with all that belongs to it."""
        for kind, pattern in self.patterns:
            if kind == "schema" and name.schema is not None and fnmatchcase(name.schema, pattern):
                return True
            if kind == "table" and (fnmatchcase(name.name, pattern) or fnmatchcase(str(name), pattern)):
                return True
        return name in self.tables or (self.hook is not None and self.hook("table", name.name, name, native))

    def hides(self, kind: str, name: str | None, table: TableName, native: object = None) -> bool:
        """Whether something within or beside a table is left out.

        Args:
            kind: ``index``, ``unique_constraint``, ``check_constraint``, ``foreign_key_constraint``, or any other word.
            name: its name; what has none is never left out.
            table: where it is, or its own name where it is no table's.
            native: the model's object.
        """
        if name is None:
            return False
        short = "constraint" if kind.endswith("constraint") else kind
        if any(wanted in {short, "object"} and fnmatchcase(name, pattern) for wanted, pattern in self.patterns):
            return True
        return self.hook is not None and self.hook(kind, name, table, native)

    def stripped(self, table: Table) -> Table:
        """The table without the parts that are left out."""
        if not self.salt:
            return table

        def kept[T: Any](kind: str, items: tuple[T, ...]) -> tuple[T, ...]:
            return tuple(one for one in items if not self.hides(kind, one.name, table.name, one.native))

        return replace(
            table,
            indexes=kept("index", table.indexes),
            uniques=kept("unique_constraint", table.uniques),
            checks=kept("check_constraint", table.checks),
            foreign_keys=kept("foreign_key_constraint", table.foreign_keys),
        )

    def narrowed(self, catalog: Catalog) -> Catalog:
        """The catalog without what is left out; such tables are still known to exist."""
        if not self:
            return catalog
        excluded = frozenset(name for name in catalog.names if self.excludes(name))
        return replace(
            catalog,
            tables={name: self.stripped(table) for name, table in catalog.tables.items() if name not in excluded},
            enums={name: one for name, one in catalog.enums.items() if not self.hides("type", name.name, name)},
            excluded=excluded,
        )
