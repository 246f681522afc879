"""The operations that most revisions consist of, as source: without Alembic's renderer, in the words that it has.

What it has no words for, or what would have to be looked at closer, is left to Alembic: the answer is None then.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.functions import now

from framework_m_migrations.adapters.sql.revisions.writer.objects import type_source
from framework_m_migrations.adapters.sql.revisions.writer.source import Said, escape_binds, flat
from framework_m_migrations.domain.schema import Index, TableName

_QUOTED = re.compile(r"'((?:[^']|'')*)'")
_MOST = 200
"""Arguments of a call: Alembic writes more of them as a list."""


def create_table(table: sa.Table) -> Said | None:
    """``op.create_table``."""
    imports: set[str] = set()
    columns = [_column(column, imports) for column in table.columns]
    constraints = [_constraint(one) for one in table.constraints if not getattr(one, "_type_bound", False)]
    parts = [*columns, *sorted((one for one in constraints if one is not None), key=flat)]
    empty = not table.primary_key.columns
    known = [one for one in parts if one is not None]
    unusual = table.dialect_kwargs or table._prefixes or len(known) < len(columns) + len(constraints) - empty  # noqa: SLF001
    if unusual or len(known) > _MOST:
        return None
    named = {"schema": table.schema, "comment": table.comment}
    return _said(
        "create_table", [ast.Constant(table.name), *known], _given(named), imports, sa.schema.CreateTable(table)
    )


def drop_table(name: TableName) -> Said:
    """``op.drop_table``."""
    return _said("drop_table", [ast.Constant(name.name)], _given({"schema": name.schema}), set(), None)


def create_index(table: TableName, index: Index) -> Said | None:
    """``op.create_index`` of columns, of some rows where the model says in text which."""
    options = index.native.dialect_kwargs if isinstance(index.native, sa.Index) else {}
    columns = [key.column for key in index.keys if key.column is not None and not key.modifiers]
    conditions = {name: escape_binds(str(one)) for name, one in options.items() if isinstance(one, sa.TextClause)}
    unusual = index.include or index.options or index.method or len(columns) < len(index.keys)
    if unusual or len(conditions) < len(options) or (index.where and not conditions):
        return None
    names = ast.List([ast.Constant(str(name)) for name in columns])
    named = _given({"unique": bool(index.unique), "schema": table.schema})
    named += [ast.keyword(name, _text(condition)) for name, condition in conditions.items()]
    return _said("create_index", [_name(index.name), ast.Constant(table.name), names], named, set(), None)


def _said(
    operation: str,
    arguments: list[ast.expr],
    named: list[ast.keyword],
    imports: set[str],
    ddl: sa.schema.CreateTable | None,
) -> Said:
    return Said(ast.Call(_member("op", operation), arguments, named), frozenset(imports), ddl)


def _column(column: sa.Column[Any], imports: set[str]) -> ast.Call | None:
    if column.dialect_kwargs or column.system or column.computed is not None or column.identity is not None:
        return None
    default = None if column.server_default is None else _default(column.server_default)
    if (default is None) is not (column.server_default is None):
        return None
    named: list[ast.keyword] = [] if default is None else [ast.keyword("server_default", default)]
    counts = None if column.autoincrement == "auto" else column.autoincrement
    named += _given({"autoincrement": counts, "nullable": column.nullable, "comment": column.comment})
    return ast.Call(
        _member("sa", "Column"), [ast.Constant(str(column.name)), _type(type_source(column.type, imports))], named
    )


@cache
def _type(written: str) -> ast.expr:
    return ast.parse(written, mode="eval").body


def _default(given: Any) -> ast.expr | None:
    clause = given.arg if isinstance(given, sa.DefaultClause) else None
    match clause:
        case sa.TextClause():
            quoted = _QUOTED.fullmatch(clause.text)
            if quoted:
                return ast.Constant(quoted[1].replace("''", "'"))
            return _text(escape_binds(clause.text))
        case sa.True_() | sa.False_():
            return ast.Call(_member("sa", "true" if isinstance(clause, sa.True_) else "false"), [], [])
        case now():
            return ast.Call(ast.Attribute(_member("sa", "func"), "now"), [], [])
        case _:
            return None


def _text(sql: str) -> ast.Call:
    return ast.Call(_member("sa", "text"), [ast.Constant(sql)], [])


def _constraint(constraint: sa.Constraint) -> ast.Call | None:
    if constraint.dialect_kwargs or constraint.deferrable or constraint.initially:
        return None
    named = [] if constraint.name is None else [ast.keyword("name", _name(str(constraint.name), constraint.name))]
    match constraint:
        case sa.PrimaryKeyConstraint() | sa.UniqueConstraint() if constraint.columns:
            columns: list[ast.expr] = [ast.Constant(str(column.name)) for column in constraint.columns]
            return ast.Call(_member("sa", type(constraint).__name__), columns, named)
        case sa.ForeignKeyConstraint() if not (constraint.use_alter or constraint.match):
            own = ast.List([ast.Constant(str(name)) for name in constraint.column_keys])
            target = ast.List([ast.Constant(key.target_fullname) for key in constraint.elements])
            named += _given({"onupdate": constraint.onupdate, "ondelete": constraint.ondelete})
            return ast.Call(_member("sa", "ForeignKeyConstraint"), [own, target], named)
        case sa.CheckConstraint(sqltext=sa.TextClause() as clause):
            return ast.Call(_member("sa", "CheckConstraint"), [ast.Constant(clause.text)], named)
        case _:
            return None


def _name(text: str, given: object = None) -> ast.expr:
    """A name; one that no naming convention is applied to again is marked."""
    written = ast.Constant(str(text))
    return ast.Call(_member("op", "f"), [written], []) if isinstance(given or text, sa.schema.conv) else written


def _member(module: str, name: str) -> ast.Attribute:
    return ast.Attribute(ast.Name(module), name)


def _given(named: Mapping[str, str | bool | None]) -> list[ast.keyword]:
    return [ast.keyword(name, ast.Constant(value)) for name, value in named.items() if value is not None]
