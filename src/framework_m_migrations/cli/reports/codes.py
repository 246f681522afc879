"""What the codes of errors, of lint's rules and of risk rules mean, read from the pages that document them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from framework_m_migrations.cli.document import Document, Span, line

_PAGES = ("errors.md", "lint.md", "risk.md")
_OF_RISK = {
    "SAFE": "`m-migrate sync` applies it.",
    "WARNING": "`m-migrate sync` withholds it; `m-migrate plan` names the command that handles it.",
    "BREAKING": "`m-migrate sync` withholds it, and `m-migrate verify` fails; `m-migrate plan` names the command that "
    "handles it.",
}


class Explanation(NamedTuple):
    """A code with its meaning and the next step.

    ``exit_code`` is that of an error and ``risk`` that of a risk rule, else None.
    """

    code: str
    meaning: str
    next_step: str
    exit_code: int | None = None
    risk: str | None = None


def explained(code: str) -> tuple[Explanation, ...]:
    """All that a code stands for: one error or risk rule, or each kind of statement that a rule of lint is about."""
    wanted = code.strip()
    upper = wanted.upper()
    for row in (row for page in _PAGES for row in _rows(page)):
        if "class" in row and row["code"] == upper:
            return (Explanation(upper, _sentence(row["meaning"]), _sentence(row["next step"]), int(row["exit"])),)
        if "found" in row and row["rule"] in {upper, f"L{upper[1:]}" if upper[:1] == "D" else upper}:
            return _rule_of_lint(upper, row)
        if "risk" in row and wanted.lower() in row["rule"].replace("`", "").split(", "):
            steps = {risk: step for risk, step in _OF_RISK.items() if risk in row["risk"]}
            named = [f"{risk}: {step}" for risk, step in steps.items()] if len(steps) > 1 else steps.values()
            return (Explanation(wanted.lower(), _sentence(row["when"]), " ".join(named), risk=row["risk"]),)
    return ()


def _rule_of_lint(code: str, row: dict[str, str]) -> tuple[Explanation, ...]:
    from framework_m_migrations.adapters.sql.dialects.postgresql.lint.rules import ACTIONS, STATEMENTS

    found = tuple(
        dict.fromkeys(
            Explanation(code, rule.what.replace("{table}", "the table"), rule.next_step)
            for rule in (*STATEMENTS, *ACTIONS)
            if rule.code == row["rule"]
        )
    )
    return found or (Explanation(code, _sentence(row["found"]), _sentence(row["instead"])),)


def _rows(page: str) -> Iterator[dict[str, str]]:
    """The rows of a page's tables, by the names of their columns."""
    header: list[str] = []
    for text in _text(page).splitlines():
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", text)[1:-1]]
        if not cells:
            header = []
        elif not header:
            header = cells
        elif set(cells[0]) != {"-"}:
            yield dict(zip(header, cells, strict=False))


def _text(page: str) -> str:
    """A page of docs/, which a wheel holds beside the modules; a checkout has it at its root."""
    shipped = files("framework_m_migrations").joinpath("docs", page)
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    return (Path(__file__).resolve().parents[4] / "docs" / page).read_text(encoding="utf-8")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def explanation_report(found: tuple[Explanation, ...]) -> Document:
    """For people."""
    return tuple(
        block
        for one in found
        for block in (
            line(Span(one.code, "bold"), f": {one.meaning}"),
            *(() if one.exit_code is None else (line(f"Exit code {one.exit_code}.", indent=1),)),
            *(() if one.risk is None else (line(f"Risk: {one.risk}.", indent=1),)),
            line(Span("Next", "bold"), f": {one.next_step}", indent=1),
        )
    )
