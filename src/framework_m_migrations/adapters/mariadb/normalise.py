"""Wanted tables in the server's own words.

What still looks different after our own spelling is asked of the server: a temporary table, which commits nothing and
which no other session sees, is made with the definition in question and read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.mariadb.definitions import TableDefinition, parse_definition
from framework_m_migrations.adapters.mariadb.expressions import canonical_default, canonical_expression
from framework_m_migrations.adapters.mariadb.rows import TableTraits
from framework_m_migrations.adapters.mariadb.scopes import taken_back
from framework_m_migrations.adapters.mariadb.tokens import lower, quoted
from framework_m_migrations.adapters.mariadb.type_rules import bytes_of
from framework_m_migrations.adapters.mariadb.typenames import parse_type
from framework_m_migrations.adapters.sql import render
from framework_m_migrations.domain.schema import Check, Column, ColumnType, ForeignKey, Index, Table

TRIAL = "m_migrate_trial"
KEY_BYTES = 3072
"""Bytes that InnoDB's index holds of a column, with rows in the format that is the default."""
type Pairs = Sequence[tuple[Table, Table]]


def normalise(connection: sa.Connection, pairs: Pairs) -> list[Table]:
    """See Inspector.normalise: three statements for each table that still looks different."""
    return [_normalised(connection, _renamed(wanted, actual), actual) for wanted, actual in pairs]


def _normalised(connection: sa.Connection, wanted: Table, actual: Table) -> Table:
    existing = {column.name: column for column in actual.columns}
    columns = tuple(_as_named(column, existing.get(column.name)) for column in wanted.columns)
    keys = tuple(_foreign_key(key) for key in wanted.foreign_keys)
    indexes = {index.name: index for index in actual.indexes}
    wanted = replace(
        wanted,
        columns=columns,
        foreign_keys=keys,
        indexes=tuple(_as_cut(index, indexes.get(index.name), existing) for index in wanted.indexes),
    )
    said = {check.expression for check in actual.checks}
    checks = [check for check in wanted.checks if check.expression not in said]
    doubtful = [column for column in columns if column.name in existing and _differs(column, existing[column.name])]
    if not checks and not doubtful:
        return wanted
    answer = _tried(connection, wanted, actual, checks, {column.name for column in doubtful})
    return wanted if answer is None else _respelt(wanted, actual, answer, checks, {column.name for column in doubtful})


def _differs(wanted: Column, actual: Column) -> bool:
    if wanted.type != actual.type and wanted.type.spelling.partition(" ")[2]:
        return True
    if wanted.generated != actual.generated:
        return wanted.generated is not None and wanted.generated.expression is not None
    return wanted.default is not None and wanted.default != actual.default


def _as_named(wanted: Column, actual: Column | None) -> Column:
    """A collation that is named although the table has it anyway is left out, as the reader leaves it out."""
    if actual is None or wanted.type == actual.type or wanted.type.collation is None:
        return wanted
    bare = wanted.type.spelling.partition(" collate ")[0]
    if wanted.type.collation == actual.type.collation and bare == actual.type.spelling.partition(" collate ")[0]:
        return replace(wanted, type=replace(actual.type, native=wanted.type.native))
    return wanted


def _as_cut(wanted: Index, actual: Index | None, columns: Mapping[str, Column]) -> Index:
    """The server cuts a key that is too long for an index to what fits, with a note; that is the index wanted then."""
    if actual is None or len(actual.keys) != len(wanted.keys):
        return wanted
    keys = tuple(
        theirs
        if mine.column == theirs.column
        and (cut := _cut(columns.get(mine.column or ""))) is not None
        and theirs.modifiers == f"({cut}) {mine.modifiers}".rstrip()
        else mine
        for mine, theirs in zip(wanted.keys, actual.keys, strict=True)
    )
    return replace(wanted, keys=keys)


def _cut(column: Column | None) -> int | None:
    """How many characters or bytes of a column an index holds, None where it holds all of it."""
    if column is None:
        return None
    held = KEY_BYTES // bytes_of(column.type)
    return held if column.type.length is None or column.type.length > held else None


def _foreign_key(key: ForeignKey) -> ForeignKey:
    """RESTRICT and NO ACTION are one to InnoDB."""
    deleted = None if key.on_delete == "RESTRICT" else key.on_delete
    updated = None if key.on_update == "RESTRICT" else key.on_update
    return replace(key, on_delete=deleted, on_update=updated)


def _renamed(wanted: Table, actual: Table) -> Table:
    """With names that differ in case only as the table has them: those of columns and indexes are one to the server."""
    columns = {lower(column.name): column.name for column in actual.columns}
    indexes = {lower(index.name): index.name for index in actual.indexes}
    uniques = {lower(unique.name): unique.name for unique in actual.uniques if unique.name is not None}
    known = {*columns.values()}
    names = {name for column in wanted.columns if (name := column.name) not in known and lower(name) in columns}
    if not names and all(indexes.get(lower(i.name), i.name) == i.name for i in wanted.indexes):
        return wanted

    def column(name: str) -> str:
        return columns.get(lower(name), name)

    key = wanted.primary_key
    return replace(
        wanted,
        columns=tuple(replace(item, name=column(item.name)) for item in wanted.columns),
        primary_key=None if key is None else replace(key, columns=tuple(map(column, key.columns))),
        indexes=tuple(
            replace(
                item,
                name=indexes.get(lower(item.name), item.name),
                keys=tuple(k if k.column is None else k._replace(column=column(k.column)) for k in item.keys),
            )
            for item in wanted.indexes
        ),
        uniques=tuple(
            replace(
                item,
                name=None if item.name is None else uniques.get(lower(item.name), item.name),
                columns=tuple(map(column, item.columns)),
            )
            for item in wanted.uniques
        ),
        foreign_keys=tuple(replace(item, columns=tuple(map(column, item.columns))) for item in wanted.foreign_keys),
    )


def _tried(
    connection: sa.Connection, wanted: Table, actual: Table, checks: Sequence[Check], doubtful: set[str]
) -> TableDefinition | None:
    """What the server makes of it, None where it refuses."""
    lines = [_line(column, tried=column.name in doubtful) for column in wanted.columns]
    lines += [f"CONSTRAINT m_migrate_{place} CHECK ({check.expression})" for place, check in enumerate(checks)]
    traits: Any = actual.native
    collation = traits.collation if isinstance(traits, TableTraits) else None
    suffix = "" if collation is None else f" COLLATE={collation}"
    options = {"no_parameters": True}
    try:
        with taken_back(connection):
            create = f"CREATE OR REPLACE TEMPORARY TABLE {TRIAL} ({', '.join(lines)}){suffix}"
            connection.exec_driver_sql(create, execution_options=options).close()
            text = str(connection.exec_driver_sql(f"SHOW CREATE TABLE {TRIAL}").one()[1])
            connection.exec_driver_sql(f"DROP TEMPORARY TABLE {TRIAL}").close()
    except sa.exc.DBAPIError:
        if connection.invalidated:
            raise
        return None
    return parse_definition(text)


def _line(column: Column, *, tried: bool) -> str:
    parts = [quoted(column.name), column.type.spelling]
    generated = column.generated
    if generated is not None and generated.kind == "computed":
        parts.append(f"GENERATED ALWAYS AS ({generated.expression}) {'STORED' if generated.stored else 'VIRTUAL'}")
    elif tried and column.default is not None:
        parts.append(f"DEFAULT {render.default_value(column.default)}")
    return " ".join(parts)


def _respelt(
    wanted: Table, actual: Table, answer: TableDefinition, asked: Sequence[Check], doubtful: set[str]
) -> Table:
    printed = {
        check.expression: canonical_expression(answer.checks[f"m_migrate_{place}"])
        for place, check in enumerate(asked)
        if f"m_migrate_{place}" in answer.checks
    }
    checks = tuple(
        replace(check, expression=printed.get(check.expression, check.expression)) for check in wanted.checks
    )
    traits: Any = actual.native
    collation = traits.collation if isinstance(traits, TableTraits) else None
    return replace(
        wanted,
        columns=tuple(
            _column(column, answer, collation) if column.name in doubtful else column for column in wanted.columns
        ),
        checks=tuple(sorted(checks, key=lambda check: (check.name or "", check.expression))),
    )


def _column(wanted: Column, answer: TableDefinition, table_collation: str | None) -> Column:
    definition = answer.column(wanted.name)
    if definition is None:
        return wanted
    clauses = definition.clauses
    type_ = wanted.type
    if type_.spelling.partition(" ")[2] and type_.base != "json":
        type_ = _type(clauses["type"], table_collation, wanted.type.native)
    default = wanted.default
    if default is not None and "default" in clauses:
        default = canonical_default(clauses["default"].partition(" ")[2], type_)
    generated = wanted.generated
    if generated is not None and generated.kind == "computed" and "generated" in clauses:
        text = clauses["generated"]
        expression = canonical_expression(text[text.index("(") : text.rindex(")") + 1])
        generated = replace(generated, expression=expression)
    return replace(wanted, type=type_, default=default, generated=generated)


def _type(text: str, table_collation: str | None, native: object) -> ColumnType:
    parsed = parse_type(text)
    if parsed.collation in {None, table_collation}:
        parsed = replace(parsed, collation=None)
    return replace(parsed, charset=None).column_type(native)
