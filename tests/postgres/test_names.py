"""The names that a plan gives to constraints without one are those that the server gives them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.domain.naming import Constraint, Place, standard_name
from framework_m_migrations.domain.schema import Check, ForeignKey, TableName, Unique
from tests._postgres import PostgresDatabase
from tests.postgres.support import connected

pytestmark = pytest.mark.postgres

LONG, WIDE = "t" * 50, "\u00e4" * 30
PARENT = TableName("p")


@pytest.mark.parametrize("name", ["t", "A b", LONG, WIDE])
def test_names_are_the_server_s(postgres_database: PostgresDatabase, name: str) -> None:
    columns = ["a", "b", "C d", "\u00fc" * 31, "x" * 60]
    unnamed: list[Constraint] = [
        Unique(None, ("a",)),
        Unique(None, ("a", "b")),
        Unique(None, (columns[4], columns[3])),
        Unique(None, ("b",), (("include", "C d"),)),
        Check(None, "a > 0"),
        Check(None, "a > 1"),
        Check(None, "a < b"),
        Check(None, '"C d" > 0 AND abs("C d") < 9'),
        Check(None, f"{columns[3]} <> 5"),
        Check(None, "'a' <> 'b'"),
        ForeignKey(None, ("a",), PARENT, ("id",)),
        ForeignKey(None, ("a", "b"), PARENT, ("id", "n")),
        ForeignKey(None, (columns[4],), PARENT, ("id",)),
    ]
    with connected(postgres_database) as connection:
        quoted = connection.dialect.identifier_preparer.quote_identifier

        def written(one: Constraint) -> str:
            if isinstance(one, Check):
                return f"CHECK ({one.expression})"
            keys = ", ".join(map(quoted, one.columns))
            if isinstance(one, Unique):
                return f"UNIQUE ({keys})" + "".join(f" INCLUDE ({quoted(value)})" for _, value in one.options)
            return f"FOREIGN KEY ({keys}) REFERENCES p ({', '.join(one.target_columns)})"

        connection.exec_driver_sql("CREATE TABLE p (id int UNIQUE, n int, UNIQUE (id, n))")
        defined = ", ".join(f"{quoted(column)} int" for column in columns)
        defined = ", ".join(f"{quoted(column)} int" for column in columns)
        connection.exec_driver_sql(f"CREATE TABLE {quoted(name)} ({defined})")
        taken: set[str] = set()
        for one in unnamed:
            connection.exec_driver_sql(f"ALTER TABLE {quoted(name)} ADD {written(one)}")
            rows = connection.execute(
                sa.text("SELECT conname FROM pg_constraint WHERE conrelid = CAST(:name AS regclass)"),
                {"name": quoted(name)},
            )
            (new,) = set(rows.scalars()) - taken
            assert new == standard_name(one, Place(TableName(name), columns, taken)), one
            taken.add(new)
        connection.rollback()
