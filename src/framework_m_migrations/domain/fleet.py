"""What the commands over many tenants return: frozen, and as plain values through ``to_dict``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from framework_m_migrations.domain.errors import MigrationError
from framework_m_migrations.domain.results import (
    AllResult,
    PlanResult,
    RunResult,
    StatusResult,
    SyncResult,
    VerifyResult,
)

TENANT = "tenant"
"""Key of the ledger's state entry by which a schema is known as a tenant's; its value is the schema's name."""

type TenantAnswer = SyncResult | AllResult | PlanResult | VerifyResult | StatusResult


@dataclass(frozen=True, slots=True)
class TenantOutcome:
    """What came of one tenant.

    Attributes:
        tenant: its name; None for what all tenants of a database share.
        answer: the command's result, None when it failed.
        error: why it failed, None when it did not.
        seconds: how long it took; 0 where one look at all tenants was enough.
    """

    tenant: str | None
    answer: TenantAnswer | None = None
    error: MigrationError | None = None
    seconds: float = 0.0

    @property
    def state(self) -> str:
        """In a word: failed; unchanged, changed, pending, withheld; clean, dirty; ready, not ready."""
        match self.answer:
            case None:
                return "failed"
            case SyncResult() as result:
                return _synced(result)
            case AllResult(run=run, sync=result):
                return "changed" if run.revisions else _synced(result)
            case PlanResult(plan=plan):
                return "pending" if plan.applied else "withheld" if plan.withheld else "unchanged"
            case VerifyResult(dirty=dirty):
                return "dirty" if dirty else "clean"
            case StatusResult(ready=ready):
                return "ready" if ready else "not ready"

    @property
    def sync(self) -> SyncResult | None:
        """What was synced, where the command syncs."""
        return self.answer.sync if isinstance(self.answer, AllResult) else _as_sync(self.answer)

    @property
    def counts(self) -> tuple[int, int]:
        """How many changes were or would be applied, and how many are withheld."""
        match self.answer:
            case PlanResult(plan=plan) | VerifyResult(plan=PlanResult(plan=plan)) | StatusResult(plan=plan):
                return len(plan.applied), len(plan.withheld)
            case _ if self.sync is not None:
                return len(self.sync.plan.plan.applied), len(self.sync.withheld)
            case _:
                return 0, 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values: tenant, state, seconds, and result or error."""
        shown: dict[str, Any] = {"tenant": self.tenant, "state": self.state, "seconds": round(self.seconds, 4)}
        if self.answer is not None:
            return shown | {"result": self.answer.to_dict()}
        return shown | {"error": None if self.error is None else self.error.to_dict()}


def _as_sync(answer: TenantAnswer | None) -> SyncResult | None:
    return answer if isinstance(answer, SyncResult) else None


def _synced(result: SyncResult) -> str:
    if result.dropped or result.plan.plan.applied:
        return "changed" if result.applied else "pending"
    return "withheld" if result.withheld else "unchanged"


@dataclass(frozen=True, slots=True)
class FleetResult:
    """What one command did over many tenants.

    Attributes:
        command: sync, all, plan, verify or status.
        tenants: one outcome each, in the order in which they were named.
        shared: outcomes of what all tenants of a database share, where the command looked at it too.
        runs: what the versioned track did, once for each database; of ``all`` only.
        seconds: of the whole command.
    """

    command: str
    tenants: tuple[TenantOutcome, ...]
    shared: tuple[TenantOutcome, ...] = ()
    runs: tuple[RunResult, ...] = ()
    seconds: float = 0.0

    @property
    def outcomes(self) -> tuple[TenantOutcome, ...]:
        """What is shared, then the tenants."""
        return (*self.shared, *self.tenants)

    @property
    def failed(self) -> tuple[TenantOutcome, ...]:
        """The outcomes that are failures."""
        return tuple(outcome for outcome in self.outcomes if outcome.answer is None)

    @property
    def dirty(self) -> bool:
        """True when a tenant failed, or verify found one dirty."""
        return any(outcome.state in {"failed", "dirty"} for outcome in self.outcomes)

    @property
    def states(self) -> dict[str, int]:
        """How many tenants there are of each state."""
        return dict(sorted(Counter(outcome.state for outcome in self.tenants).items()))

    def ready_for(self, *, tolerant: bool) -> bool:
        """True when status found that a release may serve every tenant; see StatusResult.ready_for."""
        return all(
            isinstance(outcome.answer, StatusResult) and outcome.answer.ready_for(tolerant=tolerant)
            for outcome in self.outcomes
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values: command, states, failed, runs, shared, tenants, seconds."""
        return {
            "command": self.command,
            "states": self.states,
            "failed": [outcome.tenant for outcome in self.failed],
            "runs": [run.to_dict() for run in self.runs],
            "shared": [outcome.to_dict() for outcome in self.shared],
            "tenants": [outcome.to_dict() for outcome in self.tenants],
            "seconds": round(self.seconds, 4),
        }
