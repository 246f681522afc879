"""``mysql_*`` options on MariaDB.

SQLAlchemy looks only at the options that are named after the dialect of the URL. A model that says ``mysql_engine`` or
``mysql_length`` means MariaDB as well, and would otherwise get a plain table and a plain index without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

_MYSQL, _MARIADB = "mysql_", "mariadb_"


def adopt_mysql_names(item: sa.Table | sa.Index) -> None:
    """Give a table with all that belongs to it, or an index, its ``mysql_*`` options as ``mariadb_*`` too.

    An option that is named ``mariadb_*`` already stays as it is.
    """
    items: list[Any] = [item]
    if isinstance(item, sa.Table):
        items += [*item.indexes, *item.constraints]
    for one in items:
        if one.__dict__.get("dialect_options") and one.dialect_kwargs:
            one.dialect_kwargs.update(_missing(one.dialect_kwargs))


def _missing(given: Mapping[str, Any]) -> dict[str, Any]:
    named = {_MARIADB + key.removeprefix(_MYSQL): given[key] for key in given if key.startswith(_MYSQL)}
    return {key: value for key, value in named.items() if given.get(key) is None}
