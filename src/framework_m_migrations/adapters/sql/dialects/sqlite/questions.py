"""Questions about rows, as SQL."""

from __future__ import annotations

import re
from collections.abc import Collection

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.sqlite.declared_types import affinity
from framework_m_migrations.adapters.sql.dialects.sqlite.tokens import quoted
from framework_m_migrations.domain.facts import FactKind, Facts, Question
from framework_m_migrations.domain.schema import TableName

_COLLATE = re.compile(r'\s*\bCOLLATE ("(?:[^"]|"")*"|\w+)\Z')
# SQLITE_ERROR: a name that is not there, or an expression that fails. Damage, locks and full disks have other codes.
_CANNOT_BE_ASKED = 1


def qualified(table: TableName, schema: str) -> str:
    """A table's name with its schema, ready for SQL."""
    return f"{quoted(table.schema or schema)}.{quoted(table.name)}"


def ask(connection: sa.Connection, questions: Collection[Question], *, schema: str) -> Facts:
    """The answers; questions that cannot be asked, as a table or column is not there, are left out."""
    answers: dict[Question, int] = {}
    for question in questions:
        for sql in _attempts(question, schema):
            try:
                value = connection.exec_driver_sql(sql).scalar_one()
            except sa.exc.OperationalError as error:
                if getattr(error.orig, "sqlite_errorcode", None) != _CANNOT_BE_ASKED:
                    raise
                continue
            answers[question] = int(value or 0)
            break
    return answers


def _attempts(question: Question, schema: str) -> tuple[str, ...]:
    sql = statement(question, schema)
    if question.kind is not FactKind.ORPHANS:
        return (sql,)
    # Where the target does not exist yet, every row that names one is an orphan.
    return sql, _exists(_source(question, schema), _all_given(question.columns))


def statement(question: Question, schema: str) -> str:
    """The SELECT of one number that answers a question.

    Columns are named with the table's alias: SQLite takes a name in double quotes that it does not know for a string,
    and would answer nonsense.
    """
    source = _source(question, schema)
    match question.kind:
        case FactKind.HAS_ROWS:
            return _exists(source, "")
        case FactKind.NULLS:
            # Not IS NULL: where the column is declared NOT NULL, SQLite takes that for false without looking.
            return _exists(source, " OR ".join(f"typeof({_column(name)}) = 'null'" for name in question.columns))
        case FactKind.LONGEST:
            return f"SELECT max(length({_column(question.columns[0])})) FROM {source}"  # noqa: S608
        case FactKind.VIOLATIONS:
            return _exists(source, f"NOT ({question.detail})")
        case FactKind.DUPLICATES:
            columns = ", ".join(_column(name) for name in question.columns)
            condition = _all_given(question.columns)
            if question.detail is not None:
                condition = f"{condition} AND ({question.detail})"
            return _exists(source, f"{condition} GROUP BY {columns} HAVING count(*) > 1")
        case FactKind.ORPHANS:
            return _exists(source, f"{_all_given(question.columns)} AND NOT {_partner(question, schema)}")


def _partner(question: Question, schema: str) -> str:
    target = question.target or question.table
    # The parent's column comes first: it decides how the two compare (foreignkeys.html, 3).
    pairs = zip(question.target_columns, question.columns, strict=True)
    joined = " AND ".join(f"p.{quoted(theirs)} = {_column(ours)}" for theirs, ours in pairs)
    return f"EXISTS (SELECT 1 FROM {qualified(target, schema)} AS p WHERE {joined})"  # noqa: S608


def _exists(source: str, condition: str) -> str:
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT EXISTS (SELECT 1 FROM {source}{where})"  # noqa: S608


def _column(name: str) -> str:
    return f"t.{quoted(name)}"


def _all_given(columns: Collection[str]) -> str:
    return " AND ".join(f"{_column(name)} IS NOT NULL" for name in columns)


def _source(question: Question, schema: str) -> str:
    table = qualified(question.table, schema)
    if not question.assuming:
        return f"{table} AS t"
    added = ", ".join(f"{_assumed(type_, constant)} AS {quoted(name)}" for name, type_, constant in question.assuming)
    return f"(SELECT s.*, {added} FROM {table} AS s) AS t"  # noqa: S608


def _assumed(type_: str, constant: str) -> str:
    """A constant as a column of the type would hold it.

    Only text is cast: a cast to the other affinities does more than storing would (``CAST('{}' AS NUMERIC)`` is 0).
    """
    collate = _COLLATE.search(type_)
    bare = type_[: collate.start()] if collate is not None else type_
    value = f"CAST(({constant}) AS TEXT)" if affinity(bare) == "TEXT" else f"({constant})"
    return value if collate is None else f"{value} COLLATE {collate[1]}"
