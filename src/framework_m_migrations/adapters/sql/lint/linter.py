"""Renders revisions and applies the rules."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.script import Script

from framework_m_migrations.adapters.sql.lint import squawk
from framework_m_migrations.adapters.sql.lint.rendering import Rendered, Sent, render
from framework_m_migrations.adapters.sql.lint.rules import COVERED_BY, Hit, created_table, hits
from framework_m_migrations.adapters.sql.versions.scripts import Library
from framework_m_migrations.domain.errors import UnknownRevision
from framework_m_migrations.domain.lint import LintFinding, LintResult, Severity

_ALLOWED = re.compile(r"#\s*m-migrate:\s*allow\s+([\w:,\s-]+?)\s*(?:--|#|$)")
_COMMIT = re.compile(r"(?:COMMIT|END)(?: WORK| TRANSACTION)?", re.IGNORECASE)
_BEGIN = re.compile(r"(?:BEGIN|START TRANSACTION)\b.*", re.IGNORECASE)
_CONCURRENTLY = re.compile(r"(?:CREATE (?:UNIQUE )?INDEX|DROP INDEX|REINDEX .*) CONCURRENTLY\b.*", re.IGNORECASE)
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class _Place:
    """The revision at hand."""

    revision: str
    app: str | None
    file: str

    def finding(
        self,
        rule: str,
        severity: Severity,
        what: str,
        next_step: str,
        *,
        sent: Sent | None = None,
        line: int | None = None,
        table: str | None = None,
    ) -> LintFinding:
        statement = None if sent is None else sent.sql
        if statement is not None and len(statement) > _LONGEST:
            statement = f"{statement[:_LONGEST]}..."
        return LintFinding(
            rule=rule,
            severity=severity,
            what=what,
            next_step=next_step,
            revision=self.revision,
            app=self.app,
            file=self.file,
            line=line if sent is None else sent.line,
            table=table,
            statement=statement,
        )


def lint(
    library: Library, names: Sequence[str], connection: sa.Connection, *, project: Path, use_squawk: bool = True
) -> LintResult:
    """Judge revisions.

    Args:
        library: all revisions.
        names: ids, their beginnings, or paths of files; all revisions where none is given.
        connection: any; only to wait for Alembic's globals.
        project: the folder whose .squawk.toml counts.
        use_squawk: ask squawk too, where it is installed.

    Raises:
        UnknownRevision: a name that no revision has.
    """
    chosen = _chosen(library, names)
    linecache.checkcache()
    program = squawk.program() if use_squawk else None
    places = [_Place(script.revision, library.app_of(script.revision), script.path) for script in chosen]
    rendered = [render(library, script, connection) for script in chosen]
    found: list[list[LintFinding]] = [list(_judged(place, one)) for place, one in zip(places, rendered, strict=True)]
    if program is not None:
        texts = [_own(one) for one in rendered]
        for verdict in squawk.verdicts(program, [[sent.sql for sent in text] for text in texts], project):
            sent = texts[verdict.text][verdict.statement]
            own = COVERED_BY.get(verdict.rule, frozenset())
            known = found[verdict.text]
            if sent.online or any(one.rule in own and one.line == sent.line for one in known):
                continue
            next_step = verdict.help or f"See https://squawkhq.com/docs/{verdict.rule}."
            known.append(
                places[verdict.text].finding(
                    f"squawk:{verdict.rule}", Severity.ERROR, verdict.message, next_step, sent=sent
                )
            )
    findings = [
        finding
        for group in found
        for finding in sorted(dict.fromkeys(group), key=lambda one: (one.line or 0, one.rule))
        if not _is_allowed(finding)
    ]
    return LintResult(
        tuple(script.revision for script in chosen),
        tuple(findings),
        None if program is None else squawk.version(program),
    )


def _own(rendered: Rendered) -> list[Sent]:
    """What squawk is shown: all statements, in the transaction that a revision has."""
    return [Sent("BEGIN", None, online=True), *rendered.statements, Sent("COMMIT", None, online=True)]


def _judged(place: _Place, rendered: Rendered) -> Iterator[LintFinding]:
    created: set[str] = set()
    inside = True
    for sent in rendered.statements:
        if _COMMIT.fullmatch(sent.sql):
            if inside and not sent.online and _is_written(place, sent):
                yield place.finding(
                    "L401",
                    Severity.WARNING,
                    "The revision ends its transaction by a COMMIT of its own.",
                    "Use the helpers of framework_m_migrations.online, or op.get_context().autocommit_block().",
                    sent=sent,
                )
            inside = False
        elif _BEGIN.fullmatch(sent.sql):
            inside = True
        elif inside and _CONCURRENTLY.fullmatch(sent.sql):
            yield place.finding(
                "L402",
                Severity.ERROR,
                "CONCURRENTLY is refused inside the revision's transaction.",
                "Use the helpers of framework_m_migrations.online.",
                sent=sent,
            )
        made = created_table(sent.sql)
        if made is not None:
            created.add(made)
            continue
        for hit in hits(sent.sql, created):
            if sent.online and not hit.rule.destroys:
                continue
            yield _found(place, sent, hit)
    if rendered.failure is not None:
        yield place.finding(
            "L403",
            Severity.WARNING,
            f"The revision needs a database to go on; what follows was not judged ({rendered.failure}).",
            "Judge the rest by eye, or write it with op.* and the helpers of framework_m_migrations.online.",
            line=rendered.failed_at,
        )


def _found(place: _Place, sent: Sent, hit: Hit) -> LintFinding:
    # What a helper destroys was asked for by its name; it is shown, and does not fail the check.
    severity = Severity.WARNING if sent.online else Severity.ERROR
    return place.finding(hit.rule.code, severity, hit.what, hit.rule.next_step, sent=sent, table=hit.table)


def _is_written(place: _Place, sent: Sent) -> bool:
    """Whether the author wrote the COMMIT, and not Alembic for an autocommit_block."""
    line = "" if sent.line is None else linecache.getline(place.file, sent.line)
    return "autocommit_block" not in line


def _is_allowed(finding: LintFinding) -> bool:
    """Whether a comment on the line, or on the one before, allows the rule: ``# m-migrate: allow L302 -- why``."""
    if finding.line is None:
        return False
    for number in (finding.line, finding.line - 1):
        match = _ALLOWED.search(linecache.getline(finding.file, number))
        if match is not None and finding.rule in re.split(r"[\s,]+", match[1]):
            return True
    return False


def _chosen(library: Library, names: Sequence[str]) -> list[Script]:
    order = [library.script(name) for name in library.graph.order]
    if not names:
        return order
    wanted: set[str] = set()
    for name in names:
        path = Path(name).resolve()
        matches = [one for one in order if Path(one.path) == path]
        matches = matches or [one for one in order if one.revision == name]
        matches = matches or [one for one in order if one.revision.startswith(name)]
        if len(matches) != 1:
            raise UnknownRevision(
                f"{name!r} is no revision of the installed apps."
                if not matches
                else f"{name!r} fits several revisions.",
                next_step="Name a revision's id or file; `m-migrate history` lists them.",
                details={"revision": name},
            )
        wanted.add(matches[0].revision)
    return [one for one in order if one.revision in wanted]
