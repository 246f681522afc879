"""Rows made up for a table, by the types of its columns: what a revision is tried with on a scratch database.

Every value is written as a string literal, which each database converts to the column's type. The first row is plain,
the second has NULL wherever it may, negative numbers and texts as long as the column allows, the third empty texts and
letters beyond ASCII: what conversions and NOT NULL stumble over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from framework_m_migrations.adapters.sql.sqltext import SqlText
from framework_m_migrations.domain.schema import Catalog, Column, Table, TableName

ROWS = 3
_LONG = 300
_FIRST_KEY = {"smallint": 20001, "tinyint": 101, "mediumint": 20001}
_NUMBERS = ("int", "serial", "numeric", "decimal", "real", "double", "float", "number", "money", "year")
_VALUES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("[",), "{{}}"),
    (("bool",), "{b}"),
    (("json",), '{{"n": {n}}}'),
    (("uuid",), "00000000-0000-4000-8000-00000000000{n}"),
    (("interval",), "{n} days"),
    (("timestamp", "datetime"), "2024-02-0{m} 03:04:05"),
    (("date",), "2024-02-0{m}"),
    (("time",), "03:04:0{n}"),
    (("bytea", "blob", "binary"), "b{n}"),
    (("inet", "cidr"), "10.0.0.{n}"),
    (("range",), "empty"),
)
"""Values by words in the name of a type, the first that fits; ``n`` is the row."""
type Values = dict[str, str | None]
type Send = Callable[[str], str | None]


class SampleRows:
    """Fills the tables of a scratch database.

    Args:
        text: writes names and literals.
        catalog: the tables as they are.
        send: sends a statement; answers with the reason where the database refuses it, else with None.
    """

    def __init__(self, text: SqlText, catalog: Catalog, send: Send) -> None:
        self._text = text
        self._catalog = catalog
        self._send = send
        self._kept: dict[TableName, list[Values]] = {}

    def fill(self) -> tuple[int, tuple[str, ...]]:
        """Insert rows into all tables.

        Returns:
            How many there are, and the tables that took none, each with the database's reason.
        """
        empty: list[str] = []
        for table in _parents_first(self._catalog.tables.values()):
            kept: list[Values] = []
            reason: str | None = None
            self._kept[table.name] = kept
            for number in range(ROWS):
                refused = self._row(table, number)
                reason = reason or refused
            if not kept:
                empty.append(f"table {table.name} takes no generated row: {reason}")
        return sum(len(rows) for rows in self._kept.values()), tuple(empty)

    def _row(self, table: Table, number: int) -> str | None:
        """Insert one row, as odd as the table takes it; None, or why even the plain one is refused."""
        reason: str | None = None
        for variant in dict.fromkeys((number, 0)):
            values = self._values(table, number, variant)
            reason = self._send(self._insert(table, values))
            if reason is None:
                self._kept[table.name].append(values)
                return None
        return reason

    def _insert(self, table: Table, values: Values) -> str:
        text = self._text
        name = text.table(table.name)
        if not values:
            nothing = "() VALUES ()" if text.dialect.name == "mariadb" else "DEFAULT VALUES"
            return f"INSERT INTO {name} {nothing}"
        columns = ", ".join(text.quote(column) for column in values)
        literals = ", ".join("NULL" if value is None else text.literal(value) for value in values.values())
        always = any(one.generated is not None and one.generated.always for one in table.columns)
        clause = " OVERRIDING SYSTEM VALUE" if always and text.dialect.name == "postgresql" else ""
        return f"INSERT INTO {name} ({columns}){clause} VALUES ({literals})"  # noqa: S608 - quoted

    def _values(self, table: Table, number: int, variant: int) -> Values:
        keys = set(table.primary_key.columns) if table.primary_key is not None else set()
        found: Values = {}
        for column in table.columns:
            if column.generated is not None and column.generated.kind == "computed":
                continue
            if variant == 1 and column.nullable and column.name not in keys:
                found[column.name] = None
            else:
                found[column.name] = self._value(column, number, variant, key=column.name in keys)
        for foreign in table.foreign_keys:
            targets = self._kept.get(foreign.target, [])
            target = targets[min(number, len(targets) - 1)] if targets else None
            if foreign.target == table.name:
                target = found
            for name, referred in zip(foreign.columns, foreign.target_columns, strict=True):
                if name not in found or found[name] is None:
                    continue
                nullable = any(column.name == name and column.nullable for column in table.columns)
                if target is not None and target.get(referred) is not None:
                    found[name] = target[referred]
                elif nullable and name not in keys:
                    found[name] = None
        return found

    def _value(self, column: Column, number: int, variant: int, *, key: bool) -> str:
        kind = column.type
        base = (kind.base or kind.spelling).lower()
        if kind.enum is not None and kind.enum in self._catalog.enums:
            labels = self._catalog.enums[kind.enum].values
            return labels[number % len(labels)] if labels else ""
        if base.startswith(("enum", "set")):
            return _first_label(kind.spelling)
        if base.startswith("bit"):
            return "1" * (kind.length or 1)
        if kind.spelling.lower() == "tinyint(1)":
            return str(number % 2)
        if "[" not in kind.spelling and any(word in base for word in _NUMBERS) and "interval" not in base:
            return self._number(column, base, number, variant, key=key)
        for words, value in _VALUES:
            if any(word in kind.spelling.lower() or word in base for word in words):
                return value.format(n=number, m=number + 1, b=number % 2)
        return self._text_value(kind.length, number, variant)

    def _number(self, column: Column, base: str, number: int, variant: int, *, key: bool) -> str:
        if base == "year":
            return str(2000 + number)
        if key or (column.generated is not None):
            # Far from where a sequence begins: a revision may insert rows of its own.
            return str(_FIRST_KEY.get(base, 1000001) + number)
        precision, scale = column.type.precision, column.type.scale or 0
        if precision is not None and precision - scale < 2:
            return str(number % 10) if precision > scale else "0"
        return str(-7 - number if variant == 1 else 11 + number)

    def _text_value(self, length: int | None, number: int, variant: int) -> str:
        mark = f"{number}"
        plain = {0: f"text {mark}", 1: mark + "x" * (_LONG - 1), 2: f"Ünï {mark}"}[variant]
        return plain[-length:] if length is not None and variant != 1 else plain[: length or _LONG]


def _first_label(spelling: str) -> str:
    inner = spelling.partition("(")[2]
    return inner.split("'")[1] if inner.count("'") > 1 else ""


def _parents_first(tables: Iterable[Table]) -> Sequence[Table]:
    """Tables after those that they refer to; a circle in the order given."""
    by_name = {table.name: table for table in tables}
    done: dict[TableName, Table] = {}

    def place(table: Table, above: frozenset[TableName]) -> None:
        if table.name in done or table.name in above:
            return
        for key in table.foreign_keys:
            if key.target in by_name:
                place(by_name[key.target], above | {table.name})
        done[table.name] = table

    for table in by_name.values():
        place(table, frozenset())
    return list(done.values())
