"""A plan that was approved is applied as it is, or not at all."""

from __future__ import annotations

import json

from tests.cli._program import BASE, WITH_NOTE, Project


def test_an_approved_plan_is_applied_once(project: Project) -> None:
    assert project.run("plan", "--check", "--out", "plan.json").code == 3
    approved = json.loads((project.path / "plan.json").read_text(encoding="utf-8"))
    assert approved["steps"][0]["sql"][0].startswith("CREATE TABLE customer")
    done = project.run("apply", "plan.json", "--json")
    assert (done.code, done.json["command"], done.json["applied"]) == (0, "apply", True)
    assert "customer" in project.tables()
    assert project.run("plan", "--check").code == 0
    assert project.run("apply", "plan.json").out.startswith("Up to date")


def test_what_changed_since_stops_it_before_anything_changes(project: Project) -> None:
    project.run("sync")
    project.models(WITH_NOTE)
    project.run("plan", "--out", "plan.json")
    project.models(BASE + 'customer.append_column(sa.Column("other", sa.Text))\n')
    done = project.run("apply", "plan.json", "--json")
    assert (done.code, done.json["error"]["code"]) == (1, "M310")
    assert done.json["error"]["details"] == {
        "new": ["ALTER TABLE customer ADD COLUMN other TEXT"],
        "gone": ["ALTER TABLE customer ADD COLUMN note TEXT"],
    }
    assert project.columns("customer") == ["id", "title"]


def test_what_is_no_plan_is_refused(project: Project) -> None:
    for text, code in (("{}", "M100"), ("[]", "M100"), ("{", "M103"), ('{"format": "m-migrate plan 1"}', "M100")):
        (project.path / "plan.json").write_text(text, encoding="utf-8")
        done = project.run("apply", "plan.json", "--json")
        assert (done.code, done.json["error"]["code"]) == (2, code)
    assert project.run("apply", "absent.json").code == 2
    assert project.tables() <= set()
