"""What goes wrong around a store in a real Chromium: each a clear error, and what is stored untouched."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.driven import stores, value
from tests.pyodide.once import TIMEOUT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(TIMEOUT)]


@stores("quota")
def test_a_full_quota_is_told_and_the_stored_database_is_as_before(seen: dict[str, Any], store: str) -> None:
    found = value(seen, f"quota_{store}")
    # IndexedDB refuses the flush; in the private file system SQLite itself meets the limit, within its transaction.
    assert found["full"] == {"idbfs": "M601", "opfs": "M204"}[store], (found["room"], found["refused"])
    assert found["restarted"] == ["ok", "id,name", "kept", None]


@stores("quota")
def test_with_room_again_the_same_command_goes_through(seen: dict[str, Any], store: str) -> None:
    found = value(seen, f"quota_{store}")
    assert found["again"] == "1 steps"
    assert found["end"] == ["ok", "id,name,note,late", "kept", None]


@stores("corrupt")
def test_a_corrupt_database_is_told_and_its_stored_bytes_are_left(seen: dict[str, Any], store: str) -> None:
    assert value(seen, f"corrupt_{store}") == {"corrupt": "M205", "stored": "this is no database, but a text 9300"}


@stores("unopenable")
def test_a_store_that_cannot_be_opened_is_told(seen: dict[str, Any], store: str) -> None:
    assert value(seen, f"unopenable_{store}") == "M603"


def test_a_private_file_that_somebody_else_has_open_is_in_use_until_it_is_closed(seen: dict[str, Any]) -> None:
    assert value(seen, "in_use_opfs") == ["M602", "1 steps"]


def test_with_jspi_hooks_and_env_py_may_call_asyncio_run(seen: dict[str, Any]) -> None:
    has_jspi, *commands, ran = value(seen, "loops")["asyncio"]
    assert has_jspi  # of this Chromium; without it they fail, as docs/browser.md says
    assert commands == ["done", "done"]
    assert ran == ["hook"]
