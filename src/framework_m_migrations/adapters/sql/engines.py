"""Database URLs, and engines for synchronous drivers: sqlite3, PyMySQL."""

from __future__ import annotations

import importlib.util
import os
import re
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.pool import NullPool, StaticPool

from framework_m_migrations.domain.errors import ConfigurationError, MissingDependency, UnsupportedDatabase

HIDDEN = "***"
_SECRET_KEYS = r"(?:pgpassword|sslpassword|password|passwd|passphrase|pwd|secret|api_?key|access_?token)"
_USERINFO = re.compile(r"([a-z][\w+.\-]*://[^\s:/@'\"?#]*:)(?!//)([^\s]*)(@)", re.IGNORECASE)
# A password with blanks in it, unescaped; what looks like a port ends the hunt.
_LOOSE_USERINFO = re.compile(r"([a-z][\w+.\-]*://[^\s:/@'\"?#]*:)(?!\d+(?:[/\s'\"?,.;)]|$))([^\n@]*)(@)", re.IGNORECASE)
_PARAMETER = re.compile(rf"([?&;]{_SECRET_KEYS}=)([^&\s'\"<>#]*)", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(\b\w*{_SECRET_KEYS}\b['\"]?\s*[=:]\s*)('(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.)*\"|[^\s'\",;)&]+)", re.IGNORECASE
)
_SQL = re.compile(r"(\b(?:password|identified\s+by(?:\s+password)?)\s+)(E?'(?:[^']|'')*')", re.IGNORECASE)

# A query parameter without a value, which would be passed over: the end of a password with an unescaped ? in it.
_LOST = re.compile(r"[?&][^=&]*@[^=&]*(?:&|$)")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """A text with every password taken out.

    Hidden are the passwords of URLs, of their query parameters, of ``PGPASSWORD=...`` and ``password=...`` in any
    spelling, of SQL's ``PASSWORD '...'`` and ``IDENTIFIED BY '...'``, and the ``secrets`` themselves, as they are and
    escaped for a URL.

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


# SQLite through Python's own sqlite3.


# Engines for SQLite through Python's own sqlite3: local files, tests, scripts, and a browser's worker.


_SYNC_DRIVERS = frozenset({"sqlite", "sqlite+pysqlite"})


def is_memory(url: sa.URL) -> bool:
    """Whether a SQLite URL means a database in memory, which lives as long as its one connection."""
    name = url.database
    if not name or name == ":memory:":
        return True
    return name.startswith("file:") and (
        ":memory:" in name or url.query.get("mode") == "memory" or "mode=memory" in name
    )


def missing_file(url: sa.URL) -> str | None:
    """The file that a connection would create, as an absolute path; None where there is one, or no folder for it."""
    name = (url.database or "").removeprefix("file:").partition("?")[0]
    if is_memory(url) or not name:
        return None
    path = Path(name).absolute()
    return str(path) if path.parent.is_dir() and not os.path.lexists(path) else None


def create_sync_engine(url: str | sa.URL) -> sa.Engine:
    """An engine of our own for ``sqlite://``, ``sqlite:///file`` or ``sqlite+pysqlite:///file``.

    Files get no pool, so that nothing stays open after a run; a database in memory keeps its one connection, so that
    it lives as long as the engine. Transactions, pragmas and time-outs are left as they are: the dialect says its own
    BEGIN.

    Raises:
        UnsupportedDatabase: the URL is for another database or driver.
        ConfigurationError: the driver does not take a part of the URL.
    """
    parsed = sa.make_url(url)
    if parsed.drivername not in _SYNC_DRIVERS:
        raise UnsupportedDatabase(
            f"{show_url(parsed)} is not for SQLite's synchronous driver.",
            next_step="Use a URL that begins with sqlite:///.",
        )
    with engine_made_from(parsed):
        if is_memory(parsed):
            engine = sa.create_engine(parsed, poolclass=StaticPool, connect_args={"check_same_thread": False})
            # Nobody else ends the one connection, and Python warns of one that is forgotten.
            weakref.finalize(engine, engine.pool.dispose)
            return engine
        return sa.create_engine(parsed, poolclass=NullPool)


# Engines for PyMySQL and asyncmy.


ASYNC_DRIVERS = frozenset({"asyncmy", "aiomysql"})
DEFAULT_SYNC = "mariadb+pymysql"


def mariadb_engine(url: sa.URL) -> sa.Engine:
    """An engine whose connections are closed when they are given back.

    Args:
        url: ``mariadb+pymysql://``; a plain ``mariadb://`` gets PyMySQL, any other synchronous driver is kept.

    Raises:
        ConfigurationError: the URL names an asynchronous driver.
        MissingDependency: the driver is not installed.
        UnsupportedDatabase: SQLAlchemy knows no such driver.
    """
    target = with_driver(url, DEFAULT_SYNC)
    if target.get_driver_name() in ASYNC_DRIVERS:
        raise ConfigurationError(
            f"The driver {target.get_driver_name()} needs an event loop, and the runtime mode is sync.",
            next_step="Leave --mode out, or name a synchronous driver such as mariadb+pymysql.",
        )
    check_installed(target)
    return sa.create_engine(target, poolclass=sa.pool.NullPool)


def with_driver(url: sa.URL, default: str) -> sa.URL:
    """A plain ``mariadb://`` with this driver; any other URL as it is."""
    return url.set(drivername=default) if url.drivername == "mariadb" else url


def check_installed(url: sa.URL) -> None:
    """Tell of a missing driver before SQLAlchemy imports it."""
    driver = url.get_driver_name()
    if driver in {"pymysql", "asyncmy", "aiomysql"} and importlib.util.find_spec(driver) is None:
        raise MissingDependency(
            f"The driver {driver} is not installed.", next_step="pip install 'framework-m-migrations[mariadb]'"
        )
    try:
        url.get_dialect()
    except sa.exc.NoSuchModuleError as error:
        raise UnsupportedDatabase(
            f"SQLAlchemy knows no dialect {url.drivername!r}.", next_step="Check the beginning of the URL."
        ) from error
