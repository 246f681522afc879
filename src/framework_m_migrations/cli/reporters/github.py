"""Workflow commands of GitHub Actions, which annotate the lines of a pull request."""

from __future__ import annotations

from framework_m_migrations.cli.reporters import Issue, Report

_KINDS = {"error": "error", "warning": "warning", "note": "notice"}


def render(report: Report) -> str:
    """One ``::error`` or the like for each issue, then the summary as a plain line of the log."""
    return "".join(
        f"{line}\n" for line in (*map(_command, report.issues), _data(f"m-migrate {report.command}: {report.summary}"))
    )


def _command(issue: Issue) -> str:
    place = {"file": issue.file, "line": issue.line, "title": f"{issue.code} {issue.subject}"}
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in place.items() if value is not None)
    return f"::{_KINDS[issue.level]} {properties}::{_data(f'{issue.what} {issue.next_step}'.strip())}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
