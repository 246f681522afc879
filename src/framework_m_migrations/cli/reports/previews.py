"""What run --dry-run, rollback --dry-run, their --sql and show print."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from framework_m_migrations.cli.document import Block, Code, Document, Grid, Heading, Span, Style, clean, line
from framework_m_migrations.cli.reports.declarative import lock_words, terminated
from framework_m_migrations.cli.reports.shared import plural, risk_span
from framework_m_migrations.cli.reports.versioned import held_blocks
from framework_m_migrations.domain.plan import Risk, TableLock
from framework_m_migrations.domain.revisions import PreviewResult, Revision, RevisionPreview, ShowResult, SquashResult


def preview_report(result: PreviewResult) -> Document:
    """The revisions that would run, each with its risk and locks, and why a risk is what it is."""
    down = result.direction == "downgrade"
    if not result.revisions:
        words = "Nothing to roll back." if down else "No revision is pending."
        return (line(Span(words, "safe")), *held_blocks(result.held))
    rows = tuple(
        (
            Span("recorded", "safe") if revision.id in result.recorded else risk_span(preview.risk),
            Span(revision.app or "-", "bold"),
            Span(revision.id),
            Span(revision.message),
            Span(_locks(preview.locks)),
        )
        for revision, preview in result.revisions
    )
    details: list[Block] = []
    for revision, preview in result.revisions:
        said = tuple(_remarks(preview))
        if said:
            details += [line(Span(revision.id, "bold"), f" ({revision.app or '-'})", indent=1), *said]
    return (
        Heading("Would be rolled back" if down else "Would be applied"),
        Grid(("RISK", "APP", "REVISION", "MESSAGE", "LOCKS"), rows),
        *((Heading("Look at"), *details) if details else ()),
        Heading("Summary"),
        line(
            f"{plural(len(rows), 'revision')} would {'be rolled back' if down else 'run'}. ",
            "Nothing was changed: this was a dry run. The SQL: ",
            Span(f"m-migrate {'rollback' if down else 'run'} --sql", "command"),
        ),
        *held_blocks(result.held),
    )


def preview_sql(result: PreviewResult) -> str:
    """The SQL to be read or piped on: each revision in its transaction, with its row of the version table."""
    lines: list[str] = []
    if result.dialect == "sqlite" and result.revisions:
        # A table that is rebuilt is dropped on the way, and its rows' children would go along.
        lines += ["PRAGMA foreign_keys=OFF;"]
    for revision, preview in result.revisions:
        lines += [*([""] if lines else []), f"-- {_title(revision, result)}"]
        lines += [f"-- {clean(note)}" for note in preview.notes]
        if result.transactional:
            lines.append("BEGIN;")
        lines += [terminated(statement) for statement in preview.statements]
        if preview.unknown is not None:
            lines.append(f"-- The rest is not known without running the revision. {clean(preview.unknown)}")
        else:
            lines += [terminated(statement) for statement in preview.bookkeeping]
        if result.transactional:
            lines.append("COMMIT;" if preview.unknown is None else "ROLLBACK;")
    lines += [f"-- Revision {clean(name)} waits for run --contract." for name in result.held]
    return "".join(f"{text}\n" for text in lines)


def show_report(result: ShowResult) -> Document:
    """One revision: where it is, what it is after, and what it sends."""
    revision = result.revision
    state: Style = "safe" if result.state == "applied" else "warning"
    facts = (
        ("State", result.state + (", waits for run --contract" if result.held else "")),
        ("App", revision.app or "-"),
        ("Message", revision.message or "-"),
        ("File", revision.path or "-"),
        ("Follows", ", ".join(revision.down_revisions) or "-"),
        ("Depends on", ", ".join(revision.depends_on) or "-"),
        ("Followed by", ", ".join(result.followers) or "-"),
        *((("Contract of", revision.contract_of),) if revision.contract_of else ()),
    )
    return (
        Heading(f"Revision {revision.id}"),
        *(
            line(Span(f"{name}: ", "dim"), Span(text, state if name == "State" else ""), indent=1)
            for name, text in facts
        ),
        *_way("SQL of upgrade", result.upgrade),
        *_way("SQL of downgrade", result.downgrade),
    )


def squash_report(result: SquashResult) -> Document:
    """The new revision, what it replaces, and the proof."""
    blocks: list[Block] = []
    if result.path is None:
        blocks += [Heading(f"Revision {result.revision} of {result.app}, not written"), Code(result.text, 0)]
    else:
        blocks.append(line(Span("Wrote ", "safe"), Span(result.path, "bold"), f" (revision {result.revision})"))
    blocks.append(line(f"Replaces {plural(len(result.replaced), 'revision')}: {', '.join(result.replaced)}."))
    blocks.append(line(result.proof))
    blocks += [line(note, indent=1) for note in result.notes]
    if result.folder is not None:
        blocks += [
            Heading("Next"),
            line(f"Commit both. Databases that have a part of the range run the rest from {result.folder}.", indent=1),
            line(f"Delete that folder once every database has revision {result.revision}.", indent=1),
        ]
    return tuple(blocks)


def _way(title: str, preview: RevisionPreview) -> Iterable[Block]:
    yield Heading(title)
    yield line(risk_span(preview.risk), f"; locks {_locks(preview.locks)}", indent=1)
    yield from _remarks(preview)
    if not preview.statements and preview.unknown is None:
        yield line("It sends nothing.", indent=1)
    for statement in preview.statements:
        yield Code(terminated(statement))


def _remarks(preview: RevisionPreview) -> Iterable[Block]:
    for reason in preview.reasons:
        yield line(Span(reason, "breaking" if preview.risk is Risk.BREAKING else "warning"), indent=2)
    if preview.unknown is not None:
        words = "Its SQL" if not preview.statements else "The rest of its SQL"
        yield line(Span(f"{words} is not known without running it.", "warning"), f" {preview.unknown}", indent=2)
    for note in preview.notes:
        yield line(note, indent=2)


def _locks(locks: tuple[TableLock, ...]) -> str:
    return ", ".join(lock_words(locks)) or "no existing table"


def _title(revision: Revision, result: PreviewResult) -> str:
    way = "Take back revision" if result.direction == "downgrade" else "Revision"
    recorded = "; recorded without being run" if revision.id in result.recorded else ""
    message = f": {textwrap.shorten(clean(revision.message), 200)}" if revision.message else ""
    return f"{way} {clean(revision.id)} of {clean(revision.app or 'no app')}{message}{recorded}"
