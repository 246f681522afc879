"""Results in the formats of CI systems, and the JSON documents against the schemas that are shipped."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from framework_m_migrations.cli import main
from framework_m_migrations.cli.reporters import formats, make_report, render
from framework_m_migrations.domain.lint import LintFinding, LintResult, Severity
from framework_m_migrations.domain.plan import Risk
from framework_m_migrations.domain.results import Finding, VerifyResult
from tests.unit.cli._made import a_plan

DOCUMENTS: dict[str, Any] = json.loads(
    resources.files("framework_m_migrations").joinpath("schemas/documents.json").read_text()
)

MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("customer", metadata, sa.Column("id", sa.Integer, primary_key=True),
         sa.Column("code", sa.Integer, nullable=False), sa.Column("note", sa.Text))
"""

REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels = "aa01", None, ("shop",)
def upgrade():
    op.drop_column("customer", "old")
def downgrade():
    op.add_column("customer", sa.Column("old", sa.Integer))
"""


class Ran:
    """The exit code and the streams of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


type Program = Callable[..., Ran]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Runs a command in a project with a change of each risk and a revision that drops a column."""
    (tmp_path / "models_of_formats.py").write_text(MODELS)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("")
    (tmp_path / "shop" / "migrations").mkdir()
    (tmp_path / "shop" / "migrations" / "aa01.py").write_text(REVISION)
    database = sqlite3.connect(tmp_path / "x.db")
    database.executescript("CREATE TABLE customer (id INTEGER NOT NULL PRIMARY KEY, old INTEGER)")
    database.execute("INSERT INTO customer VALUES (1, 1)")
    database.commit()
    database.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "models_of_formats", raising=False)
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "INSTALLED_APPS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///x.db")
    monkeypatch.setenv("FRAMEWORK_M_MIGRATIONS_METADATA", "models_of_formats:metadata")

    def run(*words: str) -> Ran:
        code = main([*words, "--apps", "shop"])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


def closed(schema: Any) -> Any:
    """The schema without room for keys that it does not name, so that a key without a description fails."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    return {**found, "additionalProperties": False} if isinstance(found.get("properties"), dict) else found


CLOSED = closed(DOCUMENTS)


def check(document: Any, kind: str) -> None:
    jsonschema.Draft202012Validator(CLOSED | {"anyOf": [{"$ref": f"#/$defs/{kind}"}]}).validate(document)


def test_documents_match_the_schemas(program: Program) -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENTS)
    for kind, *words in (
        ("plan", "plan", "--out", "plan.json"),
        ("verify", "verify"),
        ("lint", "lint", "--no-squawk"),
        ("status", "status"),
        ("history", "history"),
        ("create", "create", "note", "--app", "shop", "--no-autogenerate", "--dry-run"),
        ("repair", "stamp", "aa01", "--dry-run"),
        ("repair", "stamp", "aa01", "--yes"),
        ("run", "run"),
        ("sync", "sync"),
        ("all", "all"),
        ("log", "history", "--log"),
        ("failure", "run", "--revision", "zz99"),
    ):
        check(program(*words, "--json").json, kind)
    check(json.loads(Path("plan.json").read_text()), "plan_file")


def test_json_is_a_format_of_that_name(program: Program) -> None:
    assert program("plan", "--format", "json").json == program("plan", "--json").json
    assert program("plan", "--format=text").out == program("plan").out
    unknown = program("plan", "--format", "yaml")
    assert (unknown.code, "markdown" in unknown.err) == (2, True)
    assert program("plan", "--json", "--format", "junit").json["error"]["code"] == "M103"
    assert program("plan", "--all-tenants", "--format", "junit").code == 2


def test_a_change_is_located_in_the_file_of_its_models(program: Program) -> None:
    results = program("plan", "--format", "sarif").json["runs"][0]["results"]
    assert {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results} == {
        "models_of_formats.py"
    }


def test_the_exit_code_is_that_of_the_command(program: Program) -> None:
    judged = program("verify", "--format", "junit")
    assert (judged.code, "pending-revision" in judged.out) == (3, True)
    failed = program("verify", "--format", "sarif", "--metadata", "missing:metadata")
    assert (failed.code != 0, failed.out) == (True, "")


def test_a_finding_of_lint_names_file_and_line(program: Program) -> None:
    judged = program("lint", "--no-squawk", "--format", "github")
    number = REVISION.splitlines().index('    op.drop_column("customer", "old")') + 1
    assert judged.code == 3
    assert f"::error file=shop/migrations/aa01.py,line={number},title=L302 aa01::" in judged.out


def test_every_format_says_every_change() -> None:
    report = make_report(a_plan(), "sqlite:///x.db")
    codes = [change.judgement.rule for change in a_plan().plan.changes]
    for name in formats()[2:]:
        text = render(name, report)
        for change in a_plan().plan.changes:
            assert str(change.change.table) in text.replace("\\", ""), name
    sarif = json.loads(render("sarif", report))["runs"][0]
    assert [result["ruleId"] for result in sarif["results"]] == codes
    assert [rule["id"] for rule in sarif["tool"]["driver"]["rules"]] == list(dict.fromkeys(codes))
    assert [entry["check_name"] for entry in json.loads(render("gitlab", report))] == codes


def test_equal_findings_have_fingerprints_of_their_own() -> None:
    finding = LintFinding("L301", Severity.ERROR, "Table t goes.", "Later.", "a1", "shop", "/a1.py", 3)
    report = make_report(LintResult(("a1",), (finding, finding)), "")
    entries = json.loads(render("gitlab", report))
    assert len({entry["fingerprint"] for entry in entries}) == 2


def test_only_what_fails_the_check_is_a_failure() -> None:
    findings = (
        Finding("change", "t: gone", dirty=True, risk=Risk.WARNING, rule="surplus", table="t"),
        Finding("change", "u: gone", dirty=False, risk=Risk.BREAKING, rule="column-removed", table="u"),
        Finding("contract-due", "Revision a2", dirty=False),
    )
    suite = ET.fromstring(render("junit", make_report(VerifyResult(findings, a_plan()), "")))
    failed = {case.get("name"): case.find("failure") is not None for case in suite.iter("testcase")}
    assert failed == {"t": True, "u": False, "contract-due": False}


def test_hostile_names_stay_text() -> None:
    what = "t|x]]> <b>`\x1b[31m\nnext\ud800 100%"
    finding = LintFinding("L301", Severity.ERROR, what, "", "a,1:2", None, "/a1.py", 1)
    report = make_report(LintResult(("a,1:2",), (finding,)), "")
    ET.fromstring(render("junit", report))
    json.loads(render("sarif", report))
    assert render("github", report).splitlines()[0].endswith("100%25")
    assert "title=L301 a%2C1%3A2::" in render("github", report)
    rows = [line for line in render("markdown", report).splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert "\\|x" in rows[2]
    assert "\x1b" not in rows[2]


def test_a_comment_folds_its_sql_and_keeps_within_the_limit() -> None:
    result = a_plan()
    long = tuple(f"SELECT '```', {number}" for number in range(10_000))
    report = make_report(type(result)(result.plan, result.changes, (long, *result.steps_sql[1:])), "")
    comment = render("markdown", report)
    assert len(comment) < 65_536
    shown, _, folded = comment.partition("<details>")
    assert "SELECT" not in shown
    assert "````sql" in folded
    assert "more lines" in folded
