"""Which Chromium is taken: the one that is named, else the pinned one, and no other that happens to be there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.pyodide_setup import ROOT, ensure
from scripts.waiting import PROGRAM_LIMIT
from tests.pyodide.once import TIMEOUT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(TIMEOUT)]


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
        timeout=PROGRAM_LIMIT,
    )


def test_a_named_one_is_the_only_one(tmp_path: Path) -> None:
    broken(tmp_path / "path", "chromium")
    named = broken(tmp_path / "named", "mine")
    done = find(tmp_path / "path", CHROMIUM=str(named))
    assert done.returncode == 1
    assert f"$CHROMIUM ({named}) could not be started" in done.stderr
    assert (tmp_path / "named" / "started").read_text() == "mine\n"
    assert not (tmp_path / "path" / "started").exists()


def test_else_it_is_the_pinned_one_whatever_is_on_the_path_or_was_unpacked_before(tmp_path: Path) -> None:
    for name in ("google-chrome", "chromium"):
        broken(tmp_path, name)
    # The package itself would take any file called chromium in the folder of temporary files.
    done = find(tmp_path, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "started").exists()
    used, _, version = done.stdout.strip().rpartition(": ")
    pinned = json.loads((ROOT / "package.json").read_text())["devDependencies"]["@sparticuz/chromium"]
    assert Path(used).resolve().is_relative_to(ROOT / "node_modules")
    assert version.split(".")[0] == pinned.split(".")[0]


def test_every_package_of_npm_has_the_version_that_is_pinned() -> None:
    ensure()
    declared = json.loads((ROOT / "package.json").read_text())
    pinned: dict[str, str] = declared["devDependencies"] | declared["overrides"]
    folder = ROOT / "node_modules"
    installed = {
        name: json.loads((folder / name / "package.json").read_text())["version"]
        for name in pinned
        if (folder / name).is_dir()
    }
    assert pinned == installed
    named = {file.parent.relative_to(folder).as_posix() for file in folder.glob("*/package.json")}
    named |= {file.parent.relative_to(folder).as_posix() for file in folder.glob("@*/*/package.json")}
    assert named == set(pinned)
