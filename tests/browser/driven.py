"""What Chromium saw: the playground is built once a session and driven through all scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.playground import build
from tests.pyodide.once import once_a_session, run_node


def drive(config: pytest.Config) -> dict[str, Any]:
    """Name of each scenario to its value or error."""

    def work(folder: Path) -> str:
        build(folder / "playground")
        script = ["tests/browser/drive.mjs", str(folder / "playground"), str(folder / "results.json")]
        return run_node(config.rootpath, script, {})

    return once_a_session(config, "browser", work)


def value(seen: dict[str, Any], scenario: str) -> Any:
    """What a scenario came to; fails with its error."""
    assert scenario in seen, f"The browser did not get to it:\n{seen['text']}"
    assert "error" not in seen[scenario], seen[scenario]["error"]
    return seen[scenario]["value"]
