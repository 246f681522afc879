"""docs/risk.md names every rule there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from framework_m_migrations.domain.risk import conflicts, prerequisites, unsupported
from framework_m_migrations.domain.risk import rules as risk

CALL = re.compile(r'(?:_safe|_review|_breaking)\(\s*"([a-z-]+)"|Risk\.(?:WARNING|BREAKING),\s*"([a-z-]+)"')


def test_every_rule_is_documented_and_every_documented_rule_exists() -> None:
    sources = "".join(Path(module.__file__ or "").read_text() for module in (risk, prerequisites, conflicts))
    rules = {first or second for first, second in CALL.findall(sources)} | {
        conflicts.OBSTRUCTED,
        unsupported.UNSUPPORTED,
    }
    text = (Path(__file__).parents[3] / "docs" / "risk.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    documented = {rule for row in rows for rule in re.findall(r"`([a-z-]+)`", row)}
    assert documented == rules
