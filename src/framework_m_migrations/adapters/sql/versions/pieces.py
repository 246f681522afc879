"""The parts that a revision's functions are put together from."""

from __future__ import annotations

from dataclasses import dataclass, field

from alembic.operations import ops


@dataclass(frozen=True, slots=True)
class Source:
    """Statements written here, under comments that tell the reader what to look at."""

    code: str = ""
    comments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Directive:
    """One of Alembic's operations outside a batch."""

    operation: ops.MigrateOperation


@dataclass(frozen=True, slots=True)
class Choice:
    """The statements of one dialect's writer, and for every other dialect the pieces that say the same."""

    dialect: str
    statements: tuple[str, ...]
    otherwise: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Operations on one table that SQLite carries out by rebuilding it, and other databases one by one."""

    table: str
    schema: str | None
    operations: tuple[ops.MigrateOperation, ...]

    def joined(self, other: Batch) -> Batch:
        """Both in one rebuild."""
        return Batch(self.table, self.schema, (*self.operations, *other.operations))


type Piece = Source | Directive | Batch | Choice


@dataclass(slots=True)
class Script:
    """What a revision does and how it is taken back.

    ``down`` holds for each step the pieces that undo it; steps are undone last first.
    """

    up: list[Piece] = field(default_factory=list)
    down: list[tuple[Piece, ...]] = field(default_factory=list)
    review: dict[str, None] = field(default_factory=dict)

    def add(self, up: Piece | tuple[Piece, ...], down: Piece | tuple[Piece, ...]) -> None:
        """One step, with what undoes it, each in the order of execution."""
        self.up.extend(up if isinstance(up, tuple) else (up,))
        self.down.append(down if isinstance(down, tuple) else (down,))

    def note(self, line: str) -> None:
        """A line of the review list; the same line once."""
        self.review.setdefault(line)

    def upgrade(self) -> list[Piece]:
        """The pieces that go up, neighbouring batches of one table joined."""
        return _joined(self.up)

    def downgrade(self) -> list[Piece]:
        """The pieces that go down."""
        return _joined([piece for step in reversed(self.down) for piece in step])


def _joined(pieces: list[Piece]) -> list[Piece]:
    found: list[Piece] = []
    for piece in pieces:
        last = found[-1] if found else None
        if (
            isinstance(piece, Batch)
            and isinstance(last, Batch)
            and (piece.table, piece.schema) == (last.table, last.schema)
            and not _altered(piece) & _altered(last)
        ):
            found[-1] = last.joined(piece)
        elif not (isinstance(piece, Source) and piece == last):
            # Labels that were added one by one go together, by one and the same call.
            found.append(piece)
    return found


def _altered(batch: Batch) -> set[str]:
    """Columns that a batch alters or adds: what is then made of them needs a batch of its own."""
    found: set[str] = set()
    for operation in batch.operations:
        if isinstance(operation, ops.AlterColumnOp):
            found.add(operation.column_name)
        elif isinstance(operation, ops.AddColumnOp):
            found.add(operation.column.name)
    return found
