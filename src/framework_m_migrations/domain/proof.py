"""What became of a revision that was run forwards, backwards and forwards on a scratch database."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


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
