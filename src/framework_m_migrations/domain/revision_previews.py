"""Revisions before they run: their SQL, risk and locks; and one revision as ``show`` presents it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from framework_m_migrations.domain.plan import Risk, TableLock
from framework_m_migrations.domain.revisions import Revision


@dataclass(frozen=True, slots=True)
class RevisionPreview:
    """What one revision would send.

    Attributes:
        revision: its id.
        direction: ``upgrade`` or ``downgrade``.
        statements: the SQL of the revision, in order.
        bookkeeping: the SQL that records it in the version table.
        unknown: why the SQL, or what comes after ``statements``, is not known without running it; None if it is known.
        notes: what limits the SQL that is shown, such as rows that the revision reads.
        risk: the highest among its statements.
        reasons: what the risk consists of, one sentence each.
        locks: taken on tables that exist before the revision.
    """

    revision: str
    direction: str = "upgrade"
    statements: tuple[str, ...] = ()
    bookkeeping: tuple[str, ...] = ()
    unknown: str | None = None
    notes: tuple[str, ...] = ()
    risk: Risk = Risk.SAFE
    reasons: tuple[str, ...] = ()
    locks: tuple[TableLock, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values: risk, reasons, locks, sql, bookkeeping, unknown, notes."""
        return {
            "risk": self.risk.label,
            "reasons": list(self.reasons),
            "locks": [{"table": str(lock.table), "level": lock.level.value} for lock in self.locks],
            "sql": list(self.statements),
            "bookkeeping": list(self.bookkeeping),
            "unknown": self.unknown,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class PreviewResult:
    """What ``run`` or ``rollback`` would do.

    Attributes:
        revisions: each with its preview, in the order in which they would run.
        direction: ``upgrade`` or ``downgrade``.
        held: revisions that wait for ``run --contract``.
        recorded: those of ``revisions`` that would only count as applied: sync builds the tables of their app.
        dialect: SQLAlchemy's name of the database's dialect.
        transactional: each revision has a transaction of its own.
    """

    revisions: tuple[tuple[Revision, RevisionPreview], ...]
    direction: str = "upgrade"
    held: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ()
    dialect: str = ""
    transactional: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "command": "run" if self.direction == "upgrade" else "rollback",
            "dry_run": True,
            "direction": self.direction,
            "revisions": [
                {
                    "id": revision.id,
                    "app": revision.app,
                    "message": revision.message,
                    "recorded": revision.id in self.recorded,
                    **preview.to_dict(),
                }
                for revision, preview in self.revisions
            ],
            "held": list(self.held),
            "recorded": list(self.recorded),
        }


@dataclass(frozen=True, slots=True)
class ShowResult:
    """One revision.

    Attributes:
        revision: as its file says.
        state: ``applied`` or ``pending``.
        upgrade: what applying it sends.
        downgrade: what taking it back sends.
        followers: revisions that follow it or depend on it.
        held: it waits for ``run --contract``.
    """

    revision: Revision
    state: str
    upgrade: RevisionPreview
    downgrade: RevisionPreview
    followers: tuple[str, ...] = ()
    held: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        revision = self.revision
        return {
            "command": "show",
            "id": revision.id,
            "app": revision.app,
            "message": revision.message,
            "state": self.state,
            "held": self.held,
            "file": revision.path,
            "down_revisions": list(revision.down_revisions),
            "depends_on": list(revision.depends_on),
            "followers": list(self.followers),
            "contract_of": revision.contract_of,
            "upgrade": self.upgrade.to_dict(),
            "downgrade": self.downgrade.to_dict(),
        }
