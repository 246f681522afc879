"""Tables and rows as the page shows them, and rows to play with."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from models import standard_columns

SHOWN = 20
PEOPLE = ("Ada Lovelace", "Grace Hopper", "Mary Somerville", "Emmy Noether", "Hedy Lamarr", "Annie Easley")
PLACES = ("London", "New York", "Jedburgh", "Erlangen", "Vienna", "Birmingham")
TRIES = 40
"""Values that are tried where one is taken or a check refuses it."""


@contextmanager
def connected(database: Path) -> Iterator[sa.Connection]:
    """A connection that commits at the end."""
    with sa.create_engine(f"sqlite:///{database}", poolclass=sa.NullPool).begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        yield connection


def own_tables(inspector: sa.Inspector) -> list[str]:
    """Names of the application's tables; the engine's own are left out."""
    return [name for name in inspector.get_table_names() if not name.startswith("__") and name != "alembic_version"]


def types_of(connection: sa.Connection, name: str) -> dict[str, str]:
    """Type of each column as the table declares it, which SQLAlchemy reads as one that it knows."""
    quoted = connection.dialect.identifier_preparer.quote(name)
    return {row[1]: row[2] for row in connection.exec_driver_sql(f"PRAGMA table_info({quoted})")}


def rows_of(database: Path, wanted: Collection[str]) -> list[dict[str, Any]]:
    """Each table of the application with columns and the first rows."""
    if not database.exists():
        return []
    doctypes = {"custom_fields", "owner", "modified_by"}
    found = []
    with connected(database) as connection:
        inspector = sa.inspect(connection)
        for name in own_tables(inspector):
            columns, types = inspector.get_columns(name), types_of(connection, name)
            hidden = standard_columns() if doctypes <= {column["name"] for column in columns} else set()
            quoted = connection.dialect.identifier_preparer.quote(name)
            rows = connection.exec_driver_sql(f"SELECT * FROM {quoted} ORDER BY rowid DESC LIMIT {SHOWN}").all()
            found.append(
                {
                    "name": name,
                    "wanted": name in wanted,
                    "total": connection.exec_driver_sql(f"SELECT count(*) FROM {quoted}").scalar_one(),
                    "columns": [
                        {
                            "name": column["name"],
                            "type": types[column["name"]],
                            "required": not column["nullable"],
                            "standard": column["name"] in hidden,
                        }
                        for column in columns
                    ],
                    "rows": [list(row) for row in rows],
                }
            )
    return found


def sample(database: Path, wanted: dict[str, sa.Table], name: str) -> None:
    """Insert a row with made-up values into what models and database both have.

    Rows that its foreign keys need are inserted first. Where a value is taken or refused, others are tried.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: none of them was accepted.
    """
    with connected(database) as connection:
        _insert(connection, wanted, name, ())


def _insert(connection: sa.Connection, wanted: dict[str, sa.Table], name: str, above: tuple[str, ...]) -> None:
    table = wanted.get(name)
    real = sa.Table(name, sa.MetaData(), autoload_with=connection, resolve_fks=False)
    declared = {} if table is None else dict(table.columns.items())
    by_name = {column.name: column for column in declared.values()}
    number = connection.execute(sa.select(sa.func.count()).select_from(sa.table(name))).scalar_one()
    targets = _targets(connection, wanted, name, number, above)
    # A new object: what only the models have must not be part of the statement.
    columns = [_copy(by_name.get(column.name, column)) for column in real.columns]
    target = sa.Table(name, sa.MetaData(), *columns)
    for attempt in itertools.count():
        values = {
            column.name: value
            for column in real.columns
            if (value := targets.get(column.name, _value(by_name.get(column.name, column), column, number + attempt)))
            is not None
        }
        try:
            with connection.begin_nested():
                connection.execute(target.insert().values(values))
        except sa.exc.IntegrityError:
            if attempt == TRIES:
                raise
        else:
            return


def _targets(
    connection: sa.Connection, wanted: dict[str, sa.Table], name: str, number: int, above: tuple[str, ...]
) -> dict[str, object]:
    """Values of the columns of foreign keys: those of a row that exists."""
    found: dict[str, object] = {}
    for key in sa.inspect(connection).get_foreign_keys(name):
        other = key["referred_table"]
        columns = key["referred_columns"] or sa.inspect(connection).get_pk_constraint(other)["constrained_columns"]
        look: Any = sa.select(*map(sa.column, columns)).select_from(sa.table(other)).order_by(sa.text("rowid"))
        rows = connection.execute(look.limit(SHOWN)).all()
        if not rows and other != name and other not in above:
            _insert(connection, wanted, other, (*above, name))
            rows = connection.execute(look.limit(1)).all()
        if rows:
            found.update(zip(key["constrained_columns"], rows[number % len(rows)], strict=True))
    return found


def _copy(column: sa.Column[Any]) -> sa.Column[Any]:
    default = getattr(column.default, "arg", None)
    return sa.Column(column.name, column.type, default=default, primary_key=column.primary_key)


def _value(column: sa.Column[Any], real: sa.Column[Any], number: int) -> object:
    """A value for the column; None leaves it to a default, or NULL."""
    filled = column.default is not None or real.server_default is not None
    if filled or (real.primary_key and isinstance(real.type, sa.Integer)) or real.computed is not None:
        return None
    if column.name in {"owner", "modified_by", "deleted_at"} and column.name in standard_columns():
        return None if real.nullable else "someone"
    if real.nullable and number % 3 == 1:
        return None
    return _of_type(column.type, column.name, number)


def _of_type(type_: Any, name: str, number: int) -> object:
    if isinstance(type_, sa.Enum):
        members: list[object] = list(type_.enum_class) if type_.enum_class else list(type_.enums)
        return members[number % len(members)]
    if isinstance(type_, sa.JSON):
        return {"number": number + 1}
    try:
        kind = type_.python_type
    except NotImplementedError:
        kind = str
    now = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC) + dt.timedelta(hours=number)
    by_kind: dict[type, object] = {
        int: number + 1,
        float: number + 0.5,
        decimal.Decimal: decimal.Decimal(number * 10 % 100),
        bool: number % 2 == 0,
        dt.datetime: now if getattr(type_, "timezone", False) else now.replace(tzinfo=None),
        dt.date: now.date(),
        dt.time: now.time(),
        dt.timedelta: dt.timedelta(minutes=number + 1),
        bytes: b"%d" % number,
        uuid.UUID: uuid.UUID(int=number + 1),
        dict: {},
        list: [],
    }
    if kind is not str:
        return by_kind.get(kind, str(number + 1))
    person, place = PEOPLE[number % len(PEOPLE)], PLACES[number % len(PLACES)]
    again = f" {number // len(PEOPLE) + 1}" if number >= len(PEOPLE) else ""
    texts = {
        "email": f"{person.split()[0].lower()}{again.strip()}@example.org",
        "phone": f"+44 20 7946 {number:04}",
        "city": place,
        "town": place,
        "country": place,
        "title": f"{person}{again}",
        "name": f"{person}{again}",
    }
    text = texts.get(name, f"{name} {number + 1}")
    limit = getattr(type_, "length", None)
    return text if limit is None or len(text) <= limit else str(number + 1)[-limit:]
