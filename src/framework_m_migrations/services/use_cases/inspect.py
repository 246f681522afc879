"""verify, status, doctor, history and pictures: look, change nothing, take no lock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import MigrationError, NoTables
from framework_m_migrations.domain.graph import Graph, schema_graph
from framework_m_migrations.domain.ownership import WorkState
from framework_m_migrations.domain.plan import Plan, Risk
from framework_m_migrations.domain.results import (
    AppStatus,
    Check,
    Finding,
    HistoryResult,
    LogResult,
    StatusResult,
    VerifyResult,
)
from framework_m_migrations.ports.app_discovery import App
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.sync_planner import SyncPlanner
from framework_m_migrations.services.use_cases.sync import render
from framework_m_migrations.services.verifier import Verifier
from framework_m_migrations.services.version_resolver import resolver


def verify(session: Session, fail_on: Risk = Risk.BREAKING) -> UseCase[VerifyResult]:
    """Judge both tracks by a full comparison.

    Args:
        session: the ports.
        fail_on: the least risk of a change that makes the schema dirty.
    """
    yield from ()
    versions = resolver(session)
    empty: list[Finding] = []
    try:
        made = SyncPlanner(session).plan(force=True)
    except NoTables as error:
        made, empty = Plan(), [Finding("no-tables", f"{error.what} {error.next_step}", dirty=True)]
    with session.reading():
        unfinished = session.versions.unfinished()
    findings = (*empty, *Verifier(fail_on).judge(made, versions, unfinished))
    return VerifyResult(findings, render(session, made))


def status(session: Session, apps: tuple[App, ...], database: str) -> UseCase[StatusResult]:
    """Where each app and each DocType stands.

    Args:
        session: the ports.
        apps: the installed apps, also those without revisions.
        database: the database's URL for display, without its password.
    """
    yield from ()
    versions = resolver(session)
    made = SyncPlanner(session).plan()
    wanted = session.source.checksums()
    with session.reading():
        snapshot = session.ledger.snapshot()
        unfinished = session.versions.unfinished()
    applied, graph = versions.applied, versions.graph
    # A revision may have made what no sync has recorded yet; a checksum may stand from before a change by hand.
    known = {**snapshot.checksums, **dict(made.settled)}
    open_ = {change.doctype for change in made.changes}
    rows = []
    for name in dict.fromkeys((*(app.name for app in apps), *graph.apps())):
        own = graph.of_app(name)
        done = [revision for revision in own if revision in applied]
        followed = {parent for revision in done for parent in graph.by_id[revision].down_revisions}
        folder = next((str(app.version_folder) for app in apps if app.name == name and app.version_folder), None)
        rows.append(
            AppStatus(
                app=name,
                folder=folder,
                current=tuple(revision for revision in done if revision not in followed),
                heads=graph.heads(name),
                pending=tuple(revision for revision in own if revision not in applied),
            )
        )
    return StatusResult(
        apps=tuple(rows),
        unknown=versions.unknown,
        ledger=snapshot.form.value,
        doctypes=len(wanted),
        matching=sum(1 for name, checksum in wanted.items() if known.get(name) == checksum and name not in open_),
        plan=made,
        lock_holder=session.lock.holder(),
        database=database,
        contract_due=versions.contract_due(),
        unfinished=unfinished,
    )


def diagnose(session: Session) -> UseCase[tuple[Check, ...]]:
    """What is wrong with a database that answers, and the way out of each trouble; one trouble hides no other."""
    yield from ()
    probes = {"rights": _rights, "lock": _lock, "ledger": _ledger, "revisions": _revisions, "schema": _schema}
    return tuple(_guarded(name, probe, session) for name, probe in probes.items())


def failed(name: str, error: MigrationError) -> Check:
    """A check that ended with an error, which has its own way out."""
    return Check(name, False, f"{error.code}: {error.what}", error.next_step)


def _guarded(name: str, probe: Callable[[Session], tuple[list[str], str, str]], session: Session) -> Check:
    try:
        wrong, fine, step = probe(session)
    except MigrationError as error:
        return failed(name, error)
    return Check(name, not wrong, "; ".join(wrong) or fine, step if wrong else "")


def _rights(session: Session) -> tuple[list[str], str, str]:
    with session.reading():
        missing = session.inspector.missing_privileges()
    return list(missing), "all that migrations need", "Have the rights granted, or connect with another role."


def _lock(session: Session) -> tuple[list[str], str, str]:
    holder = session.lock.holder()
    held = [] if holder is None else [f"held by {holder}"]
    return held, "free", "Wait until that migration ends; if it is stuck, end its session."


def _ledger(session: Session) -> tuple[list[str], str, str]:
    with session.reading():
        form = session.ledger.snapshot().form
        session.ledger.objects()
    return [], form.value, ""


def _revisions(session: Session) -> tuple[list[str], str, str]:
    versions = resolver(session)
    with session.reading():
        unfinished = session.versions.unfinished()
    if unfinished:
        return (
            [f"cut off half way: {', '.join(unfinished)}"],
            "",
            "`m-migrate run` names what it sent and what to do.",
        )
    due = versions.contract_due()
    pending = [name for name in versions.pending() if name not in due]
    if pending:
        return [f"not applied: {', '.join(pending)}"], "", "Apply them: `m-migrate run`."
    if due:
        return [], f"online changes wait for `m-migrate run --contract`: {', '.join(due)}", ""
    return [], f"{len(versions.applied)} applied, none pending", ""


def _schema(session: Session) -> tuple[list[str], str, str]:
    made = SyncPlanner(session).plan(force=True)
    wrong = [f"{one.change.table}: {sentence(one.change)}" for one in made.changes]
    wrong += [f"{name}: in no model and not in the ledger" for name in made.unmanaged]
    wrong += [note.what for note in made.notes if note.kind == "drift"]
    if made.applied:
        step = "Apply them: `m-migrate sync`."
    elif made.changes:
        step = "`m-migrate plan` has the reason and the way out of each."
    else:
        step = "Declare it in the models, leave it out with --exclude, or drop it by hand."
    more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
    return [*wrong[:SHOWN], *more], "as the models want it", step


SHOWN = 5
"""Differences that doctor lists; plan and verify list all."""


def history(session: Session, app: str | None = None) -> UseCase[HistoryResult]:
    """Revisions in order of application, of one app or of all."""
    yield from ()
    versions = resolver(session)
    applied = versions.applied
    return HistoryResult(
        tuple(
            (versions.graph.by_id[name], name in applied)
            for name in versions.graph.order
            if app is None or versions.graph.by_id[name].app == app
        )
    )


def log(session: Session, limit: int) -> UseCase[LogResult]:
    """The last entries of the log. One that runs while nobody has the migration lock was interrupted."""
    yield from ()
    with session.reading():
        entries = session.ledger.logged(limit)
    if any(entry.outcome is WorkState.RUNNING for entry in entries) and session.lock.holder() is None:
        entries = tuple(
            replace(entry, outcome=WorkState.INTERRUPTED) if entry.outcome is WorkState.RUNNING else entry
            for entry in entries
        )
    return LogResult(entries)


def schema(session: Session) -> UseCase[Graph]:
    """The tables of the models with their foreign keys and what is pending."""
    yield from ()
    changes = SyncPlanner(session).plan(force=True).changes
    return schema_graph(session.source.load(), changes)
