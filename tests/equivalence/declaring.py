"""Generated schemas as SQLAlchemy MetaData, and rows for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from tests.equivalence.kinds import KINDS
from tests.equivalence.model import Col, Item, Sch, Tab
from tests.equivalence.ways import Define

CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

KEYS: dict[str, tuple[str, ...]] = {
    "sqlite": ("int", "big", "text", "pair"),
    "postgresql": ("int", "big", "text", "pair", "identity", "always"),
    "mariadb": ("int", "big", "pair", "unsigned"),
}
"""How tables are identified; ``pair`` takes the first column into the key, before ``id``."""

TABLE_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "sqlite": {
        "strict": {"sqlite_strict": True},
        "without rowid": {"sqlite_with_rowid": False},
        "autoincrement": {"sqlite_autoincrement": True},
    },
    "postgresql": {
        "unlogged": {"prefixes": ["UNLOGGED"]},
        "fillfactor": {"postgresql_with": {"fillfactor": 70}},
        "autovacuum": {"postgresql_with": {"autovacuum_enabled": False}},
    },
    "mariadb": {
        "latin1": {"mariadb_default_charset": "latin1"},
        "collate": {"mariadb_charset": "utf8mb4", "mariadb_collate": "utf8mb4_bin"},
        "row format": {"mariadb_row_format": "DYNAMIC"},
    },
}

UNIQUE_OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "sqlite": {"": {}, "replace": {"sqlite_on_conflict": "REPLACE"}},
    "postgresql": {
        "": {},
        "nulls": {"postgresql_nulls_not_distinct": True},
        "include": {"postgresql_include": ["id"]},
        "deferrable": {"deferrable": True},
        "deferred": {"deferrable": True, "initially": "DEFERRED"},
    },
    "mariadb": {"": {}},
}
FOREIGN_OPTIONS: dict[str, dict[str, Any]] = {
    "": {},
    "cascade": {"ondelete": "CASCADE"},
    "set null": {"ondelete": "SET NULL"},
    "restrict": {"ondelete": "RESTRICT"},
    "update": {"onupdate": "CASCADE", "ondelete": "CASCADE"},
    "deferred": {"deferrable": True, "initially": "DEFERRED"},
    "full": {"match": "FULL"},
}
FOREIGN_CHOICES: dict[str, tuple[str, ...]] = {
    "sqlite": ("", "cascade", "set null", "restrict", "update", "deferred"),
    "postgresql": tuple(FOREIGN_OPTIONS),
    "mariadb": ("", "cascade", "set null", "restrict", "update"),
}
INDEX_OPTIONS: dict[str, tuple[str, ...]] = {
    "sqlite": ("", "unique", "desc", "partial", "expression", "two"),
    "postgresql": (
        "", "unique", "desc", "nulls first", "partial", "expression", "include", "fillfactor", "hash", "two", "pattern",
        "unique nulls",
    ),
    "mariadb": ("", "unique", "two", "prefix", "hash"),
}  # fmt: skip
CHECKS: dict[str, Callable[[sa.Column[Any]], Any]] = {
    "": lambda column: column > -100,
    "less": lambda column: column < 1000000,
    "between": lambda column: column.between(-100, 1000000),
    "in": lambda column: column.in_([0.5, -2, 0, 1, 1.5, 2, 2.0625, 2.25, 3, 42]),
    "or": lambda column: sa.or_(column.is_(None), column > -100, column == -200),
    "text": lambda column: sa.func.length(column) < 100,
}


def define(schema: Sch, dialect: str) -> Define:
    """A function that declares the schema."""

    def declare(metadata: sa.MetaData) -> None:
        if schema.convention:
            metadata.naming_convention = CONVENTION
        for tab in schema.tabs:
            _table(tab, schema, dialect, metadata)
        for tab in schema.tabs:
            for item in tab.items:
                _item(item, metadata.tables[tab.name], dialect, metadata)

    return declare


def _table(tab: Tab, schema: Sch, dialect: str, metadata: sa.MetaData) -> None:
    columns = [_key(tab), sa.Column("n", sa.Integer), *(_column(col, tab, dialect) for col in tab.cols)]
    options: dict[str, Any] = {}
    for option in tab.options:
        for name, value in TABLE_OPTIONS[dialect][option].items():
            options[name] = options[name] | value if isinstance(value, dict) and name in options else value
    info = {"renamed_from": tab.was} if tab.was else {}
    sa.Table(tab.name, metadata, *columns, comment=tab.comment, info=info, **options)


def _key(tab: Tab) -> sa.Column[Any]:
    match tab.key:
        case "text":
            return sa.Column("id", sa.String(20), primary_key=True)
        case "identity" | "always":
            return sa.Column("id", sa.Integer, sa.Identity(always=tab.key == "always"), primary_key=True)
        case "big":
            return sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False)
        case "unsigned":
            from sqlalchemy.dialects import mysql

            return sa.Column("id", mysql.INTEGER(unsigned=True), primary_key=True)
        case "pair":
            return sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)
        case _:
            return sa.Column("id", sa.Integer, primary_key=True, autoincrement="autoincrement" in tab.options or "auto")


def _column(col: Col, tab: Tab, dialect: str) -> sa.Column[Any]:
    kind = KINDS[dialect][col.kind]
    parts: list[Any] = []
    default = None if col.default is None or not kind.defaults else kind.defaults[col.default % len(kind.defaults)]
    match col.extra:
        case "computed" | "virtual":
            parts.append(sa.Computed(("n + 1", "n * 2")[col.how % 2], persisted=col.extra == "computed"))
        case "identity" | "always":
            options: dict[str, Any] = (
                {},
                {"start": 100},
                {"start": 10, "increment": 5},
                {"cycle": True, "maxvalue": 99},
            )[col.how % 4]
            parts.append(sa.Identity(always=col.extra == "always", **options))
        case "sequence":
            start, increment = ((None, None), (5, 2))[col.how % 2]
            sequence = sa.Sequence(f"{tab.name}_{col.name}_numbers", start=start, increment=increment)
            parts.append(sequence)
            default = sequence.next_value()
        case "on update":
            default = sa.text("CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP")
        case "conflict":
            pass
        case _:
            pass
    more: dict[str, Any] = {"sqlite_on_conflict_not_null": "IGNORE"} if col.extra == "conflict" else {}
    return sa.Column(
        col.name,
        kind.type(),
        *parts,
        primary_key=tab.key == "pair" and col is tab.cols[0],
        nullable=not (col.required or col.extra in {"identity", "always"}),
        server_default=default,  # type: ignore[arg-type]
        comment=col.comment,
        info={"renamed_from": col.was} if col.was else {},
        **more,
    )


def _item(item: Item, table: sa.Table, dialect: str, metadata: sa.MetaData) -> None:
    columns = [table.c[name] for name in item.columns]
    first = columns[0]
    comment: dict[str, Any] = {"comment": item.comment} if item.comment else {}
    made: sa.Constraint
    match item.what:
        case "unique":
            made = sa.UniqueConstraint(*columns, name=item.name, **comment, **UNIQUE_OPTIONS[dialect][item.option])
        case "check":
            made = sa.CheckConstraint(CHECKS[item.option](first), name=item.name, **comment)
        case "foreign":
            target = metadata.tables[item.target].c.id
            options = FOREIGN_OPTIONS[item.option]
            made = sa.ForeignKeyConstraint([first], [target], name=item.name, use_alter=False, **comment, **options)
        case "exclude":
            made = postgresql.ExcludeConstraint(
                (first, "&&" if item.option == "overlap" else "="), name=item.name, **comment
            )
        case _:
            _index(item, columns, dialect)
            return
    table.append_constraint(made)


def _index(item: Item, columns: list[sa.Column[Any]], dialect: str) -> None:
    first = columns[0]
    options: dict[str, Any] = {}
    keys: list[Any] = list(columns)
    match item.option:
        case "desc":
            keys = [first.desc()]
        case "nulls first":
            keys = [first.desc().nulls_last()]
        case "partial":
            where = first.is_not(None)
            options = {"postgresql_where": where, "sqlite_where": where}
        case "expression":
            keys = [sa.func.coalesce(first, first)]
        case "include":
            options = {"postgresql_include": ["id"]}
        case "fillfactor":
            options = {"postgresql_with": {"fillfactor": 50}}
        case "hash" if dialect == "postgresql":
            options = {"postgresql_using": "hash"}
        case "hash":
            options = {"mysql_using": "hash", "mariadb_using": "hash"}
        case "pattern":
            options = {"postgresql_ops": {first.name: "varchar_pattern_ops"}}
        case "prefix":
            options = {"mysql_length": 3, "mariadb_length": 3}
        case "gin":
            options = {"postgresql_using": "gin"}
        case "unique nulls":
            options = {"postgresql_nulls_not_distinct": True}
        case _:
            pass
    sa.Index(item.name, *keys, unique=item.option.startswith("unique"), **options)


def rows_of(schema: Sch, dialect: str, count: int, nulls: bool) -> tuple[str, ...]:
    """INSERT statements: ``count`` rows a table, targets of foreign keys first, without NULL unless ``nulls``."""
    said: list[str] = []
    for tab in _in_order(schema):
        targets = {item.columns[0] for item in tab.items if item.what == "foreign"}
        for number in range(count):
            values = {"id": f"'{number + 1}'" if tab.key == "text" else str(number + 1), "n": str(number + 1)}
            for place, col in enumerate(tab.cols):
                if col.extra in {"computed", "virtual", "identity", "always", "sequence"}:
                    continue
                kind = KINDS[dialect][col.kind]
                value = str(number + 1) if col.name in targets else kind.values[number]
                if nulls and not col.required and (number + place) % 3 == 0 and not (tab.key == "pair" and place == 0):
                    value = "NULL"
                values[col.name] = value
            quote = "`" if dialect == "mariadb" else '"'
            names = ", ".join(f"{quote}{name}{quote}" for name in values)
            system = " OVERRIDING SYSTEM VALUE" if dialect == "postgresql" and tab.key == "always" else ""
            into = f"{quote}{tab.name}{quote}"
            said.append(f"INSERT INTO {into} ({names}){system} VALUES ({', '.join(values.values())})")
    return tuple(said)


def _in_order(schema: Sch) -> list[Tab]:
    done: list[Tab] = []
    left = list(schema.tabs)
    while left:
        for tab in left:
            needed = {item.target for item in tab.items if item.what == "foreign"} - {tab.name}
            if needed <= {one.name for one in done}:
                done.append(tab)
                left.remove(tab)
                break
        else:
            raise AssertionError("foreign keys go round in a circle")
    return done
