"""What keeps a tree or a wheel from being released."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from scripts.release import CONTENTS, PACKAGE, state_problems, wheel_problems

DATED = "# Changelog\n\n## 0.3.0 (2026-12-31)\n\n- Add.\n\n## 0.2.0 (2026-11-30)\n"


@pytest.mark.parametrize(
    ("version", "changelog", "changed", "problem"),
    [
        ("0.2.0", DATED, "", "begins with 0.3.0"),
        ("0.3.0", DATED.replace("2026-12-31", "unreleased"), "", "(unreleased)"),
        ("0.3.0", "# Changelog\n", "", "no heading"),
        ("0.3.0", DATED, " M README.md\n", "uncommitted"),
    ],
)
def test_a_tree_that_is_not_ready(version: str, changelog: str, changed: str, problem: str) -> None:
    (found,) = state_problems(version, changelog, changed)
    assert problem in found


def test_a_tree_that_is_ready() -> None:
    assert list(state_problems("0.3.0", DATED, "")) == []


def test_what_a_wheel_lacks_and_has_too_much(tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{PACKAGE}-0.3.0.dist-info/METADATA", "Metadata-Version: 2.4\nName: x\nVersion: 0.3.0\n")
        for name in CONTENTS[1:]:
            archive.writestr(f"{PACKAGE}/{name}", "")
    assert list(wheel_problems(wheel, "0.3.0")) == [f"x.whl lacks {PACKAGE}/{CONTENTS[0]}."]
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(f"{PACKAGE}/{CONTENTS[0]}", "")
        archive.writestr("tests/test_a.py", "")
    assert list(wheel_problems(wheel, "0.3.1")) == [
        "x.whl has version 0.3.0, not 0.3.1.",
        "x.whl has tests/test_a.py, which is outside the package.",
    ]
