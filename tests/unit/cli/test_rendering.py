"""Documents as text: complete and plain in a pipe, coloured on a terminal, obedient to nobody's control codes."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework_m_migrations.cli.document import Code, Grid, Heading, Span, clean, clean_lines, line, render_plain
from framework_m_migrations.cli.fancy import make_console, show_fancy
from tests.unit.cli._made import ESCAPE, Terminal

DOCUMENT = (
    Heading("First"),
    Grid(("RISK", "TABLE"), ((Span("SAFE", "safe", "●"), Span("customer")), (Span("BREAKING", "breaking"), Span("x")))),
    Heading("Second"),
    line("see ", Span("m-migrate plan", "command"), indent=1),
    Code("CREATE TABLE t (\n\ta int\n);"),
)


def shown(document: tuple[object, ...], *, color: bool = True, width: int = 80) -> str:
    stream = Terminal()
    console = make_console(stream, color=color)
    console.width = width
    show_fancy(document, console)  # type: ignore[arg-type]
    return stream.getvalue()


def test_plain_text_is_exactly_this() -> None:
    assert render_plain(DOCUMENT) == (
        "First\n"
        "  RISK      TABLE\n"
        "  SAFE      customer\n"
        "  BREAKING  x\n"
        "\n"
        "Second\n"
        "  see m-migrate plan\n"
        "  CREATE TABLE t (\n"
        "  \ta int\n"
        "  );\n"
    )


def test_an_empty_document_is_no_line_at_all() -> None:
    assert render_plain(()) == ""


def test_plain_text_never_wraps_nor_cuts_and_a_long_cell_does_not_push_the_others_away() -> None:
    long = "x" * 500
    lines = render_plain((Grid(("A", "B"), ((Span(long), Span("1")), (Span("s"), Span("2")))),)).splitlines()
    assert lines[1] == f"  {long}  1"
    assert len(lines[2]) < 80
    assert lines[2].endswith("  2")


def test_colours_stand_for_risks_and_the_word_is_always_there() -> None:
    text = shown(DOCUMENT)
    assert f"{ESCAPE}[32m● SAFE" in text
    assert f"{ESCAPE}[1;31mBREAKING" in text


def test_without_colour_there_is_no_escape_code_at_all() -> None:
    text = shown(DOCUMENT, color=False)
    assert ESCAPE not in text
    assert "● SAFE" in text


def test_a_narrow_terminal_loses_no_character_of_a_cell() -> None:
    name = "a_very_long_table_name_that_does_not_fit_into_the_column"
    text = shown((Grid(("R", "T"), ((Span("SAFE"), Span(name)),)),), color=False, width=30)
    assert "".join(text.split()).replace("SAFE", "").endswith(name)


def test_sql_is_not_wrapped_on_a_narrow_terminal() -> None:
    statement = "CREATE TABLE t (" + ", ".join(f"column_{n} TEXT" for n in range(20)) + ");"
    assert statement in shown((Code(statement),), color=False, width=40)


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x07", "\x9b31m", "\r", "\n", "\u202e", "\x00", "\u2028"])
def test_control_characters_in_names_are_shown_and_not_obeyed(evil: str) -> None:
    document = (Heading(evil), line(evil), Grid(("A",), ((Span(f"t{evil}t"),),)), Code(f"-- {evil}"))
    for text in (render_plain(document), shown(document, color=False)):
        assert evil not in text.replace("\n", "") or evil == "\n"
    assert len(render_plain((Grid(("A",), ((Span(f"t{evil}t"),),)),)).splitlines()) == 2


def test_markup_in_names_is_text() -> None:
    assert "[red]x[/red] :smile:" in shown((line("[red]x[/red] :smile:"),), color=False)


@given(st.text())
def test_cleaned_text_is_one_line_and_printable_where_it_was(text: str) -> None:
    assert len(clean(text).splitlines()) <= 1 or "\x85" in text
    assert all(ord(character) >= 32 for character in clean(text))
    assert clean_lines(text).count("\n") == text.count("\n")
    if text.isprintable():
        assert clean(text) == text


def test_a_stream_that_is_closed_is_no_terminal() -> None:
    from framework_m_migrations.cli.output import is_terminal

    stream = io.StringIO()
    stream.close()
    assert not is_terminal(stream)
