"""What ``m migrate doctor`` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from framework_m_migrations.cli.document import Document, Grid, Span, line

if TYPE_CHECKING:
    from framework_m_migrations.embedding.framework_m.doctor import Check


def doctor_report(checks: Sequence[Check]) -> Document:
    """Each check with what was found, and a verdict."""
    rows = tuple((Span(check.name, "bold"), _state(ok=check.ok), Span(check.found)) for check in checks)
    wrong = sum(not check.ok for check in checks)
    verdict = Span("Framework M uses this engine.", "safe", "●")
    if wrong:
        verdict = Span(f"{wrong} of {len(checks)} checks failed.", "breaking", "✖")
    return Grid(("CHECK", "STATE", "FOUND"), rows), line(verdict)


def _state(*, ok: bool) -> Span:
    return Span("ok", "safe", "●") if ok else Span("wrong", "breaking", "✖")
