"""Passwords stay out of what is shown, whichever way they came in. The adapters redact too; this is the last gate."""

from __future__ import annotations

import re
from typing import Any

_USERINFO = re.compile(r"(://)\S*@")


def hide(text: str, url: str = "") -> str:
    """A text that may come from anywhere (an error, a traceback), without passwords.

    Args:
        text: to be shown.
        url: the database URL in use; its password is hidden wherever it stands.
    """
    try:
        from framework_m_migrations.adapters.sql.engines import parse_url, redact, secrets_of
    except ImportError:
        # Without SQLAlchemy no URL was ever opened, but one may stand on the command line.
        return _USERINFO.sub(r"\1***@", text)
    from framework_m_migrations.domain.errors import ConfigurationError

    try:
        secrets = secrets_of(parse_url(url)) if url else ()
    except ConfigurationError:
        secrets = ()
    return redact(text, secrets)


def hide_deeply(value: Any, url: str = "") -> Any:
    """The same for every string within plain values."""
    match value:
        case str():
            return hide(value, url)
        case dict():
            return {key: hide_deeply(item, url) for key, item in value.items()}
        case list() | tuple():
            return [hide_deeply(item, url) for item in value]
        case _:
            return value


def hide_urls(text: str) -> str:
    """A text about the schema, in which only whole URLs can give anything away.

    The words of a schema must stay as they are: in "type of password: TEXT to VARCHAR" nothing is secret.
    """
    return hide(text) if "://" in text else text
