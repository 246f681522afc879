"""Verifier: the read-only judgement of both tracks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.plan import Plan, Risk
from framework_m_migrations.domain.results import Finding
from framework_m_migrations.services.version_resolver import VersionResolver


@dataclass(frozen=True, slots=True)
class Verifier:
    """Turns a plan and the state of the revisions into findings.

    Args:
        fail_on: the least risk of a change that makes the schema dirty.
    """

    fail_on: Risk = Risk.BREAKING

    def judge(self, plan: Plan, versions: VersionResolver, unfinished: Sequence[str] = ()) -> tuple[Finding, ...]:
        """All findings, the dirty ones first.

        Args:
            plan: a full comparison.
            versions: the versioned track.
            unfinished: revisions that were cut off and left a part of themselves (VersionedTrack.unfinished).
        """
        cut_off = [
            Finding(
                "unfinished-revision",
                f"Revision {name} was cut off and a part of it stands; `m-migrate run` names what it sent (M509)",
                dirty=True,
            )
            for name in unfinished
        ]
        found = [*self._changes(plan), *self._unmanaged(plan), *self._notes(plan), *cut_off, *self._revisions(versions)]
        return tuple(sorted(found, key=lambda finding: not finding.dirty))

    def _changes(self, plan: Plan) -> list[Finding]:
        return [
            Finding(
                "change",
                f"{planned.change.table}: {sentence(planned.change)}. {planned.judgement.reason}",
                planned.judgement.risk >= self.fail_on,
                planned.judgement.risk,
                planned.judgement.rule,
                str(planned.change.table),
            )
            for planned in plan.changes
        ]

    @staticmethod
    def _unmanaged(plan: Plan) -> list[Finding]:
        return [
            Finding("unmanaged-table", f"{name}: no model declares it and the ledger does not list it", dirty=True)
            for name in plan.unmanaged
        ]

    def _notes(self, plan: Plan) -> list[Finding]:
        """Drift is as serious as a WARNING; what is declared and not managed is reported only."""
        strict = self.fail_on <= Risk.WARNING
        return [Finding(note.kind, note.what, dirty=strict and note.kind == "drift") for note in plan.notes]

    @staticmethod
    def _revisions(versions: VersionResolver) -> list[Finding]:
        found = [
            Finding("unknown-revision", f"The database is at {name}, which no installed app has", dirty=True)
            for name in versions.unknown
        ]
        graph = versions.graph
        for app in graph.apps():
            heads = graph.heads(app)
            if len(heads) > 1:
                found.append(Finding("multiple-heads", f"App {app} has heads {', '.join(heads)}", dirty=True))
        applied, due = versions.applied, set(versions.contract_due())
        found.extend(
            Finding(
                "contract-due",
                f"Revision {name} of {graph.by_id[name].app} ends the online change of "
                f"{graph.by_id[name].contract_of}; `m-migrate run --contract` applies it once no old code runs",
                dirty=False,
            )
            for name in graph.order
            if name in due
        )
        found.extend(
            Finding("pending-revision", f"Revision {name} of {graph.by_id[name].app} is not applied", dirty=True)
            for name in graph.order
            if name not in applied and name not in due
        )
        return found
