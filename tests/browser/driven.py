"""What Chromium saw: the playground is built once a session and driven through all scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.playground import build
from tests.pyodide.once import once_a_session, run_node
from tests.support.profile import by_day

AT_NIGHT = ("life_idbfs", "tabs_opfs", "quota_opfs", "corrupt_idbfs", "unopenable_opfs")
"""Scenarios that by day run for the other store."""


def stores(scenario: str) -> pytest.MarkDecorator:
    """Runs a test for both stores, by day for one."""
    night = {store: [pytest.mark.night] if f"{scenario}_{store}" in AT_NIGHT else [] for store in ("idbfs", "opfs")}
    return pytest.mark.parametrize("store", [pytest.param(store, marks=marks) for store, marks in night.items()])


def drive(config: pytest.Config) -> dict[str, Any]:
    """Name of each scenario to its value or error."""

    def work(folder: Path) -> str:
        build(folder / "playground")
        script = ["tests/browser/drive.mjs", str(folder / "playground"), str(folder / "results.json")]
        return run_node(config.rootpath, script, {"LEFT_OUT": ",".join(AT_NIGHT) if by_day(config.args) else ""})

    return once_a_session(config, "browser", work)


def value(seen: dict[str, Any], scenario: str) -> Any:
    """What a scenario came to; fails with its error."""
    assert scenario in seen, f"The browser did not get to it:\n{seen['text']}"
    assert "error" not in seen[scenario], seen[scenario]["error"]
    return seen[scenario]["value"]
