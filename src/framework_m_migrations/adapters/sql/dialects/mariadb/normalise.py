"""Wanted tables in the server's own words.

What still looks different after our own spelling is asked of the server: a temporary table, which commits nothing and
which no other session sees, is made with the definition in question and read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.mariadb.catalog import TableTraits
from framework_m_migrations.adapters.sql.dialects.mariadb.ddl import default_clauses
from framework_m_migrations.adapters.sql.dialects.mariadb.expressions import canonical_default, canonical_expression
from framework_m_migrations.adapters.sql.dialects.mariadb.options import respelt
from framework_m_migrations.adapters.sql.dialects.mariadb.text import TableDefinition, parse_definition, quoted
from framework_m_migrations.adapters.sql.dialects.mariadb.transactions import taken_back
from framework_m_migrations.adapters.sql.dialects.mariadb.types import bytes_of, parse_type
from framework_m_migrations.adapters.sql.trial import TRIAL
from framework_m_migrations.domain.schema import Check, Column, ColumnType, Index, Table

KEY_BYTES = 3072
"""Bytes that InnoDB's index holds of a column, with rows in the format that is the default."""
type Pairs = Sequence[tuple[Table, Table]]


def normalise(connection: sa.Connection, pairs: Pairs) -> list[Table]:
    """See Inspector.normalise: three statements for each table that still looks different."""
    return [_normalised(connection, wanted, actual) for wanted, actual in pairs]


def _normalised(connection: sa.Connection, wanted: Table, actual: Table) -> Table:
    wanted = respelt(connection, wanted, actual)
    existing = {column.name: column for column in actual.columns}
    columns = tuple(_as_named(column, existing.get(column.name)) for column in wanted.columns)
    indexes = {index.name: index for index in actual.indexes}
    wanted = replace(
        wanted,
        columns=columns,
        indexes=tuple(_as_cut(index, indexes.get(index.name), existing) for index in wanted.indexes),
    )
    said = {check.expression for check in actual.checks}
    checks = [check for check in wanted.checks if check.expression not in said]
    doubtful = [column for column in columns if column.name in existing and _differs(column, existing[column.name])]
    if not checks and not doubtful:
        return wanted
    names = [column.name for column in doubtful]
    asked = _asked(connection, wanted, actual, checks, names)
    if not asked and len(checks) + len(names) > 1:
        # One that the server refuses takes the others with it: each is asked about alone.
        for check in checks:
            wanted = _asked(connection, wanted, actual, [check], []) or wanted
        for name in names:
            wanted = _asked(connection, wanted, actual, [], [name]) or wanted
        return wanted
    return asked or wanted


def _asked(
    connection: sa.Connection, wanted: Table, actual: Table, checks: Sequence[Check], names: Sequence[str]
) -> Table | None:
    answer = _tried(connection, wanted, actual, checks, set(names))
    return None if answer is None else _respelt(wanted, actual, answer, checks, set(names))


def _differs(wanted: Column, actual: Column) -> bool:
    if wanted.type != actual.type and _is_relative(wanted.type):
        return True
    if wanted.generated != actual.generated:
        return wanted.generated is not None and wanted.generated.expression is not None
    return wanted.default is not None and wanted.default != actual.default


def _is_relative(type_: ColumnType) -> bool:
    """Whether the server makes another text of it: a character set becomes a collation, TEXT(20) a TINYTEXT."""
    if type_.base == "json":
        return False
    return " " in type_.spelling or (type_.base.endswith(("text", "blob")) and "(" in type_.spelling)


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
    # Only MEMORY has more than one kind of index, of which the reader tells, and information_schema has no record of a
    # parser that is asked for.
    wants = dict(wanted.options)
    wanted = replace(wanted, options=tuple((name, wants.get(name, "hash")) for name, _ in actual.options))
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
        parts += [clause for clause in default_clauses(column.default).values() if clause]
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
    if _is_relative(type_):
        type_ = _type(clauses["type"], table_collation, wanted.type.native)
    default = wanted.default
    if default is not None and "default" in clauses:
        said = clauses["default"].partition(" ")[2]
        default = canonical_default(f"{said} {clauses.get('on update', '')}", type_)
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
