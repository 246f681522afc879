"""A comment for a pull or merge request: what changes, how risky, which tables and locks; the SQL folded away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from framework_m_migrations.cli.document import clean, clean_lines
from framework_m_migrations.cli.reporters import Issue, Report
from framework_m_migrations.cli.reports.declarative import amount, lock_words, terminated
from framework_m_migrations.cli.reports.shared import command_for, plural
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.plan import LockLevel, PlannedChange, Risk
from framework_m_migrations.domain.results import PlanResult, VerifyResult

LONGEST_SQL = 40_000
"""Characters of SQL; GitHub refuses a comment of more than 65,536."""


def render(report: Report) -> str:
    """The comment. Its first line is a marker by which a bot finds its comment again."""
    lines = [f"<!-- m-migrate {report.command} -->", f"### m-migrate {report.command}: {_escaped(report.summary)}", ""]
    if report.database:
        lines += [f"Database {_code(report.database)}", ""]
    match report.result:
        case PlanResult():
            lines += _plan(report.result, report.words)
        case VerifyResult():
            lines += [*_issues(report.issues), *_folded_plan(report.result.plan, report.words)]
        case _:
            lines += _issues(report.issues)
    return "\n".join(lines).rstrip() + "\n"


def _plan(result: PlanResult, words: Callable[[str], str]) -> Iterator[str]:
    plan = result.plan
    if plan.changes:
        highest = max(change.judgement.risk for change in plan.changes)
        yield from (f"Highest risk: **{highest.name}**", "")
    yield from _changes("Applied by sync", plan.applied, words)
    yield from _changes("Withheld", plan.withheld, words)
    yield from _tables(result)
    hazards = dict.fromkeys(hazard for step in plan.steps for hazard in step.hazards)
    yield from _listed("Notes", [*hazards, *(note.what for note in plan.notes)])
    yield from _sql(result)


def _changes(title: str, changes: Sequence[PlannedChange], words: Callable[[str], str]) -> Iterator[str]:
    withheld = any(change.withheld for change in changes)
    headers = ("Risk", "Table", "Change", "Reason", *(("Handled by",) if withheld else ()))
    rows = [
        (
            _risk(change.judgement.risk),
            _code(str(change.change.table)),
            _escaped(sentence(change.change)),
            _escaped(change.judgement.reason),
            *((_code(words(command_for(change))),) if withheld else ()),
        )
        for change in sorted(changes, key=lambda one: -one.judgement.risk)
    ]
    if rows:
        yield from (f"**{title}**", "", *_table(headers, rows), "")


def _tables(result: PlanResult) -> Iterator[str]:
    locks: dict[str, dict[str, None]] = {}
    for step in result.plan.steps:
        for lock in step.locks:
            if lock.level is not LockLevel.NONE:
                locks.setdefault(str(lock.table), {})[lock.level.value] = None
    sizes = {str(name): size for name, size in result.sizes.items()}
    rows = []
    for name in dict.fromkeys((*sizes, *locks)):
        size = sizes.get(name)
        counted = "" if size is None else "not counted yet" if size.rows is None else f"about {size.rows:,}"
        held = "" if size is None or size.bytes is None else amount(size.bytes)
        rows.append((_code(name), counted, held, ", ".join(locks.get(name, ()))))
    if rows:
        yield from ("**Existing tables**", "", *_table(("Table", "Rows", "Size with indexes", "Locks"), rows), "")


def _sql(result: PlanResult) -> Iterator[str]:
    steps = result.plan.steps
    if not steps:
        return
    lines: list[str] = []
    for number, (step, statements) in enumerate(zip(steps, result.steps_sql, strict=True), start=1):
        kind = "one transaction" if step.transactional else "outside a transaction"
        locks = ", ".join(lock_words(step.locks)) or "no existing table"
        lines.append(f"-- Step {number} of {len(steps)}: {kind}; locks {clean(locks)}")
        lines += [clean_lines(terminated(statement)) for statement in statements]
    yield from _folded(f"SQL: {plural(len(result.sql), 'statement')} in {plural(len(steps), 'step')}", "\n".join(lines))


def _folded_plan(result: PlanResult, words: Callable[[str], str]) -> Iterator[str]:
    yield from _changes("Applied by sync", result.plan.applied, words)
    yield from _sql(result)


def _folded(title: str, sql: str) -> Iterator[str]:
    if len(sql) > LONGEST_SQL:
        kept = sql[:LONGEST_SQL].rpartition("\n")[0]
        sql = f"{kept}\n-- {plural(sql.count(chr(10)) - kept.count(chr(10)), 'more line')}: see `m-migrate plan`."
    fence = "`" * max(3, 1 + max((len(found) for found in re.findall("`+", sql)), default=0))
    yield from ("<details>", f"<summary>{title}</summary>", "", f"{fence}sql", sql, fence, "", "</details>", "")


def _issues(issues: Sequence[Issue]) -> Iterator[str]:
    rows = [
        (
            f"**{issue.level}**" if issue.level == "error" else issue.level,
            _code(issue.code),
            _code(f"{issue.file}:{issue.line}" if issue.file and issue.line else issue.file or issue.subject),
            _escaped(f"{issue.what} {issue.next_step}".strip()),
        )
        for issue in issues
    ]
    if rows:
        yield from (*_table(("Level", "Rule", "Where", "Finding"), rows), "")


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield from (f"**{title}**", "", *(f"- {_escaped(item)}" for item in items), "")


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (headers, ["---"] * len(headers), *rows):
        yield f"| {' | '.join(row)} |"


def _risk(risk: Risk) -> str:
    return risk.name if risk is Risk.SAFE else f"**{risk.name}**"


def _escaped(text: str) -> str:
    """Text that Markdown and HTML leave as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#~@])", r"\\\1", clean(text))


def _code(text: str) -> str:
    """A code span, which holds neither its own fence nor the bar that ends a cell."""
    cleaned = clean(text).replace("|", "\\|")
    fence = "`" * (1 + max((len(found) for found in re.findall("`+", cleaned)), default=0))
    edge = " " if cleaned.startswith("`") or cleaned.endswith("`") else ""
    return f"{fence}{edge}{cleaned}{edge}{fence}"
