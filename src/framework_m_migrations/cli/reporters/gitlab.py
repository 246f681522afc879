"""GitLab's Code Quality report, shown in merge requests."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

from framework_m_migrations.cli.reporters import Report

_SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


def render(report: Report) -> str:
    """A JSON array. A fingerprint does not change with the line, so that a finding is recognised when lines move."""
    seen: Counter[tuple[str, str, str]] = Counter()
    entries = []
    for issue in report.issues:
        key = (issue.code, issue.file or "", issue.what)
        seen[key] += 1
        digest = hashlib.sha256("\0".join((*key, str(seen[key]))).encode(errors="backslashreplace"))
        entries.append(
            {
                "description": f"{issue.what} {issue.next_step}".strip(),
                "check_name": issue.code,
                "fingerprint": digest.hexdigest(),
                "severity": _SEVERITIES[issue.level],
                # GitLab drops an entry without a path.
                "location": {"path": issue.file or "pyproject.toml", "lines": {"begin": issue.line or 1}},
            }
        )
    return json.dumps(entries, indent=2) + "\n"
