"""The purity check finds what it is there to find, and lets the rest pass."""

from __future__ import annotations

import pytest

from scripts.check_purity import findings

DOMAIN = "src/framework_m_migrations/domain/thing.py"
ADAPTER = "src/framework_m_migrations/adapters/sql/async_runner.py"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\n", "imports os"),
        ("from os import environ\n", "imports os.environ"),
        ("def f():\n    import time\n", "imports time"),
        ("import datetime as dt\nx = dt.datetime.now()\n", "calls datetime.datetime.now"),
        ("from datetime import datetime\nx = datetime.now()\n", "calls datetime.datetime.now"),
        ("from datetime import date as day\nx = day.today()\n", "calls datetime.date.today"),
        ("import sqlalchemy as sa\n", "imports sqlalchemy"),
        ("from pydantic import BaseModel\n", "imports pydantic.BaseModel"),
        ("from ..adapters.sql import ddl\n", "imports framework_m_migrations.adapters.sql.ddl"),
        ("x = open('a')\n", "calls open"),
    ],
)
def test_an_impure_line_is_found_in_the_domain_only(source: str, said: str) -> None:
    assert said in " ".join(map(str, findings(DOMAIN, source)))
    assert findings(ADAPTER, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "import hashlib\nfrom collections.abc import Iterator\n",
        "from framework_m_migrations.domain.schema import Table\n",
        "from . import schema\n",
        "from ..domain import schema\n",
        "from datetime import datetime, timedelta\nx = datetime(2020, 1, 1) + timedelta(1)\n",
        "class Clock:\n    def now(self) -> float: ...\n\ndef f(clock):\n    return clock.now()\n",
    ],
)
def test_a_pure_line_passes(source: str) -> None:
    assert findings(DOMAIN, source) == []


def test_the_browser_path_does_without_sqlalchemy_asyncio() -> None:
    source = "from sqlalchemy.ext.asyncio import create_async_engine\n"
    assert findings("src/framework_m_migrations/adapters/sql/thing.py", source)
    assert findings("src/framework_m_migrations/__init__.py", source)
    assert findings(ADAPTER, source) == []


def test_shared_sql_code_names_no_dialect() -> None:
    source = 'if connection.dialect.name == "sqlite": pass\n'
    place = "src/framework_m_migrations/adapters/sql/{}.py"
    assert "names sqlite" in str(findings(place.format("ledger"), source))
    assert findings(place.format("dialects/sqlite/inspector"), source) == []
    assert findings(place.format("engines"), source) == [], "the driver of a URL is chosen by its name"


def test_a_long_source_file_is_found() -> None:
    assert findings(ADAPTER, "x = 1\n" * 800) == []
    assert findings(ADAPTER, "x = 1\n" * 801)


@pytest.mark.parametrize(
    "text",
    [
        "# " + "TO" + "DO: later",
        "# " + "FIX" + "ME",
        "https://" + "pypi" + ".org/simple",
        "https://files." + "pythonhosted" + ".org/x",
        '"resolved": "https://registry.' + "npmjs" + '.org/x"',
        "see /" + "work/shared",
        "path = '/" + "root/.pyenv'",
    ],
)
def test_text_that_must_not_be_committed_is_found(text: str) -> None:
    assert findings("docs/a.md", text)


@pytest.mark.parametrize(
    "text", ["a/" + "work/tree", "https://example.com/" + "root/x", "the mastodon", "../" + "work/x"]
)
def test_other_text_passes(text: str) -> None:
    assert findings("docs/a.md", text) == []
