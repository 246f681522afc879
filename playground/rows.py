"""Tables and rows as the page shows them, and rows to play with."""

from __future__ import annotations

import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from models import standard_columns

SHOWN = 20
PEOPLE = ("Ada Lovelace", "Grace Hopper", "Mary Somerville", "Emmy Noether", "Hedy Lamarr", "Annie Easley")
PLACES = ("London", "New York", "Jedburgh", "Erlangen", "Vienna", "Birmingham")


def _engine(database: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{database}", poolclass=sa.NullPool)


def rows_of(database: Path, wanted: sa.MetaData | None) -> list[dict[str, Any]]:
    """Each table of the application with columns and the first rows; the engine's own are left out."""
    if not database.exists():
        return []
    doctypes = {"custom_fields", "owner", "modified_by"}
    found = []
    with _engine(database).connect() as connection:
        inspector = sa.inspect(connection)
        for name in inspector.get_table_names():
            if name.startswith("__") or name == "alembic_version":
                continue
            columns = inspector.get_columns(name)
            names = [column["name"] for column in columns]
            hidden = standard_columns() if doctypes <= set(names) else set()
            quoted = connection.dialect.identifier_preparer.quote(name)
            rows = connection.exec_driver_sql(f"SELECT * FROM {quoted} ORDER BY rowid DESC LIMIT {SHOWN}").all()
            found.append(
                {
                    "name": name,
                    "wanted": wanted is not None and name in wanted.tables,
                    "total": connection.exec_driver_sql(f"SELECT count(*) FROM {quoted}").scalar_one(),
                    "columns": [
                        {
                            "name": column["name"],
                            "type": str(column["type"]),
                            "required": not column["nullable"],
                            "standard": column["name"] in hidden,
                        }
                        for column in columns
                    ],
                    "rows": [list(row) for row in rows],
                }
            )
    return found


def sample(database: Path, wanted: sa.Table) -> None:
    """Insert a row into what the class and the database both have."""
    with _engine(database).begin() as connection:
        real = {column["name"] for column in sa.inspect(connection).get_columns(wanted.name)}
        number = connection.execute(sa.select(sa.func.count()).select_from(sa.table(wanted.name))).scalar_one()
        common = [column for column in wanted.columns if column.name in real]
        values = {
            column.name: value
            for column in common
            if column.default is None
            and not (column.primary_key and isinstance(column.type, sa.Integer))
            and (value := _value(column, number)) is not None
        }
        # A new object: what only the class has must not be part of the statement.
        target = sa.Table(wanted.name, sa.MetaData(), *(_copy(column) for column in common))
        connection.execute(target.insert().values(values))


def _copy(column: sa.Column[Any]) -> sa.Column[Any]:
    default = getattr(column.default, "arg", None)
    return sa.Column(column.name, column.type, default=default)


def _value(column: sa.Column[Any], number: int) -> object:
    if column.name in {"name", "owner", "modified_by", "deleted_at"} and column.name in standard_columns():
        return None
    person, place = PEOPLE[number % len(PEOPLE)], PLACES[number % len(PLACES)]
    if column.nullable and number % 3 == 1:
        return None
    texts = {
        "email": f"{person.split()[0].lower()}@example.org",
        "phone": f"+44 20 7946 {number:04}",
        "city": place,
        "country": place,
    }
    try:
        kind = column.type.python_type
    except NotImplementedError:
        return None
    now = dt.datetime.now(dt.UTC)
    by_kind: dict[type, object] = {
        str: texts.get(column.name, person if column.name in {"title", "name"} else f"{column.name} {number + 1}"),
        int: number + 1,
        float: number + 0.5,
        decimal.Decimal: decimal.Decimal(number * 10),
        bool: number % 2 == 0,
        dt.datetime: now,
        dt.date: now.date(),
        dict: {},
    }
    return by_kind.get(kind)
