"""Locks that statements take on PostgreSQL, as its manual lists them ("Explicit Locking", "ALTER TABLE")."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from framework_m_migrations.adapters.sql.lint.blocks import block
from framework_m_migrations.adapters.sql.lint.statements import LITERAL, NAME, actions, bare
from framework_m_migrations.domain.plan import LockLevel, TableLock
from framework_m_migrations.domain.schema import TableName

_ORDER = tuple(LockLevel)

_ACTIONS: tuple[tuple[str, LockLevel], ...] = (
    (r"VALIDATE CONSTRAINT .*", LockLevel.SHARE_UPDATE_EXCLUSIVE),
    (r"ALTER (?:COLUMN )?NAME SET (?:STATISTICS|\().*", LockLevel.SHARE_UPDATE_EXCLUSIVE),
    (r"(?:CLUSTER ON|SET WITHOUT CLUSTER|ATTACH PARTITION|RESET \(|SET \().*", LockLevel.SHARE_UPDATE_EXCLUSIVE),
    (r"(?:ENABLE|DISABLE) TRIGGER .*", LockLevel.SHARE_ROW_EXCLUSIVE),
    (r"ADD (?:CONSTRAINT NAME )?FOREIGN KEY .*", LockLevel.SHARE_ROW_EXCLUSIVE),
)
"""What an ALTER TABLE does under less than ACCESS EXCLUSIVE."""

_STATEMENTS: tuple[tuple[str, LockLevel], ...] = (
    (r"CREATE (?:UNIQUE )?INDEX CONCURRENTLY .*?\bON (?:ONLY )?(?P<table>NAME).*", LockLevel.SHARE_UPDATE_EXCLUSIVE),
    (r"CREATE (?:UNIQUE )?INDEX .*?\bON (?:ONLY )?(?P<table>NAME).*", LockLevel.SHARE),
    (r"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER .*?\bON (?P<table>NAME).*", LockLevel.SHARE_ROW_EXCLUSIVE),
    (r"DROP TRIGGER .*?\bON (?P<table>NAME).*", LockLevel.ACCESS_EXCLUSIVE),
    (r"(?:CREATE|DROP|ALTER) POLICY .*?\bON (?P<table>NAME).*", LockLevel.ACCESS_EXCLUSIVE),
    (r"COMMENT ON TABLE (?P<table>NAME) .*", LockLevel.SHARE_UPDATE_EXCLUSIVE),
    (r"COMMENT ON COLUMN (?P<table>NAME)\.(?:\"(?:[^\"]|\"\")+\"|[\w$]+) IS .*", LockLevel.SHARE_UPDATE_EXCLUSIVE),
    (r"DROP TABLE (?:IF EXISTS )?(?P<table>NAME).*", LockLevel.ACCESS_EXCLUSIVE),
    (r"TRUNCATE (?:TABLE )?(?:ONLY )?(?P<table>NAME).*", LockLevel.ACCESS_EXCLUSIVE),
    (r"(?:VACUUM (?:\(.*?\bFULL\b.*?\)|FULL)|CLUSTER) (?P<table>NAME).*", LockLevel.ACCESS_EXCLUSIVE),
    (r"REINDEX TABLE CONCURRENTLY (?P<table>NAME).*", LockLevel.SHARE_UPDATE_EXCLUSIVE),
    (r"REINDEX TABLE (?P<table>NAME).*", LockLevel.SHARE),
    (r"UPDATE (?:ONLY )?(?P<table>NAME) .*", LockLevel.ROW_EXCLUSIVE),
    (r"(?:INSERT INTO|DELETE FROM|MERGE INTO) (?:ONLY )?(?P<table>NAME).*", LockLevel.ROW_EXCLUSIVE),
    (r"LOCK (?:TABLE )?(?:ONLY )?(?P<table>NAME) IN ROW EXCLUSIVE MODE.*", LockLevel.ROW_EXCLUSIVE),
    (r"LOCK (?:TABLE )?(?:ONLY )?(?P<table>NAME) IN SHARE MODE.*", LockLevel.SHARE),
    (r"LOCK (?:TABLE )?(?:ONLY )?(?P<table>NAME) IN SHARE ROW EXCLUSIVE MODE.*", LockLevel.SHARE_ROW_EXCLUSIVE),
    (r"LOCK (?:TABLE )?(?:ONLY )?(?P<table>NAME).*", LockLevel.ACCESS_EXCLUSIVE),
)


def _compiled(pairs: tuple[tuple[str, LockLevel], ...]) -> tuple[tuple[re.Pattern[str], LockLevel], ...]:
    return tuple(
        (re.compile(pattern.replace(" ", r"\s+").replace("NAME", NAME), re.IGNORECASE | re.DOTALL), level)
        for pattern, level in pairs
    )


_ACTION_LEVELS, _STATEMENT_LEVELS = _compiled(_ACTIONS), _compiled(_STATEMENTS)
_CREATE_TABLE = re.compile(r"CREATE\b.*?\bTABLE\b", re.IGNORECASE | re.DOTALL)
_REFERENCES = re.compile(rf"\bREFERENCES\s+(?P<table>{NAME})", re.IGNORECASE)
_PARTS = re.compile(r'"(?:[^"]|"")+"|[^.]+')
_LITERAL = re.compile(LITERAL)


def locks_of(statements: Iterable[str], created: Collection[str] = ()) -> tuple[TableLock, ...]:
    """The strongest lock that statements take on each table.

    Args:
        statements: in one line each, as ``statements.split`` gives them.
        created: tables that the same revisions make, as ``statements.bare`` names them: others do not know them yet.
    """
    found: dict[str, tuple[str, LockLevel]] = {}
    for statement in statements:
        for table, level in _locks(statement):
            name = bare(table)
            known = found.get(name)
            if name not in created and (known is None or _ORDER.index(level) > _ORDER.index(known[1])):
                found[name] = (table if known is None else known[0], level)
    return tuple(TableLock(_table_name(table), level) for table, level in found.values())


def _locks(statement: str) -> Iterator[tuple[str, LockLevel]]:
    inner = block(statement)
    if inner is not None:
        for one in inner.statements:
            yield from _locks(one)
        return
    plain = _LITERAL.sub("''", statement)
    if _CREATE_TABLE.match(plain):
        yield from ((match["table"], LockLevel.SHARE_ROW_EXCLUSIVE) for match in _REFERENCES.finditer(plain))
        return
    for pattern, level in _STATEMENT_LEVELS:
        match = pattern.fullmatch(plain)
        if match is not None:
            yield match["table"], level
            return
    for action in actions(plain):
        weaker = next((level for pattern, level in _ACTION_LEVELS if pattern.fullmatch(action.text)), None)
        yield action.table, weaker or LockLevel.ACCESS_EXCLUSIVE
        yield from (
            (match["table"], LockLevel.SHARE_ROW_EXCLUSIVE)
            for match in _REFERENCES.finditer(action.text)
            if bare(match["table"]) != bare(action.table)
        )


def _table_name(text: str) -> TableName:
    parts = [part[1:-1].replace('""', '"') if part.startswith('"') else part.lower() for part in _PARTS.findall(text)]
    return TableName(parts[-1], parts[-2] if len(parts) > 1 else None)
