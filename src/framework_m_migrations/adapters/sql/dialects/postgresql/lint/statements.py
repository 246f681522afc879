"""What a revision would send, cut into statements, those in DO blocks too."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, TextIO, cast

import sqlalchemy as sa
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script

from framework_m_migrations.adapters.sql.dialects.postgresql import PostgresqlDialect
from framework_m_migrations.adapters.sql.dialects.postgresql import online as helpers
from framework_m_migrations.adapters.sql.revisions.environment import exclusive
from framework_m_migrations.adapters.sql.revisions.failures import failing_line
from framework_m_migrations.adapters.sql.revisions.library import Library, offline_config
from framework_m_migrations.adapters.sql.revisions.operations import ImplSource, writing

_PIECE = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<text>(?<![\w$])[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)
      |(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
  | (?P<space>\s+)
  | (?P<mark>[;(),])
  | (?P<rest>[^\s;(),'"$/-]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
NAME = rf"{_NAME}(?:\.{_NAME})*"
"""A pattern for names, with their schema or without."""
LITERAL = r"""(?:[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')"""
"""A pattern for texts in single quotes."""
_ALTER = re.compile(
    rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(?P<table>{NAME})(?: ?\*)? (?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)


def pieces(sql: str) -> Iterator[tuple[str, str]]:
    """The words of a text: (kind, text); kinds are comment, text (what is quoted), space, mark and rest."""
    for match in _PIECE.finditer(sql):
        yield match.lastgroup or "rest", match[0]


def split(sql: str) -> list[str]:
    """The statements of a text, each in one line without comments; what is quoted stays as it is."""
    found: list[str] = []
    current = ""
    for match in _PIECE.finditer(sql):
        kind, text = match.lastgroup, match[0]
        if kind in {"comment", "space"}:
            current = current if current.endswith(" ") else f"{current} "
        elif text == ";":
            found.append(current.strip())
            current = ""
        else:
            current += text
    return [one for one in (*found, current.strip()) if one]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that an ALTER TABLE does: ``ADD COLUMN x int``."""

    table: str
    text: str


def actions(statement: str) -> Iterator[Action]:
    """What an ALTER TABLE does, one after the other; nothing for another statement."""
    match = _ALTER.fullmatch(statement)
    if match is None:
        return
    depth = 0
    current = ""
    for piece in _PIECE.finditer(match["rest"]):
        text = piece[0]
        depth += (text == "(") - (text == ")")
        if text == "," and depth == 0:
            yield Action(match["table"], current.strip())
            current = ""
        else:
            current += text
    if current.strip():
        yield Action(match["table"], current.strip())


def bare(name: str) -> str:
    """The last part of a name, unquoted, as the server stores it."""
    last: str = re.findall(r'"(?:[^"]|"")+"|[^.]+', name)[-1]
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.lower()


# What stands inside DO blocks: the statements that can be read, and why the others cannot.


_TEXT = rf"(?:\$(?P<tag>(?:[^\W\d]\w*)?)\$.*\$(?P=tag)\$|{LITERAL})"
_DO = re.compile(
    rf"DO\b\s*(?:LANGUAGE\s+(?P<before>\S+)\s+)?(?P<body>{_TEXT})(?:\s*LANGUAGE\s+(?P<after>\S+))?",
    re.IGNORECASE | re.DOTALL,
)
_IS_DO = re.compile(r"DO\b", re.IGNORECASE)
_CUTS = frozenset({"BEGIN", "THEN", "ELSE", "LOOP"})
"""Words of PL/pgSQL after which a statement begins. In a CASE one cuts off the end of a statement, never its verb."""
_LEAD = re.compile(r"\A(?:<<\s*\w+\s*>>\s*)*(?:FOR\s+[\w\s,]+?\s+IN\s+(?:REVERSE\s+)?)?", re.IGNORECASE)
_EXECUTE = re.compile(rf"EXECUTE\s+(?P<text>{LITERAL})\s*(?:(?:USING|INTO)\b.*)?", re.IGNORECASE | re.DOTALL)
_FORMAT = re.compile(
    rf"EXECUTE\s+(?:pg_catalog\s*\.\s*)?format\s*\(\s*(?P<text>{LITERAL})\s*(?:,.*)?\)\s*(?:(?:USING|INTO)\b.*)?",
    re.IGNORECASE | re.DOTALL,
)
_PLACE = re.compile(r"%(?:\d+\$)?(?:-?\d+)?(?P<kind>[IsL%])")
_DYNAMIC = re.compile(r"\bEXECUTE\b", re.IGNORECASE)
_CALL = re.compile(rf"CALL\s+(?P<name>{NAME})", re.IGNORECASE)
_DEFINES = re.compile(r"(?:CREATE|ALTER|DROP|COMMENT|GRANT|REVOKE)\b", re.IGNORECASE)
_FUNCTION = re.compile(rf"CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) (?P<name>{NAME})", re.IGNORECASE)
_BUILT = "it builds SQL as it runs (EXECUTE)"


@dataclass(frozen=True, slots=True)
class Block:
    """What a DO block does: statements in one line each, and what of it cannot be judged, as reasons."""

    statements: tuple[str, ...]
    unjudged: tuple[str, ...] = ()


def block(statement: str) -> Block | None:
    """The inside of a DO block; None for any other statement."""
    if _IS_DO.match(statement) is None:
        return None
    match = _DO.fullmatch(statement)
    if match is None:
        return Block((), ("its body cannot be told from the rest",))
    language = (match["before"] or match["after"] or "plpgsql").strip("'\"").lower()
    if language != "plpgsql":
        return Block((), (f"it is written in {language}",))
    found: list[str] = []
    reasons: list[str] = []
    for fragment in _fragments(_content(match["body"])):
        statements, reason = _read(fragment)
        found += statements
        reasons += [] if reason is None else [reason]
    return Block(tuple(found), tuple(dict.fromkeys(reasons)))


def called(statement: str, functions: frozenset[str]) -> str | None:
    """Why a statement cannot be judged whole: it calls a procedure, or a function that the revision defines.

    Args:
        statement: in one line.
        functions: names of those that the revision has defined, as the server stores them.
    """
    if _DEFINES.match(statement):
        return None
    match = _CALL.match(statement)
    if match is not None:
        return f"it calls procedure {match['name']}"
    plain = _unquoted(statement)
    for name in sorted(functions):
        if re.search(rf"(?<![\w$]){re.escape(name)}\"?\s*\(", plain, re.IGNORECASE):
            return f"it calls function {name}, which the revision defines"
    return None


def defined_function(statement: str) -> str | None:
    """The function or procedure that a statement defines, in the server's spelling without its schema."""
    match = _FUNCTION.match(statement)
    return None if match is None else bare(match["name"])


def _read(fragment: str) -> tuple[list[str], str | None]:
    """The statements of a fragment, and why not all of it can be judged."""
    fragment = _LEAD.sub("", fragment, count=1)
    literal = _EXECUTE.fullmatch(fragment)
    if literal is not None:
        return split(_content(literal["text"])), None
    template = _FORMAT.fullmatch(fragment)
    if template is not None:
        text = _content(template["text"])
        kinds = {match["kind"] for match in _PLACE.finditer(text)}
        # A name or a value does not change what a statement does; %s may be any SQL.
        return split(_PLACE.sub(_placed, text)), _BUILT if "s" in kinds else None
    if _DYNAMIC.search(_unquoted(fragment)) and not _DEFINES.match(fragment):
        return [], _BUILT
    return [fragment], None


def _placed(match: re.Match[str]) -> str:
    return {"%": "%", "L": "'...'", "I": '"..."', "s": '"..."'}[match["kind"]]


def _fragments(body: str) -> Iterator[str]:
    """What stands between semicolons and words of control, each in one line without comments."""
    depth = 0
    current = ""
    for kind, text in pieces(body):
        depth += (text == "(") - (text == ")")
        if text == ";" or (depth == 0 and kind == "rest" and text.upper() in _CUTS):
            if current.strip():
                yield current.strip()
            current = ""
        elif kind in {"comment", "space"}:
            current = current if current.endswith(" ") else f"{current} "
        else:
            current += text
    if current.strip():
        yield current.strip()


def _content(quoted: str) -> str:
    """A literal without its quotes."""
    if quoted.startswith("$"):
        length = quoted.index("$", 1) + 1
        return quoted[length:-length]
    if quoted[0] in "eE":
        return quoted[2:-1].replace("''", "'").replace("\\'", "'").replace("\\n", "\n").replace("\\\\", "\\")
    return quoted[1:-1].replace("''", "'")


def _unquoted(statement: str) -> str:
    """A statement with its literals emptied; quoted names stay."""
    return "".join("''" if kind == "text" and not text.startswith('"') else text for kind, text in pieces(statement))


# What a revision would send, statement by statement, each with the line of the file that sends it.


_HELPERS = str(Path(helpers.__file__).parent)
_POSTGRESQL = PostgresqlDialect()
_VERBATIM = "execute"
"""The helper whose statements are the author's own, but for those round them."""
_FRAME = re.compile(r"BEGIN|COMMIT|SET LOCAL lock_timeout")


@dataclass(frozen=True, slots=True)
class Sent:
    """A statement in one line.

    ``line`` is of the revision's file, None where the statement came from elsewhere. ``online`` says that a helper of
    framework_m_migrations.online wrote it.
    """

    sql: str
    line: int | None
    online: bool


@dataclass(frozen=True, slots=True)
class Rendered:
    """A revision's way up or back. ``failure`` tells why it was not rendered to its end, ``failed_at`` where.

    ``texts`` are the same statements as they are written, with their lines.
    """

    statements: tuple[Sent, ...]
    failure: str | None = None
    failed_at: int | None = None
    texts: tuple[str, ...] = ()


@dataclass(slots=True)
class _Recorder(io.TextIOBase):
    """Alembic's output, noted with the line that caused it."""

    file: str
    sent: list[Sent] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def write(self, text: str, /) -> int:
        line, helper = _origin(sys._getframe(1), self.file)  # noqa: SLF001 - there is no other way to ask who calls
        for sql in split(text):
            own = helper is not None and (helper != _VERBATIM or _FRAME.match(sql) is not None)
            self.sent.append(Sent(sql, line, own))
        written = text.strip().removesuffix(";").rstrip()
        if written:
            self.texts.append(written)
        return len(text)


def render(
    library: Library,
    script: Script,
    connection: sa.Connection,
    *,
    upgrade: bool = True,
    dialect: str = "postgresql",
    source: ImplSource = _POSTGRESQL,
) -> Rendered:
    """Run a revision's upgrade, or its downgrade, offline; one that it does not have sends nothing.

    Args:
        library: all revisions.
        script: the one to be rendered.
        connection: any; only to wait for Alembic's globals.
        upgrade: False for its downgrade.
        dialect: SQLAlchemy's name of the dialect for which it is written.
        source: that dialect, whose writer stands before Alembic's, as when the revision runs.
    """
    function = getattr(script.module, "upgrade" if upgrade else "downgrade", None)
    if function is None:
        return Rendered(())
    recorder = _Recorder(script.path)
    with exclusive(connection), EnvironmentContext(offline_config(), library, as_sql=True) as environment:
        environment.configure(
            dialect_name=dialect,
            output_buffer=cast(TextIO, recorder),
            literal_binds=True,
            dialect_opts={"paramstyle": "named"},
        )
        context = environment.get_context()
        _widen(context.connection)
        try:
            with writing(context, source), contextlib.redirect_stdout(io.StringIO()):
                function()
        # A revision is its author's own code, and offline there is no connection for it: it may raise anything.
        except Exception as error:  # noqa: BLE001
            reason = _reason(error)
            line = failing_line(error, Path(script.path))
            return Rendered(tuple(recorder.sent), reason, line, tuple(recorder.texts))
    return Rendered(tuple(recorder.sent), texts=tuple(recorder.texts))


def _widen(connection: Any) -> None:
    """Give Alembic's stand-in, which has ``execute`` alone, what a revision calls without needing an answer."""
    connection.dialect.colspecs = {**connection.dialect.colspecs, sa.types.NullType: _Untyped}
    vars(connection).update(
        dict.fromkeys(("close", "commit", "rollback"), lambda: None),
        begin=contextlib.nullcontext,
        begin_nested=contextlib.nullcontext,
        exec_driver_sql=lambda sql, *_, **__: connection.execute(sa.text(sql.replace(":", r"\:"))),
    )


class _Untyped(sa.types.NullType):
    """A value of which no type is known is written as it is."""

    def literal_processor(self, dialect: sa.Dialect) -> Any:
        """A number, or a text in quotes."""
        del dialect
        return lambda value: str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def _reason(error: Exception) -> str:
    """Why a revision cannot go on offline."""
    text = " ".join(str(error).split())
    if isinstance(error, sa.exc.NoInspectionAvailable):
        return "it inspects the database"
    if isinstance(error, AttributeError | TypeError) and re.search("NoneType|MockConnection", text):
        return "it reads rows"
    return f"{type(error).__name__}: {text}"


def _origin(frame: FrameType | None, file: str) -> tuple[int | None, str | None]:
    """The line of the file that is at work, and the helper that it calls, if it calls one."""
    helper: str | None = None
    for one in _outwards(frame):
        code = one.f_code
        if code.co_filename == file:
            return one.f_lineno, helper
        if code.co_filename.startswith(_HELPERS):
            helper = code.co_name
    return None, helper


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
