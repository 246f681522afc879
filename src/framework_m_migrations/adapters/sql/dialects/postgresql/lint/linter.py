"""Renders revisions and judges their statements by the rules."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import sqlalchemy as sa
from alembic.script import Script

from framework_m_migrations.adapters.sql.dialects.postgresql.lint import squawk
from framework_m_migrations.adapters.sql.dialects.postgresql.lint.rules import (
    COVERED_BY,
    Hit,
    created_name,
    created_table,
    hits,
    index_of,
)
from framework_m_migrations.adapters.sql.dialects.postgresql.lint.statements import (
    Rendered,
    Sent,
    actions,
    bare,
    block,
    called,
    defined_function,
    render,
)
from framework_m_migrations.adapters.sql.revisions.library import Library
from framework_m_migrations.adapters.sql.revisions.proving import stored_proof
from framework_m_migrations.domain.changes import Removal
from framework_m_migrations.domain.errors import UnknownRevision
from framework_m_migrations.domain.lint import LintFinding, LintResult, RecordedProof, Severity
from framework_m_migrations.domain.revisions import Revision

_COMMIT = re.compile(r"(?:COMMIT|END)(?: WORK| TRANSACTION)?", re.IGNORECASE)
_COMMIT_WITHIN = re.compile(r"COMMIT\b", re.IGNORECASE)
"""END is the end of a branch there."""
_BEGIN = re.compile(r"(?:BEGIN|START TRANSACTION)\b.*", re.IGNORECASE)
_CONCURRENTLY = re.compile(r"(?:CREATE (?:UNIQUE )?INDEX|DROP INDEX|REINDEX .*) CONCURRENTLY\b.*", re.IGNORECASE)
_ADDED = re.compile(
    r"ADD (?:COLUMN )?(?:IF NOT EXISTS )?(?!CONSTRAINT\b)(?P<name>\"(?:[^\"]|\"\")+\"|[\w$]+) ", re.IGNORECASE
)
_DROPPED = re.compile(
    r"DROP (?:COLUMN )?(?:IF EXISTS )?(?!CONSTRAINT\b)(?P<name>\"(?:[^\"]|\"\")+\"|[\w$]+).*", re.IGNORECASE
)
_LONGEST = 200
_ONLINE = "A part of an online change: run its contract half (`m-migrate run --contract`) when no old code runs."
_BY_EYE = "Judge it by eye, or write its statements out in the revision."


@dataclass(frozen=True, slots=True)
class Place:
    """The revision at hand. ``drops`` is what it says that it takes away, None unless it is a contract revision."""

    revision: str
    app: str | None
    file: str
    drops: frozenset[Removal] | None = None

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
        """A finding in it; its statement is cut where it is long."""
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


@dataclass(slots=True)
class Judge:
    """Judges what a revision sends, and remembers what it makes: that is nobody's yet.

    Attributes:
        place: the revision.
        created: tables, their indexes, types and the like, as the server stores their names.
        added: columns of other tables, as (table, column).
        functions: those that it defines.
    """

    place: Place
    created: set[str] = field(default_factory=set)
    added: set[tuple[str, str]] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)

    def upgrade(self, rendered: Rendered) -> Iterator[LintFinding]:
        """What is wrong with ``upgrade()``."""
        yield from self._all(rendered, frozenset())
        if rendered.failure is not None:
            yield self.place.finding(
                "L403",
                Severity.WARNING,
                f"The revision needs a database to go on; what follows was not judged ({rendered.failure}).",
                "Judge the rest by eye, or write it with op.* and the helpers of framework_m_migrations.online.",
                line=rendered.failed_at,
            )

    def downgrade(self, rendered: Rendered) -> Iterator[LintFinding]:
        """What is wrong with ``downgrade()``, after ``upgrade`` was judged: warnings, with a D for the L of codes.

        That it takes away what ``upgrade()`` made is its purpose, and not told.
        """
        for finding in self._all(rendered, frozenset(self.added)):
            yield _taken_back(finding)
        if rendered.failure is not None:
            yield self.place.finding(
                "D403",
                Severity.WARNING,
                f"In downgrade(): it needs a database to go on; what follows was not judged ({rendered.failure}).",
                "Judge the rest by eye, and try the way back on a copy of the database.",
                line=rendered.failed_at,
            )

    def _all(self, rendered: Rendered, undone: frozenset[tuple[str, str]]) -> Iterator[LintFinding]:
        inside = True
        for sent in rendered.statements:
            if _COMMIT.fullmatch(sent.sql):
                if inside and not sent.online and _is_written(self.place, sent):
                    yield self._by_hand(sent)
                inside = False
            elif _BEGIN.fullmatch(sent.sql):
                inside = True
            else:
                yield from self._statement(sent, undone, inside=inside)

    def _statement(self, sent: Sent, undone: frozenset[tuple[str, str]], *, inside: bool) -> Iterator[LintFinding]:
        """One statement, and those within it."""
        opened = block(sent.sql)
        if opened is not None:
            for sql in opened.statements:
                part = replace(sent, sql=sql)
                if _COMMIT_WITHIN.match(sql) and inside and not sent.online:
                    yield self._by_hand(part)
                # A block is a transaction to what is in it, wherever it is sent.
                yield from self._statement(part, undone, inside=True)
            for reason in () if sent.online else opened.unjudged:
                yield self._unjudged(sent, f"The DO block was not judged whole: {reason}.")
            return
        if inside and _CONCURRENTLY.fullmatch(sent.sql):
            yield self.place.finding(
                "L402",
                Severity.ERROR,
                "CONCURRENTLY is refused inside a transaction.",
                "Use the helpers of framework_m_migrations.online.",
                sent=sent,
            )
        self._remember(sent.sql)
        if created_table(sent.sql) is not None:
            return
        call = None if sent.online else called(sent.sql, frozenset(self.functions))
        if call is not None:
            yield self._unjudged(sent, f"The statement was not judged whole: {call}.")
        for hit in hits(sent.sql, self.created):
            if (sent.online and not hit.rule.destroys) or _undoes(hit, undone):
                continue
            yield self._found(sent, hit)

    def _remember(self, sql: str) -> None:
        made = created_table(sql) or created_name(sql)
        if made is not None:
            self.created.add(made)
        function = defined_function(sql)
        if function is not None:
            self.functions.add(function)
        index = index_of(sql)
        if index is not None and index[1] in self.created:
            self.created.add(index[0])
        for action in actions(sql):
            column = _ADDED.match(action.text)
            if column is not None:
                self.added.add((bare(action.table), bare(column["name"])))

    def _found(self, sent: Sent, hit: Hit) -> LintFinding:
        # What a helper destroys was asked for by its name; it is shown, and does not fail the check.
        # A contract revision is the place for what it declares.
        meant = sent.online or _is_declared(hit, self.place.drops)
        severity = Severity.WARNING if meant else Severity.ERROR
        next_step = _ONLINE if meant else hit.rule.next_step
        return self.place.finding(hit.rule.code, severity, hit.what, next_step, sent=sent, table=hit.table)

    def _unjudged(self, sent: Sent, what: str) -> LintFinding:
        return self.place.finding("L404", Severity.WARNING, what, _BY_EYE, sent=sent)

    def _by_hand(self, sent: Sent) -> LintFinding:
        return self.place.finding(
            "L401",
            Severity.WARNING,
            "The revision ends its transaction by a COMMIT of its own.",
            "Use the helpers of framework_m_migrations.online, or op.get_context().autocommit_block().",
            sent=sent,
        )


def _taken_back(finding: LintFinding) -> LintFinding:
    what = f"In downgrade(): {finding.what}"
    return replace(finding, rule=f"D{finding.rule[1:]}", severity=Severity.WARNING, what=what)


def _is_declared(hit: Hit, drops: frozenset[Removal] | None) -> bool:
    """Whether a column or table goes that the revision's header names."""
    if not drops or hit.table is None:
        return False
    if hit.rule.code == "L301":
        return (bare(hit.table), None) in drops
    column = _DROPPED.match(hit.action or "") if hit.rule.code == "L302" else None
    return column is not None and (bare(hit.table), bare(column["name"])) in drops


def _undoes(hit: Hit, added: frozenset[tuple[str, str]]) -> bool:
    """Whether a column goes that the upgrade has added."""
    if hit.rule.code != "L302" or hit.table is None or hit.action is None:
        return False
    column = _DROPPED.match(hit.action)
    return column is not None and (bare(hit.table), bare(column["name"])) in added


def _is_written(place: Place, sent: Sent) -> bool:
    """Whether the author wrote the COMMIT, and not Alembic for an autocommit_block."""
    line = "" if sent.line is None else linecache.getline(place.file, sent.line)
    return "autocommit_block" not in line


# Renders revisions and applies the rules.


_DESTROYING = frozenset({"L301", "L302", "L303", "L304", "L305", "L403", "L404"})
_MARIADB = "MariaDB", _DESTROYING | {"L201", "L204"}
ELSEWHERE: dict[str, tuple[str, frozenset[str]]] = {
    "sqlite": ("SQLite", _DESTROYING | {"L107"}),
    "mariadb": _MARIADB,
    "mysql": _MARIADB,
}
"""The rules that hold on other databases: what destroys data, and there what existing rows reject, here what copies."""
_ALLOWED = re.compile(r"#\s*m-migrate:\s*allow\s+([\w:,\s-]+?)\s*(?:--|#|$)")


def lint(
    library: Library,
    names: Sequence[str],
    connection: sa.Connection,
    *,
    project: Path,
    database: str = "postgresql",
    use_squawk: bool = True,
) -> LintResult:
    """Judge revisions: their upgrade() and, by warnings, their downgrade(). squawk is shown upgrade() alone.

    Args:
        library: all revisions.
        names: ids, their beginnings, or paths of files; all revisions where none is given.
        connection: any; only to wait for Alembic's globals.
        project: the folder whose .squawk.toml counts.
        database: SQLAlchemy's name of the project's; elsewhere than on PostgreSQL only the rules of ELSEWHERE count.
        use_squawk: ask squawk too, where it is installed.

    Raises:
        UnknownRevision: a name that no revision has.
    """
    chosen = _chosen(library, names)
    linecache.checkcache()
    title, counting = ELSEWHERE.get(database, ("PostgreSQL", None))
    program = squawk.program() if use_squawk and counting is None else None
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
        if not _is_allowed(finding) and (counting is None or f"L{finding.rule[1:]}" in counting)
    ]
    return LintResult(
        tuple(script.revision for script in chosen),
        tuple(findings),
        None if program is None else squawk.version(program),
        _proofs(chosen),
        title,
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
