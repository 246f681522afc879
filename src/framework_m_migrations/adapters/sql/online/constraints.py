"""Foreign keys and checks: added without a look at the rows, which are then read while others work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import ops

from framework_m_migrations.adapters.sql.online.reading import (
    as_stored,
    clause_sql,
    differs,
    lowering_of,
    read_table,
    target_of,
)
from framework_m_migrations.adapters.sql.online.sending import Sender, on_postgresql, sender
from framework_m_migrations.adapters.sql.wanted_constraints import wanted_foreign_keys
from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import RevisionError
from framework_m_migrations.domain.schema import Check, ForeignKey, Table, TableName


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
        As ``add_foreign_key``.
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
        sending.short(sending.statements(o.DropConstraint(table, stored, "check", if_exists=True)))


def _add(sending: Sender, change: c.CheckAdded | c.ForeignKeyAdded, *, validate: bool) -> None:
    operations = lowering_of(sending).operations(change)
    sending.perform([one for one in operations if validate or not isinstance(one, o.ValidateConstraint)])


def _constraints(table: Table) -> dict[str | None, Check | ForeignKey]:
    found: list[Check | ForeignKey] = [*table.checks, *table.foreign_keys]
    return {one.name: one for one in found}


def _key_facts(key: ForeignKey) -> tuple[object, ...]:
    # The target's schema is left out: the same one may be written or not.
    return key.columns, key.target.name, key.target_columns, key.on_delete, key.on_update, key.options
