"""The versioned track as values: revisions, their graph, and what is still to be applied.

Rules: a revision follows its ``down_revisions`` and waits for what it ``depends_on``; an app's revisions carry the
app's name as branch label; a head is a revision that nothing follows. The database stores heads only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from framework_m_migrations.domain.changes import Removal
from framework_m_migrations.domain.errors import MultipleHeads, RevisionCycle, UnknownRevision
from framework_m_migrations.domain.schema import Table


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
