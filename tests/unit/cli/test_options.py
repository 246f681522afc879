"""Options become settings, and what would quietly mean something else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.options import Common
from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.container.project_file import parse_duration
from framework_m_migrations.domain.options import LockOptions


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "INSTALLED_APPS", "FRAMEWORK_M_MIGRATIONS_METADATA", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("500ms", 0.5),
        ("10s", 10.0),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("0", 0.0),
        (" 3 S ", 3.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "x", "-1", "1d", "1e9", "nan", "inf", "1,5", "5 m s", "9" * 400])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no duration|is too long"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_milliseconds_and_seconds_agree(number: int) -> None:
    assert parse_duration(f"{number}ms") == pytest.approx(parse_duration(str(number)) / 1000)


def test_every_option_reaches_the_settings(tmp_path: Path) -> None:
    settings = Common(
        database_url="sqlite:///x.db",
        metadata=("a:b", "c:d,e:f"),
        apps=("shop, stock", "crm", "shop"),
        path=tmp_path,
        mode=RuntimeMode.SYNC,
        schema="tenant",
        version_table="versions",
        lock_wait=1.0,
        lock_timeout=0.25,
        lock_retries=0,
        no_online=True,
    ).settings()
    assert settings.database_url == "sqlite:///x.db"
    assert settings.metadata == ("a:b", "c:d", "e:f")
    assert settings.apps == ("shop", "stock", "crm")
    assert (settings.path, settings.mode) == (tmp_path, RuntimeMode.SYNC)
    assert (settings.schema, settings.version_table) == ("tenant", "versions")
    assert settings.online is False
    assert settings.locks == LockOptions(lock_timeout=0.25, retries=0, wait=1.0)


def test_what_is_not_given_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///from_env.db")
    monkeypatch.setenv("INSTALLED_APPS", "shop")
    settings = Common().settings()
    assert settings.database_url == "sqlite:///from_env.db"
    assert settings.installed_apps == "shop"
    assert settings.apps is None
    assert settings.online
    assert settings.locks == LockOptions()
    assert Common(database_url="sqlite:///given.db").settings().database_url == "sqlite:///given.db"


@pytest.mark.parametrize(
    "common",
    [
        Common(database_url=""),
        Common(database_url="  "),
        Common(schema=""),
        Common(version_table=""),
        Common(apps=("",)),
        Common(apps=(" , ",)),
        Common(metadata=("",)),
    ],
)
def test_an_empty_option_never_means_the_default(common: Common, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///production.db")
    with pytest.raises(UsageError, match="is empty"):
        common.settings()


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        Common(path=tmp_path / "absent").settings()


def test_a_lock_timeout_of_nothing_would_be_endless_on_postgres_and_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1ms"):
        Common(lock_timeout=0.0).settings()
    with pytest.raises(UsageError, match="less than 0"):
        Common(lock_retries=-1).settings()


@pytest.mark.parametrize(
    ("environ", "no_color", "color"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, False, True),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_colour_follows_no_color(environ: dict[str, str], no_color: bool, color: bool) -> None:
    assert Common(no_color=no_color).output(environ).color is color
