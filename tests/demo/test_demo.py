"""The demo that a newcomer runs first, and the pictures made from it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from scripts.waiting import PROGRAM_LIMIT

ROOT = Path(__file__).resolve().parents[2]


def run_demo(code: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    start = ["-m", "examples.demo"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *start],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=PROGRAM_LIMIT,
        check=False,
    )


@pytest.mark.slow
def test_the_demo_shows_what_it_promises(tmp_path: Path) -> None:
    elsewhere = tmp_path / "precious.db"
    done = run_demo(DATABASE_URL=f"sqlite:///{elsewhere}", INSTALLED_APPS="nothing.of.ours")
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout
    for line in (
        "7 revisions applied",
        "Up to date",
        "1 change to be applied in 1 step, 3 withheld",
        "ALTER TABLE shop_order ADD COLUMN note TEXT;",
        "DIRTY: 1 finding (2 more findings below)",
        "Rows of shop_order hold NULL in currency",
        "CLEAN: database, models and revisions agree.",
        "1 revision rolled back",
        "models    9 of 9 match",
        "The demo is done",
    ):
        assert line in text, f"{line!r} is not in:\n{text}"
    assert {"SAFE", "WARNING", "BREAKING"} <= set(re.findall(r"^  ([A-Z]+) ", text, re.MULTILINE))
    assert text.count("Every row that was put in is still there") == 4
    assert "\x1b" not in text, "a pipe gets no escape codes"
    assert text.index("1 change applied in 1 step, 3 withheld") < text.index("(exit code 3")
    assert not elsewhere.exists(), "the demo keeps to its own database"


def test_the_demo_fails_with_the_first_command_that_does_not_end_as_it_should() -> None:
    code = (
        "import sys; from examples import demo\n"
        "demo.play = lambda d: (d.command('verify', '--apps', 'no_such_app'), d.command('status'))\n"
        "sys.exit(demo.main())"
    )
    done = run_demo(code)
    assert done.returncode == 1
    assert (
        "THE DEMO FAILED: `m-migrate verify --apps no_such_app` ended with exit code 2; 0 was expected." in done.stdout
    )
    assert "m-migrate status" not in done.stdout


def test_the_demo_fails_when_a_row_is_lost() -> None:
    code = (
        "import sqlite3, sys; from examples import demo\n"
        "def play(d):\n"
        "    d.command('all'); d.project.put_rows_in(); d.rows()\n"
        "    with sqlite3.connect(d.project.database) as connection:\n"
        "        connection.execute('DELETE FROM shop_order WHERE id = 2')\n"
        "    d.rows()\n"
        "demo.play = play\n"
        "sys.exit(demo.main())"
    )
    done = run_demo(code)
    assert done.returncode == 1
    assert "Rows were lost: shop_order (2, 2, '2026-02-07')" in done.stdout


def test_the_picture_of_the_readme_needs_nobody_else() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = re.findall(r"!\[[^]]*\]\((docs/images/[^)]+)\)", readme)
    assert names
    for name in names:
        text = (ROOT / name).read_text(encoding="utf-8")
        root = ET.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        addresses = set(re.findall(r"https?://[^\s\"')<]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, addresses
        assert "@font-face" not in text
        shown = "".join(root.itertext()).replace("\xa0", " ")
        for word in ("m-migrate plan", "SAFE", "WARNING", "BREAKING"):
            assert word in shown, f"{word} is not in {name}"
