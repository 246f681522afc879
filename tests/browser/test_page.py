"""The playground as a person uses it, in a real Chromium."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.driven import value
from tests.pyodide.once import TIMEOUT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(TIMEOUT)]

SEEDED = ["Mary Somerville|Jedburgh", "Grace Hopper|NULL", "Ada Lovelace|London"]


def test_it_is_downloaded_from_its_own_server_and_tells_how_far_it_is(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    assert found["strangers"] == []
    assert found["blocked"] == []  # by its Content-Security-Policy; the snapshot was used
    assert "Downloading N of N MB" in found["stages"]
    assert "Importing Framework M" in found["stages"]


def test_the_first_required_field_is_withheld_because_rows_are_seeded(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    assert found["first"] == [[], SEEDED]
    plan, (sqlite, postgresql) = found["withheld"]
    assert [risk for risk, _ in plan] == ["WARNING"]
    assert "The revision has it." in sqlite
    assert "SET NOT NULL" in postgresql
    assert "customer: ACCESS EXCLUSIVE (blocks readers and writers)" in postgresql
    assert found["drawn"].endswith(
        "Table customer: ◆ id UUID NOT NULL; title VARCHAR NOT NULL; city VARCHAR; email VARCHAR(140) NOT NULL, added"
    )


def test_a_revision_is_a_file_that_is_edited_and_run(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    assert found["tree"][0] == "models.py"
    assert found["tree"][1].endswith(".pyPENDING")
    assert "rolled back" in found["refused"]  # no row has an email
    done, plan, rows, problem = found["ran"]
    assert (done, plan, problem) == ("run: 1 revision applied and stored.", [], "")
    assert rows == [f"{row}|none" for row in SEEDED]


def test_a_mistake_is_marked_at_its_line(seen: dict[str, Any]) -> None:
    problem, line, told, invalid = value(seen, "page_doctype")["broken"]
    assert "SyntaxError" in problem
    assert line.strip() == "broken("
    assert told.startswith("Line ")
    assert invalid == "true"


def test_a_second_tab_asks_before_it_runs_stored_code_and_then_follows_the_first(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    assert found["asked"] == [True, []]
    text, plan = found["other"]
    assert "phone: str | None" in text
    assert plan == []


def test_a_rename_is_one_button_and_keeps_the_values(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    assert "city" in found["rename"]
    assert "town" in found["rename"]
    done, plan, head, rows = found["renamed"]
    assert (done, plan) == ("run: 1 revision applied and stored.", [])
    assert any(cell.startswith("town") for cell in head)
    assert "Jedburgh" in rows[1]
    assert any(cell.startswith("city") for cell in found["back"])


def test_a_reload_keeps_everything_and_runs_nothing_before_it_is_asked(seen: dict[str, Any]) -> None:
    found = value(seen, "page_doctype")
    held, plan, rows, files = found["kept"]
    assert (held, plan) == (True, [])
    assert len(rows) == 4
    assert [name[-6:] for name in files[1:-1]] == ["STORED", "STORED"]
    plan, files = found["trusted"]
    assert plan == []
    assert [name[-7:] for name in files[1:-1]] == ["APPLIED", "APPLIED"]
    assert found["over"] == [SEEDED, [], ["models.py", "+ a second app"]]


def test_code_that_does_not_come_back_is_stopped_and_the_database_stays(seen: dict[str, Any]) -> None:
    found = value(seen, "page_endless")
    held, told, rows = found["stopped"]
    assert held
    assert "did not come back" in told
    assert len(rows) == 3
    assert found["mended"][0] is False
    assert any("place" in what for _, what in found["mended"][1])


def test_a_link_carries_the_files_and_runs_nothing_before_it_is_asked(seen: dict[str, Any]) -> None:
    held, text, rows = value(seen, "page_endless")["linked"]
    assert held
    assert "while True: pass" in text
    assert len(rows) == 3


def test_it_is_used_by_keyboard_on_a_phone_in_light_and_dark(seen: dict[str, Any]) -> None:
    found = value(seen, "page_access")
    assert found["reached"][-1] == "sync"
    assert not found["tooWide"]
    assert found["ground"] == "rgb(17, 19, 26)"
    for scheme in ("light", "dark"):
        violations, passes = found["found"][scheme]
        assert violations == []
        assert passes > 20


def test_two_apps_with_keys_between_them_and_rows_for_each(seen: dict[str, Any]) -> None:
    found = value(seen, "page_access")
    leads, campaigns, problem = found["leads"]
    assert (len(leads), len(campaigns), problem) == (3, 1, "")
    assert found["apps"] == ["shop/", "crm/"]
    assert found["keys"] == 2
    assert not found["doctypes"]  # models of SQLAlchemy need nothing of Framework M
