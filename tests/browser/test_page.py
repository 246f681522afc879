"""The playground as a person uses it, in a real Chromium."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.driven import value
from tests.pyodide.once import TIMEOUT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(TIMEOUT)]


def test_the_plan_is_there_before_anything_is_applied(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    assert found["first"] == [["SAFE", "customer new table, 10 columns, 5 indexes"]]
    assert "CREATE TABLE customer" in found["sql"][0]


def test_it_is_downloaded_from_its_own_server_and_tells_how_far_it_is(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    assert found["strangers"] == []
    assert "Downloading N of N MB" in found["stages"]
    assert "Importing SQLAlchemy and the engine" in found["stages"]


def test_sync_applies_what_is_safe_and_the_plan_follows_the_text(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    assert found["synced"] == ["sync: 1 change applied and stored.", []]
    assert found["typed"] == [["SAFE", "customer new column phone VARCHAR"]]
    assert "SyntaxError" in found["broken"]


def test_text_tables_and_rows_survive_a_reload(seen: dict[str, Any]) -> None:
    rows, plan = value(seen, "page_doctype")["reloaded"]
    assert rows == ["Grace Hopper|NULL", "Ada Lovelace|ada@example.org"]
    assert plan == [["SAFE", "customer new column phone VARCHAR"]]


def test_the_keyboard_syncs(seen: dict[str, Any]) -> None:
    done, rows = value(seen, "page_doctype")["keyboard"]
    assert done == "sync: 1 change applied and stored."
    assert rows == ["Grace Hopper|NULL|NULL", "Ada Lovelace|ada@example.org|NULL"]


def test_what_is_withheld_goes_through_a_reviewed_revision(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    assert {risk for risk, _ in found["withheld"]} == {"WARNING", "BREAKING"}
    assert "M505" in found["refused"]
    assert "rolled back" in found["refused"]
    done, plan, rows, problem = found["ran"]
    assert (done, plan, problem) == ("run: 1 revision applied and stored.", [], "")
    assert rows == ["Grace Hopper|nobody|0", "Ada Lovelace|ada@example.org|0"]
    assert found["kept"] == [[], rows, ["APPLIED"]]
    assert found["over"][1] == 1


def test_it_is_used_by_keyboard_on_a_phone_in_light_and_dark(seen: dict[str, Any]) -> None:
    found = value(seen, "page_access")
    assert found["reached"][-1] == "sync"
    assert not found["tooWide"]
    assert found["ground"] == "rgb(17, 19, 26)"
    for scheme in ("light", "dark"):
        violations, passes = found["found"][scheme]
        assert violations == []
        assert passes > 20


def test_models_of_sqlalchemy_need_nothing_of_framework_m(seen: dict[str, Any]) -> None:
    assert not value(seen, "page_access")["doctypes"]
