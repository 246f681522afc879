"""Results on stdout, all else on stderr, each mode showing exactly what it promises."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from framework_m_migrations.cli.confirm import ask, require_consent
from framework_m_migrations.cli.document import Code, line
from framework_m_migrations.cli.errors import ConfirmationNeeded, Declined, UnwritableText
from framework_m_migrations.cli.output import Output
from tests.unit.cli._made import ESCAPE, Terminal, an_output

RESULT = (line("result"),)


def test_a_result_is_for_people_on_stdout_only() -> None:
    output, out, err = an_output()
    output.show(RESULT)
    output.show_json({"a": 1})
    assert (out.getvalue(), err.getvalue()) == ("result\n", "")


def test_json_is_the_only_thing_on_stdout() -> None:
    output, out, err = an_output(json=True)
    output.show(RESULT)
    output.note((line("beside"),))
    output.show_json({"name": "größe\u2028", "path": Path("x")})
    assert json.loads(out.getvalue()) == {"name": "größe\u2028", "path": "x"}
    assert out.getvalue().isascii()
    assert err.getvalue() == "beside\n"


def test_quiet_shows_no_result_but_notes() -> None:
    output, out, err = an_output(quiet=True)
    output.show(RESULT)
    output.note((line("error"),))
    assert (out.getvalue(), err.getvalue()) == ("", "error\n")


def test_quiet_json_is_still_json() -> None:
    output, out, _ = an_output(quiet=True, json=True)
    output.show_json({"a": 1})
    assert json.loads(out.getvalue()) == {"a": 1}


def test_a_terminal_gets_colours_and_dumb_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    output, out, _ = an_output(terminal=True)
    output.show((Code("SELECT 1"),))
    assert ESCAPE in out.getvalue()
    monkeypatch.setenv("TERM", "dumb")
    output, out, _ = an_output(terminal=True)
    output.show((Code("SELECT 1"),))
    assert out.getvalue() == "  SELECT 1\n"


def test_what_others_print_does_not_spoil_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(json=True)
    with output.stdout_kept_clean():
        sys.stdout.write("a hook talks")
        output.show_json({})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {}
    assert "a hook talks" in captured.err


def test_urls_lose_their_password_and_words_of_the_schema_stay() -> None:
    output, out, _ = an_output()
    output.show((line("postgresql://u:hidden@h/db"), line("type of password: TEXT to VARCHAR(9)")))
    assert "hidden" not in out.getvalue()
    assert "type of password: TEXT to VARCHAR(9)" in out.getvalue()


def test_sql_is_verbatim_or_refused() -> None:
    output, out, _ = an_output()
    text = "ALTER TABLE t ADD c TEXT DEFAULT 'ftp://a:b@c/ \x1b é';\n"
    output.show_code(text)
    assert out.getvalue() == text
    narrow = Output(stdout=io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace"))
    with pytest.raises(UnwritableText, match="ascii cannot express"):
        narrow.show_code(text)


def test_a_reader_that_has_gone_is_no_failure() -> None:
    script = (
        "import sys, time\n"
        "from framework_m_migrations.cli.output import Output\n"
        "from framework_m_migrations.cli.document import line\n"
        "output = Output()\n"
        "for _ in range(20000):\n    output.show((line('x' * 100),))\n"
        "sys.exit(7)\n"
    )
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", script], stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert (done.returncode, done.stderr) == (7, b"")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("y\n", True), ("YES\n", True), (" y \n", True), ("n\n", False), ("\n", False), ("", False), ("yep\n", False)],
)
def test_only_yes_is_yes(typed: str, meant: bool) -> None:
    err = Terminal()
    output = Output(stdin=Terminal(typed), stdout=io.StringIO(), stderr=err)
    assert ask(output, "Sure?") is meant
    assert err.getvalue().startswith("Sure? [y/N] ")


def test_consent_is_asked_for_on_a_terminal_and_needed_beforehand_elsewhere() -> None:
    asked = Output(stdin=Terminal("n\n"), stdout=io.StringIO(), stderr=Terminal())
    with pytest.raises(Declined):
        require_consent(asked, yes=False, question="Sure?", details={})
    piped, _, err = an_output()
    with pytest.raises(ConfirmationNeeded) as refused:
        require_consent(piped, yes=False, question="Sure?", details={"actions": ["a"]})
    assert refused.value.details == {"actions": ["a"]}
    assert refused.value.exit_code == 2
    require_consent(piped, yes=True, question="Sure?", details={})
    assert err.getvalue() == ""


def test_no_question_is_asked_while_json_is_wanted() -> None:
    output = Output(json=True, stdin=Terminal("y\n"), stdout=io.StringIO(), stderr=Terminal())
    with pytest.raises(ConfirmationNeeded):
        require_consent(output, yes=False, question="Sure?", details={})
