"""MetaData as it is declared, kept apart from what revisions do to it.

A revision file may import the app's models, and much of SQLAlchemy attaches itself to the table it is given: a check
over a model's column becomes a check of that model as soon as the file is loaded. What is wanted must not depend on
which files were loaded, so the MetaData is given back its former content.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

import sqlalchemy as sa

_COLUMNS = ("_collection", "_colset", "_index")
"""What a collection of columns consists of; the read-only ones over it share these very objects."""


class Snapshot:
    """The content of MetaData at one moment.

    Args:
        metadata: whose tables, columns, constraints and indexes are remembered.
    """

    def __init__(self, metadata: Iterable[sa.MetaData]) -> None:
        self._metadata = tuple(
            (one, dict(one.tables), _Content(one, "_schemas", "_sequences"), [_table(t) for t in one.tables.values()])
            for one in metadata
        )

    def restore(self) -> None:
        """Bring it back; only what differs is written."""
        for metadata, tables, content, parts in self._metadata:
            for key, table in list(metadata.tables.items()):
                if tables.get(key) is not table:
                    metadata.remove(table)
            for key, table in tables.items():
                if key not in metadata.tables:
                    metadata._add_table(table.name, table.schema, table)  # noqa: SLF001
            content.restore()
            for table_parts in parts:
                for part in table_parts:
                    part.restore()


class _Content:
    """The attributes of one object, and what the named collections among them hold."""

    def __init__(self, owner: Any, *collections: str) -> None:
        self._attributes: MutableMapping[str, Any] = vars(owner)
        self._before = {name: value for name, value in vars(owner).items() if name != "tables"}
        self._filled = [(held, type(held)(held)) for name in collections if (held := vars(owner).get(name)) is not None]

    def restore(self) -> None:
        for name, value in self._before.items():
            if self._attributes.get(name) is not value:
                self._attributes[name] = value
        for held, content in self._filled:
            _refill(held, content)


class _Columns:
    """The columns of a table, in order."""

    def __init__(self, table: sa.Table) -> None:
        collection = table._columns  # noqa: SLF001
        self._parts = [(held, type(held)(held)) for held in (getattr(collection, name) for name in _COLUMNS)]

    def restore(self) -> None:
        for held, content in self._parts:
            _refill(held, content)


def _table(table: sa.Table) -> list[_Content | _Columns]:
    parts: list[_Content | _Columns] = [_Content(table, "constraints", "indexes", "foreign_keys"), _Columns(table)]
    parts.extend(_Content(column, "foreign_keys", "constraints") for column in table.columns)
    parts.extend(_Content(item) for item in (*table.constraints, *table.indexes))
    return parts


def _refill(held: Any, content: Any) -> None:
    """Give a list, set or dictionary its former content; compared by identity, as columns make SQL of ``==``."""
    if len(held) == len(content) and all(map(_same, _flat(held), _flat(content))):
        return
    held.clear()
    (held.extend if isinstance(held, list) else held.update)(content)


def _flat(held: Any) -> Iterable[Any]:
    return held.items() if isinstance(held, dict) else sorted(held, key=id) if isinstance(held, set) else held


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one is other or (isinstance(one, str | int) and one == other)
