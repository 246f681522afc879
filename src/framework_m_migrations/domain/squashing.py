"""squash: one revision in the place of many, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from framework_m_migrations.domain.revisions import Revision


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
