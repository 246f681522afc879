"""Questions, asked on stderr so that a piped result stays a result."""

from __future__ import annotations

from framework_m_migrations.cli.document import clean
from framework_m_migrations.cli.errors import ConfirmationNeeded, Declined
from framework_m_migrations.cli.output import Output


def ask(output: Output, question: str) -> bool:
    """Ask for yes or no; everything but y and yes is no, the end of the input too."""
    output.stderr.write(f"{question} [y/N] ")
    output.stderr.flush()
    answer = output.stdin.readline()
    if not answer.endswith("\n"):
        output.stderr.write("\n")
    return answer.strip().lower() in {"y", "yes"}


def ask_text(output: Output, question: str, default: str) -> str:
    """Ask for a text; an empty answer, and the end of the input, stand for the default."""
    output.stderr.write(f"{question} [{clean(default)}]: ")
    output.stderr.flush()
    answer = output.stdin.readline()
    if not answer.endswith("\n"):
        output.stderr.write("\n")
    return answer.strip() or default


def require_consent(output: Output, *, yes: bool, question: str, details: dict[str, object]) -> None:
    """Return when the caller may go ahead.

    Args:
        output: the streams.
        yes: consent was given on the command line.
        question: to be asked on a terminal.
        details: for the error, what would have been changed.

    Raises:
        ConfirmationNeeded: there is no terminal to ask on.
        Declined: the answer was no.
    """
    if yes:
        return
    if not output.interactive:
        raise ConfirmationNeeded("This needs a confirmation, and there is no terminal to ask on.", details=details)
    if not ask(output, question):
        raise Declined("You chose not to go ahead.", details=details)
