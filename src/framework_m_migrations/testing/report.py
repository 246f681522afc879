"""The conformance report: which obligations each adapter holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What is known of an obligation of one adapter. A later member outweighs an earlier one."""

    NOT_APPLICABLE = "not applicable"
    HELD = "held"
    NOT_HELD = "NOT HELD"


@dataclass(slots=True)
class Entry:
    """One obligation of one adapter: the verdict over its tests, and why it is not applicable or not held."""

    verdict: Verdict
    tests: int = 0
    reasons: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Conformance:
    """Results, collected test by test.

    Attributes:
        texts: obligation id to its sentence, in the order in which they are to be shown.
    """

    texts: dict[str, str] = field(default_factory=dict)
    _entries: dict[str, dict[str, Entry]] = field(default_factory=dict)

    def expect(self, obligations: Iterable[tuple[str, str]]) -> None:
        """Make obligations known, so that those which no adapter ran are shown too."""
        for identifier, text in obligations:
            self.texts.setdefault(identifier, text)

    def add(self, adapter: str, identifier: str, text: str, verdict: Verdict, reason: str | None = None) -> None:
        """Take the result of one test; of several tests of one obligation the worst counts."""
        self.texts.setdefault(identifier, text)
        entry = self._entries.setdefault(adapter, {}).setdefault(identifier, Entry(verdict))
        entry.tests += 1
        order = list(Verdict)
        if order.index(verdict) > order.index(entry.verdict):
            entry.verdict = verdict
        if reason is not None and reason not in entry.reasons:
            entry.reasons.append(reason)

    @property
    def adapters(self) -> Mapping[str, Mapping[str, Entry]]:
        """Adapter to obligation id to result."""
        return self._entries

    @property
    def conforms(self) -> bool:
        """True when no obligation is known not to be held."""
        return not any(
            entry.verdict is Verdict.NOT_HELD for entries in self._entries.values() for entry in entries.values()
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values: obligations with their texts, and for each adapter verdicts, tests and reasons."""
        return {
            "conforms": self.conforms,
            "obligations": dict(self.texts),
            "adapters": {
                adapter: {
                    identifier: {"verdict": entry.verdict.value, "tests": entry.tests, "reasons": entry.reasons}
                    for identifier, entry in sorted(entries.items())
                }
                for adapter, entries in sorted(self._entries.items())
            },
        }

    def lines(self) -> list[str]:
        """A table: an obligation a line, an adapter a column; then what is not held, and what is not applicable."""
        adapters = sorted(self._entries)
        width = max((len(identifier) for identifier in self.texts), default=10)
        signs = {Verdict.HELD: "held", Verdict.NOT_HELD: "NOT HELD", Verdict.NOT_APPLICABLE: "n/a"}
        found = ["  ".join(["obligation".ljust(width), *(name.rjust(max(len(name), 8)) for name in adapters)])]
        for identifier in sorted(self.texts):
            cells = [identifier.ljust(width)]
            for adapter in adapters:
                entry = self._entries[adapter].get(identifier)
                cells.append(("-" if entry is None else signs[entry.verdict]).rjust(max(len(adapter), 8)))
            found.append("  ".join(cells))
        found.append("")
        found.extend(self._summary(adapter) for adapter in adapters)
        for adapter in adapters:
            for identifier, entry in sorted(self._entries[adapter].items()):
                if entry.verdict is not Verdict.HELD:
                    why = f" ({'; '.join(entry.reasons)})" if entry.reasons else ""
                    found.append(f"{adapter}: {entry.verdict}{why}: {identifier}: {self.texts[identifier]}")
        return found

    def _summary(self, adapter: str) -> str:
        entries = self._entries[adapter].values()
        counts = {verdict: sum(entry.verdict is verdict for entry in entries) for verdict in Verdict}
        told = ", ".join(f"{counts[verdict]} {verdict.lower()}" for verdict in reversed(Verdict))
        return f"{adapter}: {told}, {len(self.texts) - len(entries)} not run"
