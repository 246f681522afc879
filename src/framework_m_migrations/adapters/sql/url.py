"""Database URLs: read, checked, and kept from giving away what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

import sqlalchemy as sa

from framework_m_migrations.domain.errors import ConfigurationError

HIDDEN = "***"
_SECRET_KEYS = r"(?:pgpassword|sslpassword|password|passwd|passphrase|pwd|secret|api_?key|access_?token)"
_USERINFO = re.compile(r"([a-z][\w+.\-]*://[^\s:/@'\"?#]*:)(?!//)([^\s]*)(@)", re.IGNORECASE)
# A password with blanks in it, unescaped; what looks like a port ends the hunt.
_LOOSE_USERINFO = re.compile(r"([a-z][\w+.\-]*://[^\s:/@'\"?#]*:)(?!\d+(?:[/\s'\"?,.;)]|$))([^\n@]*)(@)", re.IGNORECASE)
_PARAMETER = re.compile(rf"([?&;]{_SECRET_KEYS}=)([^&\s'\"<>#]*)", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(\b\w*{_SECRET_KEYS}\b['\"]?\s*[=:]\s*)('(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|[^\s'\",;)&]+)", re.IGNORECASE
)
_SQL = re.compile(r"(\bpassword\s+)(E?'(?:[^']|'')*')", re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """A text with every password taken out.

    Hidden are the passwords of URLs, of their query parameters, of ``PGPASSWORD=...`` and ``password=...`` in any
    spelling, of SQL's ``PASSWORD '...'``, and the ``secrets`` themselves, as they are and escaped for a URL.

    Args:
        text: anything that may be shown or logged.
        secrets: passwords that are known; those of one or two characters are looked for in the forms above only.
    """
    for secret in secrets:
        for form in sorted({secret, quote(secret, safe=""), quote_plus(secret), quote(secret)}, key=len, reverse=True):
            if len(form) > 2:
                text = text.replace(form, HIDDEN)
    text = _LOOSE_USERINFO.sub(rf"\1{HIDDEN}\3", _USERINFO.sub(rf"\1{HIDDEN}\3", text))
    text = _PARAMETER.sub(rf"\1{HIDDEN}", text)
    text = _ASSIGNED.sub(rf"\1{HIDDEN}", text)
    return _SQL.sub(rf"\1'{HIDDEN}'", text)


def secrets_of(url: sa.URL) -> tuple[str, ...]:
    """The passwords that a URL holds, in its user part and in its query."""
    found = [] if url.password is None else [str(url.password)]
    for key, value in url.query.items():
        if re.fullmatch(_SECRET_KEYS, key, re.IGNORECASE):
            found.extend([value] if isinstance(value, str) else value)
    return tuple(secret for secret in found if secret)


def show_url(url: sa.URL) -> str:
    """A URL for people: without passwords."""
    return redact(url.render_as_string(hide_password=True))


def parse_url(text: str | sa.URL) -> sa.URL:
    """Read a database URL.

    Args:
        text: ``dialect+driver://user:password@host:port/database?parameter=value``, or a URL made already.

    Raises:
        ConfigurationError: it is empty or no such URL. The message says what is wrong and never repeats the text.
    """
    if isinstance(text, sa.URL):
        return text
    stripped = text.strip()
    if not stripped:
        raise ConfigurationError("The database URL is empty.")
    if "://" not in stripped:
        raise ConfigurationError("The database URL has no '://': dialect+driver://user:password@host:port/database.")
    if any(ord(character) < 32 for character in stripped):
        raise ConfigurationError("The database URL holds a control character.")
    try:
        url = sa.engine.make_url(stripped)
    except (sa.exc.ArgumentError, ValueError):
        # SQLAlchemy's own message may quote what it takes for a port, which can be half of a password.
        raise ConfigurationError(
            "The database URL cannot be read: dialect+driver://user:password@host:port/database was expected.",
            next_step="Escape characters such as @ : / % in the password (%40 %3A %2F %25), and check the port.",
        ) from None
    if not url.drivername.strip("+"):
        raise ConfigurationError("The database URL names no dialect.")
    return url
