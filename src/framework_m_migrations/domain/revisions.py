"""The versioned track as values.

Revisions, their graph, how people name them, and what commands find out about them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from framework_m_migrations.domain.changes import Removal
from framework_m_migrations.domain.errors import MultipleHeads, RevisionCycle, UnknownRevision
from framework_m_migrations.domain.plan import Risk, TableLock
from framework_m_migrations.domain.schema import Table

REVISION_ID_LENGTH = 12
"""Hexadecimal digits of an id: Alembic's own length, so that its version column (32) always has room."""


def revision_id(app: str, parents: Sequence[str], message: str, body: str) -> str:
    """The id of a revision: the same content gives the same id on every machine, any difference another one.

    Args:
        app: the app that gets the revision.
        parents: down_revision and depends_on, in order.
        message: what the author says about it.
        body: the code of upgrade and downgrade.

    Returns:
        Twelve hexadecimal digits, the beginning of the SHA-256 of all four.
    """
    content = json.dumps([app, list(parents), message, body], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:REVISION_ID_LENGTH]


# How a person names a revision: by its id, by a symbol, relative to one of these, or within one app.
#
# The forms are Alembic's: ``ae10``, ``head``, ``base``, ``+1``, ``-2``, ``ae10+1``, ``head-1``, ``shop@head``,
# ``shop@+1``, ``shop@ae10``.


HEADS = frozenset({"head", "heads"})
BASE = "base"

_FORM = re.compile(r"(?:(?P<branch>[^@]+)@)?(?P<symbol>[^@]*?)(?P<delta>[+-]\d+)?")


@dataclass(frozen=True, slots=True)
class Target:
    """A revision as it was named.

    Attributes:
        text: as it was written.
        branch: the app, or a label of its branch; None where none was named.
        symbol: an id or its beginning, ``head``, ``heads`` or ``base``; None for the current position.
        delta: how many revisions above (positive) or below it; 0 for itself.
    """

    text: str
    branch: str | None = None
    symbol: str | None = None
    delta: int = 0

    @property
    def relative(self) -> bool:
        """True when it counts from the current position."""
        return self.symbol is None


def parse_target(text: str, known: Collection[str] = ()) -> Target | None:
    """What a text names.

    Args:
        text: as a person writes it.
        known: names that are taken as they are, though they may look like another form: an app may be ``shop-2``.

    Returns:
        The target; None where the text has none of the forms.
    """
    text = text.strip()
    if text in known:
        return Target(text, symbol=text)
    branch, _, rest = text.rpartition("@")
    if branch in known and rest in known:
        return Target(text, branch, rest)
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    symbol = found["symbol"] or None
    if symbol is None and found["delta"] is None:
        return None
    return Target(text, found["branch"], symbol, int(found["delta"] or 0))


# The versioned track as values: revisions, their graph, and what is still to be applied.
#
# Rules: a revision follows its ``down_revisions`` and waits for what it ``depends_on``; an app's revisions
# carry the app's name as branch label; a head is a revision that nothing follows. The database stores heads
# only.


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision file.

    ``contract_of`` names the revision whose online change it ends: it takes away what code from before that one needs,
    so it waits for somebody to say that no such code runs any more. ``beside_sync`` says that sync had made tables of
    the app when this was written: the app's revisions alone do not make its tables, see VersionResolver.recorded.
    """

    id: str
    app: str | None
    down_revisions: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    branch_labels: tuple[str, ...] = ()
    message: str = ""
    path: str | None = None
    contract_of: str | None = None
    beside_sync: bool = False
    replaces: tuple[str, ...] = ()
    drops: tuple[Removal, ...] = ()
    """What a contract revision takes away, so that no plan offers it to ``sync --allow-drop`` before."""

    @property
    def parents(self) -> tuple[str, ...]:
        """All revisions that must be applied before this one."""
        return tuple(dict.fromkeys((*self.down_revisions, *self.depends_on)))


@dataclass(frozen=True)
class RevisionGraph:
    """All revisions of all apps, checked on creation.

    Args:
        revisions: in any order; ids are unique.

    Raises:
        UnknownRevision: a revision names a parent that no file has.
        RevisionCycle: revisions wait for each other.
    """

    revisions: tuple[Revision, ...]
    by_id: Mapping[str, Revision] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id = {revision.id: revision for revision in self.revisions}
        for revision in self.revisions:
            for parent in revision.parents:
                if parent not in by_id:
                    raise UnknownRevision(
                        f"Revision {revision.id!r} ({revision.path or revision.app or 'no file'}) names {parent!r}, "
                        "which no installed app has.",
                        next_step="Install the app that has it, or correct down_revision or depends_on.",
                        details={"revision": revision.id, "missing": parent},
                    )
        object.__setattr__(self, "by_id", by_id)
        _ = self.order  # a cycle is found at once, not at the first use

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Every id, parents first; among equals the order in which apps and files were given."""
        return _parents_first(self.revisions, self.by_id)

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """Each id that others depend on, with the ids of those that name it as a parent."""
        found: dict[str, list[str]] = {}
        for revision in self.revisions:
            for parent in revision.parents:
                found.setdefault(parent, []).append(revision.id)
        return {parent: tuple(ids) for parent, ids in found.items()}

    @cached_property
    def _of_app(self) -> Mapping[str | None, tuple[str, ...]]:
        found: dict[str | None, list[str]] = {}
        for name in self.order:
            found.setdefault(self.by_id[name].app, []).append(name)
        return {app: tuple(names) for app, names in found.items()}

    @cached_property
    def _heads(self) -> tuple[str, ...]:
        followed = {parent for revision in self.revisions for parent in revision.down_revisions}
        return tuple(name for name in self.order if name not in followed)

    @cached_property
    def _heads_of_app(self) -> Mapping[str | None, tuple[str, ...]]:
        found: dict[str | None, list[str]] = {}
        for name in self._heads:
            found.setdefault(self.by_id[name].app, []).append(name)
        return {app: tuple(names) for app, names in found.items()}

    def of_app(self, app: str | None) -> tuple[str, ...]:
        """Ids of one app's revisions, in order; those of no app for None."""
        return self._of_app.get(app, ())

    @cached_property
    def followers(self) -> Mapping[str, tuple[str, ...]]:
        """Of each revision that another follows through down_revision: those that follow it."""
        found: dict[str, list[str]] = {}
        for revision in self.revisions:
            for parent in revision.down_revisions:
                found.setdefault(parent, []).append(revision.id)
        return {parent: tuple(names) for parent, names in found.items()}

    def heads(self, app: str | None = None) -> tuple[str, ...]:
        """Revisions that no other follows through down_revision, of one app or of all, in order."""
        return self._heads if app is None else self._heads_of_app.get(app, ())

    def apps(self) -> tuple[str, ...]:
        """Apps that have revisions, in the order given."""
        return self._apps

    @cached_property
    def _apps(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(revision.app for revision in self.revisions if revision.app is not None))

    def closure(self, ids: Iterable[str]) -> frozenset[str]:
        """The given revisions and all they stand on.

        Raises:
            UnknownRevision: an id that no file has.
        """
        found: set[str] = set()
        stack = list(ids)
        while stack:
            name = stack.pop()
            if name in found:
                continue
            if name not in self.by_id:
                raise UnknownRevision(f"No installed app has revision {name!r}.", details={"revision": name})
            found.add(name)
            stack.extend(self.by_id[name].parents)
        return frozenset(found)

    def descendants(self, ids: Iterable[str]) -> frozenset[str]:
        """The given revisions and all that stand on them."""
        found: set[str] = set()
        stack = list(ids)
        while stack:
            name = stack.pop()
            if name not in found:
                found.add(name)
                stack.extend(self.children.get(name, ()))
        return frozenset(found)

    def is_beside_sync(self, app: str | None) -> bool:
        """Whether one of the app's revisions says that sync had made tables of the app."""
        return app in self._beside_sync

    @cached_property
    def _beside_sync(self) -> frozenset[str | None]:
        return frozenset(one.app for one in self.revisions if one.beside_sync)

    def require_single_heads(self) -> None:
        """Raise MultipleHeads when an app's branch has more than one head."""
        for app in self.apps():
            heads = self.heads(app)
            if len(heads) > 1:
                raise MultipleHeads(
                    f"App {app!r} has {len(heads)} heads: {', '.join(heads)}.",
                    details={"app": app, "heads": list(heads)},
                )


def _parents_first(revisions: Iterable[Revision], by_id: Mapping[str, Revision]) -> tuple[str, ...]:
    done: dict[str, None] = {}
    waiting: dict[str, None] = {}
    for start in revisions:
        stack: list[tuple[str, bool]] = [(start.id, False)]
        while stack:
            current, expanded = stack.pop()
            if current in done:
                continue
            if expanded:
                waiting.pop(current)
                done[current] = None
                continue
            waiting[current] = None
            stack.append((current, True))
            for parent in reversed(by_id[current].parents):
                if parent in waiting:
                    raise RevisionCycle(
                        f"The revisions {', '.join(waiting)} wait for each other.", details={"revisions": list(waiting)}
                    )
                stack.append((parent, False))
    return tuple(done)


class Position:
    """Where a database is in the graph, kept up revision by revision: to work it out anew takes time in its length.

    Args:
        graph: all revisions.

    Attributes:
        applied: every revision that is applied.
        heads: those on which no other applied one stands.
    """

    def __init__(self, graph: RevisionGraph) -> None:
        self._graph = graph
        self._rows: frozenset[str] = frozenset()
        self.applied: set[str] = set()
        self.heads: frozenset[str] = frozenset()
        self._standing: Counter[str] = Counter()

    def at(self, rows: Iterable[str]) -> Position:
        """The position of a version table with these rows; itself.

        Raises:
            UnknownRevision: no file has one of them.
        """
        rows = frozenset(rows)
        if rows != self._rows:
            self.applied = set(self._graph.closure(rows))
            self._standing = Counter(parent for name in self.applied for parent in self._graph.by_id[name].parents)
            self.heads = frozenset(name for name in self.applied if not self._standing[name])
            self._rows = rows
        return self

    def after(self, revision: str, *, is_upgrade: bool) -> frozenset[str]:
        """The heads once the revision is applied, or taken back."""
        parents = frozenset(self._graph.by_id[revision].parents)
        if is_upgrade:
            return (self.heads - parents) | {revision}
        return (self.heads - {revision}) | {parent for parent in parents if self._standing[parent] == 1}

    def move(self, revision: str, *, is_upgrade: bool) -> None:
        """Be where ``after`` says."""
        self.heads = self._rows = self.after(revision, is_upgrade=is_upgrade)
        (self.applied.add if is_upgrade else self.applied.remove)(revision)
        (self._standing.update if is_upgrade else self._standing.subtract)(self._graph.by_id[revision].parents)


class Phase(StrEnum):
    """Which half of an online change a revision is."""

    EXPAND = "expand"
    """Adds what new code needs and keeps what old code needs; both may run after it."""
    CONTRACT = "contract"
    """Takes away what only old code needed."""


@dataclass(frozen=True, slots=True)
class RevisionDraft:
    """A revision to be written by ``create``.

    ``phase`` asks for the online form of the changes, or of one half of them; None for the plain form. ``contract_of``
    is the id of the first half for a draft of the second. ``tables`` are the tables of the changes, each as wanted
    (None where no DocType wants it) and as it is, from which the online form learns what stands on a column.
    ``beside_sync`` is that of the revision.
    """

    id: str
    app: str
    message: str
    down_revisions: tuple[str, ...]
    branch_labels: tuple[str, ...]
    depends_on: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    phase: Phase | None = None
    contract_of: str | None = None
    tables: tuple[tuple[Table | None, Table], ...] = ()
    beside_sync: bool = False


# What became of a revision that was run forwards, backwards and forwards on a scratch database.


class Outcome(StrEnum):
    """How a proof ended."""

    PROVED = "proved"
    """Backwards gave the schema and the rows from before; forwards gave the same schema twice."""
    LOSSY = "lossy"
    """It goes back, and something is not as before."""
    ONE_WAY = "one-way"
    """It cannot go back."""
    FAILED = "failed"
    """It does not go forwards, or not a second time."""
    NOT_TRIED = "not tried"
    """There was no scratch database, or no way to the state from before the revision."""


VALUE_WANTED = "REVIEW: give the rows that exist a value for"
"""How the comment begins that stands in a file where only a person knows a value."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The outcome for one revision.

    Attributes:
        revision: its id.
        outcome: how it ended.
        reasons: what is lost, why it cannot go back, why it failed or was not tried; empty when it is proved.
        database: product and version of the scratch database, "SQLite 3.45"; empty when there was none.
        rows: generated rows that were in its tables when the revision began.
        notes: what limits the proof: objects that could not be copied, tables that took no generated row.
        next_step: how to get a proof that was not tried; empty for the others.
        stored: it stands in the revision's file.
    """

    revision: str
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    database: str = ""
    rows: int = 0
    notes: tuple[str, ...] = ()
    next_step: str = ""
    stored: bool = False

    @property
    def tried(self) -> bool:
        """Whether the revision ran."""
        return self.outcome is not Outcome.NOT_TRIED

    @property
    def sentence(self) -> str:
        """The outcome in words, without place and time."""
        reasons = "; ".join(self.reasons)
        match self.outcome:
            case Outcome.PROVED:
                return "proved: forwards, backwards, forwards."
            case Outcome.LOSSY:
                return f"goes back with loss of {reasons}."
            case Outcome.ONE_WAY:
                return f"cannot go back because {reasons}."
            case Outcome.FAILED:
                return f"failed: {reasons}."
            case Outcome.NOT_TRIED:
                return f"not tried: {reasons}."

    def line(self, day: str) -> str:
        """The outcome as it stands in the revision's file, with the database and the day (``2026-11-30``)."""
        head, separator, tail = self.sentence.partition(":")
        where = f" on {self.database}, {day}"
        if self.outcome is Outcome.PROVED or self.outcome is Outcome.FAILED:
            return f"{head}{where}{separator}{tail}"
        return f"tried{where}: {self.sentence}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "revision": self.revision,
            "outcome": self.outcome.value,
            "sentence": self.sentence,
            "reasons": list(self.reasons),
            "database": self.database,
            "rows": self.rows,
            "notes": list(self.notes),
            "next_step": self.next_step,
            "stored": self.stored,
        }


# Revisions before they run: their SQL, risk and locks; and one revision as ``show`` presents it.


@dataclass(frozen=True, slots=True)
class RevisionPreview:
    """What one revision would send.

    Attributes:
        revision: its id.
        direction: ``upgrade`` or ``downgrade``.
        statements: the SQL of the revision, in order.
        bookkeeping: the SQL that records it in the version table.
        unknown: why the SQL, or what comes after ``statements``, is not known without running it; None if it is known.
        notes: what limits the SQL that is shown, such as rows that the revision reads.
        risk: the highest among its statements.
        reasons: what the risk consists of, one sentence each.
        locks: taken on tables that exist before the revision.
    """

    revision: str
    direction: str = "upgrade"
    statements: tuple[str, ...] = ()
    bookkeeping: tuple[str, ...] = ()
    unknown: str | None = None
    notes: tuple[str, ...] = ()
    risk: Risk = Risk.SAFE
    reasons: tuple[str, ...] = ()
    locks: tuple[TableLock, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values: risk, reasons, locks, sql, bookkeeping, unknown, notes."""
        return {
            "risk": self.risk.label,
            "reasons": list(self.reasons),
            "locks": [{"table": str(lock.table), "level": lock.level.value} for lock in self.locks],
            "sql": list(self.statements),
            "bookkeeping": list(self.bookkeeping),
            "unknown": self.unknown,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class PreviewResult:
    """What ``run`` or ``rollback`` would do.

    Attributes:
        revisions: each with its preview, in the order in which they would run.
        direction: ``upgrade`` or ``downgrade``.
        held: revisions that wait for ``run --contract``.
        recorded: those of ``revisions`` that would only count as applied: sync builds the tables of their app.
        dialect: SQLAlchemy's name of the database's dialect.
        transactional: each revision has a transaction of its own.
    """

    revisions: tuple[tuple[Revision, RevisionPreview], ...]
    direction: str = "upgrade"
    held: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ()
    dialect: str = ""
    transactional: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "command": "run" if self.direction == "upgrade" else "rollback",
            "dry_run": True,
            "direction": self.direction,
            "revisions": [
                {
                    "id": revision.id,
                    "app": revision.app,
                    "message": revision.message,
                    "recorded": revision.id in self.recorded,
                    **preview.to_dict(),
                }
                for revision, preview in self.revisions
            ],
            "held": list(self.held),
            "recorded": list(self.recorded),
        }


@dataclass(frozen=True, slots=True)
class ShowResult:
    """One revision.

    Attributes:
        revision: as its file says.
        state: ``applied`` or ``pending``.
        upgrade: what applying it sends.
        downgrade: what taking it back sends.
        followers: revisions that follow it or depend on it.
        held: it waits for ``run --contract``.
    """

    revision: Revision
    state: str
    upgrade: RevisionPreview
    downgrade: RevisionPreview
    followers: tuple[str, ...] = ()
    held: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        revision = self.revision
        return {
            "command": "show",
            "id": revision.id,
            "app": revision.app,
            "message": revision.message,
            "state": self.state,
            "held": self.held,
            "file": revision.path,
            "down_revisions": list(revision.down_revisions),
            "depends_on": list(revision.depends_on),
            "followers": list(self.followers),
            "contract_of": revision.contract_of,
            "upgrade": self.upgrade.to_dict(),
            "downgrade": self.downgrade.to_dict(),
        }


# squash: one revision in the place of many, as values.


@dataclass(frozen=True, slots=True)
class SquashDraft:
    """A revision to be written in the place of others.

    Attributes:
        id: that of the last one, so that a database past it needs no change, nor does a revision that follows it.
        app: whose branch and folder.
        message: what the revision is for.
        replaced: the revisions that it replaces, in order; the last one is ``id``.
        depends_on: revisions of other apps that must be applied before it.
        down_revisions: revisions that it follows.
        branch_labels: those of the replaced ones.
        beside_sync: as Revision.beside_sync.
    """

    id: str
    app: str
    message: str
    replaced: tuple[Revision, ...]
    down_revisions: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    branch_labels: tuple[str, ...] = ()
    beside_sync: bool = False


@dataclass(frozen=True, slots=True)
class SquashResult:
    """What squash wrote.

    Attributes:
        app: whose revisions.
        revision: the id of the new file.
        path: of the new file; None after a dry run.
        text: of the new file.
        replaced: ids of the replaced revisions, in order.
        folder: where their files are now, for databases that have a part of them; None after a dry run.
        proof: what was compared, and on which database.
        notes: what the comparison could not decide.
    """

    app: str
    revision: str
    path: str | None
    text: str
    replaced: tuple[str, ...]
    folder: str | None
    proof: str
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "command": "squash",
            "app": self.app,
            "revision": self.revision,
            "path": self.path,
            "replaced": list(self.replaced),
            "folder": self.folder,
            "proof": self.proof,
            "notes": list(self.notes),
        }
