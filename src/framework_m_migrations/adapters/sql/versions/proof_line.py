"""The outcome of a proof in the revision's own file.

It stands in the docstring, or in a comment at the top where there is none. It names the code it was tried with by a
digest, so that a proof from before an edit is not taken for one of the present code.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import re
import shutil
import textwrap
import tokenize
from dataclasses import dataclass
from pathlib import Path

_WIDTH = 116
_LABEL = "Proof: "
_STORED = re.compile(r"^(?P<comment># )?Proof: (?P<first>[^\n]*)(?P<more>(?:\n(?:# )?    [^\n]+)*)\n?", re.MULTILINE)
_DIGEST = re.compile(r" \[code ([0-9a-f]{8})\]$")
_HEADER = re.compile(r"^(?:Revision ID|Revises|Depends on|Create Date|Branch Labels): ?[^\n]*\n", re.MULTILINE)
_TRIPLE = re.compile(r"""[rRuU]?(\"{3}|'{3})""")


@dataclass(frozen=True, slots=True)
class StoredProof:
    """What a file says of its proof; ``current`` is False where its code has changed since."""

    text: str
    current: bool


def stored_proof(file: Path) -> StoredProof | None:
    """The proof that a revision's file holds, None where it has none."""
    text, _ = _read(file)
    docstring = _docstring(text)
    found = _STORED.search(text, 0, docstring[1] if docstring is not None else len(text))
    if found is None:
        return None
    words = " ".join((found["first"] + found["more"].replace("\n# ", "\n")).split()).replace("\\\\", "\\")
    digest = _DIGEST.search(words)
    current = digest is not None and digest[1] == _digest(text)
    return StoredProof(_DIGEST.sub("", words), current)


def store_proof(file: Path, words: str) -> str:
    """Write the outcome of a proof into a revision's file, in place of an earlier one; its code stays as it is.

    Args:
        file: of the revision.
        words: one line.

    Returns:
        The new text of the file.

    Raises:
        OSError: it cannot be written.
        ValueError: the file cannot be changed without changing its code.
    """
    text, encoding = _read(file)
    bare = _without(text)
    made = _with(bare, f"{_printable(words)} [code {_digest(text)}]")
    if _code(made) != _code(text):
        raise ValueError("the file has a form that cannot be changed safely")
    temporary = file.with_name(f".#{file.name}")
    try:
        with temporary.open("w", encoding=encoding, newline="") as stream:
            stream.write(made)
        shutil.copymode(file, temporary)
        temporary.replace(file)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return made


def _read(file: Path) -> tuple[str, str]:
    data = file.read_bytes()
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding), encoding


def _printable(words: str) -> str:
    shown = "".join(char for char in " ".join(words.split()) if char.isprintable())
    return shown.replace('"""', "'").replace("'''", "'")


def _docstring(text: str) -> tuple[int, int] | None:
    """Where the triple-quoted docstring of a module begins and ends; None where there is none."""
    body = ast.parse(text).body
    if not body or not isinstance(body[0], ast.Expr):
        return None
    value = body[0].value
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        return None
    start, end = _offset(text, value.lineno, value.col_offset), _offset(text, value.end_lineno, value.end_col_offset)
    return (start, end) if _TRIPLE.match(text, start) and text[start:end].count(text[end - 3 : end]) == 2 else None


def _offset(text: str, line: int | None, column: int | None) -> int:
    lines = text.splitlines(keepends=True)
    at = (line or 1) - 1
    before = sum(len(one) for one in lines[:at])
    return before + len(lines[at].encode()[: column or 0].decode())


def _without(text: str) -> str:
    docstring = _docstring(text)
    end = docstring[1] if docstring is not None else len(text)
    found = _STORED.search(text, 0, end)
    if found is None:
        return text
    start, stop = found.span()
    # The blank line that came with it goes along.
    if found["comment"] is None and text[:start].endswith("\n\n") and text[stop : stop + 3] in {'"""', "'''"}:
        start -= 1
    return text[:start] + text[stop:]


def _with(text: str, words: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    docstring = _docstring(text)
    if docstring is None:
        lines = textwrap.wrap(_LABEL + words, _WIDTH, subsequent_indent="    ", break_long_words=False)
        comment = "".join(f"# {line}{newline}" for line in lines)
        first = re.match(r"(?:#![^\n]*\n)?(?:[ \t]*#[^\n]*coding[:=][^\n]*\n)?", text)
        place = first.end() if first is not None else 0
        return text[:place] + comment + text[place:]
    start, end = docstring
    opening = _TRIPLE.match(text, start)
    raw = opening is not None and opening[0][0] in "rR"
    shown = words if raw else words.replace("\\", "\\\\")
    lines = textwrap.wrap(_LABEL + shown, _WIDTH, subsequent_indent="    ", break_long_words=False)
    block = newline.join(lines)
    inside = text[start : end - 3]
    header = list(_HEADER.finditer(inside))
    if header:
        place = start + header[-1].end()
        return f"{text[:place]}{block}{newline}{text[place:]}"
    body = inside.rstrip()
    return f"{text[:start]}{body}{newline}{newline}{block}{newline}{text[end - 3 :]}"


def _code(text: str) -> str:
    """The code without its docstring."""
    tree = ast.parse(text)
    if tree.body and isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[0].value, ast.Constant):
        del tree.body[0]
    return ast.dump(tree)


def _digest(text: str) -> str:
    """Of everything but the docstring and the proof; white space does not count."""
    bare = _without(text)
    docstring = _docstring(bare)
    if docstring is not None:
        bare = bare[: docstring[0]] + bare[docstring[1] :]
    return hashlib.sha256("".join(bare.split()).encode()).hexdigest()[:8]
