"""DocTypes to SQLAlchemy tables."""

from __future__ import annotations

import datetime as dt
import enum
import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from framework_m_migrations.adapters.doctypes.framework_m.classes import DocType
from framework_m_migrations.adapters.doctypes.metadata import TENANT_KEY
from framework_m_migrations.adapters.sql.desired.tables import RENAMED_KEY
from framework_m_migrations.adapters.sql.literals import FILL_KEY
from framework_m_migrations.domain.errors import InvalidMetadata


def mend_default(column: sa.Column[Any], field: FieldInfo) -> None:
    """Give a column of the host's making the server default, or the fill, that its field's default means."""
    default: object = field.default
    if field.default_factory is not None or default is PydanticUndefined or default is None:
        # Of a factory, the column's own default tells as much as may be known without calling it.
        column.server_default = None
        return
    value = stored_value(default, column.type)
    clause = _server_default(default, value, column.type)
    column.server_default = clause
    if clause is None:
        column.info[FILL_KEY] = value
    else:
        clause.column = column


def stored_value(value: object, type_: sa.types.TypeEngine[Any]) -> object:
    """A field's value as the host's repositories write it into a column of that type."""
    if isinstance(value, enum.IntEnum):
        return int(value)
    if isinstance(value, enum.Enum):
        return str(value.value) if isinstance(type_, sa.String) else value.value
    if isinstance(type_, sa.String):
        if isinstance(value, dt.time):
            return value.isoformat()
        if isinstance(value, uuid.UUID):
            return str(value)
    return value


def _server_default(default: object, value: object, type_: sa.types.TypeEngine[Any]) -> sa.DefaultClause | None:
    """The server default that the host means, None where it makes none or where there is no literal for it."""
    if not isinstance(default, (str, int, float)) or isinstance(type_, (sa.JSON, sa.LargeBinary)):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str):
        return sa.DefaultClause(value)
    if isinstance(type_, sa.String):
        return sa.DefaultClause(str(value))
    if isinstance(value, bool) or isinstance(type_, sa.Boolean):
        if isinstance(type_, sa.Boolean):
            # As the host spells it on every database: what it made must not look different from what is wanted.
            return sa.DefaultClause(sa.text("true" if value else "false"))
        return sa.DefaultClause(sa.text(str(int(bool(value)))))
    return sa.DefaultClause(sa.text(str(value)))


# DocTypes to SQLAlchemy tables: the host's SchemaMapper maps, and its known faults are fixed before anyone
# looks.
#
# What the host makes depends on the order in which it maps: a child table mapped through its parent has no
# primary key, and a foreign key exists only where its target was mapped before. Here every DocType is mapped by
# itself, and what connects them is added when all tables stand.


ALIASES_KEY = "aliases"
"""Key of ``Table.info`` with the names of further DocTypes that are kept in the same table."""

NAMES = {
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}
"""The host leaves unique constraints and foreign keys without names, and then no revision can drop them again."""


@dataclass(frozen=True, slots=True)
class MappedDocType:
    """A DocType and its tables: its own first, then the one with its history where the host keeps one."""

    doctype: DocType
    tables: tuple[sa.Table, ...]


def map_doctypes(doctypes: Sequence[DocType], mapper: Any) -> tuple[MappedDocType, ...]:
    """The tables of DocTypes; virtual ones have none and are left out.

    Args:
        doctypes: all that belong together, children included.
        mapper: the host's SchemaMapper, or what replaces it in the host's container.

    Raises:
        InvalidMetadata: DocTypes that have nothing to do with each other want one table, or the mapper failed.
    """
    metadata = sa.MetaData(naming_convention=NAMES)
    real = [doctype for doctype in doctypes if doctype.has_table]
    mapped = _map_tables(real, mapper, metadata)
    tenants = _tenants(real)
    for doctype in real:
        table = mapped[doctype.name]
        if doctype.parents:
            _add_parent_columns(table)
        for column in table.columns:
            field = doctype.model.model_fields.get(column.name)
            if field is not None:
                mend_default(column, field)
                _note_rename(column, field.json_schema_extra)
        table.info[TENANT_KEY] = doctype.name in tenants
        renamed = doctype.meta(RENAMED_KEY)
        if isinstance(renamed, str) and renamed:
            # The host's own table names are the DocType's name in lower case.
            table.info[RENAMED_KEY] = renamed if doctype.meta("table_name") else renamed.lower()
    for doctype in real:
        _link(doctype, mapped)
        _drop_index_twins(mapped[doctype.name])
    return tuple(_with_history(real, mapped, mapper, metadata))


def _map_tables(real: Sequence[DocType], mapper: Any, metadata: sa.MetaData) -> dict[str, sa.Table]:
    """DocType name to table. Subclasses come first: where a base shares their table, theirs has all columns."""
    mapped: dict[str, sa.Table] = {}
    owners: dict[str, DocType] = {}
    for doctype in sorted(real, key=lambda item: -len(item.model.__mro__)):
        table = _create(mapper, doctype, metadata)
        owner = owners.setdefault(table.name, doctype)
        if not issubclass(owner.model, doctype.model):
            raise InvalidMetadata(
                f"The DocTypes {owner.name!r} and {doctype.name!r} both want the table {table.name!r}.",
                next_step="Give one of them another Meta.table_name.",
                details={"table": table.name, "doctypes": [owner.name, doctype.name]},
            )
        mapped[doctype.name] = table
    return mapped


def _create(mapper: Any, doctype: DocType, metadata: sa.MetaData) -> sa.Table:
    try:
        table = mapper.create_table(doctype.model, metadata)
    except (sa.exc.SQLAlchemyError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidMetadata(
            f"The DocType {doctype.name!r} of app {doctype.app!r} cannot be mapped to a table: {error}",
            details={"doctype": doctype.name, "app": doctype.app},
        ) from error
    if not isinstance(table, sa.Table):
        raise InvalidMetadata(
            f"The schema mapper {type(mapper).__name__} makes no SQLAlchemy table of DocType {doctype.name!r}.",
            next_step="Use its own migrations: m-migrate supports SQL databases only.",
        )
    return table


def _tenants(real: Sequence[DocType]) -> set[str]:
    """Names of the DocTypes that belong to tenants: by their own word, or by a parent's, as the host maps them.

    None does in a project whose framework_config.toml says ``[tenancy] mode = "single"``: its one tenant has all.
    """
    if _has_one_tenant():
        return set()
    found = {doctype.name for doctype in real if doctype.meta("is_tenant_specific")}
    while added := {d.name for d in real if d.name not in found and found.intersection(d.parents)}:
        found |= added
    return found


def _has_one_tenant() -> bool:
    from framework_m_core.config import load_config

    tenancy = load_config().get("tenancy")
    return isinstance(tenancy, dict) and tenancy.get("mode") == "single"


def _add_parent_columns(table: sa.Table) -> None:
    """What a child's rows need to find their parent, for a class that is used as a child without saying so.

    Nullable, unlike in a declared child table: the same DocType may hold rows that have no parent.
    """
    if "parent" in table.columns:
        return
    string = type(table.columns["owner"].type) if "owner" in table.columns else sa.String
    for name in ("parent", "parentfield", "parenttype"):
        table.append_column(sa.Column(name, string()))
    table.append_column(sa.Column("idx", sa.Integer()))
    sa.Index(f"ix_{table.name}_parent", table.columns["parent"])


def _note_rename(column: sa.Column[Any], extra: object) -> None:
    former = extra.get(RENAMED_KEY) if isinstance(extra, dict) else None
    if isinstance(former, str) and former:
        column.info[RENAMED_KEY] = former


def _link(doctype: DocType, mapped: dict[str, sa.Table]) -> None:
    """Foreign keys of link fields, with the index that the host gives each."""
    table = mapped[doctype.name]
    by_table = {item.name: item for item in mapped.values()}
    for name, field in doctype.model.model_fields.items():
        extra = field.json_schema_extra
        link = extra.get("link") if isinstance(extra, dict) else None
        if not isinstance(link, str) or name not in table.columns:
            continue
        column = table.columns[name]
        target = mapped.get(link, by_table.get(link.lower()))
        fits = target is not None and repr(column.type) == repr(target.columns["id"].type)
        if column.foreign_keys and not fits:
            # A link that holds a name and not an id: no database accepts a key of text to a UUID.
            _forget_keys(column)
        elif not column.foreign_keys and fits and target is not None:
            column.append_foreign_key(sa.ForeignKey(target.columns["id"]))
            index = f"ix_{table.name}_{name}"
            if all(existing.name != index for existing in table.indexes):
                sa.Index(index, column)


def _forget_keys(column: sa.Column[Any]) -> None:
    table = column.table
    for key in tuple(column.foreign_keys):
        column.foreign_keys.discard(key)
        table.foreign_keys.discard(key)
        if key.constraint is not None:
            table.constraints.discard(key.constraint)
    for index in [item for item in table.indexes if item.name == f"ix_{table.name}_{column.name}"]:
        if not index.unique:
            table.indexes.discard(index)


def _drop_index_twins(table: sa.Table) -> None:
    """Of two indexes of one name and the same columns the one that says more stays.

    The host gives every table indexes of its own, and one that a DocType declares too gets the same name.
    """
    by_name: dict[str, sa.Index] = {}
    for index in sorted(table.indexes, key=_says_more, reverse=True):
        kept = by_name.setdefault(str(index.name), index)
        if kept is not index and _columns(kept) == _columns(index) and not _says_more(index):
            table.indexes.discard(index)


def _says_more(index: sa.Index) -> bool:
    return bool(index.unique or index.dialect_kwargs)


def _columns(index: sa.Index) -> list[str]:
    return [column.name for column in index.columns]


def _with_history(
    real: Iterable[DocType], mapped: dict[str, sa.Table], mapper: Any, metadata: sa.MetaData
) -> Iterator[MappedDocType]:
    sharing: dict[str, list[DocType]] = {}
    for doctype in real:
        sharing.setdefault(mapped[doctype.name].name, []).append(doctype)
    for first, *others in sharing.values():
        table = mapped[first.name]
        table.info[ALIASES_KEY] = tuple(other.name for other in others)
        yield MappedDocType(first, (table, *_history(first, table, mapper, metadata)))


def _history(doctype: DocType, table: sa.Table, mapper: Any, metadata: sa.MetaData) -> list[sa.Table]:
    """The table with former versions of rows, for DocTypes that are versioned where the host's settings say so."""
    if not getattr(doctype.model, "_versioning_enabled", False) or not hasattr(mapper, "create_versioned_tables"):
        return []
    before = set(metadata.tables)
    mapper.create_versioned_tables(doctype.model, metadata)
    made = [metadata.tables[name] for name in metadata.tables if name not in before]
    found = []
    for item in made:
        if item.name == f"{table.name}_history":
            item.info[TENANT_KEY] = table.info[TENANT_KEY]
            found.append(item)
        else:
            # A virtual child, which the host maps through its parent all the same.
            metadata.remove(item)
    return found
