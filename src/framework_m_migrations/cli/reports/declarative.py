"""What sync, plan and verify show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import ndiff

from framework_m_migrations.cli.document import Block, Code, Document, Grid, Heading, Span, clean, line
from framework_m_migrations.cli.reports.shared import (
    applied_blocks,
    command_for,
    plural,
    risk_span,
    withheld_blocks,
)
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.plan import DefinitionEdit, LockLevel, PlannedChange, TableLock
from framework_m_migrations.domain.results import PlanResult, SyncResult, VerifyResult
from framework_m_migrations.domain.risk.rules import DROP

UP_TO_DATE = "Up to date: the database matches the models."

SHOWN = 4
"""So many tables are named of those that a step locks alike."""


def sync_report(result: SyncResult, *, verbose: bool = False) -> Document:
    """What sync did, or after a dry run what it would do."""
    plan = result.plan.plan
    title = "Applied" if result.applied else "To be applied"
    return (
        *applied_blocks(title, plan.applied, every=verbose),
        *(
            (Heading("Dropped"), *(Code(terminated(statement)) for statement in result.dropped))
            if result.dropped
            else ()
        ),
        *withheld_blocks(result.withheld),
        *((Heading("Summary"),) if plan.changes else ()),
        *recorded_blocks(result.recorded),
        _sync_summary(result),
    )


def recorded_blocks(revisions: Sequence[str]) -> Document:
    """Revisions that count as applied without having been run, as the database is new to their app."""
    if not revisions:
        return ()
    words = f"{plural(len(revisions), 'revision')} recorded without being run: {', '.join(revisions)}."
    return (line(Span(words, "safe"), " The database is new to the app: sync builds its tables as they are now."),)


def _sync_summary(result: SyncResult) -> Block:
    plan = result.plan.plan
    withheld = len(result.withheld)
    if not plan.changes:
        return line(Span(UP_TO_DATE, "safe"), _seconds(result.seconds))
    words = []
    if plan.applied:
        done = "applied" if result.applied else "to be applied"
        words.append(f"{plural(len(plan.applied), 'change')} {done}")
        if result.applied and result.steps:
            words[-1] += f" in {plural(result.steps, 'step')}"
    elif not result.dropped:
        words.append("nothing to apply")
    if result.dropped:
        words.append(f"{plural(len(result.dropped), 'statement')} sent to drop what no model declares")
    if withheld:
        words.append(f"{withheld} withheld")
    text = ", ".join(words)
    ended = "Nothing was changed: this was a dry run." if not result.applied else ""
    return line(
        Span(f"{text[0].upper()}{text[1:]}", "warning" if withheld else "safe"),
        f"{_seconds(result.seconds)}.",
        f" {ended}" if ended else "",
    )


def _seconds(seconds: float) -> str:
    return f" ({seconds:.2f} s)" if seconds else ""


def plan_report(result: PlanResult, *, verbose: bool = True) -> Document:
    """Everything that sync would do and would not do: risks, reasons, locks, exact SQL.

    Args:
        result: of plan.
        verbose: list the changes of the host program's own tables too, and every statement, where else the change of
            a definition is shown.
    """
    plan = result.plan
    sql_of = {id(change.planned): change.sql for change in result.changes}
    withheld_sql = [(planned, sql_of.get(id(planned), ())) for planned in plan.withheld]
    blocks: list[Block] = [*applied_blocks("Sync would apply", plan.applied, every=True, folded=not verbose)]
    blocks += _steps(result, exact=verbose)
    if result.sizes:
        blocks += [Heading("Tables that the steps work on"), _sizes(result)]
    blocks += withheld_blocks(plan.withheld)
    shown = [(planned, sql) for planned, sql in withheld_sql if sql]
    if shown:
        blocks.append(Heading("SQL of withheld changes, for reference"))
        for planned, sql in shown:
            blocks.append(line(Span(str(planned.change.table), "bold"), f": {sentence(planned.change)}", indent=1))
            blocks.extend(Code(terminated(statement), 2) for statement in sql)
    if plan.unmanaged:
        names = ", ".join(str(name) for name in plan.unmanaged)
        blocks += [
            Heading("Not managed: tables that no model declares and that m-migrate did not create"),
            line(names, indent=1),
        ]
    if plan.notes:
        blocks += [Heading("Not managed"), *(line(note.what, indent=1) for note in plan.notes)]
    if plan.changes:
        applied, withheld = len(plan.applied), len(plan.withheld)
        blocks += [
            Heading("Summary"),
            line(
                f"{plural(applied, 'change')} to be applied in {plural(len(plan.steps), 'step')}, {withheld} withheld.",
                " Apply: ",
                Span("m-migrate sync", "command"),
            )
            if applied
            else line(f"Nothing to be applied, {withheld} withheld."),
        ]
    else:
        blocks += [line(Span(UP_TO_DATE, "safe"))]
    return tuple(blocks)


def _steps(result: PlanResult, *, exact: bool) -> list[Block]:
    steps = result.plan.steps
    blocks: list[Block] = [Heading("Steps and their SQL")] if steps else []
    edits = result.edits if result.edits and not exact else ((),) * len(steps)
    for number, (step, statements, edited) in enumerate(zip(steps, result.steps_sql, edits, strict=True), start=1):
        kind = "one transaction" if step.transactional else "outside a transaction"
        kind = kind if step.batch is None else f"a transaction for every {step.batch:,} rows"
        locks = lock_words(step.locks)
        parts = [kind, "locks " + ", ".join(locks) if locks else "locks no existing table"]
        parts += ["copies the table's rows"] if step.rewrites else []
        parts += ["reads the table's rows"] if step.scans else []
        blocks.append(line(Span(f"Step {number} of {len(steps)}", "bold"), f": {'; '.join(parts)}", indent=1))
        blocks += [line(Span(f"Note: {hazard}", "warning"), indent=2) for hazard in step.hazards]
        hidden = {statement for edit in edited for statement in edit.statements}
        for edit in edited:
            blocks.append(line(f"Definition of {edit.table} (with -v the statements that edit it):", indent=2))
            blocks.append(Code("\n".join(_difference(edit)), 2))
        blocks += [Code(terminated(statement), 2) for statement in statements if statement not in hidden]
    return blocks


def _difference(edit: DefinitionEdit) -> Iterator[str]:
    """The lines of both definitions, those that go and come marked."""
    for text in ndiff(edit.before.splitlines(), edit.after.splitlines()):
        if not text.startswith("?"):
            yield text.rstrip()


def lock_words(locks: Iterable[TableLock]) -> list[str]:
    """Each level with its tables, the first few of them: a table may have a thousand partitions."""
    tables: dict[LockLevel, list[str]] = {}
    for lock in locks:
        if lock.level is not LockLevel.NONE:
            tables.setdefault(lock.level, []).append(str(lock.table))
    if tables.pop(LockLevel.ONE_WRITER, None):
        return ["the database against other writers"]
    return [
        f"{level.value} on {', '.join(names[:SHOWN])}" + (f" and {len(names) - SHOWN} more" if names[SHOWN:] else "")
        for level, names in tables.items()
    ]


def _sizes(result: PlanResult) -> Grid:
    return Grid(
        ("TABLE", "ROWS", "SIZE WITH INDEXES"),
        tuple(
            (
                Span(str(name), "bold"),
                Span("not counted yet" if size.rows is None else f"about {size.rows:,}"),
                Span("" if size.bytes is None else amount(size.bytes)),
            )
            for name, size in result.sizes.items()
        ),
    )


def amount(size: int) -> str:
    """Bytes in the unit that leaves one to four digits before the point."""
    number = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 10_000:
            return f"{number:,.0f} {unit}"
        number /= 1024
    return f"{number:,.0f} TB"


def terminated(statement: str) -> str:
    """The statement with one semicolon at its end."""
    return statement.rstrip().rstrip(";") + ";"


def plan_sql(result: PlanResult) -> str:
    """The SQL that sync would send, ready to paste; what it would not send is named in comments, never as code."""
    lines: list[str] = []
    for step, statements in zip(result.plan.steps, result.steps_sql, strict=True):
        if not step.transactional and step.batch is None:
            lines.append("-- The next one must run outside a transaction.")
        lines.extend(terminated(statement) for statement in statements)
    lines.extend(
        f"-- Withheld ({planned.judgement.risk.name}): {clean(str(planned.change.table))}: "
        f"{clean(sentence(planned.change))}. Handled by: {clean(command_for(planned))}"
        for planned in result.plan.withheld
    )
    return "".join(f"{text}\n" for text in lines)


def drops_of_plan(result: PlanResult) -> tuple[PlannedChange, ...]:
    """What ``sync --allow-drop`` may drop; of these it drops what the ledger says is ours."""
    return tuple(
        planned for planned in result.plan.withheld if planned.judgement.handled_by == DROP and planned.operations
    )


def drops_report(drops: tuple[PlannedChange, ...]) -> Document:
    """The list shown before anything is dropped."""
    rows = tuple(
        (
            risk_span(planned.judgement.risk),
            Span(str(planned.change.table), "bold"),
            Span(sentence(planned.change)),
            Span(planned.judgement.reason, "dim"),
        )
        for planned in drops
    )
    return (
        Heading("To be dropped, where the ledger says that it is ours"),
        Grid(("RISK", "TABLE", "WHAT", "REASON"), rows),
    )


def verify_report(result: VerifyResult) -> Document:
    """The verdict first, then what it rests on."""
    dirty = [finding for finding in result.findings if finding.dirty]
    notes = [finding for finding in result.findings if not finding.dirty]
    blocks: list[Block] = []
    if dirty:
        more = f" ({plural(len(notes), 'more finding')} below)" if notes else ""
        blocks.append(line(Span(f"DIRTY: {plural(len(dirty), 'finding')}", "breaking", "✖"), more))
    elif notes:
        blocks.append(line(Span("CLEAN", "safe", "●"), f": {plural(len(notes), 'finding')}, none that fails."))
    else:
        blocks.append(line(Span("CLEAN", "safe", "●"), ": database, models and revisions agree."))
    for title, findings in (("Fails", dirty), ("Reported only", notes)):
        if findings:
            rows = tuple(
                (
                    Span("-", "dim") if finding.risk is None else risk_span(finding.risk),
                    Span(finding.kind, "bold"),
                    Span(finding.what),
                )
                for finding in findings
            )
            blocks += [Heading(title), Grid(("RISK", "KIND", "FINDING"), rows)]
    if result.findings:
        blocks += [Heading("Next"), *(_next_steps({finding.kind for finding in result.findings}))]
    return tuple(blocks)


def _next_steps(kinds: set[str]) -> list[Block]:
    known = (
        ("change", "m-migrate plan", "each change with its SQL, and the command that handles it"),
        ("unfinished-revision", "m-migrate run", "what the revision that was cut off has sent, and the way out"),
        ("pending-revision", "m-migrate run", "apply the pending revisions"),
        ("contract-due", "m-migrate run --contract", "end the online changes, once no old code runs any more"),
        ("unknown-revision", "m-migrate status", "what the database is at; bring back the app that has the revision"),
        ("multiple-heads", 'm-migrate create "merge" --app APP --merge', "join the heads"),
        ("drift", "m-migrate create", "declare it in the model, or write a revision that removes it"),
        ("unmanaged-table", "by hand", "drop or declare the table, or leave another tool's alone: --exclude NAME"),
    )
    return [
        line(Span(command, "command"), f": {meaning}", indent=1) for kind, command, meaning in known if kind in kinds
    ]
