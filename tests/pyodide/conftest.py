"""The tests of this folder run inside Pyodide; on the host each tells what came of it there.

Both sides collect the same files. The first test on the host that is due runs them all inside Pyodide under Node,
once a session, and each takes its own result from there, whichever xdist worker it is in.
"""

from __future__ import annotations

import fcntl
import inspect
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.pyodide.where import INSIDE

CONTRACT = "contract "
HOUR = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if INSIDE:
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.setup = _no_fixtures  # type: ignore[method-assign]


def _no_fixtures() -> None:
    """Fixtures are for the run inside; here nothing but its result is looked at."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if INSIDE:
        return _await_inside(pyfuncitem)
    results = _results(pyfuncitem.config)
    found = results["tests"].get(pyfuncitem.nodeid)
    assert found is not None, f"It was not run inside Pyodide, which ended so:\n{results['text']}"
    pyfuncitem.user_properties += [tuple(pair) for pair in found["properties"] if not pair[0].startswith(CONTRACT)]
    if found["outcome"] != "passed":
        pytest.fail(f"Inside Pyodide it {found['outcome']}:\n{found['text']}", pytrace=False)
    return True


def _await_inside(item: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(item.obj):
        return None
    from pyodide.ffi import run_sync

    names = inspect.signature(item.obj).parameters
    run_sync(item.obj(**{name: item.funcargs[name] for name in names}))
    return True


def _results(config: pytest.Config) -> dict[str, Any]:
    """The results of this session's run inside Pyodide, which is made when it is first asked for."""
    from scripts.pyodide_setup import ensure

    session = getattr(config, "workerinput", {}).get("testrunuid") or f"{os.getpid()}"
    runs = ensure() / "runs"
    folder = runs / str(session)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        file = folder / "results.json"
        if not (folder / "done").is_file():
            file.unlink(missing_ok=True)
            text = _run(config.rootpath, folder)
            found = json.loads(file.read_text()) if file.is_file() else {"tests": {}}
            file.write_text(json.dumps({**found, "text": text}))
            (folder / "done").touch()
            for old in runs.iterdir():
                if old.stat().st_mtime < time.time() - HOUR:
                    shutil.rmtree(old, ignore_errors=True)
        results: dict[str, Any] = json.loads(file.read_text())
        return results


def _run(root: Path, out: Path) -> str:
    node = shutil.which("node")
    assert node is not None, "The tests in Pyodide need Node 20 or later."
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout
    # pytest is synchronous: it awaits tests through JSPI, which older versions of Node have behind a flag.
    flags = ["--experimental-wasm-stack-switching"] if int(version.lstrip("v").split(".")[0]) < 24 else []
    command = [node, *flags, "scripts/pyodide_node.mjs", "tests/pyodide/inside.py", "tests/pyodide"]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "PYODIDE_OUT": str(out)},
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )
    except subprocess.TimeoutExpired as error:
        return f"It took more than {error.timeout} seconds.\n{error.output}"
    return f"Exit code {done.returncode}.\n{done.stdout[-8000:]}"
