"""Where a command writes: results to stdout, all else to stderr."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TextIO

from framework_m_migrations.cli.document import Block, Document, Grid, Paragraph, Span, line
from framework_m_migrations.cli.errors import UnwritableText
from framework_m_migrations.cli.redaction import hide_urls
from framework_m_migrations.domain.hints import Invocation


def is_terminal(stream: TextIO) -> bool:
    """True when a person may be looking at it."""
    return not stream.closed and stream.isatty()


def wants_color(environ: Mapping[str, str]) -> bool:
    """False under NO_COLOR (set, whatever it says, unless empty) and on terminals that have no colours."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


@dataclass(frozen=True, slots=True)
class Output:
    """The streams of one command.

    Attributes:
        json: results and errors are JSON documents on stdout.
        quiet: results are not shown; errors are.
        verbose: details are shown too, and tracebacks of what nobody expected.
        color: colours are welcome, where there is a terminal.
        invocation: how the program was called; the next steps that are shown are spelled by it.
        stdin, stdout, stderr: the process's own, unless a host program passes others.
        database: the URL of the database that the command works on, without its password; empty for none.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: bool = True
    invocation: Invocation = field(default_factory=Invocation)
    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    database: str = ""

    @property
    def interactive(self) -> bool:
        """True when a question can be asked and answered."""
        return not self.json and is_terminal(self.stdin) and is_terminal(self.stderr)

    def show(self, document: Document) -> None:
        """A result for people, on stdout, unless ``json`` or ``quiet``."""
        if not self.json and not self.quiet:
            self._write(self.stdout, document)

    def show_json(self, values: Mapping[str, Any]) -> None:
        """A result for programs: one JSON document on stdout, in ASCII, so that no encoding can break it."""
        if self.json:
            named = {"database": self.database} if self.database else {}
            self._send(self.stdout, json.dumps(self._spelled(named | dict(values)), indent=2, default=str) + "\n")

    def announce(self, *, default: bool) -> None:
        """Say on stderr, beside the result, which database the command works on.

        Args:
            default: no database was named, so that it is the default one.
        """
        if self.database and not self.json and not self.quiet:
            words = " (the default: no database was named)" if default else ""
            self._write(self.stderr, (line(Span(f"Database {self.database}{words}", "dim")),))

    def show_code(self, text: str) -> None:
        """Text to be copied or piped on, verbatim, on stdout.

        Raises:
            UnwritableText: stdout's encoding lacks a character of it; a replacement would change its meaning.
        """
        encoding = self.stdout.encoding or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError as error:
            raise UnwritableText(
                f"The SQL has the character {error.object[error.start]!a}, which {encoding} cannot express.",
            ) from error
        self._send(self.stdout, text)

    def note(self, document: Document) -> None:
        """A message beside the result, on stderr, whatever the mode."""
        self._write(self.stderr, document)

    @contextlib.contextmanager
    def stdout_kept_clean(self) -> Iterator[Output]:
        """While it lasts, what hooks, apps and revisions print goes to stderr; only the command writes to stdout."""
        with contextlib.redirect_stdout(self.stderr):
            yield self

    def _write(self, stream: TextIO, document: Document) -> None:
        shown = tuple(self._ready_to_show(block) for block in document)
        with _broken_pipes_passed_over(stream):
            if is_terminal(stream) and os.environ.get("TERM") != "dumb":
                from framework_m_migrations.cli.fancy import make_console, show_fancy

                show_fancy(shown, make_console(stream, color=self.color))
            else:
                from framework_m_migrations.cli.document import render_plain

                stream.write(render_plain(shown))
            stream.flush()

    def _ready_to_show(self, block: Block) -> Block:
        # Code is shown verbatim: it is there to be copied, and what it holds comes from the schema.
        match block:
            case Paragraph(spans=spans):
                return replace(block, spans=self._texts(spans))
            case Grid(rows=rows):
                return replace(block, rows=tuple(self._texts(row) for row in rows))
            case _:
                return block

    def words(self, text: str) -> str:
        """A text as it may be shown: next steps as the caller can type them, passwords of URLs left out."""
        return hide_urls(self.invocation.spell(text))

    def _texts(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        return tuple(replace(span, text=self.words(span.text)) for span in spans)

    def _spelled(self, value: Any) -> Any:
        """Plain values with the next steps in them; text of several lines is a file's or a statement's."""
        match value:
            case str() if "\n" not in value:
                return hide_urls(spelled) if (spelled := self.invocation.spell(value)) != value else value
            case Mapping():
                return {key: self._spelled(item) for key, item in value.items()}
            case list() | tuple():
                return [self._spelled(item) for item in value]
            case _:
                return value

    @staticmethod
    def _send(stream: TextIO, text: str) -> None:
        with _broken_pipes_passed_over(stream):
            stream.write(text)
            stream.flush()


@contextlib.contextmanager
def _broken_pipes_passed_over(stream: TextIO) -> Iterator[None]:
    """Whoever read the output has gone (``| head``). The work is done, and the exit code still says how it went."""
    try:
        yield
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):
            # Python flushes the stream once more at its end, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
