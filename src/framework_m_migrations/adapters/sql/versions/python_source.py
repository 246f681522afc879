"""Prints Python the way its common formatters do (88 columns, double quotes), so that nobody must reformat a revision.

Only what a revision file consists of is laid out: calls, lists, tuples, ``with`` and ``if``. The input is source that
Alembic rendered, or that was written here; passing it through the parser also proves that it is valid.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from sqlalchemy.sql.compiler import BIND_PARAMS, BIND_PARAMS_ESC

WIDTH = 88
INDENT = "    "


def string_literal(text: str) -> str:
    """A string as source: double quotes unless that needs more escapes; everything unprintable is escaped."""
    body = []
    quote = "'" if text.count('"') > text.count("'") else '"'
    for character in text:
        if character in {"\\", quote}:
            body.append(f"\\{character}")
        elif character.isprintable():
            body.append(character)
        else:
            body.append(repr(character)[1:-1])
    return f"{quote}{''.join(body)}{quote}"


def docstring(text: str) -> str:
    """A module's docstring as source; newlines stay, whatever else could end or bend it is escaped."""
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    body = "".join(
        character if character == "\n" or character.isprintable() else repr(character)[1:-1] for character in escaped
    )
    return f'"""{body}\n"""'


def layout(source: str, depth: int) -> list[str]:
    """Source of one or more statements, laid out at the given depth of indentation."""
    return [line for node in ast.parse(source).body for line in statement(node, depth)]


def execute_call(sql: str, depth: int) -> list[str]:
    """``op.execute`` of a statement; one of several lines is written line by line, as it is sent."""
    if "\n" not in sql:
        return layout(f"op.execute({string_literal(sql)})", depth)
    start, inner = INDENT * depth, INDENT * (depth + 1)
    parts = sql.splitlines(keepends=True)
    return [f"{start}op.execute(", *(f"{inner}{string_literal(part)}" for part in parts), f"{start})"]


def statement(node: ast.stmt, depth: int) -> list[str]:
    """A parsed statement, laid out."""
    start = INDENT * depth
    if isinstance(node, ast.With):
        item = node.items[0]
        tail = f" as {flat(item.optional_vars)}:" if item.optional_vars is not None else ":"
        head = _fit(item.context_expr, depth, f"{start}with ", tail)
        return [*head, *(line for inner in node.body for line in statement(inner, depth + 1))]
    if isinstance(node, ast.If):
        head = _fit(node.test, depth, f"{start}if ", ":")
        return [*head, *(line for inner in node.body for line in statement(inner, depth + 1))]
    if isinstance(node, ast.Expr):
        return _fit(node.value, depth, start, "")
    if isinstance(node, ast.Assign):
        return _fit(node.value, depth, f"{start}{flat(node.targets[0])} = ", "")
    return [start + line for line in ast.unparse(node).splitlines()]


def flat(node: ast.expr) -> str:
    """An expression on one line, kept with it: each bracket round it asks again whether it fits."""
    kept = vars(node)
    if "flat" not in kept:
        kept["flat"] = _flat(node)
    return str(kept["flat"])


def _flat(node: ast.expr) -> str:
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return f"not {flat(operand)}"
        case ast.Constant(value=str() as text):
            return string_literal(text)
        case ast.Call():
            return f"{flat(node.func)}({', '.join(_arguments(node))})"
        case ast.Attribute():
            return f"{flat(node.value)}.{node.attr}"
        case ast.List():
            return f"[{', '.join(flat(item) for item in node.elts)}]"
        case ast.Tuple():
            comma = "," if len(node.elts) == 1 else ""
            return f"({', '.join(flat(item) for item in node.elts)}{comma})"
        case ast.Dict():
            return f"{{{', '.join(_pairs(node))}}}"
        case ast.Compare(left=left, comparators=[right]):
            operator = "==" if isinstance(node.ops[0], ast.Eq) else "!="
            return f"{flat(left)} {operator} {flat(right)}"
        case _:
            return ast.unparse(node)


def _arguments(node: ast.Call) -> list[str]:
    keywords = [f"{one.arg}={flat(one.value)}" if one.arg else f"**{flat(one.value)}" for one in node.keywords]
    return [*(flat(argument) for argument in node.args), *keywords]


def _pairs(node: ast.Dict) -> list[str]:
    return [f"{flat(key)}: {flat(value)}" for key, value in zip(node.keys, node.values, strict=True) if key is not None]


def _fit(node: ast.expr, depth: int, before: str, after: str) -> list[str]:
    """The expression between ``before`` and ``after``: on one line, its contents on one line, or one to a line."""
    line = f"{before}{flat(node)}{after}"
    if len(line) <= WIDTH:
        return [line]
    opened = _opened(node)
    if opened is None:
        return [line]
    head, parts, tail = opened
    inner = INDENT * (depth + 1)
    joined = inner + ", ".join(flat_part for flat_part, _, _ in parts)
    if len(joined) <= WIDTH:
        return [f"{before}{head}", joined, f"{INDENT * depth}{tail}{after}"]
    lines = [f"{before}{head}"]
    for _, prefix, part in parts:
        lines.extend(_fit(part, depth + 1, f"{inner}{prefix}", ","))
    return [*lines, f"{INDENT * depth}{tail}{after}"]


def _opened(node: ast.expr) -> tuple[str, Sequence[tuple[str, str, ast.expr]], str] | None:
    """(head, parts as (flat text, prefix, expression), tail) of what can be broken between brackets."""
    match node:
        case ast.Call() if node.args or node.keywords:
            parts = [(flat(argument), "", argument) for argument in node.args]
            parts += [
                (f"{one.arg}={flat(one.value)}", f"{one.arg}=", one.value)
                for one in node.keywords
                if one.arg is not None
            ]
            return f"{flat(node.func)}(", parts, ")"
        case ast.List() if node.elts:
            return "[", [(flat(item), "", item) for item in node.elts], "]"
        case ast.Tuple() if node.elts:
            return "(", [(flat(item), "", item) for item in node.elts], ")"
        case ast.Dict() if node.keys:
            parts = [
                (f"{flat(key)}: {flat(value)}", f"{flat(key)}: ", value)
                for key, value in zip(node.keys, node.values, strict=True)
                if key is not None
            ]
            return "{", parts, "}"
        case _:
            return None


def escape_binds(sql: str) -> str:
    """SQL as ``sqlalchemy.text`` must be given it, so that a colon in a literal is no bound parameter."""
    # SQLAlchemy's own patterns: what may be in a name has changed between its versions.
    return BIND_PARAMS.sub(r"\\\g<0>", BIND_PARAMS_ESC.sub(r"\\\g<0>", sql))
