"""A real Chromium: page and module worker, reloads, kills, two tabs, both stores. drive.mjs says what it saw."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.driven import stores, value
from tests.pyodide.once import TIMEOUT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(TIMEOUT)]

KEPT = ["ok", "id,name,note", "kept", None]


@stores("life")
def test_a_reload_keeps_the_data_and_the_second_migration_adds_to_it(seen: dict[str, Any], store: str) -> None:
    first, second, third, found, *_ = value(seen, f"life_{store}")
    assert (first, second, third) == ("1 steps", "1 steps", "up to date")
    assert found == KEPT


def test_a_plan_a_sync_and_one_with_nothing_to_do_import_no_alembic(seen: dict[str, Any]) -> None:
    found = value(seen, "loops")
    assert found["synced"] == ["1 steps", "1 steps", "up to date"]
    assert found["alembic"] == ""


@stores("life")
def test_a_worker_killed_inside_its_transaction_leaves_the_old_state(seen: dict[str, Any], store: str) -> None:
    assert value(seen, f"life_{store}")[4] == KEPT


@stores("life")
def test_a_worker_killed_between_commit_and_flush(seen: dict[str, Any], store: str) -> None:
    # IndexedDB has the old state until the flush; in the private file system a COMMIT is durable.
    columns = {"idbfs": "id,name,note", "opfs": "id,name,note,committed"}[store]
    assert value(seen, f"life_{store}")[5] == ["ok", columns, "kept", None]
    assert value(seen, f"life_{store}")[6] == "1 steps"


def test_a_worker_killed_during_the_flush_of_30_megabytes_leaves_the_old_or_the_new_state(seen: dict[str, Any]) -> None:
    first, *states = value(seen, "flush")
    assert first == "1 steps"  # of the shared configuration, with nothing configured
    assert states
    for integrity, columns, names, rows in states:
        assert (integrity, columns, names) == ("ok", "id,name", "kept")
        assert rows in {None, 30}


@stores("tabs")
def test_two_tabs_take_turns_and_lose_nothing(seen: dict[str, Any], store: str) -> None:
    refused, waited, both, found = value(seen, f"tabs_{store}")
    assert refused == "M602"
    assert waited == "1 steps"
    assert both == ["1 steps", "up to date"]
    assert found == ["ok", "id,name,note", "from the first,from the second", None]
