"""Indexes and constraints of SQLAlchemy tables as wanted schema values."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.sql import coercions, roles
from sqlalchemy.sql import elements as sa_elements

from framework_m_migrations.adapters.sql.sqlalchemy_versions import given_column, table_key, tokens
from framework_m_migrations.domain.errors import InvalidMetadata
from framework_m_migrations.domain.schema import Check, ForeignKey, Index, IndexKey, TableName, Unique, plain_key

if TYPE_CHECKING:
    from framework_m_migrations.adapters.sql.desired.tables import Target

__all__ = [
    "Check",
    "ForeignKey",
    "Index",
    "Unique",
    "clause_text",
    "constraint_comment",
    "constraint_options",
    "foreign_key_target",
    "is_created",
    "is_created_index",
    "table_constraints",
    "wanted_checks",
    "wanted_foreign_keys",
    "wanted_indexes",
    "wanted_uniques",
]

_ACTION = re.compile(r"^([\w\s]+?)\s*(\(.*\))?\s*$", re.DOTALL)


def table_constraints(table: sa.Table) -> Iterator[sa.Constraint]:
    """All constraints of a table, those written at its columns included."""
    yield from table.constraints
    for column in table.columns:
        if column.constraints:
            yield from column.constraints


def is_created(constraint: sa.Constraint, target: Target) -> bool:
    """Whether DDL for this dialect has the constraint at all (``ddl_if``, native booleans and enumerations)."""
    if constraint._create_rule is None and constraint._ddl_if is None:  # noqa: SLF001
        return True
    return bool(unmarked(constraint)._should_create_for_compiler(target.text.ddl))  # noqa: SLF001


def unmarked[C: sa.Constraint](constraint: C) -> C:
    """The constraint as it was declared.

    create_all and drop_all mark each constraint that they send alone as one that CREATE TABLE leaves out, for as long
    as the process lives. Only a copy is without the mark: what was declared belongs to the application.
    """
    rule = getattr(constraint._create_rule, "__func__", getattr(constraint._create_rule, "name", None))  # noqa: SLF001
    if getattr(rule, "__name__", rule) != "_create_rule_disable":
        return constraint
    made = copy.copy(constraint)
    made._create_rule = None  # noqa: SLF001
    return made


def wanted_indexes(table: sa.Table, target: Target) -> tuple[Index, ...]:
    """The indexes, sorted by name."""
    found = [
        _index(index, table, target)
        for index in table.indexes
        if index._ddl_if is None or is_created_index(index, target)  # noqa: SLF001
    ]
    found.sort(key=attrgetter("name"))
    # `index=True` beside an Index of the same definition is one index.
    return tuple(index for place, index in enumerate(found) if place == 0 or index != found[place - 1])


def is_created_index(index: sa.Index, target: Target) -> bool:
    """Whether DDL for this dialect has the index at all (``ddl_if``)."""
    condition = index._ddl_if  # noqa: SLF001
    if condition is None:
        return True
    return bool(
        condition._should_execute(  # noqa: SLF001
            sa.schema.CreateIndex(index), index, None, compiler=target.text.ddl, checkfirst=False
        )
    )


def has_options(item: sa.Table | sa.Column[Any] | sa.Index | sa.Constraint) -> bool:
    """Whether keyword arguments for a dialect were given; quicker than asking for them."""
    # SQLAlchemy fills the attribute when it is asked for options, with defaults too, so it alone says nothing.
    return bool(item.__dict__.get("dialect_options")) and bool(item.dialect_kwargs)


def _index(index: sa.Index, table: sa.Table, target: Target) -> Index:
    name = target.text.constraint_name(index)
    if name is None:
        raise InvalidMetadata(f"An index of table {table.name} has no name.")
    stored = target.names.stored(name, f"an index of table {table.name}")
    says = index.__dict__
    expressions = says["expressions"]
    if not expressions:
        raise InvalidMetadata(f"Index {stored} of table {table.name} has no columns.")
    if not ("dialect_options" in says and has_options(index)):
        # No option at all: every dialect's defaults. Nearly all keys say nothing but which column they are.
        known = target.names.known
        keys = [
            plain_key(known(expression.name) or target.names.stored(expression.name, "a column of an index"))
            if expression.__class__ is sa.Column
            else _key(index, table, position, target)
            for position, expression in enumerate(expressions)
        ]
        return Index(stored, tuple(keys), bool(says["unique"]), native=index)
    method, include, options = target.spelling.index_options(index)
    where = index.dialect_options[target.dialect.name].get("where")
    return Index(
        name=stored,
        keys=tuple([_key(index, table, position, target) for position in range(len(expressions))]),
        unique=bool(index.unique),
        where=None if where is None else target.spelling.expression(clause_text(where, target)),
        method=method,
        include=include,
        options=options,
        native=index,
    )


def clause_text(clause: Any, target: Target) -> str:
    """A predicate or expression as SQL; a plain string is taken as SQL already."""
    if isinstance(clause, str):
        clause = sa.text(clause)
    return target.text.expression(coercions.expect(roles.DDLExpressionRole, clause))


def _key(index: sa.Index, table: sa.Table, position: int, target: Target) -> IndexKey:
    expression: Any = index.expressions[position]
    plain = isinstance(expression, sa.Column)
    rendered = target.text.quote(expression.name) if plain else target.text.expression(expression)
    body, modifiers = target.spelling.index_modifiers(index, position, rendered)
    column = _plain_column(expression)
    if column is None:
        column = _column_named(body, table, target)
    if column is not None:
        return IndexKey(target.names.stored(column.name, f"a column of table {table.name}"), modifiers=modifiers)
    if not target.capabilities.expression_indexes:
        raise InvalidMetadata(
            f"Index {index.name} of table {table.name} is over the expression {body}, and this database knows indexes "
            "over columns only.",
            next_step="Index a computed column, or declare the index for other databases alone (ddl_if).",
        )
    return IndexKey(None, target.spelling.expression(body), modifiers)


def _plain_column(expression: Any) -> sa.Column[Any] | None:
    """The column under DESC, NULLS FIRST and the like."""
    while isinstance(expression, sa_elements.UnaryExpression) and expression.modifier is not None:
        expression = expression.element
    return expression if isinstance(expression, sa.Column) else None


def _column_named(body: str, table: sa.Table, target: Target) -> sa.Column[Any] | None:
    """The column that a textual key such as ``sa.text("created DESC")`` names."""
    preparer = target.text.preparer
    for column in table.columns:
        name = str(target.spelling.identifier(column.name))
        if body in (preparer.quote(name), preparer.quote_identifier(name)):
            return column
    return None


def wanted_uniques(table: sa.Table, constraints: Iterable[sa.Constraint], target: Target) -> tuple[Unique, ...]:
    """The unique constraints, sorted."""
    found = [
        Unique(
            name=_name(constraint, target),
            columns=_columns(constraint.columns, target),
            options=constraint_options(constraint, target),
            native=constraint,
            comment=constraint_comment(constraint, target),
        )
        for constraint in constraints
        if isinstance(constraint, sa.UniqueConstraint) and len(constraint.columns) and is_created(constraint, target)
    ]
    found.sort(key=_unique_order)
    if target.capabilities.merges_constraints:
        found = sorted(_merged(found, table, target), key=_unique_order)
    return tuple(found)


def _unique_order(unique: Unique) -> tuple[str, tuple[str, ...], tuple[tuple[str, str], ...]]:
    return unique.name or "", unique.columns, unique.options


def _merged(uniques: list[Unique], table: sa.Table, target: Target) -> Iterator[Unique]:
    """The constraints that CREATE TABLE makes: of several that say the same one, with a name if one of them has it.

    The database does not repeat what the primary key says either (PostgreSQL: transformIndexConstraints).
    """
    key = table.primary_key
    made = {(_columns(key.columns, target), constraint_options(key, target))} if len(key) else set()
    for unique in sorted(uniques, key=lambda unique: unique.name is None):
        if (unique.columns, unique.options) not in made:
            made.add((unique.columns, unique.options))
            yield unique


def wanted_checks(constraints: Iterable[sa.Constraint], target: Target) -> tuple[Check, ...]:
    """The check constraints, those of Enum and Boolean types included, and exclusion constraints, sorted."""
    found = [
        Check(
            name=_name(constraint, target),
            expression=target.spelling.expression(target.text.expression(constraint.sqltext))
            if isinstance(constraint, sa.CheckConstraint)
            else _exclusion(constraint, target),
            valid=not _not_valid(constraint, target),
            native=constraint,
            exclusion=isinstance(constraint, ExcludeConstraint),
            comment=constraint_comment(constraint, target),
        )
        for constraint in constraints
        if isinstance(constraint, sa.CheckConstraint | ExcludeConstraint) and is_created(constraint, target)
    ]
    found.sort(key=lambda check: (check.name or "", check.expression))
    if target.capabilities.merges_constraints:
        # Of several that say the same one is made, with a name if one of them has it, as of unique constraints.
        named = sorted(found, key=lambda check: not check.name)
        made = {check.expression: check for check in reversed(named) if check.exclusion}
        found = [check for check in found if not check.exclusion or made[check.expression] is check]
    return tuple(found)


def _exclusion(constraint: ExcludeConstraint, target: Target) -> str:
    """The clause of an exclusion constraint, without its name."""
    text: str = target.text.ddl.process(constraint)
    name = target.text.preparer.format_constraint(constraint) if constraint.name is not None else None
    return " ".join((text if name is None else text.removeprefix(f"CONSTRAINT {name} ")).split())


def constraint_comment(constraint: sa.Constraint, target: Target) -> str | None:
    """The comment, where the database keeps those of constraints."""
    given = constraint.comment if constraint.name is not None else None
    return given or None if given and getattr(target.dialect, "supports_constraint_comments", False) else None


def _not_valid(constraint: sa.Constraint, target: Target) -> bool:
    """Whether rows from before the constraint are not to be checked."""
    return has_options(constraint) and bool(constraint.dialect_options[target.dialect.name].get("not_valid"))


def wanted_foreign_keys(table: sa.Table, target: Target) -> tuple[ForeignKey, ...]:
    """The foreign keys, sorted; those marked use_alter are like any other."""
    found = []
    for constraint in table.foreign_key_constraints:
        if not is_created(constraint, target):
            continue
        pairs = [foreign_key_target(element) for element in constraint.elements]
        remote = pairs[0][0]
        if remote.schema != table.schema and target.text.ddl.process(constraint) is None:
            continue  # The dialect writes no foreign keys across schemas.
        found.append(
            ForeignKey(
                name=_name(constraint, target),
                columns=_columns((element.parent for element in constraint.elements), target),
                target=_table_name(remote, target),
                target_columns=_columns((column for _, column in pairs), target),
                on_delete=_action(constraint.ondelete, target),
                on_update=_action(constraint.onupdate, target),
                options=constraint_options(constraint, target),
                valid=not _not_valid(constraint, target),
                native=constraint,
                comment=constraint_comment(constraint, target),
            )
        )
    return tuple(sorted(found, key=lambda key: (key.name or "", key.columns, key.target, key.target_columns)))


def foreign_key_target(element: sa.ForeignKey) -> tuple[sa.Table, sa.Column[Any]]:
    """The table and column that a foreign key names, without making SQLAlchemy resolve anything.

    Raises:
        InvalidMetadata: the MetaData has no such table, or the table no such column.
    """
    given: Any = given_column(element)
    if given is not None:
        if not isinstance(given.table, sa.Table):
            raise InvalidMetadata(f"{_describe(element)} refers to column {given.name}, which belongs to no table.")
        return given.table, given
    metadata = element.parent.table.metadata
    remote = metadata.tables.get(table_key(element))
    if remote is None:
        raise InvalidMetadata(
            f"{_describe(element)} refers to table {table_key(element)}, which the MetaData does not have.",
            details={"target": table_key(element)},
        )
    name = tokens(element)[2] or element.parent.key
    columns: Any = {column.name: column for column in remote.columns} if element.link_to_name else remote.columns
    if name not in columns:
        raise InvalidMetadata(
            f"{_describe(element)} refers to column {remote.name}.{name}, which does not exist.",
            details={"target": f"{remote.name}.{name}"},
        )
    return remote, columns[name]


def _describe(element: sa.ForeignKey) -> str:
    return f"The foreign key of column {element.parent.table.name}.{element.parent.name}"


def _action(phrase: str | None, target: Target) -> str | None:
    found = action(phrase)
    known = found is None or found.startswith(("CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT"))
    if not known or found in target.capabilities.ignored_actions:
        raise InvalidMetadata(f"The database has no ON DELETE or ON UPDATE {found}.", details={"action": found})
    return None if found == "RESTRICT" and not target.capabilities.restrict else found


def action(phrase: str | None) -> str | None:
    """ON DELETE or ON UPDATE in upper case with single spaces; None for NO ACTION, which is the default."""
    if phrase is None:
        return None
    match = _ACTION.match(phrase)
    if match is None:
        return phrase.strip()
    verb = " ".join(match[1].upper().split())
    return None if verb == "NO ACTION" else verb if match[2] is None else f"{verb} {match[2]}"


def _table_name(table: sa.Table, target: Target) -> TableName:
    return target.names.table(table.name, table.schema)


def _name(constraint: sa.Constraint, target: Target) -> str | None:
    name = target.text.constraint_name(constraint) if target.capabilities.constraint_names else None
    return None if name is None else target.names.stored(name, f"the constraint {name!r}")


def _columns(columns: Iterable[sa.Column[Any]], target: Target) -> tuple[str, ...]:
    known = target.names.known
    return tuple(
        [known(column.name) or target.names.stored(column.name, "a column of a constraint") for column in columns]
    )


def constraint_options(constraint: sa.Constraint, target: Target) -> tuple[tuple[str, str], ...]:
    """What else DDL says of a constraint, as sorted pairs; what the database takes by default is left out."""
    options: dict[str, str] = {}
    initially = " ".join(constraint.initially.upper().split()) if constraint.initially else ""
    # INITIALLY DEFERRED alone makes a constraint deferrable.
    if constraint.deferrable or (constraint.deferrable is None and initially == "DEFERRED"):
        options["deferrable"] = "true"
    if initially == "DEFERRED":
        options["initially"] = initially
    match = (getattr(constraint, "match", None) or "SIMPLE").upper()
    if match != "SIMPLE":
        options["match"] = match
    if has_options(constraint):
        options |= _dialect_options(constraint, target)
    if isinstance(constraint, sa.UniqueConstraint) and len(constraint.columns) == 1:
        # SQLite's conflict clause may be written at the column instead.
        column = next(iter(constraint.columns))
        given = column.dialect_options[target.dialect.name].get("on_conflict_unique") if column.dialect_kwargs else None
        if given and given.upper() != "ABORT":
            options.setdefault("on_conflict", given.upper())
    return tuple(sorted(options.items()))


def _dialect_options(constraint: sa.Constraint, target: Target) -> Iterator[tuple[str, str]]:
    given = constraint.dialect_options[target.dialect.name]
    if given.get("nulls_not_distinct") is True:
        yield "nulls_not_distinct", "true"
    include = given.get("include")
    if include:
        yield "include", ", ".join(item if isinstance(item, str) else item.name for item in include)
    # That of a primary key is an option of its table, as SQLite's own column clause is.
    on_conflict = None if isinstance(constraint, sa.PrimaryKeyConstraint) else given.get("on_conflict")
    if on_conflict and on_conflict.upper() != "ABORT":
        yield "on_conflict", on_conflict.upper()
