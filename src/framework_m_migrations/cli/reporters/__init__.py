"""Output formats for CI systems and reviews.

Each module here is a format of its name and has ``render(report) -> str``. Text and JSON are not among them: every
command has those two (output.py).
"""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from framework_m_migrations.cli.reports.shared import command_for, plural
from framework_m_migrations.domain.lint import LintFinding, LintResult, Severity
from framework_m_migrations.domain.plan import PlannedChange, Risk
from framework_m_migrations.domain.results import Finding, PlanResult, VerifyResult

type Level = Literal["error", "warning", "note"]
type Result = PlanResult | VerifyResult | LintResult

LEVELS: Mapping[Risk, Level] = {Risk.SAFE: "note", Risk.WARNING: "warning", Risk.BREAKING: "error"}


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding in the form that all formats share.

    Attributes:
        code: the stable code of its rule.
        level: how bad it is.
        what: one sentence.
        next_step: what to do; empty for nothing.
        subject: the table, revision or kind that it is about.
        file: relative to the repository, with slashes; None where no file is known.
        line: of the file, from 1.
    """

    code: str
    level: Level
    what: str
    next_step: str
    subject: str
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A result on its way into a format.

    Attributes:
        command: plan, verify or lint.
        database: URL without its password; empty where no database was used.
        summary: the outcome in one sentence.
        issues: the findings, in the order of the result.
        subjects: what was judged, whether or not an issue is about it.
        result: the result itself.
        words: makes a text of the result fit to be shown: next steps as they are typed, no passwords.
    """

    command: str
    database: str
    summary: str
    issues: tuple[Issue, ...]
    subjects: tuple[str, ...]
    result: Result
    words: Callable[[str], str]


def formats() -> tuple[str, ...]:
    """The names of the formats, text and JSON first."""
    return ("text", "json", *sorted(module.name for module in pkgutil.iter_modules(__path__)))


def render(name: str, report: Report) -> str:
    """The report in a format of ``formats()`` other than text and JSON."""
    text: str = import_module(f"{__name__}.{name}").render(report)
    return text


def make_report(
    result: Result, database: str, models: Sequence[object] = (), words: Callable[[str], str] = str
) -> Report:
    """A result as a report.

    Args:
        result: of plan, verify or lint.
        database: URL without its password.
        models: the setting ``metadata``; changes are located in the file of the first module that it names.
        words: see Report.
    """
    file = _models_file(models)
    match result:
        case PlanResult(plan=plan):
            summary = "Up to date." if plan.is_empty else f"{plural(len(plan.applied), 'change')} to apply"
            summary += "" if plan.is_empty else f", {len(plan.withheld)} withheld."
            issues = tuple(_planned(change, file, words) for change in plan.changes)
            return Report("plan", database, summary, issues, _subjects(issues), result, words)
        case VerifyResult(findings=findings):
            dirty = sum(1 for finding in findings if finding.dirty)
            summary = f"Dirty: {dirty} of {plural(len(findings), 'finding')} fail." if dirty else "Clean."
            issues = tuple(_found(finding, file, words) for finding in findings)
            return Report("verify", database, summary, issues, _subjects(issues), result, words)
        case LintResult(findings=found, revisions=revisions):
            errors = sum(1 for finding in found if finding.severity is Severity.ERROR)
            counts = f"{plural(errors, 'error')}, {plural(len(found) - errors, 'warning')}"
            issues = tuple(_linted(finding, words) for finding in found)
            summary = f"{plural(len(revisions), 'revision')} judged: {counts}."
            return Report("lint", "", summary, issues, revisions, result, words)


def _subjects(issues: Sequence[Issue]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(issue.subject for issue in issues))


def _planned(change: PlannedChange, file: str | None, words: Callable[[str], str]) -> Issue:
    judgement = change.judgement
    step = "" if judgement.risk is Risk.SAFE else f"Handled by: {words(command_for(change))}"
    what = words(f"{change}. {judgement.reason}")
    return Issue(judgement.rule, LEVELS[judgement.risk], what, step, str(change.change.table), file)


def _found(finding: Finding, file: str | None, words: Callable[[str], str]) -> Issue:
    # What does not fail the judgement is never an error, whatever its risk: the exit code says the same.
    level: Level = "error" if finding.dirty else "warning" if (finding.risk or Risk.SAFE) > Risk.SAFE else "note"
    return Issue(finding.rule or finding.kind, level, words(finding.what), "", finding.table or finding.kind, file)


def _linted(finding: LintFinding, words: Callable[[str], str]) -> Issue:
    level: Level = "error" if finding.severity is Severity.ERROR else "warning"
    file = _in_repository(Path(finding.file))
    return Issue(
        finding.rule, level, words(finding.what), words(finding.next_step), finding.revision, file, finding.line
    )


def _models_file(models: Sequence[object]) -> str | None:
    return next(_files_of(models), None)


def _files_of(models: Sequence[object]) -> Iterator[str]:
    for one in models:
        module = sys.modules.get(one.partition(":")[0]) if isinstance(one, str) else None
        if module is not None and module.__file__ is not None:
            yield _in_repository(Path(module.__file__))


def _in_repository(file: Path) -> str:
    """The path as CI systems want it: relative to the checkout, which they name, else to the current folder."""
    root = os.environ.get("GITHUB_WORKSPACE") or os.environ.get("CI_PROJECT_DIR") or "."
    resolved = file.resolve()
    try:
        return resolved.relative_to(Path(root).resolve()).as_posix()
    except ValueError:
        return resolved.as_posix()
