"""Renders revisions and applies the rules."""

from __future__ import annotations

import linecache
import re
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from alembic.script import Script

from framework_m_migrations.adapters.sql.lint import squawk
from framework_m_migrations.adapters.sql.lint.judging import Judge, Place
from framework_m_migrations.adapters.sql.lint.rendering import Rendered, Sent, render
from framework_m_migrations.adapters.sql.lint.rules import COVERED_BY
from framework_m_migrations.adapters.sql.versions.proof_line import stored_proof
from framework_m_migrations.adapters.sql.versions.scripts import Library
from framework_m_migrations.domain.errors import UnknownRevision
from framework_m_migrations.domain.lint import LintFinding, LintResult, RecordedProof, Severity
from framework_m_migrations.domain.revisions import Revision

_ALLOWED = re.compile(r"#\s*m-migrate:\s*allow\s+([\w:,\s-]+?)\s*(?:--|#|$)")


def lint(
    library: Library, names: Sequence[str], connection: sa.Connection, *, project: Path, use_squawk: bool = True
) -> LintResult:
    """Judge revisions: their upgrade() and, by warnings, their downgrade(). squawk is shown upgrade() alone.

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
    places = [_place(library.graph.by_id[script.revision]) for script in chosen]
    rendered = [render(library, script, connection) for script in chosen]
    back = [render(library, script, connection, upgrade=False) for script in chosen]
    found = [_judged(place, *both) for place, *both in zip(places, rendered, back, strict=True)]
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
        _proofs(chosen),
    )


def _place(revision: Revision) -> Place:
    drops = None if revision.contract_of is None else frozenset(revision.drops)
    return Place(revision.id, revision.app, revision.path or "", drops)


def _proofs(scripts: Sequence[Script]) -> tuple[RecordedProof, ...]:
    read = ((script.revision, stored_proof(Path(script.path))) for script in scripts)
    return tuple(RecordedProof(name, found.text, found.current) for name, found in read if found is not None)


def _own(rendered: Rendered) -> list[Sent]:
    """What squawk is shown: all statements, in the transaction that a revision has."""
    return [Sent("BEGIN", None, online=True), *rendered.statements, Sent("COMMIT", None, online=True)]


def _judged(place: Place, upgrade: Rendered, downgrade: Rendered) -> list[LintFinding]:
    judge = Judge(place)
    return [*judge.upgrade(upgrade), *judge.downgrade(downgrade)]


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
