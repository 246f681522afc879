"""Database URLs are read or refused, and never give a password away."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from framework_m_migrations.adapters.sql.engines import parse_url, redact, secrets_of, show_url
from framework_m_migrations.domain.errors import ConfigurationError

SECRET = "s3cr3t-XYZ"


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql+asyncpg://user:{SECRET}@host:5432/db",
        f"could not connect to postgresql://user:{SECRET}@host/db: refused",
        f"postgresql://:{SECRET}@host/db and postgresql://u:{SECRET}@other/db",
        f"postgresql://user:{SECRET}@with@at@host/db",
        f"postgresql://user:{SECRET}/slash@host/db",
        f"postgresql://user:{SECRET} blank@host/db",
        f"postgresql://host/db?user=a&password={SECRET}&sslmode=require",
        f"postgresql://host/db?PASSWORD={SECRET}",
        f"PGPASSWORD={SECRET} psql",
        f"export PGPASSWORD='{SECRET} x'",
        f"host=h password={SECRET} dbname=d",
        f"host=h password = '{SECRET} with blank' dbname=d",
        f"{{'user': 'u', 'password': '{SECRET}'}}",
        f"connect(user='u', password='{SECRET}', port=1)",
        f"CREATE ROLE a LOGIN PASSWORD '{SECRET}'",
        f"sqlite:///x?sslpassword={SECRET}",
    ],
)
def test_a_password_is_hidden_wherever_it_stands(text: str) -> None:
    shown = redact(text)
    assert SECRET not in shown
    assert "***" in shown


def test_known_secrets_are_hidden_in_any_form() -> None:
    text = "driver says: p@ss/word and p%40ss%2Fword"
    assert "ss" not in redact(text, ["p@ss/word"]).replace("says", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no secret here",
        "postgresql://localhost:5432/db refused, ask admin@example.com",
        'password authentication failed for user "bob"',
        "sqlite:////var/lib/app.db is locked",
        "SELECT * FROM t WHERE a = 'b@c'",
        "see https://example.com:8080/x?page=2",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert redact(text) == text


def test_a_url_is_read() -> None:
    url = parse_url(" postgresql+asyncpg://u:p%40w@h:1/d?password=q ")
    assert (url.drivername, url.password, url.port) == ("postgresql+asyncpg", "p@w", 1)
    assert secrets_of(url) == ("p@w", "q")
    assert "p%40w" not in show_url(url)
    assert "=q" not in show_url(url)
    assert parse_url(url) is url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        SECRET,
        f"postgresql:{SECRET}",
        f"postgresql://user:{SECRET}@host:{SECRET}/db",
        f"postgresql://user:a:{SECRET}x/db@host:b/db",
        f"postgresql://user:{SECRET}@host:99999999999999999999x/db",
        f"postgresql://u:{SECRET}@h/d\nb",
        f"://u:{SECRET}@h/d",
    ],
)
def test_a_malformed_url_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(text)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_memory_database_has_nothing_to_hide() -> None:
    assert show_url(sa.make_url("sqlite://")) == "sqlite://"
