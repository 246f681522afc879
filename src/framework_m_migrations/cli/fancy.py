"""Documents on a terminal, through rich. Only imported where the output is one."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from framework_m_migrations.cli.document import (
    Block,
    Code,
    Document,
    Grid,
    Heading,
    Paragraph,
    Span,
    Style,
    clean,
    clean_lines,
)

STYLES: dict[Style, str] = {
    "": "",
    "bold": "bold",
    "dim": "dim",
    "command": "cyan",
    "safe": "green",
    "warning": "yellow",
    "breaking": "bold red",
}


def make_console(stream: TextIO, *, color: bool) -> Console:
    """A console for a stream that is a terminal. Without ``color`` it writes no escape codes at all."""
    if color:
        return Console(file=stream, force_terminal=True, highlight=False, markup=False, emoji=False, soft_wrap=False)
    return Console(
        file=stream, force_terminal=True, color_system=None, highlight=False, markup=False, emoji=False, no_color=True
    )


def show_fancy(document: Document, console: Console) -> None:
    """Write a document to a console."""
    for number, block in enumerate(document):
        if number and isinstance(block, Heading):
            console.print()
        _show(block, console)


def _show(block: Block, console: Console) -> None:
    match block:
        case Heading(text=text):
            console.print(Text(clean(text), style="bold"))
        case Paragraph(spans=spans, indent=indent):
            console.print(Padding(_text(*spans), (0, 0, 0, 2 * indent), expand=False))
        case Code(text=text, indent=indent):
            for part in clean_lines(text).splitlines():
                console.print(Text("  " * indent + part, style="dim"), soft_wrap=True)
        case Grid():
            console.print(_grid(block))


def _grid(grid: Grid) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", show_edge=False)
    for number, header in enumerate(grid.headers):
        # The first column holds a word that must stay whole; the others may wrap.
        table.add_column(header, no_wrap=number == 0, overflow="fold")
    for row in grid.rows:
        table.add_row(*(_text(cell) for cell in row))
    return table


def _text(*spans: Span) -> Text:
    text = Text()
    for span in spans:
        text.append(f"{span.mark} {clean(span.text)}" if span.mark else clean(span.text), STYLES[span.style] or None)
    return text


def make_bar(stream: TextIO, *, color: bool) -> Progress:
    """A progress bar that leaves no trace when it is done; not started."""
    return Progress(
        MofNCompleteColumn(),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
        console=make_console(stream, color=color),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
