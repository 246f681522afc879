"""SARIF 2.1.0, for code scanning."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote

from framework_m_migrations import __version__
from framework_m_migrations.cli.reporters import Issue, Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: Report) -> str:
    """One run with a rule for each code that was found."""
    codes = list(dict.fromkeys(issue.code for issue in report.issues))
    first = {issue.code: issue for issue in reversed(report.issues)}
    driver = {
        "name": "m-migrate",
        "version": __version__,
        "rules": [_rule(first[code]) for code in codes],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"m-migrate/{report.command}/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(issue, codes.index(issue.code)) for issue in report.issues],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(issue: Issue) -> dict[str, Any]:
    help_text = issue.next_step or f"See `m-migrate explain {issue.code}`."
    return {
        "id": issue.code,
        "shortDescription": {"text": issue.code.replace("-", " ").removeprefix("squawk:").capitalize()},
        "help": {"text": help_text},
        "defaultConfiguration": {"level": issue.level},
    }


def _result(issue: Issue, index: int) -> dict[str, Any]:
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": issue.subject}]}
    if issue.file is not None:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": quote(issue.file)},
            "region": {"startLine": issue.line or 1},
        }
    text = f"{issue.what} {issue.next_step}".strip()
    digest = hashlib.sha256(
        f"{issue.code}\0{issue.subject}\0{issue.what}".encode(errors="backslashreplace")
    ).hexdigest()
    return {
        "ruleId": issue.code,
        "ruleIndex": index,
        "level": issue.level,
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"mMigrate/v1": digest},
    }
