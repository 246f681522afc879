"""Additive changes to the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from framework_m_migrations.domain.filling import Batch
from framework_m_migrations.domain.operations import AdditiveOperation, Defining, FillColumn, Operation
from framework_m_migrations.domain.plan import DefinitionEdit, LockLevel
from framework_m_migrations.domain.schema import TableName


class Executor(Protocol):
    """Applies additive operations. It has no code that drops anything.

    Obligations:
        - No statement that ``apply`` sends contains DROP, and none removes or narrows what exists.
        - ``apply`` runs within the transaction, or outside one, that the caller has set up; it never commits.
        - Within ``Session.transaction`` statements may wait, to be sent together: the database has them when it is
          asked something, and when the transaction ends, and it is then that an error of theirs is raised.
        - What ``render`` returns is what ``apply`` sends, literal values included. Several operations may be sent in
          fewer statements of the same effect.
        - Operations that lost a race are not hidden: a table that exists already is an error.
    """

    def apply(self, *operations: AdditiveOperation) -> tuple[str, ...]:
        """Carry out operations in their order.

        Returns:
            The statements.

        Raises:
            DatabaseError: the database refused one; LockTimeout, MissingPrivilege, DatabaseReadOnly, StorageFull where
                that is the reason.
        """
        ...

    def fill(self, operation: FillColumn, after: str | None) -> Batch:
        """Carry out the next batch of ``operation.size`` rows, in the order of its key, and no more.

        Asked only of databases with the capability ``staged_defaults``. A batch with fewer rows is the last one.

        Args:
            operation: the column.
            after: the key that the batch before ended with; None begins.

        Raises:
            DatabaseError: as ``apply``.
        """
        ...

    def render(self, *operations: Operation) -> tuple[str, ...]:
        """The statements of operations, one after the other, ready to be pasted into the database's own shell.

        Of every kind, for a plan shows what a pruner or a revision would send too.
        """
        ...

    def edits(self, *operations: Operation) -> tuple[DefinitionEdit, ...]:
        """The definitions that operations of one step change as text; none where the database has statements for all.

        Changes nothing.
        """
        ...

    def rejected(self, tries: Sequence[Sequence[Defining]], *, unsure: bool) -> Mapping[Defining, str]:
        """The operations that the database rejects whatever the rows, with its words; nothing is left of the trial.

        Args:
            tries: those of one table together: CreateTable first, where it is new.
            unsure: what the operations may need, such as types or functions, is created by the same plan or by a hook.

        Returns:
            Only what is known: where nothing can be tried, nothing.
        """
        ...

    def lock_levels(self, operation: AdditiveOperation) -> tuple[tuple[TableName, LockLevel], ...]:
        """Locks on tables that exist before the operation."""
        ...
