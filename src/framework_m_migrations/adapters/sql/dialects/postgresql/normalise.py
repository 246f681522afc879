"""Wanted tables in the server's own words.

Only what looks different is asked about. What the server prints of an expression is not yet its last word: read again
(by pg_dump, or when the type of a column changes) it may be printed otherwise. So what differs still is compared once
more, in the print of each side's print.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from framework_m_migrations.adapters.sql.dialects.postgresql.catalog import CatalogReader
from framework_m_migrations.adapters.sql.dialects.postgresql.settings import is_inside_autocommit_block
from framework_m_migrations.adapters.sql.dialects.postgresql.trial import Answer, Trial, answers
from framework_m_migrations.domain.schema import Check, Column, Index, Table

type Pairs = Sequence[tuple[Table, Table]]


@dataclass(frozen=True, slots=True)
class _Printed:
    """A table in the server's print, and what became of the expression of each check."""

    table: Table
    expressions: Mapping[str, str]


def normalise(reader: CatalogReader, pairs: Pairs) -> list[Table]:
    """See Inspector.normalise. Takes a constant number of statements for each 200 tables."""
    if is_inside_autocommit_block(reader.connection):
        return [wanted for wanted, _ in pairs]
    first = [printed.table for printed in _asked(reader, pairs)]
    doubtful = [place for place, (_, actual) in enumerate(pairs) if not _trial(first[place], actual).is_empty]
    if doubtful:
        again: Pairs = [(first[place], pairs[place][1]) for place in doubtful]
        for place, settled in zip(doubtful, _settled(reader, again), strict=True):
            first[place] = settled
    return first


def _asked(reader: CatalogReader, pairs: Pairs) -> list[_Printed]:
    trials = [_trial(wanted, actual) for wanted, actual in pairs]
    found = answers(reader, trials)
    return [_respelt(trial, answer) for trial, answer in zip(trials, found, strict=True)]


def _settled(reader: CatalogReader, pairs: Pairs) -> list[Table]:
    """The wanted tables, with the actual spelling wherever the prints of both prints are the same."""
    again = _asked(reader, pairs)
    # The actual expressions over the wanted types: what they will be once the types are changed.
    reverse = [(_with_types(actual, wanted), wanted) for wanted, actual in pairs]
    actual_again = _asked(reader, reverse)
    return [
        _closest(wanted, actual, wanted_print, actual_print)
        for (wanted, actual), wanted_print, actual_print in zip(pairs, again, actual_again, strict=True)
    ]


def _with_types(table: Table, other: Table) -> Table:
    types = {column.name: column.type for column in other.columns}
    columns = tuple(replace(column, type=types.get(column.name, column.type)) for column in table.columns)
    return replace(table, columns=columns)


def _trial(wanted: Table, actual: Table) -> Trial:
    before = {column.name: column for column in actual.columns}
    expressions = {check.expression for check in actual.checks}
    indexes = {index.name: index for index in actual.indexes}
    return Trial(
        wanted,
        tuple(c for c in wanted.columns if c.name in before and _differs(c, before[c.name])),
        tuple(check for check in wanted.checks if check.expression not in expressions),
        tuple(i for i in wanted.indexes if i.name in indexes and i != replace(indexes[i.name], valid=i.valid)),
    )


def _differs(wanted: Column, actual: Column) -> bool:
    return wanted.type != actual.type or wanted.default != actual.default or wanted.generated != actual.generated


def _respelt(trial: Trial, answer: Answer) -> _Printed:
    table = trial.table
    expressions = {trial.checks[place].expression: check.expression for place, check in answer.checks.items()}
    printed = replace(
        table,
        columns=tuple(_column_respelt(column, answer.columns.get(column.name)) for column in table.columns),
        checks=_checks(table.checks, expressions),
        indexes=tuple(
            replace(answer.indexes.get(index.name, index), name=index.name, native=index.native)
            for index in table.indexes
        ),
    )
    return _Printed(printed, expressions)


def _checks(checks: Sequence[Check], expressions: Mapping[str, str]) -> tuple[Check, ...]:
    respelt = (replace(check, expression=expressions.get(check.expression, check.expression)) for check in checks)
    return tuple(sorted(respelt, key=lambda check: (check.name or "", check.expression)))


def _column_respelt(wanted: Column, answer: Column | None) -> Column:
    if answer is None:
        return wanted
    generated, default, fill = wanted.generated, wanted.default, wanted.fill
    if answer.generated is not None and generated is not None and answer.generated.kind == generated.kind == "computed":
        generated = answer.generated
    if default is not None and answer.default is not None:
        default = answer.default
    elif fill is not None and answer.default is not None:
        fill = answer.default
    type_ = replace(answer.type, native=wanted.type.native)
    return replace(wanted, type=type_, default=default, fill=fill, generated=generated)


def _closest(wanted: Table, actual: Table, wanted_print: _Printed, actual_print: _Printed) -> Table:
    """``wanted`` with the parts of ``actual`` that are the same in any of their prints."""
    columns = {column.name: (column, actual_print.table.column(column.name)) for column in actual.columns}
    forms = {actual_print.expressions.get(c.expression, c.expression): c.expression for c in actual.checks}
    forms |= {check.expression: check.expression for check in actual.checks}
    expressions: dict[str, str] = {}
    for check in wanted.checks:
        mine = (check.expression, wanted_print.expressions.get(check.expression, check.expression))
        expressions[check.expression] = next((forms[form] for form in mine if form in forms), check.expression)
    return replace(
        wanted,
        columns=tuple(
            _closest_column(column, wanted_print.table.column(column.name), *columns.get(column.name, (None, None)))
            for column in wanted.columns
        ),
        checks=_checks(wanted.checks, expressions),
        indexes=tuple(
            _closest_index(index, actual, wanted_print.table, actual_print.table) for index in wanted.indexes
        ),
    )


def _closest_column(wanted: Column, again: Column | None, actual: Column | None, actual_again: Column | None) -> Column:
    if again is None or actual is None or actual_again is None:
        return wanted
    if {wanted.default, again.default} & {actual.default, actual_again.default} and wanted.generated is None:
        wanted = replace(wanted, default=actual.default)
    elif wanted.default is None and {wanted.fill, again.fill} & {actual.default, actual_again.default} - {None}:
        wanted = replace(wanted, fill=actual.default)
    if {wanted.generated, again.generated} & {actual.generated, actual_again.generated} - {None}:
        wanted = replace(wanted, generated=actual.generated)
    return wanted


def _closest_index(index: Index, actual: Table, wanted_print: Table, actual_print: Table) -> Index:
    def named(table: Table) -> list[Index]:
        return [replace(item, valid=True) for item in table.indexes if item.name == index.name]

    forms = [replace(index, valid=True), *named(wanted_print)]
    theirs = [*named(actual), *named(actual_print)]
    if any(form in theirs for form in forms):
        return replace(theirs[0], native=index.native)
    return index
