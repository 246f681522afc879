"""The rules of the suite hold: the corpus is deselected where it is absent, and found where it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.waiting import PROGRAM_LIMIT

pytestmark = pytest.mark.slow

PROBE = """
import pytest

@pytest.mark.corpus
def test_with_corpus(corpus_root):
    assert (corpus_root / "index.json").is_file()

def test_without():
    pass
"""


def run(project: Path, corpus: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    (project / "tests").mkdir()
    (project / "tests" / "support").mkdir()
    for name in (
        "__init__.py",
        "conftest.py",
        "_postgres.py",
        "_postgres_keeper.py",
        "support/__init__.py",
        "support/in_memory.py",
        "support/profile.py",
        "support/sync_path.py",
    ):
        (project / "tests" / name).write_bytes((root / "tests" / name).read_bytes())
    (project / "scripts").mkdir()
    (project / "scripts" / "waiting.py").write_bytes((root / "scripts" / "waiting.py").read_bytes())
    (project / "pyproject.toml").write_bytes((root / "pyproject.toml").read_bytes())
    (project / "tests" / "test_probe.py").write_text(PROBE, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=project,
        env=environment | {"FRAMEWORK_M_CORPUS": str(corpus)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_LIMIT,
    )


@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_an_absent_corpus_deselects_and_says_so(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "project").mkdir()
    done = run(tmp_path / "project", tmp_path / "nowhere", *arguments)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert f"the corpus is not at {tmp_path / 'nowhere'}" in done.stdout
    assert "skipped" not in done.stdout


def test_a_present_corpus_is_used(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "index.json").write_text("{}", encoding="utf-8")
    done = run(tmp_path / "project", tmp_path / "corpus")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert "the corpus is not at" not in done.stdout
