"""What is wanted and came with a later PostgreSQL than the server is (release notes, appendix E of its manual).

It is refused while the wanted schema is read, so that nothing is changed. Functions in defaults are not looked at: on
an older server somebody may have defined one of the same name.
"""

from __future__ import annotations

import sqlalchemy as sa

MULTIRANGES = frozenset(
    f"{name}multirange{array}" for name in ("date", "int4", "int8", "num", "ts", "tstz") for array in ("", "[]")
)
"""Types since 14, as format_type writes them."""


def refuse_newer_type(base: str, dialect: sa.Dialect) -> None:
    """Raise CompileError where the server has no such type.

    Args:
        base: the type without its modifiers, canonical.
        dialect: of the connection.
    """
    if base in MULTIRANGES:
        _needs(14, f"the type {base}", dialect)


def refuse_virtual(dialect: sa.Dialect) -> None:
    """Raise CompileError where the server stores every computed column."""
    _needs(18, "a computed column that is not stored", dialect)


def _needs(since: int, what: str, dialect: sa.Dialect) -> None:
    """Nothing is known of a dialect without a server."""
    version: tuple[int, ...] = tuple(getattr(dialect, "server_version_info", None) or ())
    if version and version < (since,):
        raise sa.exc.CompileError(f"{what} needs PostgreSQL {since}; this server is {'.'.join(map(str, version))}")
