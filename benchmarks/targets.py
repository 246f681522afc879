"""The targets, and whether they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import cases
from benchmarks.measure import Result


@dataclass(frozen=True, slots=True)
class Target:
    """``ours`` against ``references``, of which the first that could be measured counts."""

    ours: str
    references: tuple[str, ...]
    quicker: float | None = None
    at_most: float | None = None

    @property
    def words(self) -> str:
        if self.quicker is not None:
            return f"{self.quicker:g} times quicker"
        return f"at most {self.at_most:g} times"


TARGETS = (
    Target(cases.NO_OP, (cases.COMPARE,), quicker=50),
    Target(cases.FULL, (cases.COMPARE,), quicker=8),
    Target(cases.FIRST, (cases.CREATE_ALL, cases.CREATE_ALL_AUTOCOMMIT), at_most=1.15),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one target came out on one database at one size."""

    target: Target
    database: str
    tables: int
    reference: str
    ratio: float | None

    @property
    def reached(self) -> bool | None:
        """None where it could not be measured."""
        if self.ratio is None:
            return None
        if self.target.quicker is not None:
            return self.ratio >= self.target.quicker
        return self.ratio <= (self.target.at_most or 0)

    def to_dict(self) -> dict[str, Any]:
        return {
            "case": self.target.ours,
            "target": self.target.words,
            "reference": self.reference,
            "database": self.database,
            "tables": self.tables,
            "ratio": None if self.ratio is None else round(self.ratio, 2),
            "reached": self.reached,
        }


def judge(results: Mapping[str, Result], database: str, tables: int) -> list[Verdict]:
    """Every target against the results of one database and size."""
    found = []
    for target in TARGETS:
        ours = results[target.ours].median
        measured = [name for name in target.references if name in results and results[name].median is not None]
        reference = measured[0] if measured else target.references[0]
        theirs = results[reference].median if measured else None
        ratio = None
        if ours is not None and theirs is not None:
            ratio = theirs / ours if target.quicker is not None else ours / theirs
        found.append(Verdict(target, database, tables, reference, ratio))
    return found
