"""What a command shows, as data, and as plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

type Style = Literal["", "bold", "dim", "command", "safe", "warning", "breaking"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """One line without control characters: names come from databases and files, and a terminal obeys what it reads."""
    return _CONTROL.sub(_escaped, text)


def clean_lines(text: str) -> str:
    """The same for text of several lines: line feeds and tabs stay."""
    return _CONTROL_BUT_LAYOUT.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text with one meaning. ``mark`` is shown before it where the terminal has symbols."""

    text: str
    style: Style = ""
    mark: str = ""


type Spans = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """Opens a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One line of text; ``indent`` counts levels."""

    spans: Spans
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. Every row has as many cells as there are headers."""

    headers: tuple[str, ...]
    rows: tuple[Spans, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be copied, such as SQL; shown without wrapping."""

    text: str
    indent: int = 1


type Block = Heading | Paragraph | Grid | Code
type Document = tuple[Block, ...]


def line(*parts: str | Span, indent: int = 0) -> Paragraph:
    """A paragraph of plain and styled parts."""
    return Paragraph(tuple(part if isinstance(part, Span) else Span(part) for part in parts), indent)


# Documents as plain text: no colour, no wrapping, nothing cut; one row a line, so that grep and awk can read
# it.


_INDENT = "  "
_WIDEST_PADDING = 48


def render_plain(document: Document) -> str:
    """The whole document, ended by a line feed; empty for an empty one."""
    lines: list[str] = []
    for number, block in enumerate(document):
        if number and isinstance(block, Heading):
            lines.append("")
        lines.extend(_lines(block))
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _lines(block: Block) -> list[str]:
    match block:
        case Heading(text=text):
            return [clean(text)]
        case Paragraph(spans=spans, indent=indent):
            return [_INDENT * indent + "".join(clean(span.text) for span in spans)]
        case Code(text=text, indent=indent):
            return [_INDENT * indent + part for part in clean_lines(text).splitlines()]
        case Grid():
            return _grid(block)


def _grid(grid: Grid) -> list[str]:
    rows = [grid.headers, *(tuple(clean(cell.text) for cell in row) for row in grid.rows)]
    # One very long cell must not push the next column out of sight in all other rows.
    widths = [min(max(len(row[column]) for row in rows), _WIDEST_PADDING) for column in range(len(grid.headers))]
    return [_INDENT + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
