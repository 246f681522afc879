"""Work that all tests of a session share, whichever xdist worker needs it first."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.pyodide_setup import ensure
from scripts.waiting import turn

PATIENCE = 3600
"""Seconds for one run. A machine with a load of 30 is slow."""
TIMEOUT = 2 * PATIENCE
"""Seconds for a test that may have to set up, to wait for the run of another worker, or to run it: for its marker."""
DAY = 86_400


def once_a_session(config: pytest.Config, name: str, work: Callable[[Path], str]) -> dict[str, Any]:
    """What ``work`` wrote to ``results.json`` of its folder, with the text that it returned as ``text``."""
    session = getattr(config, "workerinput", {}).get("testrunuid") or f"{os.getpid()}"
    runs = ensure() / "runs"
    folder = runs / f"{name}-{session}"
    folder.mkdir(parents=True, exist_ok=True)
    with turn(folder / "lock", what=f"the run that the tests of {name} share", limit=PATIENCE + 600):
        file = folder / "results.json"
        if not (folder / "done").is_file():
            file.unlink(missing_ok=True)
            text = work(folder)
            found = json.loads(file.read_text()) if file.is_file() else {}
            file.write_text(json.dumps({**found, "text": text}))
            (folder / "done").touch()
            for old in runs.iterdir():
                if old.stat().st_mtime < time.time() - DAY:
                    shutil.rmtree(old, ignore_errors=True)
        results: dict[str, Any] = json.loads(file.read_text())
        return results


def run_node(root: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run Node in the project's folder; what it said, with its exit code."""
    node = shutil.which("node")
    assert node is not None, "These tests need Node 20 or later."
    try:
        done = subprocess.run(
            [node, *arguments],
            cwd=root,
            env={**os.environ, **environment},
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        text = (error.output or b"").decode(errors="replace")
        return f"Waited {error.timeout} s for the end of node {' '.join(arguments)}. It wrote last:\n{text[-8000:]}"
    return f"Exit code {done.returncode}.\n{done.stdout[-8000:]}"


def stack_switching(root: Path) -> list[str]:
    """The flag by which older versions of Node let synchronous Python wait for a promise (JSPI)."""
    version = run_node(root, ["--version"], {}).splitlines()[1]
    return ["--experimental-wasm-stack-switching"] if int(version.lstrip("v").split(".")[0]) < 24 else []
