"""A quick checksum of a SQLAlchemy table.

It covers all that tables.py looks at, so that it changes whenever the wanted table does. It may change where the
wanted table does not (a type replaced by another of the same spelling), which costs one comparison. Domain values are
not built; whatever is compiled to SQL, rare as it is, goes the same way as in tables.py.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.sql import elements as sa_elements

from framework_m_migrations.adapters.sql.desired.constraints import (
    clause_text,
    foreign_key_target,
    has_options,
    is_created,
    is_created_index,
)
from framework_m_migrations.adapters.sql.desired.tables import RENAMED_KEY, Target, TypeMemo, refuse_foreign
from framework_m_migrations.adapters.sql.literals import constant_of, literal_of
from framework_m_migrations.domain.errors import InvalidMetadata

FORMAT = 3
"""Raised whenever tables.py learns to see more, so that every stored checksum is looked at again."""

_PRIMITIVE = frozenset({str, int, bool, float, type(None)})
_PLAIN_VALUES = _PRIMITIVE | {Decimal, dt.date, dt.datetime, dt.time, dt.timedelta, UUID, bytes}
_MEMOS = frozenset(
    {
        "_static_cache_key",
        "_type_affinity",
        "_generic_type_affinity",
        "dispatch",
        # What an Enum keeps beside its labels.
        "_object_lookup",
        "_sort_key_function",
        "_valid_lookup",
        "enum_class",
        "metadata",
        "values_callable",
    }
)
"""Attributes of a type that say nothing about its SQL."""
_GIVEN = frozenset({str, sa_elements.quoted_name})
_CONSTANTS = frozenset({sa_elements.True_, sa_elements.False_, sa_elements.Null})
_SEQUENCE = ("start", "increment", "minvalue", "maxvalue", "nominvalue", "nomaxvalue", "cycle", "cache", "data_type")


class Fingerprints:
    """Checksums for one target; types of one class with the same attributes are spelled once.

    Args:
        target: what the wanted values would be spelled for; its dialect and major server version are part of every
            checksum.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._types = TypeMemo(self._typed)
        self._composed: dict[object, tuple[str, str]] = {}
        version = target.dialect.server_version_info or ()
        self._salt = f"{FORMAT} {target.dialect.name} {version[:1]}"
        self._dialect_prefix = f"{target.dialect.name}_"

    def of(self, table: sa.Table, owner: str = "") -> str:
        """SHA-256 of a table's definition, 64 hexadecimal digits.

        Args:
            table: looked at anew on every call.
            owner: whatever else is to be part of the checksum; without NUL characters.

        Raises:
            InvalidMetadata: a foreign key has no target, or an expression cannot be written as SQL.
        """
        return hashlib.sha256(f"{owner}\0{self.text(table)}".encode("utf-8", "surrogatepass")).hexdigest()

    def text(self, table: sa.Table) -> str:
        """What is hashed: parts for the table, its constraints, columns and indexes, with NUL characters between.

        Two texts are the same only where all parts are: the parts of the table say how many constraints and columns
        follow, and each index says how many keys it has.
        """
        try:
            parts = self._parts(table)
        except sa.exc.SQLAlchemyError as error:
            refuse_foreign(table, self._target)  # Says what it is that this database does not have.
            raise InvalidMetadata(f"Table {table.name} cannot be written as SQL: {error}") from error
        try:
            text = "\0".join(parts)
        except TypeError:
            return repr(parts)  # A name that is no string; tables.py refuses it.
        # A NUL within a name, which no database stores, must not pass for the end of a part.
        return text if text.count("\0") == len(parts) - 1 else repr(parts)

    def _parts(self, table: sa.Table) -> list[str]:
        # Constraints first, as a column without a type of its own takes that of its foreign key's target.
        constraints = [line for item in table.constraints if (line := self._constraint(item)) is not None]
        parts: list[str] = []
        types = self._types
        known = types.known
        count = 0
        for column in table.columns:
            # Most of the time of a sync that has nothing to do is spent here. The dictionary answers twice as fast as
            # the attributes, and names go in as they are, which is quicker than to write each in quotes.
            says = column.__dict__
            if says["system"]:
                continue
            count += 1
            type_ = says["type"]
            state = type_.__dict__
            try:
                words = known[type_.__class__, *state, *state.values()]
            except (KeyError, TypeError):
                words = types(type_)
            word = words[0] if says["nullable"] else words[1]
            if (
                says["server_default"] is not None
                or says["default"] is not None
                or says["comment"] is not None
                or says["primary_key"]
                or "info" in says
                or "dialect_options" in says
            ):
                word += self._more(column, table)
            parts += (says["name"], word)
            if says["constraints"]:
                constraints += [line for item in column.constraints if (line := self._constraint(item)) is not None]
        for index in sorted([self._index(index) for index in table.indexes]):
            parts += index
        constraints.sort()
        return [f"{self._salt} {len(constraints)} {count} {self._table(table)}", *constraints, *parts]

    def _table(self, table: sa.Table) -> str:
        attributes = table.__dict__
        info = attributes.get("info")
        name = self._target.names.table(table.name, table.schema)
        options = self._options(table) if "dialect_options" in attributes else ""
        options += repr(attributes["_prefixes"]) if attributes.get("_prefixes") else ""
        return f"{tuple(name)!r} {table.comment!r} {info.get(RENAMED_KEY) if info else None!r} {options}"

    def _more(self, column: sa.Column[Any], table: sa.Table) -> str:
        """What a column says beyond name, type and nullability, which most do not."""
        says = column.__dict__
        text = ""
        if says["primary_key"]:
            text += f" key {column is table.autoincrement_column} {column.autoincrement!r}"
        if says["server_default"] is not None:
            text += f" default {self._server_default(column)}"
        if says["default"] is not None:
            text += self._default(column)
        if says["comment"] is not None:
            text += f" comment {column.comment!r}"
        info = says.get("info")
        if info:
            text += f" renamed {info.get(RENAMED_KEY)!r}"
            if column.default is None:
                text += self._default(column)
        # SQLAlchemy makes the attribute when it first compiles the column: only what it holds may count.
        if "dialect_options" in says and (options := self._options(column)):
            text += f" options {options}"
        return text

    def _typed(self, type_: sa.types.TypeEngine[Any]) -> tuple[str, str]:
        """Short words for what a type is to the database, where it takes NULL and where not; all of one length."""
        key = _type_key(type_)
        known = self._composed.get(key) if key is not None else None
        if known is not None:
            return known
        spelled, enums, domains = self._target.types(type_)
        text = f"{spelled!r} {[(tuple(item.name), item.values) for item in enums]!r}"
        text += f" {domains!r}" if domains else ""
        word = hashlib.sha256(text.encode()).hexdigest()[:24]
        words = (f"{word} null", f"{word} fill")
        if key is not None:
            self._composed[key] = words
        return words

    def _server_default(self, column: sa.Column[Any]) -> str:
        if column.computed is not None:
            return f"computed {self._clause(column.computed.sqltext)} {column.computed.persisted}"
        if column.identity is not None:
            identity = column.identity
            options = [getattr(identity, name, None) for name in _SEQUENCE]
            return f"identity {identity.always} {options!r}"
        default: Any = column.server_default
        if not isinstance(default, sa.DefaultClause):
            return "fetched"
        arg: Any = default.arg
        if (sequence := getattr(arg, "sequence", None)) is not None:
            options = [str(getattr(sequence, name, None)) for name in _SEQUENCE]
            return f"sequence {sequence.name!r} {sequence.schema!r} {options!r}"
        if isinstance(arg, str):
            return f"string {arg!r}"
        return self._clause(arg)

    def _default(self, column: sa.Column[Any]) -> str:
        default: Any = column.default
        known, value = constant_of(column)
        if known:
            return f" fill {self._value(value, column.type)}"
        if default is not None and default.is_sequence:
            options = [str(getattr(default, name, None)) for name in _SEQUENCE]
            return f" sequence {default.name!r} {default.schema!r} {default.optional} {options!r}"
        return " function"

    def _value(self, value: object, type_: sa.types.TypeEngine[Any]) -> str:
        class_ = type(value)
        key = _type_key(type_)
        if key is not None and class_ in _PLAIN_VALUES:
            return f"{key!r} {class_.__name__} {value!r}"
        if key is not None and isinstance(value, enum.Enum) and type(value.value) in _PLAIN_VALUES:
            return f"{key!r} {class_.__qualname__}.{value.name} {value.value!r}"
        # The representation of any other object may hold an address.
        return repr(literal_of(value, type_, self._target.text, self._target.spelling.binary))

    def _clause(self, clause: Any) -> str:
        """An expression; that of plain SQL text costs nothing."""
        if isinstance(clause, sa.Column):
            return f"column {clause.name!r}"
        if type(clause) is sa_elements.TextClause and not clause._bindparams:  # noqa: SLF001
            return f"text {clause.text!r}"
        if type(clause) in _CONSTANTS:
            return f"constant {type(clause).__name__}"
        return f"sql {clause_text(clause, self._target)!r}"

    def _index(self, index: sa.Index) -> tuple[str, ...]:
        """The parts of an index: its name, what it is with the number of its keys, and the keys."""
        if index._ddl_if is not None and not is_created_index(index, self._target):  # noqa: SLF001
            return ()
        says = index.__dict__
        name = says["name"]
        keys = says["expressions"]
        if type(name) in _GIVEN and not ("dialect_options" in says and has_options(index)):
            columns = [key.name for key in keys if key.__class__ is sa.Column]
            if len(columns) == len(keys):
                return (name, f"{'unique' if says['unique'] else 'index'} {len(keys)}", *columns)
        # A tuple, so that a column is never taken for an expression of the same text.
        written = [(key.name,) if key.__class__ is sa.Column else self._clause(key) for key in keys]
        return (f"{self._name(index)} {index.unique} {written} {self._options(index)}", "written")

    def _constraint(self, item: sa.Constraint) -> str | None:
        kind = type(item)
        if kind is sa.PrimaryKeyConstraint:
            assert isinstance(item, sa.PrimaryKeyConstraint)  # noqa: S101 - tells the type checker
            more = f"{item.deferrable} {item.initially!r} {item.comment!r} {self._options(item)}"
            return f"key {self._name(item)} {_names(item)} {item._implicit_generated} {more}"  # noqa: SLF001
        if not is_created(item, self._target):
            return None
        general = f"{self._name(item)} {item.deferrable} {item.initially!r} {item.comment!r}"
        general += self._options(item)
        if isinstance(item, sa.UniqueConstraint):
            return f"unique {general} {_names(item)}"
        if isinstance(item, sa.ForeignKeyConstraint):
            return f"foreign key {general} {self._foreign_key(item)}"
        if isinstance(item, sa.CheckConstraint):
            return f"check {general} {self._check(item)}"
        if isinstance(item, ExcludeConstraint):
            return f"exclusion {general} {self._target.text.ddl.process(item)!r}"
        return None

    def _check(self, item: sa.CheckConstraint) -> str:
        column: Any = next(iter(item.columns), None) if item._type_bound else None  # noqa: SLF001
        values = getattr(column.type, "enums", None) if column is not None else None
        if values is None:
            return self._clause(item.sqltext)
        # The check of an enumeration follows from its labels; to compile it would cost more than all the rest.
        return f"labels {column.name!r} {type(column.type).__qualname__} {values!r}"

    def _foreign_key(self, item: sa.ForeignKeyConstraint) -> str:
        names = []
        for element in item.elements:
            table, column = foreign_key_target(element)
            names.append((element.parent.name, *self._target.names.table(table.name, table.schema), column.name))
        return f"{names!r} {item.ondelete!r} {item.onupdate!r} {item.match!r}"

    def _name(self, item: sa.Constraint | sa.Index) -> str:
        name: Any = item.name
        if name is None or name.__class__ in _GIVEN:
            return repr(name)
        # A generated name is cut in another way than one that was given, and may still be worked out when asked for.
        kind = type(name).__name__
        return f"{kind} {self._target.text.constraint_name(item)!r}"

    def _options(self, item: Any) -> str:
        """The keyword arguments for this dialect that were given, in the order of their names."""
        if not has_options(item):
            return ""
        given = item.dialect_kwargs
        prefix = self._dialect_prefix
        return repr([(key, self._option(given[key])) for key in sorted(given) if key.startswith(prefix)])

    def _option(self, value: Any) -> object:
        if isinstance(value, sa_elements.ClauseElement):
            return self._clause(value)
        if isinstance(value, dict):
            return sorted((str(key), self._option(item)) for key, item in value.items())
        if isinstance(value, (list, tuple)):
            return [self._option(item) for item in value]
        return value if type(value) in _PRIMITIVE else str(value)


def _names(item: sa.PrimaryKeyConstraint | sa.UniqueConstraint) -> list[str]:
    return [column.name for column in item.columns]


def _type_key(type_: sa.types.TypeEngine[Any]) -> tuple[object, ...] | None:
    """What a type is made of, None where that is more than plain values and other such types."""
    parts: list[object] = [type_.__class__]
    for name, value in type_.__dict__.items():
        if value.__class__ in _PRIMITIVE:
            parts.append((name, value))
        elif isinstance(value, sa.types.TypeEngine):
            inner = _type_key(value)
            if inner is None:
                return None
            parts.append((name, inner))
        elif name == "_variant_mapping":
            variants = [(dialect, _type_key(variant)) for dialect, variant in value.items()]
            if any(inner is None for _, inner in variants):
                return None
            parts.append((name, tuple(variants)))
        elif name == "enums":
            parts.append((name, tuple(value)))
        elif name not in _MEMOS:
            return None
    return tuple(parts)
