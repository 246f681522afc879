"""What status shows: both tracks in one picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from framework_m_migrations.cli.document import Block, Document, Grid, Heading, Span, Spans, line
from framework_m_migrations.cli.redaction import hide
from framework_m_migrations.cli.reports.shared import RISK_MARKS, RISK_STYLES, plural
from framework_m_migrations.container.project_file import KEYS
from framework_m_migrations.container.settings import ResolvedSettings
from framework_m_migrations.domain.plan import PlannedChange, Risk
from framework_m_migrations.domain.results import AppStatus, Check, StatusResult

LEDGER_WORDS = {
    "absent": "none yet: the first sync makes it",
    "legacy": "Framework M's own; the next sync adopts it",
    "current": "in order",
}


def status_report(result: StatusResult) -> Document:
    """Per app: current, pending, heads; for the ledger: DocTypes matching, changes by risk; who holds the lock."""
    blocks: list[Block] = []
    if result.database:
        blocks.append(line(Span("Database  ", "dim"), result.database))
    held = Span(f"held by {result.lock_holder}", "warning") if result.lock_holder else Span("free")
    blocks += [line(Span("Lock      ", "dim"), held), *_versioned(result), *_declarative(result)]
    blocks += [Heading("Verdict"), *_verdict(result)]
    return tuple(blocks)


def doctor_report(checks: Sequence[Check], url: str = "") -> Document:
    """Each check with what was found and what to do, and a verdict."""
    rows = tuple(
        (
            Span(check.name, "bold"),
            Span("ok", "safe", "●") if check.ok else Span("wrong", "breaking", "✖"),
            Span(hide(check.found, url)),
        )
        for check in checks
    )
    steps = [check for check in checks if check.next_step]
    blocks: list[Block] = [Grid(("CHECK", "STATE", "FOUND"), rows)]
    if steps:
        blocks += [
            Heading("Next"),
            *(line(Span(one.name, "bold"), f": {hide(one.next_step, url)}", indent=1) for one in steps),
        ]
    wrong = sum(not check.ok for check in checks)
    verdict = Span(f"{wrong} of {len(checks)} checks failed.", "breaking", "✖")
    return (*blocks, line(verdict if wrong else Span("Nothing is wrong.", "safe", "●")))


def _versioned(result: StatusResult) -> list[Block]:
    blocks: list[Block] = [Heading("Versioned track (revisions)")]
    if result.apps:
        rows = tuple(_app(app) for app in result.apps)
        blocks.append(Grid(("APP", "STATE", "CURRENT", "PENDING", "HEADS", "FOLDER"), rows))
    else:
        blocks.append(line("no apps", indent=1))
    if result.unknown:
        names = ", ".join(result.unknown)
        blocks.append(line(Span(f"The database is at {names}, which no installed app has.", "breaking", "✖"), indent=1))
        known = " ".join(revision for app in result.apps for revision in app.current)
        blocks.append(
            line(
                "Install the app, or bring back the file, that has it. If it is gone, record what the database has: ",
                Span(f"m-migrate stamp {known or 'base'}", "command"),
                indent=1,
            )
        )
    if result.unfinished:
        names = ", ".join(result.unfinished)
        blocks.append(line(Span(f"Cut off in the middle: {names}.", "breaking", "✖"), indent=1))
    return blocks


def _app(app: AppStatus) -> tuple[Span, ...]:
    if len(app.heads) > 1:
        state = Span(f"{len(app.heads)} heads", "breaking", "✖")
    elif app.pending:
        state = Span(f"{len(app.pending)} pending", "warning", "▲")
    elif app.heads:
        state = Span("up to date", "safe", "●")
    else:
        state = Span("no revisions", "dim")
    return (
        Span(app.app, "bold"),
        state,
        Span(", ".join(app.current) or "-"),
        Span(_some(app.pending)),
        Span(", ".join(app.heads) or "-"),
        Span(app.folder or "-", "dim"),
    )


def _some(names: tuple[str, ...]) -> str:
    if len(names) <= 3:
        return ", ".join(names) or "-"
    return f"{', '.join(names[:3])} and {len(names) - 3} more"


def _declarative(result: StatusResult) -> list[Block]:
    all_match = result.matching == result.doctypes
    blocks: list[Block] = [
        Heading("Declarative track (models)"),
        line(Span("Ledger    ", "dim"), LEDGER_WORDS.get(result.ledger, result.ledger), indent=1),
        line(
            Span("models    ", "dim"),
            Span(f"{result.matching} of {result.doctypes} match", "safe" if all_match else "warning"),
            indent=1,
        ),
        line(Span("To apply  ", "dim"), *_by_risk(result.plan.applied), indent=1),
        line(Span("Withheld  ", "dim"), *_by_risk(result.plan.withheld), indent=1),
    ]
    return blocks


def _by_risk(changes: tuple[PlannedChange, ...]) -> Spans:
    if not changes:
        return (Span("nothing"),)
    found = Counter(planned.judgement.risk for planned in changes)
    spans: list[Span] = [Span(f"{plural(len(changes), 'change')}: ")]
    for risk in Risk:
        if found[risk]:
            spans += [Span(", ")] if len(spans) > 1 else []
            spans.append(Span(f"{found[risk]} {risk.name}", RISK_STYLES[risk], RISK_MARKS[risk]))
    return tuple(spans)


def _verdict(result: StatusResult) -> list[Block]:
    if not result.ready:
        verdict = line(Span("NOT READY", "breaking", "✖"), ": a new release must not receive traffic yet.", indent=1)
    elif result.plan.changes:
        verdict = line(Span("READY", "safe", "●"), ": nothing that is open breaks a new release.", indent=1)
    else:
        verdict = line(Span("READY", "safe", "●"), ": database, models and revisions agree.", indent=1)
    blocks: list[Block] = [verdict]
    if result.contract_due:
        blocks.append(
            line(
                Span(f"Contract due: {', '.join(result.contract_due)}", "warning", "▲"),
                ": ",
                Span("m-migrate run --contract", "command"),
                " once no old code runs",
                indent=1,
            )
        )
    if result.unfinished:
        blocks.append(
            line("Next: ", Span("m-migrate run", "command"), ": see what was sent, and the way out", indent=1)
        )
    elif set(result.pending) - set(result.contract_due):
        blocks.append(line("Next: ", Span("m-migrate all", "command"), ": run, then sync", indent=1))
    elif result.plan.applied:
        blocks.append(line("Next: ", Span("m-migrate sync", "command"), ": apply what is safe", indent=1))
    elif result.plan.withheld:
        blocks.append(line("Next: ", Span("m-migrate plan", "command"), ": see the withheld changes", indent=1))
    return blocks


def settings_rows(resolved: ResolvedSettings) -> list[tuple[str, str, str]]:
    """Each setting by its key in the project's file: value for people, and origin."""
    settings, locks = resolved.settings, resolved.settings.locks
    values: dict[str, Any] = {
        "database_url": settings.url,
        "online": not settings.online,
        "connect_wait": f"{settings.connect_wait:g} s",
        "lock_wait": f"{locks.wait:g} s",
        "lock_timeout": f"{locks.lock_timeout:g} s",
        "lock_retries": locks.retries,
        "statement_timeout": None if locks.statement_timeout is None else f"{locks.statement_timeout:g} s",
    }
    return [
        (
            key,
            hide(_setting(values[name] if name in values else getattr(settings, name)), settings.url),
            resolved.origins.get(name, "default"),
        )
        for key, (name, _) in KEYS.items()
    ]


def _setting(value: Any) -> str:
    match value:
        case None | "" | ():
            return "-"
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(str(one) for one in value)
        case _:
            return str(getattr(value, "value", value))


def config_report(rows: Sequence[tuple[str, str, str]]) -> Document:
    """The settings, their values and origins."""
    return (
        Grid(
            ("SETTING", "VALUE", "FROM"),
            tuple((Span(key, "bold"), Span(value), Span(origin, "dim")) for key, value, origin in rows),
        ),
    )
