"""Defaults of fields as defaults of columns.

The host writes strings, numbers and booleans into server defaults as they are: a quote breaks CREATE TABLE, a colon
becomes a bind parameter, and a member of ``class Colour(str, Enum)`` its own Python name. Here each is written as the
value that the host stores for it. Where the host makes no server default (Decimal, dates, UUID, JSON), none is wanted,
so that databases of its making do not differ; the value is offered for rows that exist when the column is added.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import uuid
from typing import Any

import sqlalchemy as sa
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from framework_m_migrations.adapters.sql.literals import FILL_KEY


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
