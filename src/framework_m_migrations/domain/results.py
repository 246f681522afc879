"""What commands return: frozen, and as plain values through ``to_dict``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from framework_m_migrations.domain import changes as c
from framework_m_migrations.domain.describe import describe_change, describe_step
from framework_m_migrations.domain.errors import ConfigurationError, MigrationError
from framework_m_migrations.domain.ownership import LogEntry
from framework_m_migrations.domain.plan import DefinitionEdit, Plan, PlannedChange, Risk
from framework_m_migrations.domain.renames import Rename
from framework_m_migrations.domain.revisions import Outcome, Proof, Revision
from framework_m_migrations.domain.risk.facts import Size
from framework_m_migrations.domain.schema import TableName

type Sql = tuple[str, ...]

_MISSING = (c.TableAdded, c.ColumnAdded)
"""What a query of the new release fails without."""

_REMOVALS = (c.TableRemoved, c.ColumnRemoved, c.IndexRemoved, c.UniqueRemoved, c.CheckRemoved, c.ForeignKeyRemoved)


@dataclass(frozen=True, slots=True)
class RenderedChange:
    """A planned change with the exact SQL that brings it about; empty where a person must write it."""

    planned: PlannedChange
    sql: Sql

    def __str__(self) -> str:
        return str(self.planned)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: doctype, app, table, kind, what, risk, rule, reason, handled_by, withheld, sql."""
        return {**describe_change(self.planned), "sql": list(self.sql)}


@dataclass(frozen=True, slots=True)
class PlanResult:
    """What sync would do. ``sizes`` are those of tables that its steps work on, where the database tells.

    ``edits`` are for each step the definitions that it changes as text.
    """

    plan: Plan
    changes: tuple[RenderedChange, ...] = ()
    steps_sql: tuple[Sql, ...] = ()
    sizes: Mapping[TableName, Size] = field(default_factory=dict)
    edits: tuple[tuple[DefinitionEdit, ...], ...] = ()

    @property
    def sql(self) -> Sql:
        """Every statement that sync would send, in order."""
        return tuple(statement for step in self.steps_sql for statement in step)

    def to_dict(self) -> dict[str, Any]:
        """Plain values: empty, changes, steps, counts by risk, sizes, unmanaged tables and notes."""
        return {
            "empty": self.plan.is_empty,
            "risk": None if (worst := self.plan.worst()) is None else worst.label,
            "counts": counts(self.plan),
            "changes": [change.to_dict() for change in self.changes],
            "steps": [
                {**describe_step(step), "sql": list(sql)}
                for step, sql in zip(self.plan.steps, self.steps_sql, strict=True)
            ],
            "sizes": {str(name): size._asdict() for name, size in self.sizes.items()},
            "unmanaged": [str(name) for name in self.plan.unmanaged],
            "notes": [note._asdict() for note in self.plan.notes],
        }


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What sync did. ``up_to_date`` when it found no difference; ``applied`` is False after a dry run.

    ``dropped`` are the statements that ``--allow-drop`` sent, ``removed`` the withheld changes that they made, and
    ``after`` the plan that was made and applied when they were done, None where nothing was dropped;
    ``recorded`` the revisions of apps new to the database that count as applied now, without having been run.
    """

    plan: PlanResult
    applied: bool
    up_to_date: bool = False
    dropped: Sql = ()
    steps: int = 0
    seconds: float = 0.0
    removed: tuple[PlannedChange, ...] = ()
    recorded: tuple[str, ...] = ()
    after: Plan | None = None

    @property
    def withheld(self) -> tuple[PlannedChange, ...]:
        """Changes left to another command, as they are after the drops that were made."""
        return self.plan.plan.withheld if self.after is None else self.after.withheld

    @property
    def made(self) -> tuple[PlannedChange, ...]:
        """Changes that were made: of the plan, the drops, and what they made room for. None after a dry run."""
        if not self.applied:
            return ()
        return (*self.plan.plan.applied, *self.removed, *(() if self.after is None else self.after.applied))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "command": "sync",
            "applied": self.applied,
            "up_to_date": self.up_to_date,
            "steps_done": self.steps,
            "dropped": list(self.dropped),
            "withheld": len(self.withheld),
            "recorded": list(self.recorded),
            "seconds": round(self.seconds, 4),
            "plan": self.plan.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class RunResult:
    """What the versioned track did: ids in the order in which they were applied or taken back."""

    revisions: tuple[str, ...]
    direction: str = "upgrade"
    heads: tuple[str, ...] = ()
    seconds: float = 0.0
    held: tuple[str, ...] = ()
    """Revisions that wait for ``run --contract``."""
    recorded: tuple[str, ...] = ()
    """Revisions that count as applied now without having been run: sync builds the tables of their app."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "command": "run" if self.direction == "upgrade" else "rollback",
            "direction": self.direction,
            "revisions": list(self.revisions),
            "heads": list(self.heads),
            "seconds": round(self.seconds, 4),
            "held": list(self.held),
            "recorded": list(self.recorded),
        }


@dataclass(frozen=True, slots=True)
class AllResult:
    """Both tracks, in the order in which they ran."""

    run: RunResult
    sync: SyncResult

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"command": "all", "run": self.run.to_dict(), "sync": self.sync.to_dict()}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that verify reports. ``kind`` is stable; ``dirty`` when it fails the judgement.

    ``risk``, ``rule`` and ``table`` are those of a change, None for other kinds.
    """

    kind: str
    what: str
    dirty: bool
    risk: Risk | None = None
    rule: str | None = None
    table: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "kind": self.kind,
            "what": self.what,
            "dirty": self.dirty,
            "risk": None if self.risk is None else self.risk.label,
            "rule": self.rule,
            "table": self.table,
        }


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The judgement of both tracks."""

    findings: tuple[Finding, ...]
    plan: PlanResult

    @property
    def dirty(self) -> bool:
        """True when a finding fails the judgement."""
        return any(finding.dirty for finding in self.findings)

    @property
    def agrees(self) -> bool:
        """True when the schema is as the models want it, whatever is found of revisions."""
        plan = self.plan.plan
        return plan.is_empty and not plan.notes and not plan.unmanaged

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "command": "verify",
            "dirty": self.dirty,
            "findings": [finding.to_dict() for finding in self.findings],
            "plan": self.plan.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that doctor looked at: whether it is in order, what was found, and what to do about it."""

    name: str
    ok: bool
    found: str
    next_step: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"name": self.name, "ok": self.ok, "found": self.found, "next_step": self.next_step}


@dataclass(frozen=True, slots=True)
class AppStatus:
    """One app's branch. ``folder`` is where its revisions are, None when it has none."""

    app: str
    folder: str | None
    current: tuple[str, ...]
    heads: tuple[str, ...]
    pending: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "app": self.app,
            "folder": self.folder,
            "current": list(self.current),
            "heads": list(self.heads),
            "pending": list(self.pending),
        }


@dataclass(frozen=True, slots=True)
class StatusResult:
    """Both tracks in one picture; ``ready`` as ``ready_for`` has it."""

    apps: tuple[AppStatus, ...]
    unknown: tuple[str, ...]
    ledger: str
    doctypes: int
    matching: int
    plan: Plan
    lock_holder: str | None
    database: str = ""
    contract_due: tuple[str, ...] = ()
    """Contract revisions whose first half is applied: they wait for ``run --contract``."""
    unfinished: tuple[str, ...] = ()
    """Revisions that were cut off and left a part of themselves, where DDL commits: M509 until somebody stamps."""

    @property
    def pending(self) -> tuple[str, ...]:
        """Pending revisions of all apps."""
        return tuple(revision for app in self.apps for revision in app.pending)

    @property
    def ready(self) -> bool:
        """True when a new release may serve."""
        return self.ready_for(tolerant=False)

    def ready_for(self, *, tolerant: bool) -> bool:
        """True when no revision is pending or unfinished, no table or column is missing, and no change is breaking.

        Contract steps that are due may be pending.

        Args:
            tolerant: during a roll-out the release before the last one stays ready: revisions that it does not know,
                and what the database has beyond its DocTypes, are the next release's, and so is one that was cut off.
        """
        if set(self.pending) - set(self.contract_due) or ((self.unknown or self.unfinished) and not tolerant):
            return False
        if tolerant:
            return all(
                change.judgement.risk is not Risk.BREAKING or isinstance(change.change, _REMOVALS)
                for change in self.plan.changes
            )
        return all(
            change.judgement.risk is not Risk.BREAKING and not isinstance(change.change, _MISSING)
            for change in self.plan.changes
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "command": "status",
            "ready": self.ready,
            "database": self.database,
            "apps": [app.to_dict() for app in self.apps],
            "unknown_revisions": list(self.unknown),
            "ledger": self.ledger,
            "doctypes": self.doctypes,
            "matching": self.matching,
            "counts": counts(self.plan),
            "lock_holder": self.lock_holder,
            "contract_due": list(self.contract_due),
            "unfinished_revisions": list(self.unfinished),
        }


@dataclass(frozen=True, slots=True)
class HistoryResult:
    """Revisions in the order in which they are or would be applied."""

    revisions: tuple[tuple[Revision, bool], ...]

    def heads(self) -> HistoryResult:
        """Those that no other of them follows."""
        followed = {parent for revision, _ in self.revisions for parent in revision.down_revisions}
        return HistoryResult(tuple(one for one in self.revisions if one[0].id not in followed))

    def current(self) -> HistoryResult:
        """The applied ones that no applied one follows."""
        return HistoryResult(tuple(one for one in self.revisions if one[1])).heads()

    def branches(self) -> HistoryResult:
        """Those that several others follow."""
        followers = Counter(parent for revision, _ in self.revisions for parent in revision.down_revisions)
        return HistoryResult(tuple(one for one in self.revisions if followers[one[0].id] > 1))

    def to_dict(self) -> dict[str, Any]:
        """Plain values: id, app, message, parents, depends_on, applied."""
        return {
            "command": "history",
            "revisions": [
                {
                    "id": revision.id,
                    "app": revision.app,
                    "message": revision.message,
                    "down_revisions": list(revision.down_revisions),
                    "depends_on": list(revision.depends_on),
                    "applied": applied,
                }
                for revision, applied in self.revisions
            ],
        }


@dataclass(frozen=True, slots=True)
class LogResult:
    """The last entries of the log, newest first."""

    entries: tuple[LogEntry, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the members of ``author`` beside the others."""
        return {
            "command": "log",
            "entries": [
                {name: value for name, value in asdict(entry).items() if name != "author"} | asdict(entry.author)
                for entry in self.entries
            ],
        }


@dataclass(frozen=True, slots=True)
class CreateResult:
    """A revision that was written. ``path`` is None when there was nothing to write.

    ``contract`` is the second half of an online change, for when no old code runs any more. ``renames`` are those that
    were asked for: the models do not declare them yet. ``proof`` is what became of the revision on a scratch database,
    None where it was not asked for.
    """

    app: str
    revision: str | None
    path: str | None
    text: str
    review: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    contract: CreateResult | None = None
    renames: tuple[Rename, ...] = ()
    proof: Proof | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "command": "create",
            "app": self.app,
            "revision": self.revision,
            "path": self.path,
            "review": list(self.review),
            "left_out": list(self.left_out),
            "contract": None if self.contract is None else self.contract.to_dict(),
            "renames": [
                {"table": str(one.table), "from": one.old, "to": one.new or one.table.name} for one in self.renames
            ],
            "proof": None if self.proof is None else self.proof.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class ProveResult:
    """What became of revisions on a scratch database, in their order."""

    proofs: tuple[Proof, ...]

    @property
    def failed(self) -> bool:
        """True when a revision does not go forwards."""
        return any(proof.outcome is Outcome.FAILED for proof in self.proofs)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"command": "prove", "failed": self.failed, "proofs": [proof.to_dict() for proof in self.proofs]}


@dataclass(frozen=True, slots=True)
class RepairResult:
    """What stamp or repair changes, or would change when ``applied`` is False."""

    command: str
    actions: tuple[str, ...]
    applied: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"command": self.command, "actions": list(self.actions), "applied": self.applied}


@dataclass(frozen=True, slots=True)
class InitResult:
    """Files that ``init`` wrote, and what else to know, a sentence each."""

    files: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"command": "init", "files": list(self.files), "remarks": list(self.remarks)}


def counts(plan: Plan) -> dict[str, int]:
    """How many changes there are of each risk, by its label."""
    found = {risk.label: 0 for risk in Risk}
    for change in plan.changes:
        found[change.judgement.risk.label] += 1
    return found


# A plan as a document: made by ``plan --out``, reviewed by people, applied by ``apply`` exactly as it is.


FORMAT = "m-migrate plan 1"
"""Its last word is the version; documents of other versions are refused."""


def plan_document(result: PlanResult, database: str) -> dict[str, Any]:
    """The plan as plain values.

    Args:
        result: what sync would do.
        database: URL without its password, for the reader; the plan may be applied to another database of that state.
    """
    return {"format": FORMAT, "database": database, **result.to_dict()}


def approved_steps(document: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """The statements of each step of a document.

    Raises:
        ConfigurationError: it is no such document, or one of another version.
    """
    found = document.get("format")
    if found != FORMAT:
        raise ConfigurationError(
            f"This is no plan that this version can apply: its format is {found!r}, not {FORMAT!r}.",
            next_step="Make it with `m-migrate plan --out FILE`.",
        )
    try:
        return tuple(tuple(str(statement) for statement in step["sql"]) for step in document["steps"])
    except (KeyError, TypeError) as error:
        raise ConfigurationError(
            "The plan has no steps with their SQL.", next_step="Make it with `m-migrate plan --out FILE`."
        ) from error


# What the commands over many tenants return: frozen, and as plain values through ``to_dict``.


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
            case VerifyResult(dirty=dirty, plan=PlanResult(plan=plan)):
                return "dirty" if dirty else "clean" if plan.is_empty else "pending"
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
