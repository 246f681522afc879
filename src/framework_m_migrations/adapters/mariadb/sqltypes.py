"""SQLAlchemy's types for what the catalog says, so that a revision can give a column its former type back exactly."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from framework_m_migrations.adapters.mariadb.tokens import STRING, tokens
from framework_m_migrations.adapters.mariadb.typenames import parse_type
from framework_m_migrations.adapters.sql.verbatim import SqlType

# A parameter style in which a percent sign is one.
_COMPILER = mysql.dialect(paramstyle="named")
_PLAIN: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "smallint": sa.SMALLINT,
    "int": sa.INTEGER,
    "bigint": sa.BIGINT,
    "date": sa.DATE,
    "datetime": sa.DATETIME,
    "timestamp": sa.TIMESTAMP,
    "time": sa.TIME,
    "text": sa.TEXT,
    "blob": sa.BLOB,
    "float": sa.FLOAT,
    "double": sa.DOUBLE,
    "json": sa.JSON,
    "uuid": sa.UUID,
}


@lru_cache(maxsize=4096)
def sqlalchemy_type(spelling: str) -> sa.types.TypeEngine[Any]:
    """The type of a canonical spelling: SQLAlchemy's where it says all of it, else SqlType."""
    try:
        made = _made(spelling)
        if made is not None and parse_type(made.compile(dialect=_COMPILER)).spelling == spelling:
            return made
    except (sa.exc.SQLAlchemyError, TypeError, ValueError):
        pass
    return SqlType(spelling)


def _made(spelling: str) -> sa.types.TypeEngine[Any] | None:
    parsed = parse_type(spelling)
    if parsed.bare == spelling and parsed.bare in _PLAIN:
        return _PLAIN[parsed.bare]()
    texts: dict[str, Any] = {} if parsed.collation is None else {"collation": parsed.collation}
    if parsed.base in {"enum", "set"}:
        members = [token.value for token in tokens(parsed.bare) if token.kind == STRING]
        return mysql.ENUM(*members, **texts) if parsed.base == "enum" else mysql.SET(*members, **texts)
    kind: Any = getattr(mysql, "INTEGER" if parsed.base == "int" else parsed.base.upper(), None)
    if kind is None:
        return None
    options = texts
    if parsed.length is not None:
        options["length"] = parsed.length
    if parsed.base == "decimal":
        options |= {"precision": parsed.precision, "scale": parsed.scale}
    elif parsed.precision is not None:
        options["fsp"] = parsed.precision
    if parsed.bare == "tinyint(1)":
        options["display_width"] = 1
    for word in ("unsigned", "zerofill"):
        if word in parsed.bare.split():
            options[word] = True
    made: sa.types.TypeEngine[Any] = kind(**options)
    return made
