"""What happens while a use case runs, for progress displays and logs."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from framework_m_migrations.domain.plan import Plan, Step

if TYPE_CHECKING:
    from framework_m_migrations.domain.results import TenantOutcome


@dataclass(frozen=True, slots=True)
class DatabaseAbsent:
    """``file``, of a SQLite database, does not exist; a command that changes nothing looks at an empty one instead."""

    file: str


@dataclass(frozen=True, slots=True)
class ConnectionRetried:
    """The server took no connection, for ``waited`` seconds so far; it is tried again after ``wait`` seconds."""

    attempt: int
    wait: float
    waited: float
    reason: str


@dataclass(frozen=True, slots=True)
class PlanMade:
    """A plan stands; nothing has been changed yet."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class StepStarted:
    """Step ``number`` of ``total`` begins; numbers start at 1."""

    number: int
    total: int
    step: Step


@dataclass(frozen=True, slots=True)
class StepFinished:
    """Step ``number`` is committed."""

    number: int
    total: int
    step: Step


@dataclass(frozen=True, slots=True)
class StepRetried:
    """Step ``number`` could not get its locks and is tried again after ``wait`` seconds."""

    number: int
    attempt: int
    wait: float
    reason: str


@dataclass(frozen=True, slots=True)
class StatementRetried:
    """A statement of a revision's helper could not get its locks and is tried again after ``wait`` seconds."""

    attempt: int
    wait: float
    reason: str


@dataclass(frozen=True, slots=True)
class BackfillMoved:
    """A batch of a backfill is committed.

    ``done`` rows of ``table`` have been gone through, ``changed`` of them got new values; ``left`` is what the
    database's statistics say is still to come, None where they say nothing.
    """

    table: str
    done: int
    changed: int
    left: int | None


@dataclass(frozen=True, slots=True)
class RevisionStarted:
    """A revision is about to be applied or taken back.

    ``direction`` is ``upgrade`` or ``downgrade``, or ``stamp`` where it is only recorded as applied.
    """

    revision: str
    app: str | None
    direction: str


@dataclass(frozen=True, slots=True)
class RevisionRetried:
    """A revision could not get its locks, was rolled back, and is tried again after ``wait`` seconds."""

    revision: str
    attempt: int
    wait: float
    reason: str


@dataclass(frozen=True, slots=True)
class RevisionFinished:
    """A revision is committed."""

    revision: str
    app: str | None
    direction: str


@dataclass(frozen=True, slots=True)
class WaitingForLock:
    """Another migrator works; ``holder`` describes it where the database tells."""

    holder: str | None


@dataclass(frozen=True, slots=True)
class LockAwaited:
    """A statement has waited for a lock for ``seconds`` and goes on waiting, for the sessions of ``holders``."""

    seconds: float
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogUnavailable:
    """What is done is not written to the log, for this reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class HookStarted:
    """A hook is about to be called."""

    app: str
    phase: str


@dataclass(frozen=True, slots=True)
class FleetSurveyed:
    """One look at all tenants was taken: of ``total``, so many need no turn of their own."""

    total: int
    settled: int


@dataclass(frozen=True, slots=True)
class TenantFinished:
    """A tenant had its turn; ``done`` of ``total`` are settled."""

    outcome: TenantOutcome
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TenantEvent:
    """Something happened during a tenant's turn."""

    tenant: str
    event: Event


Event = (
    DatabaseAbsent
    | ConnectionRetried
    | PlanMade
    | StepStarted
    | StepFinished
    | StepRetried
    | StatementRetried
    | BackfillMoved
    | RevisionStarted
    | RevisionRetried
    | RevisionFinished
    | WaitingForLock
    | LockAwaited
    | LogUnavailable
    | HookStarted
    | FleetSurveyed
    | TenantFinished
    | TenantEvent
)

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])")


def event_name(event: Event) -> str:
    """The name under which logs and traces have an event: ``step_finished``. Names are stable."""
    return _WORD.sub("_", type(event.event if isinstance(event, TenantEvent) else event).__name__).lower()


def event_values(event: Event) -> dict[str, str | int | float]:
    """An event as plain values. What is None is left out."""
    if isinstance(event, TenantEvent):
        return {"tenant": event.tenant, **event_values(event.event)}
    values: dict[str, str | int | float] = {}
    for field in fields(event):
        match getattr(event, field.name):
            case str() | int() | float() as value:
                values[field.name] = value
            case tuple() as several:
                values[field.name] = ", ".join(map(str, several))
            case Plan() as plan:
                values |= {"applied": len(plan.applied), "withheld": len(plan.withheld), "steps": len(plan.steps)}
            case Step() as step:
                tables = dict.fromkeys(str(lock.table) for lock in step.locks)
                values |= {"operations": len(step.operations), "tables": ", ".join(tables)}
            case None:
                pass
            case outcome:
                values |= {"tenant": outcome.tenant or "", "state": outcome.state, "seconds": outcome.seconds}
    return values
