"""Work that all tests of a session share, whichever xdist worker needs it first."""

from __future__ import annotations

import fcntl
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

PATIENCE = 900
"""Seconds for one run. A machine that does ten other things is slow."""
HOUR = 3600


def once_a_session(config: pytest.Config, name: str, work: Callable[[Path], str]) -> dict[str, Any]:
    """What ``work`` wrote to ``results.json`` of its folder, with the text that it returned as ``text``."""
    session = getattr(config, "workerinput", {}).get("testrunuid") or f"{os.getpid()}"
    runs = ensure() / "runs"
    folder = runs / f"{name}-{session}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = folder / "results.json"
        if not (folder / "done").is_file():
            file.unlink(missing_ok=True)
            text = work(folder)
            found = json.loads(file.read_text()) if file.is_file() else {}
            file.write_text(json.dumps({**found, "text": text}))
            (folder / "done").touch()
            for old in runs.iterdir():
                if old.stat().st_mtime < time.time() - HOUR:
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
        return f"It took more than {error.timeout} seconds.\n{error.output!r}"
    return f"Exit code {done.returncode}.\n{done.stdout[-8000:]}"


def stack_switching(root: Path) -> list[str]:
    """The flag by which older versions of Node let synchronous Python wait for a promise (JSPI)."""
    version = run_node(root, ["--version"], {}).splitlines()[1]
    return ["--experimental-wasm-stack-switching"] if int(version.lstrip("v").split(".")[0]) < 24 else []
