"""The versioned track, with revisions that are functions instead of files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.errors import (
    RevisionError,
    RevisionFailed,
    RevisionFileBroken,
    RevisionUnfinished,
    UnknownRevision,
    VersionFolderMissing,
)
from framework_m_migrations.domain.lowering import reversal
from framework_m_migrations.domain.ownership import WorkState
from framework_m_migrations.domain.plan import PlannedChange, removals
from framework_m_migrations.domain.revisions import Phase, Revision, RevisionDraft, RevisionGraph, RevisionPreview
from framework_m_migrations.ports.app_discovery import App
from framework_m_migrations.ports.versioned_track import Journal
from tests.fakes.memory.database import MemoryConnection
from tests.fakes.memory.render import rendered

type Change = Callable[[MemoryConnection], None]
"""One direction of a revision. It runs within the transaction of its revision."""


def nothing(_: MemoryConnection) -> None:
    """A direction that changes nothing."""


@dataclass(frozen=True, slots=True)
class MemoryRevision:
    """A revision with what it does."""

    revision: Revision
    upgrade: Change = nothing
    downgrade: Change = nothing


class MemoryRevisions:
    """What apps keep in their folders: shared by all sessions, whatever happens to the database.

    Args:
        revisions: in any order.
        broken: paths of files that cannot be loaded.
    """

    def __init__(self, revisions: Iterable[MemoryRevision] = (), broken: Iterable[str] = ()) -> None:
        self.revisions = list(revisions)
        self.broken = list(broken)

    def find(self, name: str) -> MemoryRevision:
        """The revision of this id; raises UnknownRevision."""
        for item in self.revisions:
            if item.revision.id == name:
                return item
        raise UnknownRevision(f"No installed app has revision {name!r}.", details={"revision": name})


class MemoryTrack:
    """Implements ports.versioned_track.VersionedTrack.

    Args:
        connection: to read and write through.
        revisions: what the apps have.
        apps: where ``write`` may put a revision: an app needs a ``version_folder`` or a ``new_version_folder``.
    """

    def __init__(self, connection: MemoryConnection, revisions: MemoryRevisions, apps: Sequence[App] = ()) -> None:
        self._connection = connection
        self._revisions = revisions
        self._apps = apps

    def graph(self) -> RevisionGraph:
        """All revisions; raises RevisionFileBroken, UnknownRevision or RevisionCycle."""
        for path in self._revisions.broken:
            raise RevisionFileBroken(f"The revision file {path} cannot be loaded.", details={"path": path})
        return RevisionGraph(tuple(item.revision for item in self._revisions.revisions))

    def current(self) -> frozenset[str]:
        """The heads that the database is at."""
        return self._connection.state.heads or frozenset()

    def unfinished(self) -> tuple[str, ...]:
        """Revisions that failed where DDL stands by itself."""
        return self._connection.database.unfinished

    def serves_others(self) -> bool:
        """There are no tenants in memory."""
        return False

    def upgrade(self, revision: str, journal: Journal | None = None) -> None:
        """Apply one revision; raises RevisionFailed."""
        item = self._revisions.find(revision)
        with self._connection.transaction():
            self._run(item.upgrade, revision)
            self._set_heads((self.current() - set(item.revision.parents)) | {revision})
            if journal is not None:
                journal((), WorkState.DONE)

    def downgrade(self, revision: str, journal: Journal | None = None) -> None:
        """Take back one revision; raises RevisionFailed."""
        item = self._revisions.find(revision)
        graph = self.graph()
        with self._connection.transaction():
            self._run(item.downgrade, revision)
            heads = self.current()
            known = {name for name in heads if name in graph.by_id}
            applied = graph.closure(known) - {revision}
            followed = {parent for name in applied for parent in graph.by_id[name].parents}
            self._set_heads(frozenset(applied - followed) | (heads - known))
            if journal is not None:
                journal((), WorkState.DONE)

    def _run(self, change: Change, revision: str) -> None:
        database = self._connection.database
        if database.unfinished:
            raise RevisionUnfinished(
                f"Revision {database.unfinished[0]} was cut off.", details={"revision": database.unfinished[0]}
            )
        try:
            change(self._connection)
        except Exception as error:
            if not database.capabilities.transactional_ddl:
                database.unfinished = (revision,)
            raise RevisionFailed(
                f"Revision {revision} raised {type(error).__name__}: {error}", details={"revision": revision}
            ) from error

    def _set_heads(self, heads: frozenset[str]) -> None:
        with self._connection.changing() as state:
            state.heads = heads

    def render(
        self, revisions: Sequence[str], *, upgrade: bool = True, recorded: Collection[str] = (), alone: bool = False
    ) -> tuple[RevisionPreview, ...]:
        """Revisions in memory are functions: what they do is not known before they run."""
        del alone
        for name in revisions:
            self._revisions.find(name)
        direction = "upgrade" if upgrade else "downgrade"
        unknown = "A revision in memory is a function."
        return tuple(
            RevisionPreview(name, direction, unknown=None if name in recorded else unknown) for name in revisions
        )

    def stamp(self, heads: Sequence[str]) -> None:
        """Set the heads; raises UnknownRevision."""
        for name in heads:
            self._revisions.find(name)
        with self._connection.transaction():
            self._set_heads(frozenset(heads))
        self._connection.database.unfinished = ()

    def write(self, draft: RevisionDraft, changes: Sequence[PlannedChange]) -> PurePath:
        """Keep a revision that applies the changes; raises VersionFolderMissing, or RevisionError for a taken id."""
        app = next((app for app in self._apps if app.name == draft.app), None)
        folder = None if app is None else app.version_folder or app.new_version_folder
        if folder is None:
            raise VersionFolderMissing(f"App {draft.app!r} has no place for its revisions.", details={"app": draft.app})
        if any(item.revision.id == draft.id for item in self._revisions.revisions):
            raise RevisionError(f"There is a revision {draft.id} already.", details={"revision": draft.id})
        path = folder / f"{draft.id}.py"
        # The first half of an online change does all of it: here nobody else is at work.
        effective = () if draft.phase is Phase.CONTRACT else changes
        forward = [operation for change in effective for operation in change.operations]
        backward = [operation for change in reversed(effective) for operation in reversal(change.change)]
        revision = Revision(
            draft.id,
            draft.app,
            draft.down_revisions,
            draft.depends_on,
            draft.branch_labels,
            draft.message,
            str(path),
            draft.contract_of,
            draft.beside_sync,
            drops=() if draft.contract_of is None else removals(changes),
        )
        self._revisions.revisions.append(MemoryRevision(revision, _applies(forward), _applies(backward)))
        return path

    def preview(self, draft: RevisionDraft, changes: Sequence[PlannedChange]) -> str:
        """The revision in words."""
        lines = [f"revision {draft.id} of {draft.app}: {draft.message}", f"follows {', '.join(draft.down_revisions)}"]
        lines += [f"review: {item}" for item in draft.review]
        for change in changes:
            for operation in change.operations:
                lines += rendered(operation)
        return "\n".join(lines) + "\n"


def _applies(operations: Sequence[o.Operation]) -> Change:
    def change(connection: MemoryConnection) -> None:
        for operation in operations:
            connection.apply(operation)

    return change
