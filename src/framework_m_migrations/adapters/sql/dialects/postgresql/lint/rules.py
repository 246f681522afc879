"""The rules.

What a statement does to those who use the database meanwhile, or to the data; and the locks that it takes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from framework_m_migrations.adapters.sql.dialects.postgresql.lint.statements import (
    LITERAL,
    NAME,
    actions,
    bare,
    block,
    pieces,
)
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


# The rules: what a statement does to those who use the database meanwhile, or to the data.
#
# They say what is documented of PostgreSQL's locks and rewrites (postgres-online-ddl.md; chapters "Explicit
# Locking" and "ALTER TABLE" of its manual). What is finer is squawk's business, where it is installed.


_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))*'


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of this package.

    Attributes:
        code: stable; docs/lint.md lists all.
        pattern: of the statement, or of what an ALTER TABLE does.
        what: what such a statement does.
        next_step: what to write instead.
        squawk: rules of squawk's that say the same, so that nothing is told twice.
    """

    code: str
    pattern: re.Pattern[str]
    what: str
    next_step: str
    squawk: frozenset[str] = frozenset()

    @property
    def destroys(self) -> bool:
        """Whether data goes, or code that runs fails, however short the lock."""
        return self.code.startswith("L3")


def _rule(code: str, pattern: str, what: str, next_step: str, *squawk: str) -> Rule:
    compiled = re.compile(pattern.replace(" ", r"\s+").replace("NAME", _NAME), re.IGNORECASE | re.DOTALL)
    return Rule(code, compiled, what, next_step, frozenset(squawk))


_INDEX_HELPER = "Use online.create_index_concurrently() in a revision of its own."
_CONTRACT = "Do it in a later revision, when no code that runs uses it (create --online writes both)."

STATEMENTS = (
    _rule(
        "L101",
        r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY\b).*?\bON (?:ONLY )?(?P<table>NAME).*",
        "Writers of {table} wait until the index is built.",
        _INDEX_HELPER,
        "require-concurrent-index-creation",
    ),
    _rule(
        "L102",
        r"DROP INDEX (?!CONCURRENTLY\b)(?:IF EXISTS )?(?P<table>NAME).*",
        "Dropping index {table} waits for every session that uses its table, and later sessions queue behind it.",
        "Use online.drop_index_concurrently().",
        "require-concurrent-index-deletion",
    ),
    _rule(
        "L108",
        r"REINDEX (?:\([^)]*\) )?(?:INDEX|TABLE|SCHEMA|DATABASE|SYSTEM) (?!CONCURRENTLY\b)(?P<table>NAME).*",
        "Writers of {table} wait until the index is rebuilt.",
        "Write REINDEX ... CONCURRENTLY with online.execute() or in an autocommit_block().",
        "require-concurrent-reindex",
    ),
    _rule(
        "L109",
        r"LOCK (?:TABLE )?(?:ONLY )?(?P<table>NAME).*",
        "{table} stays locked until the revision's transaction ends.",
        "Do without, or let nothing slow follow in the revision.",
    ),
    _rule(
        "L203",
        r"(?:VACUUM (?:\(.*?\bFULL\b.*?\)|FULL)|CLUSTER)(?: (?P<table>NAME))?.*",
        "{table} is copied under an exclusive lock.",
        "Do it in a maintenance window, outside of revisions.",
    ),
    _rule(
        "L204",
        r"UPDATE (?:ONLY )?(?P<table>NAME) .*",
        "The rows of {table} stay locked until all of them are changed.",
        "Use online.backfill(), which changes them in batches.",
    ),
    _rule(
        "L204",
        r"MERGE INTO (?:ONLY )?(?P<table>NAME) .*",
        "The rows of {table} stay locked until all of them are changed.",
        "Use online.backfill(), which changes them in batches.",
    ),
    _rule(
        "L110",
        r"REFRESH MATERIALIZED VIEW (?!CONCURRENTLY\b)(?P<table>NAME).*",
        "Readers of {table} wait until it is recomputed.",
        "Write REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index.",
    ),
    _rule(
        "L301",
        r"DROP TABLE (?:IF EXISTS )?(?P<table>NAME).*",
        "Table {table} goes, with its rows.",
        _CONTRACT,
        "ban-drop-table",
    ),
    _rule(
        "L303",
        r"TRUNCATE (?:TABLE )?(?:ONLY )?(?P<table>NAME).*",
        "All rows of {table} go.",
        "Be certain that they are wanted nowhere.",
        "ban-truncate-cascade",
    ),
    _rule(
        "L303",
        r"DELETE FROM (?:ONLY )?(?P<table>NAME).*",
        "Rows of {table} go.",
        "Be certain of the condition; delete many rows in batches.",
    ),
    _rule(
        "L305",
        r"DROP (?:SCHEMA|DATABASE|TYPE|DOMAIN|SEQUENCE|EXTENSION|OWNED BY)"
        r"(?: IF EXISTS)? (?P<table>NAME).*",
        "{table} goes, with what depends on it.",
        _CONTRACT,
        "ban-drop-database",
    ),
    _rule(
        "L304",
        r"ALTER (?:VIEW|SEQUENCE|TYPE) (?:IF EXISTS )?(?P<table>NAME) RENAME .*",
        "{table} gets another name, under which code that runs does not know it.",
        _CONTRACT,
    ),
)
"""For whole statements."""

ACTIONS = (
    _rule(
        "L103",
        r"ADD (?:CONSTRAINT NAME )?FOREIGN KEY (?!.*\bNOT VALID\b).*",
        "All rows of {table} are checked while writers of both tables wait.",
        "Use online.add_foreign_key().",
        "adding-foreign-key-constraint",
        "constraint-missing-not-valid",
    ),
    _rule(
        "L104",
        r"ADD (?:CONSTRAINT NAME )?CHECK ?(?!.*\bNOT VALID\b)\(.*",
        "All rows of {table} are read under an exclusive lock.",
        "Use online.add_check().",
        "constraint-missing-not-valid",
    ),
    _rule(
        "L105",
        r"ADD (?:CONSTRAINT NAME )?(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b(?!.*\bUSING INDEX\b).*",
        "An index over {table} is built under an exclusive lock.",
        "Use online.add_unique(), or build the index with online.create_index_concurrently() and adopt it.",
        "disallowed-unique-constraint",
        "constraint-missing-not-valid",
        "adding-serial-primary-key-field",
    ),
    _rule(
        "L106",
        r"ALTER (?:COLUMN )?NAME SET NOT NULL",
        "All rows of {table} are read under an exclusive lock.",
        "Use online.set_not_null().",
        "adding-not-nullable-field",
    ),
    _rule(
        "L107",
        r"ADD (?:COLUMN )?(?:IF NOT EXISTS )?(?!CONSTRAINT\b)NAME (?!.*\bDEFAULT\b)(?!.*\bGENERATED\b)"
        r"(?!.*\bSERIAL\d?\b)(?!.*\b(?:BIG|SMALL)SERIAL\b).*\bNOT NULL\b.*",
        "A required column without a default is refused as soon as {table} has a row.",
        "Add it nullable, fill it with online.backfill(), then online.set_not_null().",
        "adding-required-field",
        "adding-not-nullable-field",
    ),
    _rule(
        "L201",
        r"ALTER (?:COLUMN )?NAME (?:SET DATA )?TYPE .*",
        "A change of type copies {table} under an exclusive lock, unless it only widens.",
        "Let create --online write it; m-migrate plan tells whether it copies.",
        "changing-column-type",
    ),
    _rule(
        "L202",
        r"ADD (?:COLUMN )?(?:IF NOT EXISTS )?(?!CONSTRAINT\b)NAME .*"
        r"(?:\b(?:BIG|SMALL)?SERIAL[248]?\b|\bGENERATED (?:ALWAYS|BY DEFAULT) AS IDENTITY\b|\bSTORED\b"
        r"|\bDEFAULT\b.*\b(?:random|gen_random_uuid|uuid_generate_v\w+|uuidv\d|clock_timestamp|timeofday|nextval)\b).*",
        "Each row of {table} gets a value of its own: the table is copied under an exclusive lock.",
        "Add it nullable, set the default, fill it with online.backfill(), then online.set_not_null().",
        "adding-field-with-default",
        "adding-serial-primary-key-field",
    ),
    _rule(
        "L203",
        r"SET (?:TABLESPACE|LOGGED|UNLOGGED|ACCESS METHOD)\b.*",
        "{table} is copied under an exclusive lock.",
        "Do it in a maintenance window, outside of revisions.",
    ),
    _rule(
        "L302",
        r"DROP (?:COLUMN )?(?:IF EXISTS )?(?!CONSTRAINT\b|EXPRESSION\b|IDENTITY\b)NAME(?: CASCADE| RESTRICT)?",
        "A column of {table} goes, with its values; code that runs still selects it.",
        _CONTRACT,
        "ban-drop-column",
    ),
    _rule(
        "L304",
        r"RENAME .*",
        "A name in {table} changes under code that runs.",
        "Declare renamed_from and let create --online write it in two phases.",
        "renaming-column",
        "renaming-table",
    ),
)
"""For what an ALTER TABLE does."""

_WITH = re.compile(r"WITH\b", re.IGNORECASE)
_WRITES = re.compile(r"(?<!FOR )(?<!KEY )(?<!DO )(?<!ON )\b(?:UPDATE|DELETE FROM|MERGE INTO)\b", re.IGNORECASE)

COVERED_BY = {
    name: frozenset(rule.code for rule in (*STATEMENTS, *ACTIONS) if name in rule.squawk)
    for name in {name for rule in (*STATEMENTS, *ACTIONS) for name in rule.squawk}
}
"""Rules of squawk's that have a counterpart here."""

_CREATE = re.compile(
    rf"CREATE\s+(?:(?:GLOBAL|LOCAL)\s+)?(?:TEMP(?:ORARY)?\s+|UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?({_NAME}).*",
    re.IGNORECASE | re.DOTALL,
)
_CREATE_OTHER = re.compile(
    rf"CREATE (?:SCHEMA|TYPE|DOMAIN|SEQUENCE|EXTENSION) (?:IF NOT EXISTS )?({_NAME})", re.IGNORECASE
)
_CREATE_INDEX = re.compile(
    rf"CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(?!ON )({_NAME}) ON (?:ONLY )?({_NAME})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that a statement breaks, the table it is about, and of an ALTER TABLE what it does."""

    rule: Rule
    table: str | None
    action: str | None = None

    @property
    def what(self) -> str:
        """The rule's words, with the name in them."""
        return self.rule.what.format(table=self.table or "the table")


def created_table(statement: str) -> str | None:
    """The table that the statement makes, in the server's spelling without its schema."""
    match = _CREATE.fullmatch(statement)
    return None if match is None else bare(match[1])


def created_name(statement: str) -> str | None:
    """The type, schema, sequence or the like that the statement makes, as ``created_table`` gives it."""
    match = _CREATE_OTHER.match(statement)
    return None if match is None else bare(match[1])


def index_of(statement: str) -> tuple[str, str] | None:
    """The index that the statement builds, and its table; None for other statements and for one without a name."""
    match = _CREATE_INDEX.match(statement)
    return None if match is None else (bare(match[1]), bare(match[2]))


def hits(statement: str, created: set[str]) -> Iterator[Hit]:
    """What is wrong with a statement.

    Args:
        statement: in one line, as ``statements.split`` gives it.
        created: tables that the same revision made before: nobody uses them yet.
    """
    if _WITH.match(statement):
        # What writes may stand in any of its parts.
        plain = "".join("''" if kind == "text" and text[0] != '"' else text for kind, text in pieces(statement))
        for write in _WRITES.finditer(plain):
            yield from hits(plain[write.start() :], created)
        return
    for rule in STATEMENTS:
        match = rule.pattern.fullmatch(statement)
        if match is not None:
            table = match["table"]
            if table is None or bare(table) not in created:
                yield Hit(rule, table)
            return
    for action in actions(statement):
        if bare(action.table) in created:
            continue
        for rule in ACTIONS:
            if rule.pattern.fullmatch(action.text):
                yield Hit(rule, action.table, action.text)
                break
