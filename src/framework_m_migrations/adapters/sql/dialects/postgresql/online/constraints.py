"""Indexes and constraints without blocking writers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import ops

from framework_m_migrations.adapters.sql.desired.constraints import (
    wanted_foreign_keys,
    wanted_indexes,
    wanted_uniques,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.ddl import partition_index_name
from framework_m_migrations.adapters.sql.dialects.postgresql.online.sending import (
    Sender,
    as_stored,
    clause_sql,
    differs,
    lowering_of,
    on_postgresql,
    read_table,
    sender,
    table_name,
    target_of,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.text import qualified, string_literal
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import ConnectionFailed, DatabaseError, RevisionError
from framework_m_migrations.domain.schema import Check, ForeignKey, Index, Table, TableName

type Keys = Sequence[str | sa.ColumnElement[Any] | sa.TextClause]

_LEFTOVERS = """
SELECT i.relname::text FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
WHERE x.indrelid = pg_catalog.to_regclass({table}) AND NOT x.indisvalid ORDER BY 1
"""
_PARTS = """
SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass({table})) t
JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE t.isleaf ORDER BY c.oid
"""
_PARENTAGE = """
SELECT c.relkind = 'I' FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass({index})
"""


def create_index_concurrently(
    index_name: str,
    table_name: str,
    columns: Keys,
    *,
    schema: str | None = None,
    unique: bool = False,
    **options: Any,
) -> None:
    """Create an index while others write to the table.

    An index of that name that is there already is kept where it says the same, and rebuilt where a build that was
    killed left it invalid. A partitioned table gets its index partition by partition.

    Args:
        index_name: of the index.
        table_name: of the table.
        columns: names, or expressions as ``sa.text("lower(name)")``.
        schema: of the table, None for the connection's own.
        unique: no two rows may agree.
        options: as for ``op.create_index``: ``postgresql_where``, ``postgresql_using``, ``postgresql_include`` ...

    Raises:
        RevisionError: another index has the name, or there is no such table.
        DatabaseError: the database refused it, two rows that agree for one; nothing is left behind.
    """
    options.pop("postgresql_concurrently", None)
    if not on_postgresql():
        op.create_index(index_name, table_name, list(columns), schema=schema, unique=unique, **options)
        return
    with sender() as sending:
        wanted = _wanted(sending, index_name, table_name, columns, schema=schema, unique=unique, options=options)
        _create(sending, wanted[0], wanted[1])


def drop_index_concurrently(index_name: str, table_name: str, *, schema: str | None = None) -> None:
    """Drop an index while others use the table; nothing happens where there is none of that name.

    The index of a partitioned table cannot be dropped concurrently: it goes under a short lock, with its parts.

    Args:
        index_name: of the index.
        table_name: of its table.
        schema: of the table, None for the connection's own.
    """
    if not on_postgresql():
        op.drop_index(index_name, table_name=table_name, schema=schema, if_exists=True)
        return
    with sender() as sending:
        _drop(sending, TableName(target_of(sending).spelling.identifier(index_name), schema))


def add_unique(
    name: str,
    table_name: str,
    columns: Sequence[str],
    *,
    deferrable: bool | None = None,
    initially: str | None = None,
    nulls_not_distinct: bool | None = None,
    schema: str | None = None,
) -> None:
    """Add a unique constraint: its index is built while others write, and then adopted.

    Args:
        name: of the constraint and its index.
        table_name: of the table.
        columns: in order.
        deferrable: whether a transaction may put the check off.
        initially: ``DEFERRED`` or ``IMMEDIATE``.
        nulls_not_distinct: NULLs are equal; from PostgreSQL 15 on.
        schema: of the table, None for the connection's own.

    Raises:
        RevisionError: another constraint has the name, or there is no such table.
        DatabaseError: two rows agree; nothing is left behind.
    """
    given: dict[str, Any] = {"deferrable": deferrable, "initially": initially}
    if not on_postgresql():
        with op.batch_alter_table(table_name, schema=schema) as batch:
            batch.create_unique_constraint(name, list(columns), **given)
        return
    if nulls_not_distinct is not None:
        given["postgresql_nulls_not_distinct"] = nulls_not_distinct
    operation = ops.CreateUniqueConstraintOp(name, table_name, list(columns), schema=schema, **given)
    with sender() as sending:
        target = target_of(sending)
        table = target.names.table(table_name, schema)
        constraint: Any = operation.to_constraint(op.get_context())
        [made] = wanted_uniques(constraint.table, [constraint], target)
        unique = replace(made, native=None)
        if not sending.offline:
            there = {one.name: one for one in read_table(sending, table).uniques}.get(unique.name)
            if there is not None and replace(there, comment=None) == unique:
                return
            if there is not None:
                raise differs("unique constraint", name, table)
        build, adopt = lowering_of(sending).operations(c.UniqueAdded(table, unique))
        index: Any = build
        _create(sending, table, index.index)
        sending.perform([adopt])


def _wanted(
    sending: Sender,
    index_name: str,
    table: str,
    columns: Keys,
    *,
    schema: str | None,
    unique: bool,
    options: dict[str, Any],
) -> tuple[TableName, Index]:
    target = target_of(sending)
    given: Any = list(columns)
    made: Any = ops.CreateIndexOp(index_name, table, given, schema=schema, unique=unique, **options).to_index(
        op.get_context()
    )
    [index] = wanted_indexes(made.table, target)
    return table_name(target, table, schema), replace(index, native=None)


def _create(sending: Sender, name: TableName, index: Index) -> None:
    if not sending.offline:
        table = read_table(sending, name)
        there = {one.name: one for one in table.indexes}.get(index.name)
        if there is not None:
            stored = as_stored(sending, table, index=index)
            if stored is not None and replace(there, valid=True) != replace(stored, name=there.name, valid=True):
                raise differs("index", index.name, name)
            if there.valid:
                return
        _sweep(sending, name, index)
        if there is not None and not _is_partitioned(sending, TableName(index.name, name.schema)):
            sending.perform(lowering_of(sending).operations(c.IndexInvalid(name, index)))
            return
        if there is not None:
            # A killed build of a partitioned table leaves parts that belong to no whole: it is begun anew.
            _drop(sending, TableName(index.name, name.schema))
            for schema, part in sending.rows(_PARTS.format(table=string_literal(qualified(name, None)))):
                _drop(sending, TableName(partition_index_name(index.name, part), schema))
    try:
        sending.perform(lowering_of(sending).operations(c.IndexAdded(name, index)))
    except ConnectionFailed:
        raise
    except DatabaseError:
        # What is left of it would still be kept up, and a unique one would still refuse rows.
        _drop(sending, TableName(index.name, name.schema))
        raise


def _sweep(sending: Sender, name: TableName, index: Index) -> None:
    """Drop what killed rebuilds of this index left behind: PostgreSQL calls them ``_ccnew`` and ``_ccold``."""
    pattern = re.compile(rf"{re.escape(index.name)}_cc(new|old)\d*")
    for (leftover,) in sending.rows(_LEFTOVERS.format(table=string_literal(qualified(name, None)))):
        if pattern.fullmatch(leftover):
            _drop(sending, TableName(leftover, name.schema))


def _drop(sending: Sender, index: TableName) -> None:
    online = sending.offline or not _is_partitioned(sending, index)
    sending.perform([o.DropIndex(index, index.name, online=online)])


def _is_partitioned(sending: Sender, index: TableName) -> bool:
    rows = sending.rows(_PARENTAGE.format(index=string_literal(qualified(index, None))))
    return bool(rows and rows[0][0])


# Foreign keys and checks: added without a look at the rows, which are then read while others work.


def add_foreign_key(  # noqa: PLR0913 - the arguments of op.create_foreign_key
    name: str,
    source_table: str,
    referent_table: str,
    local_cols: Sequence[str],
    remote_cols: Sequence[str],
    *,
    onupdate: str | None = None,
    ondelete: str | None = None,
    deferrable: bool | None = None,
    initially: str | None = None,
    match: str | None = None,
    source_schema: str | None = None,
    referent_schema: str | None = None,
    validate: bool = True,
) -> None:
    """Add a foreign key: NOT VALID under a short lock on both tables, then validated while others work.

    Args:
        name: of the constraint.
        source_table: the table that gets it.
        referent_table: the table that it refers to.
        local_cols: columns of the first.
        remote_cols: columns of the second, as many.
        onupdate: what an update of the referred row does.
        ondelete: what its removal does.
        deferrable: whether a transaction may put the check off.
        initially: ``DEFERRED`` or ``IMMEDIATE``.
        match: ``FULL`` or ``SIMPLE``.
        source_schema: of the first table, None for the connection's own.
        referent_schema: of the second table, likewise.
        validate: also check the rows that exist.

    Raises:
        RevisionError: another constraint has the name, or there is no such table.
        LockTimeout: the lock was not had.
        DatabaseError: a row breaks it; the constraint stays NOT VALID, and running it again goes on from there.
    """
    given: dict[str, Any] = {
        "onupdate": onupdate,
        "ondelete": ondelete,
        "deferrable": deferrable,
        "initially": initially,
        "match": match,
    }
    if not on_postgresql():
        with op.batch_alter_table(source_table, schema=source_schema) as batch:
            batch.create_foreign_key(
                name, referent_table, list(local_cols), list(remote_cols), referent_schema=referent_schema, **given
            )
        return
    with sender() as sending:
        target = target_of(sending)
        operation = ops.CreateForeignKeyOp(
            name,
            source_table,
            referent_table,
            list(local_cols),
            list(remote_cols),
            source_schema=source_schema,
            referent_schema=referent_schema,
            **given,
        )
        constraint: Any = operation.to_constraint(op.get_context())
        [made] = wanted_foreign_keys(constraint.parent, target)
        key = replace(made, native=None)
        table = target.names.table(source_table, source_schema)
        if sending.offline:
            _add(sending, c.ForeignKeyAdded(table, key), validate=validate)
            return
        read = read_table(sending, table)
        there = {one.name: one for one in read.foreign_keys}.get(key.name)
        if there is not None and _key_facts(there) != _key_facts(key):
            raise differs("foreign key", name, table)
        if there is None:
            _add(sending, c.ForeignKeyAdded(table, key), validate=validate)
        elif validate and not there.valid:
            sending.perform([o.ValidateConstraint(table, key)])


def add_check(
    name: str,
    table_name: str,
    condition: str | sa.ColumnElement[bool] | sa.TextClause,
    *,
    schema: str | None = None,
    validate: bool = True,
) -> None:
    """Add a check constraint: NOT VALID under a short lock, then validated while others work.

    Args:
        name: of the constraint.
        table_name: of the table.
        condition: SQL over a row.
        schema: of the table, None for the connection's own.
        validate: also check the rows that exist.

    Raises:
        RevisionError: another constraint has the name, or there is no such table.
        LockTimeout: the lock was not had.
    """
    if not on_postgresql():
        with op.batch_alter_table(table_name, schema=schema) as batch:
            batch.create_check_constraint(name, sa.text(condition) if isinstance(condition, str) else condition)
        return
    with sender() as sending:
        target = target_of(sending)
        table = target.names.table(table_name, schema)
        check = Check(target.spelling.identifier(name), clause_sql(target, condition))
        ensure_check(sending, table, check, validate=validate)


def ensure_check(sending: Sender, table: TableName, check: Check, *, validate: bool) -> None:
    """The check is there, and validated where that is asked for; see ``add_check``."""
    if sending.offline:
        _add(sending, c.CheckAdded(table, check), validate=validate)
        return
    read = read_table(sending, table)
    there = {one.name: one for one in read.checks}.get(check.name)
    if there is None:
        _add(sending, c.CheckAdded(table, check), validate=validate)
        return
    stored = as_stored(sending, read, check=check)
    if stored is not None and stored.expression != there.expression:
        raise differs("check", check.name or "", table)
    if validate and not there.valid:
        sending.perform([o.ValidateConstraint(table, check)])


def validate_constraint(name: str, table_name: str, *, schema: str | None = None) -> None:
    """Check the rows from before a constraint that was added NOT VALID, while others work.

    Nothing happens where it is valid already, and on databases that know no such state.

    Raises:
        RevisionError: the table has no foreign key or check of that name.
        DatabaseError: a row breaks it.
    """
    if not on_postgresql():
        return
    with sender() as sending:
        target = target_of(sending)
        table = target.names.table(table_name, schema)
        stored = target.spelling.identifier(name)
        if not sending.offline:
            there = _constraints(read_table(sending, table)).get(stored)
            if there is None:
                raise RevisionError(
                    f"Table {table} has no foreign key or check {name}.", next_step="Add it in an earlier revision."
                )
            if there.valid:
                return
        sending.perform([o.ValidateConstraint(table, Check(stored, ""))])


def drop_constraint(name: str, table_name: str, *, schema: str | None = None, type_: str | None = None) -> None:
    """Drop a constraint under a short lock, tried again where it is not had; nothing happens where there is none.

    Args:
        name: of the constraint.
        table_name: of the table.
        schema: of the table, None for the connection's own.
        type_: ``unique``, ``check``, ``foreignkey`` or ``primary``; some databases need it.
    """
    if not on_postgresql():
        with op.batch_alter_table(table_name, schema=schema) as batch:
            batch.drop_constraint(name, type_=type_)
        return
    with sender() as sending:
        target = target_of(sending)
        table = target.names.table(table_name, schema)
        stored = target.spelling.identifier(name)
        sending.short(sending.statements(o.DropConstraint(table, stored, "check")))


def _add(sending: Sender, change: c.CheckAdded | c.ForeignKeyAdded, *, validate: bool) -> None:
    operations = lowering_of(sending).operations(change)
    sending.perform([one for one in operations if validate or not isinstance(one, o.ValidateConstraint)])


def _constraints(table: Table) -> dict[str | None, Check | ForeignKey]:
    found: list[Check | ForeignKey] = [*table.checks, *table.foreign_keys]
    return {one.name: one for one in found}


def _key_facts(key: ForeignKey) -> tuple[object, ...]:
    # The target's schema is left out: the same one may be written or not.
    return key.columns, key.target.name, key.target_columns, key.on_delete, key.on_update, key.options
