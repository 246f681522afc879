"""Next steps, spelled as the caller can type them: the messages say ``m-migrate``, and what shows them knows better."""

from __future__ import annotations

import re
from dataclasses import dataclass

PROGRAM = "m-migrate"
_MENTION = re.compile(rf"\b{PROGRAM} (?=(?:--help|COMMAND|[a-z]+\b))([a-z]+\b)?")
COMMANDS = frozenset(
    {
        "all",
        "apply",
        "branches",
        "completion",
        "config",
        "create",
        "current",
        "doctor",
        "explain",
        "graph",
        "heads",
        "history",
        "init",
        "lint",
        "plan",
        "prove",
        "repair",
        "rollback",
        "run",
        "show",
        "squash",
        "stamp",
        "status",
        "sync",
        "verify",
    }
)
"""Before their options come those of the place."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """How the program was called.

    Attributes:
        program: what is typed before the name of a command.
        options: those that say where a command works, quoted for a shell; repeated in each next step.
    """

    program: str = PROGRAM
    options: str = ""

    def spell(self, text: str) -> str:
        """The text with each mention of a command as the caller has to type it to work on the same database."""
        return _MENTION.sub(self._mention, text) if PROGRAM in text else text

    def _mention(self, found: re.Match[str]) -> str:
        command = found[1] or ""
        options = f" {self.options}" if self.options and command in COMMANDS else ""
        return f"{self.program} {command}{options}"
