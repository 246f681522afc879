"""What a change makes of a column's definition.

MODIFY COLUMN and CHANGE COLUMN replace a definition as a whole: a clause that is left out is lost. A change therefore
starts from the clauses that the server prints, and replaces those that it is about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from framework_m_migrations.adapters.mariadb.definitions import (
    CHECK,
    COMMENT,
    DEFAULT,
    GENERATED,
    NULLITY,
    ON_UPDATE,
    OTHER,
    TYPE,
    ColumnDefinition,
)
from framework_m_migrations.adapters.mariadb.expressions import split_default
from framework_m_migrations.adapters.mariadb.tokens import NAME, literal, quoted, tokens
from framework_m_migrations.adapters.mariadb.typenames import parse_type
from framework_m_migrations.adapters.sql import render
from framework_m_migrations.domain.schema import Column, Generated

_NOW = re.compile(r"(?P<clause>DEFAULT|ON UPDATE) (?:current_timestamp|now)(?:\(\d*\))?", re.IGNORECASE)
_COMPRESSED = re.compile(r"/\*M?!\d+ COMPRESSED[^*]*\*/")
_COMPRESSIBLE = re.compile(r"varchar|varbinary|\w*(text|blob)", re.IGNORECASE)
_DIGITS = re.compile(r"\((\d)\)")
_JSON_CHECK = re.compile(r"CHECK \(json_valid\(`(?:[^`]|``)*`\)\)", re.IGNORECASE)
_MOMENTS = frozenset({"datetime", "timestamp"})

type Clauses = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """What is changed in a column; what is left at its default stays as the database has it.

    Args:
        rename: the new name.
        type: as DDL writes it.
        nullable: whether NULL is allowed.
        default: as DDL writes it, ``ON UPDATE`` included; None for none.
        comment: None for none.
        autoincrement: whether the server counts.
        generated: of kind ``computed``; None for an ordinary column.
    """

    rename: str | None = None
    type: str | None = None
    nullable: bool | None = None
    default: str | Literal[False] | None = False
    comment: str | Literal[False] | None = False
    autoincrement: bool | None = None
    generated: Generated | Literal[False] | None = False

    @property
    def only_renames(self) -> bool:
        """Whether the definition stays as it is."""
        return self == ColumnChange(rename=self.rename)

    @property
    def only_default(self) -> bool:
        """Whether nothing but the default changes."""
        return self == ColumnChange(default=self.default)


def changed(name: str, column: ColumnDefinition, change: ColumnChange) -> ColumnDefinition:
    """The definition after a change.

    Args:
        name: of the column, before the change.
        column: as the server prints it.
        change: what is wanted of it.
    """
    clauses: Clauses = {**column.clauses}
    if change.type is not None:
        clauses |= _retyped(column.clauses, change.type)
    if change.generated is not False:
        clauses |= _generated(change.generated)
    if change.default is not False:
        clauses |= _following(clauses[TYPE] or "", {**clauses, **default_clauses(change.default)}, (ON_UPDATE,))
    if change.nullable is not None and not clauses.get(GENERATED):
        clauses[NULLITY] = "NULL" if change.nullable else "NOT NULL"
    if clauses.get(NULLITY) == "NOT NULL" and (clauses.get(DEFAULT) or "").upper() == "DEFAULT NULL":
        clauses[DEFAULT] = None
    if change.comment is not False:
        clauses[COMMENT] = f"COMMENT {literal(change.comment)}" if change.comment else None
    if change.autoincrement is not None:
        others = (clauses.get(OTHER) or "").replace("AUTO_INCREMENT", "").split()
        clauses[OTHER] = " ".join([*(["AUTO_INCREMENT"] if change.autoincrement else []), *others])
    if change.rename is not None and (check := clauses.get(CHECK)):
        # The server reads the check of a column with the names that come after the change.
        clauses[CHECK] = _with_name(check, name, change.rename)
    return ColumnDefinition({kind: text for kind, text in clauses.items() if text})


def default_clauses(sql: str | None) -> Clauses:
    """DEFAULT and ON UPDATE for a server default, None for neither."""
    if sql is None:
        return {DEFAULT: None, ON_UPDATE: None}
    value, on_update = split_default(sql)
    return {
        DEFAULT: f"DEFAULT {render.default_value(value)}" if value else None,
        ON_UPDATE: None if on_update is None else f"ON UPDATE {on_update}",
    }


def declared(column: Column) -> ColumnDefinition:
    """The definition of a column that only a model knows."""
    generated = column.generated
    clauses: Clauses = {TYPE: column.type.spelling}
    if generated is not None and generated.kind == "computed":
        clauses |= _generated(generated)
    else:
        clauses |= {NULLITY: None if column.nullable else "NOT NULL", **default_clauses(column.default_text)}
        clauses[OTHER] = "AUTO_INCREMENT" if generated is not None else None
    clauses[COMMENT] = f"COMMENT {literal(column.comment)}" if column.comment else None
    return ColumnDefinition({kind: text for kind, text in clauses.items() if text})


def is_virtual(column: ColumnDefinition) -> bool:
    """Whether the server computes the column when it is read. Such a column cannot become another kind in place."""
    return column.clauses.get(GENERATED, "").upper().endswith("VIRTUAL")


def _retyped(clauses: Mapping[str, str], type_: str) -> Clauses:
    new = parse_type(type_)
    found: Clauses = {TYPE: type_}
    compressed = _COMPRESSED.search(clauses[TYPE])
    if compressed is not None and _COMPRESSIBLE.fullmatch(new.base):
        found[TYPE] = f"{type_} {compressed[0]}"
    if _JSON_CHECK.fullmatch(clauses.get(CHECK, "")):
        # JSON brings this check along, and takes it away again.
        found[CHECK] = None
    if GENERATED in clauses:
        return found
    if new.base == "timestamp" and NULLITY not in clauses:
        # Depending on the server's settings a TIMESTAMP that says nothing is NOT NULL.
        found[NULLITY] = "NULL"
    if new.base not in _MOMENTS:
        found[ON_UPDATE] = None
        return found
    return found | _following(type_, clauses, (DEFAULT, ON_UPDATE), only_now=True)


def _following(
    type_: str, clauses: Mapping[str, str | None], kinds: tuple[str, ...], *, only_now: bool = False
) -> Clauses:
    """The clauses with as many digits of a second as the column has, which the server demands of ON UPDATE."""
    new = parse_type(type_)
    digits = _DIGITS.search(new.bare)
    found = {} if only_now else dict(clauses)
    for kind in kinds if new.base in _MOMENTS else ():
        now = _NOW.fullmatch(clauses.get(kind) or "")
        if now is not None:
            found[kind] = f"{now['clause']} current_timestamp({digits[1] if digits else ''})"
    return found


def _generated(generated: Generated | None) -> Clauses:
    if generated is None:
        return {GENERATED: None}
    kind = "STORED" if generated.stored else "VIRTUAL"
    said = f"GENERATED ALWAYS AS ({generated.expression}) {kind}"
    return {GENERATED: said, NULLITY: None, DEFAULT: None, ON_UPDATE: None, OTHER: None}


def _with_name(sql: str, before: str, after: str) -> str:
    parts, end = [], 0
    for item in tokens(sql):
        if item.kind == NAME and item.value.lower() == before.lower():
            parts += [sql[end : item.start], quoted(after)]
            end = item.end
    return "".join([*parts, sql[end:]])
