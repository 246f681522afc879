"""Malformed and treacherous URLs: an error with a code, and never a password in anything that is shown or logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from framework_m_migrations import MigrationManager, MigrationSettings
from framework_m_migrations.adapters.sql.engines import parse_url, redact, secrets_of, show_url
from framework_m_migrations.container.mode import RuntimeMode
from framework_m_migrations.domain.errors import MigrationError
from tests.hostile.outcome import Log, outcome
from tests.hostile.texts import hostile
from tests.support.profile import cases

CORE = "S3cr3tW0rd"
MODELS = """
import sqlalchemy as sa
metadata = sa.MetaData()
sa.Table("customer", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""


odd = st.text(st.sampled_from("ab1 @:/?#%&=+'\"\\;[]{}$!é~"), max_size=4)
passwords = st.builds("{}{}{}".format, odd, st.just(CORE), odd)
escaped = passwords.map(lambda text: sa.URL.create("x", "u", text, "h").render_as_string(hide_password=False)[6:-2])
schemes = st.sampled_from(
    ("postgresql", "postgresql+asyncpg", "postgresql+psycopg", "postgres", "sqlite", "sqlite+aiosqlite", "mysql",
     "mysql+pymysql", "oracle", "nothing", "postgresql+nothing", "", "+", "sqlite+", "http", "POSTGRESQL", "a b")
)  # fmt: skip
ports = st.sampled_from(("", ":1", ":0", ":99999", ":-1", ":x", ":", ":1:1", ":999999999999999999999"))
hosts = st.sampled_from(("127.0.0.1", "[::1]", "", "[", "]", "nowhere.invalid", "a b", "x" * 300, "é", "/", "\x00"))
databases = st.sampled_from(("", "/", "/db", "/:memory:", "/db/../x", "/%00", "/nowhere/at/all.db", "/?", "/\x00"))
keys = st.sampled_from(
    ("password", "PASSWORD", "passwd", "sslpassword", "pgpassword", "api_key", "timeout", "connect_timeout", "ssl",
     "sslmode", "host", "port", "user", "options", "mode", "uri", "cache", "x", "")
)  # fmt: skip
queries = st.lists(st.tuples(keys, st.one_of(escaped, odd)), max_size=2).map(
    lambda pairs: ("?" if pairs else "") + "&".join(f"{key}={value}" for key, value in pairs)
)
SECRET_KEYS = {"password", "PASSWORD", "passwd", "sslpassword", "pgpassword", "api_key"}


@st.composite
def urls(draw: st.DrawFn) -> str:
    """A URL that is wrong in some way, with the core of a secret wherever a password may stand."""
    password = draw(st.one_of(escaped, passwords))
    pairs = draw(st.lists(st.tuples(keys, st.one_of(escaped, odd)), max_size=2))
    query = "&".join(f"{key}={value if key in SECRET_KEYS else value.replace(CORE, 'x')}" for key, value in pairs)
    port = draw(ports)
    host = draw(hosts)
    user = draw(st.sampled_from(("u", "", "a%40b")))
    return f"{draw(schemes)}://{user}:{password}@{host}{port}{draw(databases)}?{query}"


garbage = st.one_of(hostile, st.builds("{}:{}".format, schemes, hostile), st.builds("{}://{}".format, schemes, hostile))


@settings(max_examples=cases(300, 4000))
@given(text=st.one_of(urls(), garbage))
def test_reading_a_url_gives_nothing_away(text: str) -> None:
    url = outcome(lambda: parse_url(text), [CORE])
    if not isinstance(url, MigrationError):
        shown = show_url(url)
        if url.password is not None and CORE in url.password:
            assert CORE not in shown
        assert CORE not in redact(text, secrets_of(url)) or CORE not in "".join(secrets_of(url))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "hostile_models.py").write_text(MODELS, encoding="utf-8")
    return folder


@settings(max_examples=cases(30, 1500), suppress_health_check=[HealthCheck.too_slow])
@given(url=urls(), mode=st.sampled_from((None, *RuntimeMode)), method=st.sampled_from(("plan", "status", "run")))
def test_a_manager_with_a_wrong_url_says_so(
    project: Path, everything_logged: Log, url: str, mode: RuntimeMode | None, method: str
) -> None:
    metadata = sa.MetaData()
    sa.Table("customer", metadata, sa.Column("id", sa.Integer, primary_key=True))
    manager = MigrationManager(MigrationSettings(database_url=url, metadata=(metadata,), path=project, mode=mode))
    outcome(getattr(manager, method), [CORE])
    outcome(lambda: manager._assembly.shown_url, [CORE])
    assert CORE not in everything_logged.text()


@pytest.fixture(scope="module")
def everything_logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """In a folder of its own, where a SQLite URL may make its file, with every logger at DEBUG."""
    with Log.of_everything() as log, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("cwd"))
        yield log
