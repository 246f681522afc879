"""The run that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.driven import drive


@pytest.fixture(scope="session")
def seen(pytestconfig: pytest.Config) -> dict[str, Any]:
    return drive(pytestconfig)
