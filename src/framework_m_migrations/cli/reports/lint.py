"""What lint found."""

from __future__ import annotations

from framework_m_migrations.cli.document import Block, Document, Heading, Span, Style, line
from framework_m_migrations.domain.lint import LintFinding, LintResult, Severity


def lint_report(result: LintResult) -> Document:
    """The findings by file, the proofs that the files hold, then the sum.

    Args:
        result: of the command.
    """
    blocks: list[Block] = []
    shown: str | None = None
    for finding in result.findings:
        if finding.file != shown:
            shown = finding.file
            app = f" of {finding.app}" if finding.app else ""
            blocks.append(Heading(f"{finding.revision}{app}: {finding.file}"))
        blocks.extend(_finding(finding))
    if result.proofs:
        blocks.append(Heading("Proofs"))
        for proof in result.proofs:
            stale = () if proof.current else (Span(" The code has changed since: prove it again.", "warning"),)
            blocks.append(line(f"{proof.revision}: {proof.text}", *stale, indent=1))
        unproved = len(result.revisions) - len(result.proofs)
        if unproved:
            text = f"{unproved} {_many(unproved, 'revision')} without a proof: "
            blocks.append(line(text, Span("m-migrate prove REVISION", "command"), indent=1))
    errors = sum(1 for finding in result.findings if finding.severity is Severity.ERROR)
    others = len(result.findings) - errors
    judged = f"{len(result.revisions)} {_many(len(result.revisions), 'revision')} judged for {result.database}"
    told = f"{errors} {_many(errors, 'error')}, {others} {_many(others, 'warning')}"
    rules = "own rules" if result.squawk is None else f"own rules and squawk {result.squawk}"
    style: Style = "breaking" if errors else "safe"
    blocks.append(line(f"{judged} ({rules}): ", Span(told, style), "."))
    return tuple(blocks)


def _finding(finding: LintFinding) -> list[Block]:
    error = finding.severity is Severity.ERROR
    place = "" if finding.line is None else f"line {finding.line}: "
    found: list[Block] = [
        line(
            place,
            Span(f"{finding.severity.value} {finding.rule}", "breaking" if error else "warning"),
            " ",
            finding.what,
        )
    ]
    if finding.statement is not None:
        found.append(line(Span(finding.statement, "dim"), indent=1))
    found.append(line(finding.next_step, indent=1))
    return found


def _many(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"
