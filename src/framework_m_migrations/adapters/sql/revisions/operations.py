"""Alembic's operations, carried out by the dialect's own DDL writer.

A revision is written in Alembic's vocabulary. What an operation then does is decided by Alembic's ``impl`` of the
dialect; within ``writing`` a mixin of ours stands before it, which sends what the dialect's writer says. So a file
that ``create`` wrote, and one that a person wrote, change a table in the same way as sync does.
"""

from __future__ import annotations

import copy
import types
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import alembic.op
import sqlalchemy as sa
from alembic.ddl.impl import DefaultImpl
from alembic.migration import MigrationContext
from alembic.operations import Operations


class ImplSource(Protocol):
    """What is needed of a SqlDialect."""

    def revision_impl(self) -> type[Any] | None:
        """As SqlDialect.revision_impl."""
        ...


def known_to_alembic(dialect: sa.Dialect, *, transactional_ddl: bool) -> None:
    """Give Alembic its generic impl for a dialect that it has none for; one of the dialect's own package stays."""
    try:
        DefaultImpl.get_by_dialect(dialect)
    except KeyError:
        # The class registers itself.
        says = {"__dialect__": dialect.name, "transactional_ddl": transactional_ddl}
        types.new_class(f"{dialect.name.title()}Impl", (DefaultImpl,), exec_body=lambda body: body.update(says))


@contextmanager
def writing(context: MigrationContext, source: ImplSource) -> Iterator[Operations]:
    """Within the block ``alembic.op`` works on ``context`` through the dialect's writer.

    Args:
        context: of the revisions to be run; it is as before afterwards.
        source: the dialect.

    Yields:
        The operations that ``alembic.op`` stands for.
    """
    mixin = source.revision_impl()
    outer: Operations | None = getattr(alembic.op, "_proxy", None)
    before = context.impl
    if mixin is not None:
        context.impl = _mixed(before, mixin)
    if context.connection is not None:
        context.impl.memo.update((kind, _TypesThere(context.connection)) for kind in ("pg_enum", "pg_DOMAIN"))
    operations = Operations(context)
    batch = getattr(context.impl, "batch_alter_table", None)
    if batch is not None:

        def batch_alter_table(
            table_name: str, schema: str | None = None, **options: Any
        ) -> AbstractContextManager[Any]:
            scope: AbstractContextManager[Any] = batch(operations, table_name, schema, **options)
            return scope

        vars(operations)["batch_alter_table"] = batch_alter_table
    operations._install_proxy()  # noqa: SLF001 - what Operations.context does, which makes a plain instance only
    try:
        yield operations
    finally:
        context.impl = before
        if outer is None:
            operations._remove_proxy()  # noqa: SLF001
        else:
            outer._install_proxy()  # noqa: SLF001


class _TypesThere:
    """The types that need not be made with a table, for SQLAlchemy's ``_check_for_name_in_memos``.

    Alembic remembers for the length of one command which enumerations its tables have made. Each revision here is a
    command of its own, and may have been preceded by any other, so the catalogue is asked.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def __contains__(self, type_: tuple[str | None, str]) -> bool:
        schema, name = type_
        dialect: Any = self._connection.dialect
        return bool(dialect.has_type(self._connection, name, schema=schema))

    def add(self, type_: tuple[str | None, str]) -> None:
        """Nothing: the catalogue knows."""


def _mixed(impl: DefaultImpl, mixin: type[Any]) -> DefaultImpl:
    """The same impl, the mixin's methods before those of its own class, which may be the project's."""
    kind = type(impl)
    mixed = copy.copy(impl)
    mixed.__class__ = types.new_class(f"{mixin.__name__}{kind.__name__}", (mixin, kind))
    return mixed
