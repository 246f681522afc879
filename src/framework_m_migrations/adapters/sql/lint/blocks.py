"""What stands inside DO blocks: the statements that can be read, and why the others cannot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from framework_m_migrations.adapters.sql.lint.statements import LITERAL, NAME, bare, pieces, split

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
