"""docs/errors.md and docs/cli.md say what the program does: all of it, and nothing else."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import re
from pathlib import Path

import pytest

import framework_m_migrations
from framework_m_migrations.cli.app import COMMANDS
from framework_m_migrations.cli.options import Common
from framework_m_migrations.cli.reports.codes import explained
from framework_m_migrations.domain import hints
from framework_m_migrations.domain.errors import MigrationError

DOCS = Path(__file__).resolve().parents[3] / "docs"
ERRORS = (DOCS / "errors.md").read_text(encoding="utf-8")
CLI = (DOCS / "cli.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (M\d{3}) \| `(\w+)` \| (\d+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)


def error_classes() -> dict[str, str]:
    """Class name to module of everything under MigrationError, read from the source: importing all needs every host."""
    root = Path(framework_m_migrations.__file__).parent
    bases: dict[str, tuple[set[str], str]] = {}
    for file in sorted(root.rglob("*.py")):
        module = ".".join(("framework_m_migrations", *file.relative_to(root).with_suffix("").parts))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}, module
    found = {"MigrationError": bases["MigrationError"][1]}
    while (
        new := {name: module for name, (over, module) in bases.items() if over & found.keys()}.items() - found.items()
    ):
        found.update(new)
    return found


def every_error() -> list[type[MigrationError]]:
    classes = [getattr(importlib.import_module(module), name) for name, module in error_classes().items()]
    return sorted(classes, key=lambda kind: str(kind.code))


def test_next_steps_are_spelled_for_every_command() -> None:
    assert {name for name, _ in COMMANDS} == hints.COMMANDS


def test_there_are_errors_to_document() -> None:
    assert len(every_error()) >= 35


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_each_error_is_documented_with_its_code_and_exit_code(kind: type[MigrationError]) -> None:
    rows = {name: (code, int(exit_code), meaning, step) for code, name, exit_code, meaning, step in ROW.findall(ERRORS)}
    assert kind.__name__ in rows
    code, exit_code, meaning, step = rows[kind.__name__]
    assert (code, exit_code) == (kind.code, kind.exit_code)
    assert meaning.strip()
    assert step.strip()


def test_the_documentation_names_no_error_that_does_not_exist_and_no_code_twice() -> None:
    rows = ROW.findall(ERRORS)
    assert {row[1] for row in rows} == {kind.__name__ for kind in every_error()}
    codes = [row[0] for row in rows]
    assert len(codes) == len(set(codes)) == len(every_error())


def test_every_command_has_its_section_and_its_row() -> None:
    for name, _ in COMMANDS:
        assert re.search(rf"^## {name}$", CLI, re.MULTILINE), name
        assert f"| `{name}` |" in CLI
    assert len(re.findall(r"^\| `\w+` \| .* \| [\w ]+ \|$", CLI, re.MULTILINE)) == len(COMMANDS)


def test_every_option_of_a_command_is_in_its_section() -> None:
    for name, function in COMMANDS:
        section = CLI.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "common":
                option = f"--{parameter.name.rstrip('_').replace('_', '-')}"
                shared = name == "all" and "options are those of\n`sync`" in section
                assert option in section or shared, (name, option)


def test_every_common_option_is_in_the_table() -> None:
    section = CLI.split("## Options of every command")[1].split("\n## ")[0]
    for field in dataclasses.fields(Common):
        assert f"| `--{field.name.replace('_', '-')}" in section, field.name


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 130])
def test_every_exit_code_is_explained(code: int) -> None:
    assert re.search(rf"^\| {code} \| [\w`]", CLI, re.MULTILINE)


def test_explain_knows_every_error_and_rule() -> None:
    codes = [kind.code for kind in every_error()]
    rules = re.findall(r"^\| (L\d{3}) ", (DOCS / "lint.md").read_text(encoding="utf-8"), re.MULTILINE)
    risks = re.findall(r"^\| `([a-z-]+)`", (DOCS / "risk.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [code for code in (*codes, *rules, "D302", *risks) if not explained(code)] == []
    assert explained("column-required")[0].risk == "WARNING"
    assert explained("no-such-rule") == ()


def anchors(document: str) -> set[str]:
    """The fragments that links may name: headings as GitHub and GitLab spell them, and explicit ids."""
    prose = re.sub(r"^```.*?^```", "", document, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    spelled = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return spelled | set(re.findall(r'<a id="([^"]+)">', prose))


def test_every_link_between_documents_leads_somewhere() -> None:
    root = DOCS.parent
    folders = ("*.md", "docs/**/*.md", "benchmarks/*.md", "tests/*.md", "examples/*/*.md")
    for page in (page for folder in folders for page in root.glob(folder)):
        for link in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
            file, _, fragment = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), (page.name, link)
            assert not fragment or fragment in anchors(target.read_text(encoding="utf-8")), (page.name, link)
