"""A plan: the changes found, each judged, and the steps that apply those which are safe.

Plans are data. They can be shown, compared, serialised, and handed to any executor of the same dialect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from framework_m_migrations.domain.changes import Change, Removal, removal
from framework_m_migrations.domain.describe import sentence
from framework_m_migrations.domain.operations import AdditiveOperation, Operation
from framework_m_migrations.domain.ownership import OwnedTable
from framework_m_migrations.domain.schema import TableName


class Risk(IntEnum):
    """One scale for sync, verify and production policy. Ordered: a greater value is riskier."""

    SAFE = 1
    WARNING = 2
    BREAKING = 3

    @property
    def label(self) -> str:
        """The name in lower case, as options and JSON spell it."""
        return self.name.lower()


class LockLevel(StrEnum):
    """The lock that a statement takes, in the terms of the database: the weaker before the stronger.

    PostgreSQL's table locks come first; a database that has a lock of its own kind has a member for it.
    """

    NONE = "none"
    ACCESS_SHARE = "ACCESS SHARE"
    ROW_SHARE = "ROW SHARE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
    MDL_SHARED_WRITE = "MDL_SHARED_WRITE"
    MDL_SHARED_NO_WRITE = "MDL_SHARED_NO_WRITE"
    MDL_EXCLUSIVE = "MDL_EXCLUSIVE"
    """MariaDB's metadata locks (https://mariadb.com/kb/en/metadata-locking): beside other writers, against writers,
    and, at the begin and the end of each ALTER TABLE, against everybody."""
    ONE_WRITER = "the one writer's lock"
    """SQLite's: nobody else writes to the database meanwhile; whoever reads goes on."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The class of a change: its risk, a stable ``rule`` code, the reason in words, and who handles it.

    ``handled_by`` is the command that brings the change about: ``sync``, ``create``, ``sync --allow-drop`` or
    ``manual``.
    """

    risk: Risk
    rule: str
    reason: str
    handled_by: str


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A change with its judgement. ``operations`` are what would bring it about, also for a withheld one.

    ``str`` of it is the sentence that the command line prints: ``item: column code becomes required``.
    """

    doctype: str
    app: str | None
    change: Change
    judgement: Judgement
    operations: tuple[Operation, ...] = ()

    def __str__(self) -> str:
        return f"{self.change.table}: {sentence(self.change)}"

    @property
    def withheld(self) -> bool:
        """True when sync does not apply it."""
        return self.judgement.risk is not Risk.SAFE


@dataclass(frozen=True, slots=True)
class TableLock:
    """A lock that a step takes on a table that existed before the step."""

    table: TableName
    level: LockLevel


@dataclass(frozen=True, slots=True)
class DefinitionEdit:
    """A definition that a step changes as text, one part a line, and the statements that do nothing else."""

    table: TableName
    before: str
    after: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What is done at once: one transaction, or, where ``transactional`` is False, one operation outside any.

    ``completes`` maps DocTypes to the checksum to be stored with this step: it is the last one that they need.
    ``owns`` is what becomes ours with it. ``rewrites`` and ``scans`` tell whether a table's rows are copied or read
    while ``locks`` are held. ``batch`` is how many rows one transaction changes where the step is many of them.
    """

    operations: tuple[AdditiveOperation, ...]
    transactional: bool = True
    completes: tuple[tuple[str, str], ...] = ()
    owns: tuple[OwnedTable, ...] = ()
    locks: tuple[TableLock, ...] = ()
    rewrites: bool = False
    scans: bool = False
    hazards: tuple[str, ...] = ()
    batch: int | None = None


class Note(NamedTuple):
    """What a full comparison found that is neither applied nor withheld.

    ``kind`` is ``drift`` for what was added by hand to a table of ours, ``listener`` for what is declared and not
    managed.
    """

    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What sync would do.

    ``changes`` lists every difference, applied or withheld, in the order of work. ``settled`` are DocTypes that match
    the database already, with their checksums; ``adopts`` what becomes ours by that. ``forgets`` names DocTypes that
    are declared no more, ``voids`` entries of the ledger's state that mean nothing any more. ``revokes`` names DocTypes
    with a withheld change: no checksum of theirs may stay stored.
    ``ghosts`` are tables of ours that nobody wants. ``refresh`` says that the ledger's state values (token, ghosts) are
    out of date. ``token`` is the catalog token of the state planned for, and ``complete``
    says that every DocType was compared. ``unmanaged`` are tables that are neither wanted nor ours; ``notes`` is what
    else such a comparison found.
    """

    changes: tuple[PlannedChange, ...] = ()
    steps: tuple[Step, ...] = ()
    settled: tuple[tuple[str, str], ...] = ()
    adopts: tuple[OwnedTable, ...] = ()
    forgets: tuple[str, ...] = ()
    token: str | None = None
    complete: bool = False
    unmanaged: tuple[TableName, ...] = ()
    ghosts: tuple[TableName, ...] = ()
    revokes: tuple[str, ...] = ()
    refresh: bool = False
    voids: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def applied(self) -> tuple[PlannedChange, ...]:
        """The changes that sync applies."""
        return tuple(change for change in self.changes if not change.withheld)

    @property
    def withheld(self) -> tuple[PlannedChange, ...]:
        """The changes that sync leaves to another command."""
        return tuple(change for change in self.changes if change.withheld)

    @property
    def is_empty(self) -> bool:
        """True when the database has all that the models declare and nothing of ours beyond it."""
        return not self.changes

    @property
    def touches_database(self) -> bool:
        """True when applying it writes anything, be it only the ledger."""
        ledger = self.settled or self.adopts or self.forgets or self.revokes or self.refresh or self.voids
        return bool(self.steps or ledger)

    def worst(self) -> Risk | None:
        """The highest risk among the changes, None for an empty plan."""
        return max((change.judgement.risk for change in self.changes), default=None)


def removals(changes: Iterable[PlannedChange]) -> tuple[Removal, ...]:
    """What the changes take away, by name."""
    return tuple(found for planned in changes if (found := removal(planned.change)) is not None)
