"""A real Chromium: page and module worker, reloads, kills, two tabs, both stores. drive.mjs says what it saw."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.pyodide.once import once_a_session, run_node

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PACKAGES = ("sqlalchemy", "alembic", "mako", "markupsafe", "typing_extensions.py")
KEPT = ["ok", "id,name,note", "kept", None]


def pack(root: Path, archive: Path) -> None:
    """What a worker imports, in one archive."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for base, names in ((root / ".pyodide" / "site", PACKAGES), (root / "src", ("framework_m_migrations",))):
            for file in sorted(file for name in names for file in [base / name, *(base / name).rglob("*")]):
                if file.is_file() and "__pycache__" not in file.parts:
                    packed.write(file, file.relative_to(base))


@pytest.fixture(scope="module")
def seen(pytestconfig: pytest.Config) -> dict[str, Any]:
    def work(folder: Path) -> str:
        archive = folder / "packages.zip"
        pack(pytestconfig.rootpath, archive)
        script = ["tests/browser/drive.mjs", str(archive), str(folder / "results.json")]
        return run_node(pytestconfig.rootpath, script, {})

    return once_a_session(pytestconfig, "browser", work)


def value(seen: dict[str, Any], scenario: str) -> Any:
    assert scenario in seen, f"The browser did not get to it:\n{seen['text']}"
    assert "error" not in seen[scenario], seen[scenario]["error"]
    return seen[scenario]["value"]


@pytest.mark.parametrize("store", ["idbfs", "opfs"])
def test_a_reload_keeps_the_data_and_the_second_migration_adds_to_it(seen: dict[str, Any], store: str) -> None:
    first, second, third, found, *_ = value(seen, f"life_{store}")
    assert (first, second, third) == ("1 steps", "1 steps", "up to date")
    assert found == KEPT


@pytest.mark.parametrize("store", ["idbfs", "opfs"])
def test_a_worker_killed_inside_its_transaction_leaves_the_old_state(seen: dict[str, Any], store: str) -> None:
    assert value(seen, f"life_{store}")[4] == KEPT


@pytest.mark.parametrize(("store", "columns"), [("idbfs", "id,name,note"), ("opfs", "id,name,note,committed")])
def test_a_worker_killed_between_commit_and_flush(seen: dict[str, Any], store: str, columns: str) -> None:
    # IndexedDB has the old state until the flush; in the private file system a COMMIT is durable.
    assert value(seen, f"life_{store}")[5] == ["ok", columns, "kept", None]
    assert value(seen, f"life_{store}")[6] == "1 steps"


def test_a_worker_killed_during_the_flush_of_30_megabytes_leaves_the_old_or_the_new_state(seen: dict[str, Any]) -> None:
    states = value(seen, "flush")
    assert states
    for integrity, columns, names, rows in states:
        assert (integrity, columns, names) == ("ok", "id,name", "kept")
        assert rows in {None, 30}


@pytest.mark.parametrize("store", ["idbfs", "opfs"])
def test_two_tabs_take_turns_and_lose_nothing(seen: dict[str, Any], store: str) -> None:
    refused, waited, both, found = value(seen, f"tabs_{store}")
    assert refused == "M602"
    assert waited == "1 steps"
    assert both == ["1 steps", "up to date"]
    assert found == ["ok", "id,name,note", "from the first,from the second", None]


def test_the_shared_configuration_is_stored_with_nothing_configured(seen: dict[str, Any]) -> None:
    assert value(seen, "default_store") == ["1 steps", "up to date"]
