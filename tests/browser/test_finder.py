"""Which Chromium is taken, in which order, and what is said when there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.pyodide_setup import ROOT, ensure

pytestmark = pytest.mark.browser


def broken(folder: Path, name: str) -> Path:
    """A browser that notes that it was started, and ends."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f'#!/bin/sh\necho {name} >> "{folder}/started"\nexit 1\n')
    file.chmod(0o755)
    return file


def find(path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    ensure()
    node = shutil.which("node")
    assert node is not None
    environment = {key: value for key, value in os.environ.items() if key not in {"CHROMIUM", "PATH"}}
    return subprocess.run(
        [node, "scripts/browser/chromium.mjs"],
        cwd=ROOT,
        env={**environment, "PATH": str(path), **more},
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_a_named_one_is_the_only_one(tmp_path: Path) -> None:
    broken(tmp_path / "path", "chromium")
    named = broken(tmp_path / "named", "mine")
    done = find(tmp_path / "path", CHROMIUM=str(named))
    assert done.returncode == 1
    assert "No Chromium could be started" in done.stderr
    assert "$CHROMIUM" in done.stderr
    assert (tmp_path / "named" / "started").read_text() == "mine\n"
    assert not (tmp_path / "path" / "started").exists()


def test_those_on_the_path_come_before_the_package_of_npm(tmp_path: Path) -> None:
    for name in ("google-chrome", "chromium"):
        broken(tmp_path, name)
    done = find(tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "started").read_text().split() == ["chromium", "google-chrome"]
    used, _, version = done.stdout.strip().rpartition(": ")
    assert str(tmp_path) not in used
    assert int(version.split(".")[0]) > 100
