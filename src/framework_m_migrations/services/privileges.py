"""The look at the role's rights that comes before the first change."""

from __future__ import annotations

from collections.abc import Iterable

from framework_m_migrations.domain.errors import MissingPrivilege
from framework_m_migrations.domain.operations import Operation
from framework_m_migrations.domain.plan import Plan, PlannedChange
from framework_m_migrations.domain.privileges import Needs, needs_of
from framework_m_migrations.ports.session import Session

_AFTER_REVISIONS = (
    "Grant it as the message says; where a pending revision grants it or does this work itself, apply the revisions "
    "alone first: `m-migrate run`."
)


def require_for_plan(session: Session, plan: Plan, drops: tuple[PlannedChange, ...] = ()) -> None:
    """Make sure that the role may do what a plan asks for; a constant number of statements.

    Args:
        session: the ports.
        plan: about to be applied; one that touches nothing needs nothing.
        drops: withheld changes that are about to be brought about too.

    Raises:
        MissingPrivilege: a right is missing; every missing one is named, and nothing was changed.
    """
    if not plan.touches_database and not drops:
        return
    _require(session, _needs((operation for step in plan.steps for operation in step.operations), drops))


def require_for_revisions(session: Session) -> None:
    """Make sure that the role may do any DDL at all: what a revision will do cannot be told before it runs.

    Raises:
        MissingPrivilege: the role may neither create anything nor change a single table.
    """
    _require(session, Needs(unknown=True))


def require_before_revisions(
    session: Session, operations: Iterable[Operation], drops: tuple[PlannedChange, ...] = ()
) -> None:
    """Make sure, before revisions run, that the sync after them may do what can be told now, and write the ledger.

    Args:
        session: the ports.
        operations: what sync would do if there were no revisions.
        drops: withheld changes that it would bring about too.

    Raises:
        MissingPrivilege: a right is missing; every missing one is named, and nothing was changed.
    """
    _require(session, _needs(operations, drops), next_step=_AFTER_REVISIONS)


def _needs(operations: Iterable[Operation], drops: tuple[PlannedChange, ...]) -> Needs:
    return needs_of([*operations, *(operation for change in drops for operation in change.operations)])


def _require(session: Session, needed: Needs, *, next_step: str | None = None) -> None:
    with session.reading():
        missing = session.inspector.missing_privileges(needed)
    if missing:
        what = f"Nothing was changed, because the role lacks a right: {' '.join(missing)}"
        raise MissingPrivilege(what, next_step=next_step, details={"missing": list(missing)})
