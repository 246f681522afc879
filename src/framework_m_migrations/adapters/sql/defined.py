"""What a MetaData declares by a definition: SQLAlchemy's views, and objects of sqlalchemy-declarative-extensions.

That library keeps in ``MetaData.info`` what is declared with it, as objects of its own. It is imported by who compares
them (defined_compare.py), never here: an application that declares nothing of the kind does not pay for it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.sqlalchemy_versions import CREATE_VIEW, query_behind
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import SchemaObject, TableName

if TYPE_CHECKING:
    from framework_m_migrations.adapters.sql.desired.tables import Target

LIBRARY = "sqlalchemy_declarative_extensions"
_KINDS = {"functions": "function", "procedures": "procedure", "views": "view", "triggers": "trigger"}
"""Keys of ``MetaData.info`` whose objects have a name each, with their kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Defined:
    """What one DocType declares.

    Attributes:
        kind: see ``domain.defined.DEFINED``.
        name: of the object; of roles and grants only what they are called in a plan.
        schema: its schema, None for the default one.
        item: the library's object, SQLAlchemy's CreateView, or the list of rows.
        metadata: where it is declared.
        target: the database that it is wanted in, once it is known.
    """

    kind: str
    name: str
    schema: str | None
    item: Any
    metadata: sa.MetaData
    target: Target | None = None

    @property
    def title(self) -> str:
        """The name of its DocType."""
        place = f"{self.schema}." if self.schema else ""
        owner = f"{self.item.on}." if self.kind == "trigger" else ""
        return f"{self.kind} {place}{owner}{self.name}" if self.name != self.kind else self.kind


def defined_in(metadata: sa.MetaData) -> Iterator[Defined]:
    """What a MetaData declares, in any order."""
    for table in metadata.tables.values():
        view = query_behind(table)
        if isinstance(view, CREATE_VIEW) and table.info.get("managed") is not False:
            kind = "materialized view" if view.materialized else "view"
            yield Defined(kind, str(table.name), table.schema, view, metadata)
    info = metadata.__dict__.get("info") or {}
    declared: dict[str, Any] = {key: value for key, value in info.items() if _is_librarys(value)}
    for key, kind in _KINDS.items():
        for item in declared.get(key, ()):
            named = "materialized view" if kind == "view" and getattr(item, "materialized", False) else kind
            yield Defined(named, item.name, getattr(item, "schema", None), item, metadata)
    if "roles" in declared:
        yield Defined("roles", "roles", None, declared["roles"], metadata)
    if "grants" in declared:
        for kind in ("default grants", "grants"):
            of_kind = [one for one in declared["grants"] if hasattr(one, "default_grant") == (kind == "default grants")]
            if of_kind:
                yield Defined(kind, kind, None, dataclasses.replace(declared["grants"], grants=of_kind), metadata)
    rows: dict[str, list[Any]] = {}
    for row in declared.get("rows", ()):
        rows.setdefault(row.qualified_name, []).append(row)
    for name, several in rows.items():
        of_table = dataclasses.replace(declared["rows"], rows=several, included_tables=[])
        yield Defined("rows", name, None, of_table, metadata)


def schemas_in(metadata: sa.MetaData) -> Iterator[str]:
    """The schemas that a MetaData declares with the library."""
    declared = (metadata.__dict__.get("info") or {}).get("schemas")
    if declared is not None and _is_librarys(declared):
        yield from (getattr(one, "name", one) for one in declared)


def _is_librarys(value: object) -> bool:
    return type(value).__module__.partition(".")[0] == LIBRARY


def wanted_defined(one: Defined, target: Target) -> SchemaObject:
    """An object as a value.

    Raises:
        InvalidMetadata: its query cannot be written for this database.
    """
    kind, item = one.kind, one.item
    on = _table(item.on, target) if kind == "trigger" else None
    name = _table(one.name, target) if kind == "rows" else target.names.table(one.name, one.schema)
    text = view_query(item, target) + _options_of_view(item) if kind.endswith("view") else _text(item)
    if kind in {"roles", "grants", "default grants", "rows"}:
        # They may hold secrets, and are not looked into.
        digest = hashlib.sha256(text.encode()).hexdigest()
        text = f"{name.name} {digest}" if kind == "rows" else digest
    return SchemaObject(kind, name, (("definition", text),), dataclasses.replace(one, target=target), on)


def _table(written: str, target: Target) -> TableName:
    """A table that the library names in one text, with its schema or without."""
    schema, _, table = written.rpartition(".")
    return target.names.table(table, schema or None)


def view_query(item: Any, target: Target) -> str:
    """The query of a view as this database would be sent it.

    Raises:
        InvalidMetadata: SQLAlchemy cannot write it.
    """
    query: Any = item.selectable if isinstance(item, CREATE_VIEW) else getattr(item, "view_def", None)
    query = item.definition if query is None else query
    if isinstance(query, str):
        return query.strip().rstrip(";").strip()
    try:
        return target.text.statement(query).rstrip(";").strip()
    except InvalidMetadata as error:
        raise InvalidMetadata(f"The query of a view cannot be written as SQL: {error}") from error


def _options_of_view(item: Any) -> str:
    indexes = getattr(item, "constraints", None) or ()
    said = (
        f"{getattr(one, 'unique', True)} {one.name} {[str(getattr(key, 'key', key)) for key in _columns(one)]}"
        for one in indexes
    )
    return "".join(f"\n-- index {line}" for line in said)


def _columns(index: Any) -> list[Any]:
    for attribute in ("expressions", "_pending_colargs", "columns"):
        found = getattr(index, attribute, None)
        if found is not None:
            return list(found)
    return []


def _text(item: Any) -> str:
    """The library's object as a text that is the same in every process."""
    if isinstance(item, sa.ClauseElement):
        return str(item)
    if isinstance(item, dict):
        return ", ".join(f"{key}={_text(value)}" for key, value in item.items())
    if isinstance(item, list | tuple | set | frozenset):
        values = [_text(value) for value in item]
        return f"({', '.join(values if isinstance(item, list | tuple) else sorted(values))})"
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        parts = {field.name: getattr(item, field.name, None) for field in dataclasses.fields(item)}
        return f"{type(item).__name__}({_text(parts)})"
    return repr(item)
