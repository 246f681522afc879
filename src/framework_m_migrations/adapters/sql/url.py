"""Database URLs: read, checked, and kept from giving away what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from framework_m_migrations.domain.errors import ConfigurationError, UnsupportedDatabase

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

# A query parameter without a value, which would be passed over: the end of a password with an unescaped ? in it.
_LOST = re.compile(r"[?&][^=&]*@[^=&]*(?:&|$)")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """A text with every password taken out.

    Hidden are the passwords of URLs, of their query parameters, of ``PGPASSWORD=...`` and ``password=...`` in any
    spelling, of SQL's ``PASSWORD '...'``, and the ``secrets`` themselves, as they are and escaped for a URL.

    Args:
        text: anything that may be shown or logged.
        secrets: passwords that are known; those of one or two characters are looked for in the forms above only.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 2:
            text = re.sub("".join(map(_written, secret)), HIDDEN, text)
    text = _LOOSE_USERINFO.sub(rf"\1{HIDDEN}\3", _USERINFO.sub(rf"\1{HIDDEN}\3", text))
    text = _PARAMETER.sub(rf"\1{HIDDEN}", text)
    text = _ASSIGNED.sub(rf"\1{HIDDEN}", text)
    return _SQL.sub(rf"\1'{HIDDEN}'", text)


def _written(character: str) -> str:
    """A pattern for a character of a secret: as it is, escaped for a URL, or escaped in a Python literal."""
    forms = {re.escape(character), *({r"\+"} if character == " " else ())}
    escaped = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "surrogatepass"))
    literal = re.escape(repr(character)[1:-1])
    return f"(?:{'|'.join(sorted(forms | {literal}))}|(?i:{escaped}))"


def secrets_of(url: sa.URL) -> tuple[str, ...]:
    """The passwords that a URL holds, in its user part, in its query, and where an unescaped one has spilled to."""
    found = [] if url.password is None else [str(url.password)]
    for key, value in url.query.items():
        if re.fullmatch(_SECRET_KEYS, re.sub(r"\W", "", key), re.IGNORECASE):
            found.extend([value] if isinstance(value, str) else value)
    return tuple(secret for secret in (*found, *_spilled(url)) if secret)


def _spilled(url: sa.URL) -> list[str]:
    """The rest of a password in which @, / or ? was not escaped: all that stands before the last @."""
    if url.password is None:
        return []
    parts = [url.host or "", url.database or ""]
    for key, value in url.query.items():
        parts.extend((key, *([value] if isinstance(value, str) else value)))
    last = max((number for number, part in enumerate(parts) if "@" in part), default=None)
    return [] if last is None else [*parts[:last], parts[last].rpartition("@")[0]]


def show_url(url: sa.URL) -> str:
    """A URL for people: without passwords."""
    if _spilled(url):
        return f"{url.drivername}://{HIDDEN}"
    return redact(url.render_as_string(hide_password=True), secrets_of(url))


def parse_url(text: str | sa.URL) -> sa.URL:
    """Read a database URL.

    Args:
        text: ``dialect+driver://user:password@host:port/database?parameter=value``, or a URL made already;
            ``postgres://`` is taken for ``postgresql://``.

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
        url = None
    if url is None or (url.password is not None and _LOST.search(stripped)):
        raise ConfigurationError(
            "The database URL cannot be read: dialect+driver://user:password@host:port/database was expected.",
            next_step="Escape characters such as @ : / % in the password (%40 %3A %2F %25), and check the port.",
        )
    if not url.drivername.strip("+"):
        raise ConfigurationError("The database URL names no dialect.")
    # Hosting services write postgres://, as libpq allows; SQLAlchemy knows the long name only.
    backend, plus, driver = url.drivername.partition("+")
    return url.set(drivername=f"postgresql{plus}{driver}") if backend == "postgres" else url


@contextmanager
def engine_made_from(url: sa.URL) -> Iterator[None]:
    """Around the making of an engine: what SQLAlchemy cannot do with a URL becomes an error of our tree.

    Raises:
        UnsupportedDatabase: there is no such dialect or driver.
        ConfigurationError: a part of the URL (a query parameter, the port, the host of a file) is not one that the
            driver takes. The cause is not chained, as it may quote what is secret.
    """
    try:
        yield
    except sa.exc.NoSuchModuleError:
        raise UnsupportedDatabase(
            f"SQLAlchemy knows no dialect {url.drivername!r}.", next_step="Check the beginning of the URL."
        ) from None
    except (sa.exc.ArgumentError, ValueError, TypeError) as error:
        reason = next(iter(redact(str(error), secrets_of(url)).splitlines()), "") or type(error).__name__
        raise ConfigurationError(f"The database URL cannot be used: {reason.rstrip('.')}.") from None
