"""The tests of this folder run inside Pyodide; on the host each tells what came of it there.

Both sides collect the same files. The first test on the host that is due runs them all inside Pyodide under Node,
once a session, and each takes its own result from there, whichever xdist worker it is in.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from tests.pyodide.where import INSIDE

CONTRACT = "contract "


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if INSIDE:
        return
    from tests.pyodide.once import TIMEOUT

    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.setup = _no_fixtures  # type: ignore[method-assign]
            item.add_marker(pytest.mark.timeout(TIMEOUT))


def _no_fixtures() -> None:
    """Fixtures are for the run inside; here nothing but its result is looked at."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if INSIDE:
        return _await_inside(pyfuncitem)
    results = _results(pyfuncitem.config)
    found = results.get("tests", {}).get(pyfuncitem.nodeid)
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
    from tests.pyodide.once import once_a_session, run_node, stack_switching

    def work(folder: Path) -> str:
        # pytest is synchronous: it waits for async tests through JSPI.
        script = ["scripts/pyodide_node.mjs", "tests/pyodide/inside.py", "tests/pyodide"]
        return run_node(config.rootpath, [*stack_switching(config.rootpath), *script], {"PYODIDE_OUT": str(folder)})

    return once_a_session(config, "pyodide", work)
