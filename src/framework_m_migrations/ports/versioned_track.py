"""Ordered revisions, kept by each app in its own package."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import PurePath
from typing import Protocol

from framework_m_migrations.domain.ownership import WorkState
from framework_m_migrations.domain.plan import PlannedChange
from framework_m_migrations.domain.revisions import RevisionDraft, RevisionGraph, RevisionPreview

type Journal = Callable[[Sequence[str], WorkState], None]
"""Writes of a revision to the log: the statements so far, and RUNNING unless it is at its end."""


class VersionedTrack(Protocol):
    """Reads, applies and writes revisions.

    Obligations:
        - ``graph`` loads every file once and keeps nothing between calls that a new file would make wrong.
        - ``upgrade`` and ``downgrade`` apply exactly one revision in a transaction of its own, together with the
          version table's change, where the database can.
        - Reading never creates the version table.
    """

    def graph(self) -> RevisionGraph:
        """All revisions of all apps; each carries its app.

        Raises:
            RevisionFileBroken: a file cannot be loaded.
            UnknownRevision, RevisionCycle: the files do not fit together.
        """
        ...

    def current(self) -> frozenset[str]:
        """The heads that the database is at; empty before the first revision. Ids may be unknown to ``graph``."""
        ...

    def unfinished(self) -> tuple[str, ...]:
        """Revisions that were cut off and left a part of themselves; always empty where DDL is transactional."""
        ...

    def serves_others(self) -> bool:
        """Whether the revisions are also about tables that the session does not look at, such as those of tenants."""
        ...

    def upgrade(self, revision: str, journal: Journal | None = None) -> None:
        """Apply one revision whose parents are applied.

        Args:
            revision: its id.
            journal: called within each transaction that the revision commits on this connection; None for no log.

        Raises:
            RevisionFailed: it raised; the transaction was rolled back.
            RevisionUnfinished: one was cut off before, and nobody has said since what became of it.
        """
        ...

    def downgrade(self, revision: str, journal: Journal | None = None) -> None:
        """Take back one revision on which nothing applied stands; raises as ``upgrade``."""
        ...

    def render(
        self, revisions: Sequence[str], *, upgrade: bool = True, recorded: Collection[str] = (), alone: bool = False
    ) -> tuple[RevisionPreview, ...]:
        """What revisions would send, with risk and locks; one preview for each, in the order given.

        Nothing is changed in the database, and no lock is taken that others would wait for. The revisions' own code is
        run on a stand-in for the database: where it needs the database itself, ``unknown`` says so, and nothing is
        invented.

        Args:
            revisions: ids in the order in which they would run from where the database is.
            upgrade: False to take them back.
            recorded: those of them that only come to count as applied.
            alone: each by itself, wherever the database is.
        """
        ...

    def stamp(self, heads: Sequence[str]) -> None:
        """Make the version table hold exactly these heads, running no revision; nothing is unfinished afterwards.

        Raises:
            UnknownRevision: no file has one of them; nothing was changed.
        """
        ...

    def write(self, draft: RevisionDraft, changes: Sequence[PlannedChange]) -> PurePath:
        """Write a revision file in the app's own folder, which is made if there is none; never overwrites.

        Args:
            draft: id, parents and labels of the revision.
            changes: what its upgrade does; its downgrade does the reverse. Empty for a revision to be filled by hand.
                Where the draft has a phase, what that half of the changes does.

        Returns:
            The path of the file.

        Raises:
            VersionFolderMissing: the app has no place where a folder could be made.
        """
        ...

    def preview(self, draft: RevisionDraft, changes: Sequence[PlannedChange]) -> str:
        """The text that ``write`` would write."""
        ...
