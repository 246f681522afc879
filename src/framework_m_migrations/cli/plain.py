"""Documents as plain text: no colour, no wrapping, nothing cut; one row a line, so that grep and awk can read it."""

from __future__ import annotations

from framework_m_migrations.cli.document import Block, Code, Document, Grid, Heading, Paragraph, clean, clean_lines

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
