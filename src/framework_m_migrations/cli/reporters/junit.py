"""JUnit XML: a test case for each table, revision or kind of finding; errors are failures."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from framework_m_migrations.cli.document import clean_lines
from framework_m_migrations.cli.reporters import Issue, Report

_NO_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


def render(report: Report) -> str:
    """The document. Warnings and notes are in ``system-out``: they do not fail the check."""
    failed = {issue.subject for issue in report.issues if issue.level == "error"}
    subjects = report.subjects or (report.summary,)
    counts = {"tests": str(len(subjects)), "failures": str(len(failed)), "errors": "0"}
    root = Element("testsuites", counts)
    suite = SubElement(
        root, "testsuite", {"name": f"m-migrate {report.command}", **counts, "skipped": "0", "time": "0"}
    )
    for subject in subjects:
        issues = [issue for issue in report.issues if issue.subject == subject]
        case = SubElement(
            suite, "testcase", {"classname": f"m-migrate.{report.command}", "name": _text(subject), "time": "0"}
        )
        if errors := [issue for issue in issues if issue.level == "error"]:
            place = {"message": _text(errors[0].what), "type": errors[0].code}
            SubElement(case, "failure", place).text = "\n".join(map(_line, errors))
        if others := [issue for issue in issues if issue.level != "error"]:
            SubElement(case, "system-out").text = "\n".join(map(_line, others))
    indent(root)
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{tostring(root, encoding='unicode')}\n"


def _line(issue: Issue) -> str:
    place = "" if issue.file is None else f"{issue.file}{'' if issue.line is None else f':{issue.line}'}: "
    return _text(f"{place}{issue.code}: {issue.what} {issue.next_step}".strip())


def _text(text: str) -> str:
    """XML has no way to say most control characters."""
    return _NO_XML.sub("?", clean_lines(text))
