"""Destructive changes, wired only when the user asked for drops."""

from __future__ import annotations

from typing import Protocol

from framework_m_migrations.domain.operations import DestructiveOperation


class Pruner(Protocol):
    """Drops. Callers pass only what the ledger says is ours, and list it first.

    Obligations: as Executor, but for the ban on DROP. A column goes with the indexes and foreign keys on it.
    """

    def apply(self, operation: DestructiveOperation) -> None:
        """Carry out one operation; raises DatabaseError where the database refuses it."""
        ...

    def render(self, operation: DestructiveOperation) -> tuple[str, ...]:
        """The statements of an operation."""
        ...
