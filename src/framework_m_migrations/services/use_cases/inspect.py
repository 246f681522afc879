"""verify, status, history and pictures: look, change nothing, take no lock."""

from __future__ import annotations

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import NoTables
from framework_m_migrations.domain.graph import Graph, schema_graph
from framework_m_migrations.domain.plan import Plan, Risk
from framework_m_migrations.domain.results import AppStatus, Finding, HistoryResult, StatusResult, VerifyResult
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
        matching=sum(1 for name, checksum in wanted.items() if snapshot.checksums.get(name) == checksum),
        plan=made,
        lock_holder=session.lock.holder(),
        database=database,
        contract_due=versions.contract_due(),
        unfinished=unfinished,
    )


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


def schema(session: Session) -> UseCase[Graph]:
    """The tables of the models with their foreign keys and what is pending."""
    yield from ()
    changes = SyncPlanner(session).plan(force=True).changes
    return schema_graph(session.source.load(), changes)
