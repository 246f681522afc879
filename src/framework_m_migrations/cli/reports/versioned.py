"""What run, rollback, all, history, create, init, stamp and repair show."""

from __future__ import annotations

from collections.abc import Mapping

from framework_m_migrations.cli.document import Block, Code, Document, Grid, Heading, Span, Style, line
from framework_m_migrations.cli.reports.declarative import recorded_blocks, sync_report
from framework_m_migrations.cli.reports.shared import plural
from framework_m_migrations.domain.renames import Rename
from framework_m_migrations.domain.results import (
    AllResult,
    CreateResult,
    HistoryResult,
    InitResult,
    LogResult,
    ProveResult,
    RepairResult,
    RunResult,
)
from framework_m_migrations.domain.revisions import Outcome, Proof


def run_report(result: RunResult, apps: Mapping[str, str] | None = None) -> Document:
    """The revisions applied or taken back, in that order; ``apps`` tells the app of each, where it is known."""
    down = result.direction == "downgrade"
    if not result.revisions:
        text = "Nothing to roll back." if down else "No revision is pending."
        said = (*recorded_blocks(result.recorded), *held_blocks(result.held))
        return said or (line(Span(text, "safe"), _heads(result)),)
    done = "rolled back" if down else "applied"
    return (
        Heading("Rolled back" if down else "Applied revisions"),
        Grid(
            ("APP", "REVISION"),
            tuple((Span((apps or {}).get(name, "-"), "bold"), Span(name)) for name in result.revisions),
        ),
        line(
            Span(f"{plural(len(result.revisions), 'revision')} {done}", "safe"),
            f" ({result.seconds:.2f} s).",
            _heads(result),
        ),
        *recorded_blocks(result.recorded),
        *held_blocks(result.held),
    )


def held_blocks(held: tuple[str, ...]) -> tuple[Block, ...]:
    """Revisions that wait for ``run --contract``; nothing where there are none."""
    if not held:
        return ()
    words = f"{plural(len(held), 'revision')} held back: {', '.join(held)}."
    return (
        line(Span(words, "warning", "▲"), " They take away what only old code needs, or stand on one that does."),
        line("Once no old code runs: ", Span("m-migrate run --contract", "command"), indent=1),
    )


def _heads(result: RunResult) -> str:
    return f" The database is at {', '.join(result.heads)}." if result.heads else " The database is at no revision."


def all_report(result: AllResult, apps: Mapping[str, str] | None = None, *, verbose: bool = False) -> Document:
    """Both tracks, in order."""
    return (
        Heading("Versioned track"),
        *run_report(result.run, apps)[0 if not result.run.revisions else 1 :],
        Heading("Declarative track"),
        *sync_report(result.sync, verbose=verbose),
    )


def history_report(result: HistoryResult) -> Document:
    """Every revision in the order in which it is or would be applied."""
    if not result.revisions:
        return (
            line("No app has a revision yet. The first one: ", Span('m-migrate create "MESSAGE" --app APP', "command")),
        )
    rows = tuple(
        (
            Span("applied", "safe", "●") if applied else Span("pending", "warning", "○"),
            Span(revision.app or "-", "bold"),
            Span(revision.id),
            Span(", ".join(revision.down_revisions) or "-", "dim"),
            Span(", ".join(revision.depends_on) or "-", "dim"),
            Span(revision.message),
        )
        for revision, applied in result.revisions
    )
    pending = sum(1 for _, applied in result.revisions if not applied)
    return (
        Grid(("STATE", "APP", "REVISION", "FOLLOWS", "DEPENDS ON", "MESSAGE"), rows),
        line(f"{plural(len(result.revisions), 'revision')}, {pending} pending."),
    )


def log_report(result: LogResult, *, verbose: bool = False) -> Document:
    """What was done, newest first; ``verbose``: with SQL and errors in full."""
    if not result.entries:
        return (line("Nothing is logged yet: ", Span("m-migrate sync"), " and ", Span("m-migrate run"), " write it."),)
    style: dict[str, Style] = {"done": "safe", "failed": "breaking", "interrupted": "breaking", "running": "warning"}
    blocks: list[Block] = []
    rows = []
    for entry in result.entries:
        who = " ".join(filter(None, (entry.author.os_user or entry.role, f"on {entry.author.host}")))
        began = entry.began[:19].replace("T", " ")
        row = (
            Span(began, "dim"),
            Span(entry.outcome.value, style[entry.outcome]),
            Span(entry.track),
            Span(entry.risk or "-"),
            Span(entry.what, "bold"),
            Span(who, "dim"),
        )
        rows.append(row)
        if verbose:
            author = entry.author
            facts = (("role", entry.role), ("job", author.job), ("version", author.version), ("ended", entry.ended))
            blocks += [Heading(f"{began} {entry.what}: {entry.outcome.value}")]
            blocks += [line(f"{name}: {value}") for name, value in facts if value]
            blocks += [line(Span(entry.error, "breaking"))] if entry.error else []
            blocks += [Code(entry.sql, 2)] if entry.sql else []
    failed = [entry for entry in result.entries if entry.error]
    if failed and not verbose:
        blocks += [line(Span("Last error: ", "breaking"), failed[0].error)]
    return Grid(("BEGAN (UTC)", "OUTCOME", "TRACK", "RISK", "WHAT", "WHO"), tuple(rows)), *blocks


def create_report(result: CreateResult, *, dry_run: bool, doctypes: bool = False) -> Document:
    """Where the revision is, and what a person must look at in it; ``doctypes``: the models are DocTypes."""
    blocks: list[Block] = []
    if result.revision is None:
        blocks.append(line(f"Nothing to write: the database has all that {result.app} wants."))
    elif dry_run:
        blocks += [Heading(f"Revision {result.revision} of {result.app}, not written"), Code(result.text, 0)]
    else:
        blocks += [line(Span("Wrote ", "safe"), Span(str(result.path), "bold"), f" (revision {result.revision})")]
    if result.contract is not None:
        second = result.contract
        if dry_run:
            blocks += [Heading(f"Revision {second.revision}, its contract half, not written"), Code(second.text, 0)]
        else:
            blocks.append(
                line(Span("Wrote ", "safe"), Span(str(second.path), "bold"), f" (revision {second.revision}, contract)")
            )
    if result.review:
        blocks += [Heading("Review before you merge"), *(line(f"- {text}", indent=1) for text in result.review)]
    blocks += [block for one in (result, result.contract) if one and one.proof for block in _proof(one.proof)]
    if result.left_out:
        blocks += [Heading("Left out"), *(line(f"- {text}", indent=1) for text in result.left_out)]
    if result.renames:
        blocks += [Heading("Declare the rename, for databases that have not run this revision yet")]
        blocks += [line(Span(_declaration(one, doctypes=doctypes)), indent=1) for one in result.renames]
    if result.path is not None:
        blocks.append(Heading("Next"))
        if result.proof is not None and result.proof.outcome is Outcome.FAILED:
            command = f"m-migrate prove {result.revision}"
            blocks.append(line(Span(command, "command"), ": try it again, once you have edited it", indent=1))
        blocks.append(line(Span("m-migrate run", "command"), ": apply it", indent=1))
        if result.contract is not None:
            words = ": apply the contract half too, once no code from before runs"
            blocks.append(line(Span("m-migrate run --contract", "command"), words, indent=1))
    return tuple(blocks)


def prove_report(result: ProveResult) -> Document:
    """What became of each revision."""
    if not result.proofs:
        return (
            line(
                "No revision is pending. Name one: ",
                Span("m-migrate prove REVISION", "command"),
                "; ",
                Span("m-migrate history", "command"),
                " lists them.",
            ),
        )
    return tuple(block for proof in result.proofs for block in _proof(proof))


_STYLES: dict[Outcome, Style] = {Outcome.PROVED: "safe", Outcome.FAILED: "breaking"}


def _proof(proof: Proof) -> list[Block]:
    """The outcome, what limits it, and how to get one."""
    style = _STYLES.get(proof.outcome, "warning")
    where = f", on {proof.database} with {plural(proof.rows, 'generated row')}" if proof.database else ""
    blocks: list[Block] = [
        Heading(f"Proof of revision {proof.revision}{where}"),
        line(Span(proof.sentence, style), indent=1),
        *(line(f"- {note}", indent=1) for note in proof.notes),
    ]
    if proof.next_step:
        blocks.append(line(proof.next_step, indent=1))
    return blocks


def _declaration(rename: Rename, *, doctypes: bool) -> str:
    """What to write into the model, so that sync waits for the revision instead of adding the new name."""
    where = f"table {rename.table}" if rename.new is None else f"column {rename.table}.{rename.new}"
    value = f'"{rename.old}"'
    if not doctypes:
        return f'{where}: info={{"renamed_from": {value}}}'
    if rename.new is None:
        return f"{where}: renamed_from in class Meta of its DocType, with the name of the DocType that had {rename.old}"
    return f'{where}: json_schema_extra={{"renamed_from": {value}}} on its field'


def init_report(result: InitResult) -> Document:
    """The files written."""
    if not result.files:
        return (line("Nothing to write: the files exist already and were left as they are."),)
    return (
        Heading("Wrote"),
        *(line(Span(name, "bold"), indent=1) for name in result.files),
        *(line(remark) for remark in result.remarks),
        *(
            (line("Plain ", Span("alembic upgrade heads", "command"), ", current, history and check now work too."),)
            if any(name.endswith("env.py") for name in result.files)
            else ()
        ),
        line("Next: ", Span("m-migrate plan", "command")),
    )


def actions_report(command: str, actions: tuple[str, ...]) -> Document:
    """What stamp or repair is about to change."""
    if not actions:
        return (line(Span("Nothing to change.", "safe")),)
    return (Heading(f"{command} will"), *(line(f"- {action}", indent=1) for action in actions))


def repair_report(result: RepairResult, announced: tuple[str, ...]) -> Document:
    """What was changed; the actions again only where they are not those that were announced."""
    if not result.applied:
        return (line(Span("Nothing to change.", "safe")),)
    changed: tuple[Block, ...] = ()
    if result.actions != announced:
        changed = (
            Heading("Done, the database having changed meanwhile"),
            *(line(f"- {action}", indent=1) for action in result.actions),
        )
    return (*changed, line(Span(f"{result.command}: {plural(len(result.actions), 'change')} made.", "safe")))
