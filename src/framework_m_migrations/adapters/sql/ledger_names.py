"""What stands under the names that the engine keeps for its own tables, and the refusal where it is no table.

A view, a sequence or a type of such a name may answer a SELECT as the ledger would, and takes the place of the table
that is to be made. The engine never removes what it did not make, so that every command says so, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.domain.errors import LedgerNameTaken

TABLE = "table"
"""The kind of what may stand there."""
_KINDS = {
    "v": "view", "m": "materialised view", "S": "sequence", "f": "foreign table", "p": "partitioned table",
    "c": "composite type", "i": "index", "I": "index", "r": TABLE,
}  # fmt: skip
"""PostgreSQL's pg_class.relkind, in words."""


def holders(names: Iterable[str], schema: str | None, dialect: str, *, visible: bool = False) -> sa.Select[Any] | None:
    """A query for what stands under the names in a schema: rows of (name, kind), the kind of a table being ``table``.

    None for a dialect of somebody else's, whose catalog is not known: SQLAlchemy's reflection tells, by ``reflected``.

    Args:
        names: of the tables; on SQLite in lower case.
        schema: to look in, None for the connection's default.
        dialect: SQLAlchemy's name.
        visible: without a schema, look where PostgreSQL's search_path finds a relation of the name, as statements do
            that name none.
    """
    wanted = sorted(names)
    match dialect:
        case "sqlite":
            return _sqlite(wanted, schema)
        case "postgresql":
            return _postgresql(wanted, schema, visible=visible)
        case "mariadb" | "mysql":
            return _mariadb(wanted, schema)
        case _:
            return None


def reflected(connection: sa.Connection, schema: str | None) -> list[tuple[str, str]]:
    """What SQLAlchemy's reflection finds in a schema, tables and views, in the form of the rows of ``holders``."""
    inspector = sa.inspect(connection)
    tables = [(name, TABLE) for name in inspector.get_table_names(schema=schema)]
    return [*tables, *((name, "view") for name in inspector.get_view_names(schema=schema))]


def in_postgresql(name: str, schema: str | None = None) -> str:
    """The query for one name as a text, for statements that are sent as they are."""
    dialect = sa.make_url("postgresql://").get_dialect()()
    query = _postgresql([name], schema)
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def refuse_other_version_table(connection: sa.Connection, name: str, schema: str | None) -> None:
    """Go on where what stands under the name of Alembic's table is a table, or nothing.

    Alembic reads a view as it would its table, and fails when it writes, in the middle of the first revision.

    Args:
        connection: to look through.
        name: of the version table.
        schema: its schema, None for the connection's default.

    Raises:
        LedgerNameTaken: a view, a sequence, a type or something else has the name.
    """
    dialect = connection.dialect.name
    shown = name.lower() if dialect == "sqlite" else name
    query = holders([shown], schema, dialect, visible=True)
    found: Iterable[Sequence[Any]]
    if query is None:
        found = [row for row in reflected(connection, schema) if row[0] == name]
    else:
        found = connection.execute(query).all()
    only_tables(
        found,
        next_step="Rename the object, or drop it if nobody needs it; or name another table with --version-table.",
    )


def only_tables(found: Iterable[Sequence[Any]], *, next_step: str | None = None) -> frozenset[str]:
    """The names that are taken, where each is a table's.

    Args:
        found: rows of ``holders``.
        next_step: of the error, where the usual one does not fit.

    Raises:
        LedgerNameTaken: a name of the engine's is something else's.
    """
    kinds: dict[str, str] = {str(row[0]): str(row[1]) for row in found}
    others = {name: kind for name, kind in sorted(kinds.items()) if kind != TABLE}
    if not others:
        return frozenset(kinds)
    shown = ", ".join(f"{name} ({kind})" for name, kind in others.items())
    raise LedgerNameTaken(
        f"What stands under a name of the engine's own is no table: {shown}. Nothing was changed.",
        next_step=next_step,
        details={"taken": others},
    )


def _sqlite(names: list[str], schema: str | None) -> sa.Select[Any]:
    """Names are one whatever their case; a trigger takes a name from no table, an index does."""
    entry = sa.table("sqlite_master", *map(sa.column, ("name", "type", "rootpage")), schema=schema)
    lower: sa.Function[str] = sa.func.lower(entry.c.name)
    virtual = sa.and_(entry.c.type == "table", entry.c.rootpage == 0)
    kind = sa.case((virtual, "virtual table"), else_=entry.c.type)
    return sa.select(lower.label("name"), kind.label("kind")).where(lower.in_(names), entry.c.type != "trigger")


def _postgresql(names: list[str], schema: str | None, *, visible: bool = False) -> sa.Select[Any]:
    """Relations, and types without one: each table has a type of its own name, so that a type is in its way too."""
    place: Any = sa.func.current_schema() if schema is None else schema
    space = sa.table("pg_namespace", *map(sa.column, ("oid", "nspname")), schema="pg_catalog")
    of_relations = ("oid", "relname", "relnamespace", "relkind")
    relation = sa.table("pg_class", *map(sa.column, of_relations), schema="pg_catalog")
    of_types = ("typname", "typnamespace", "typtype", "typrelid", "typelem")
    type_ = sa.table("pg_type", *map(sa.column, of_types), schema="pg_catalog")
    home: Any = sa.select(space.c.oid).where(space.c.nspname == place).scalar_subquery()
    if visible and schema is None:
        first = relation.alias()
        seen = sa.select(sa.func.min(first.c.relnamespace)).where(
            first.c.relname.in_(names), sa.func.pg_catalog.pg_table_is_visible(first.c.oid)
        )
        home = sa.func.coalesce(seen.scalar_subquery(), home)
    word = sa.case(_KINDS, value=sa.cast(relation.c.relkind, sa.Text), else_="relation")
    relations = sa.select(sa.cast(relation.c.relname, sa.Text).label("name"), word.label("kind")).where(
        relation.c.relname.in_(names), relation.c.relnamespace == home
    )
    # The server gives the type of an array another name where one is needed.
    own = sa.or_(type_.c.typtype != "b", type_.c.typelem == 0)
    a_type: sa.ColumnElement[str] = sa.literal_column("'type'")
    types = sa.select(sa.cast(type_.c.typname, sa.Text), a_type).where(
        type_.c.typname.in_(names), type_.c.typnamespace == home, type_.c.typrelid == 0, own
    )
    both = sa.union_all(relations, types).subquery()
    return sa.select(both.c.name, both.c.kind)


def _mariadb(names: list[str], schema: str | None) -> sa.Select[Any]:
    """By information_schema; schema and database are one there."""
    columns = ("table_name", "table_schema", "table_type")
    entry = sa.table("tables", *map(sa.column, columns), schema="information_schema")
    place = sa.func.database() if schema is None else schema
    kind = sa.case((entry.c.table_type == "BASE TABLE", TABLE), else_=sa.func.lower(entry.c.table_type))
    return sa.select(sa.func.lower(entry.c.table_name).label("name"), kind.label("kind")).where(
        entry.c.table_name.in_(names), entry.c.table_schema == place
    )
