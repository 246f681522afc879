"""What lint finds in revisions before they are merged."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """Whether a finding fails the check."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class LintFinding:
    """Something in a revision that holds up others, copies or destroys data, or cannot be judged.

    Attributes:
        rule: a code of docs/lint.md, or ``squawk:`` and the name of a rule of squawk's.
        severity: whether it fails the check.
        what: what the statement does, one sentence.
        next_step: what to write instead, one sentence.
        revision, app, file: where it is.
        line: of the file, counted from 1; None where it is the file as a whole.
        table: that it is about, as written, None where that is not known.
        statement: the SQL in one line, cut where it is long; None where there is none.
    """

    rule: str
    severity: Severity
    what: str
    next_step: str
    revision: str
    app: str | None
    file: str
    line: int | None = None
    table: str | None = None
    statement: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedProof:
    """What a revision's file says of its proof; ``current`` is False where its code has changed since."""

    revision: str
    text: str
    current: bool


@dataclass(frozen=True, slots=True)
class LintResult:
    """What was judged, and what was found, in the order of revisions and lines.

    ``squawk`` is the version of squawk that was used, None where it is not installed. ``proofs`` are what the files say
    of their proofs, by revision; a revision without one is not among them. ``database`` is the kind that the findings
    are for.
    """

    revisions: tuple[str, ...]
    findings: tuple[LintFinding, ...]
    squawk: str | None = None
    proofs: tuple[RecordedProof, ...] = ()
    database: str = "PostgreSQL"

    @property
    def failed(self) -> bool:
        """True when a finding is an error."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "command": "lint",
            "revisions": list(self.revisions),
            "findings": [asdict(finding) for finding in self.findings],
            "failed": self.failed,
            "squawk": self.squawk,
            "judged_for": self.database,
            "proofs": [asdict(proof) for proof in self.proofs],
        }
