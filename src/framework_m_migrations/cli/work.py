"""One command at work: its output, its settings, its manager; and what surrounds each of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.failures import report_failure
from framework_m_migrations.cli.options import Common
from framework_m_migrations.cli.output import Output

if TYPE_CHECKING:
    from framework_m_migrations.cli.document import Document
    from framework_m_migrations.cli.progress import ProgressSink
    from framework_m_migrations.domain.lint import LintResult
    from framework_m_migrations.domain.results import PlanResult, VerifyResult
    from framework_m_migrations.embedding.sync import MigrationManager

DONE, DIRTY = 0, 3


@dataclass(frozen=True, slots=True)
class Work:
    """Handed to the body of a command."""

    output: Output
    manager: MigrationManager
    progress: ProgressSink

    def present(
        self, form: str | None, result: PlanResult | VerifyResult | LintResult, text: Document, values: dict[str, Any]
    ) -> None:
        """Show a result on stdout.

        Args:
            form: one of ``reporters.formats()``; None for text, or for JSON under ``--json``.
            result: what the formats for CI are made of.
            text: the result for people.
            values: the result for programs.
        """
        if form in {None, "text", "json"}:
            self.output.show(text)
            self.output.show_json(values)
            return
        from framework_m_migrations.cli.reporters import make_report, render

        report = make_report(result, self.output.database, self.manager.settings.named_metadata, self.output.words)
        self.output.show_code(render(str(form), report))


def execute(
    common: Common,
    body: Callable[[Work], int],
    *,
    database: bool = True,
    announced: bool = True,
    form: str | None = None,
) -> int:
    """Run the body of a command.

    Args:
        common: the options that every command has.
        body: does the work and shows the result; returns the exit code.
        database: the command works on the database, so that its output names it.
        announced: say so on stderr; for a command whose result does not name it.
        form: the format that was asked for, of a command that has several.

    Returns:
        The exit code; whatever was raised has been shown.
    """
    output = output_in(common, form)
    url = common.database_url or os.environ.get("DATABASE_URL", "")
    try:
        check_format(form, json=common.json)
        with output.stdout_kept_clean():
            # What follows imports the engine, for which the help does not wait.
            from framework_m_migrations.cli.progress import ProgressSink

            with ProgressSink(output) as progress:
                manager = common.manager(progress)
                url = manager.settings.url
                if database:
                    output = replace(output, database=manager.shown_url)
                code = body(Work(output, manager, progress))
                if announced:
                    output.announce(default=not manager.settings.database_url)
                return code
    except BaseException as error:  # noqa: BLE001 - the outermost boundary: all that is raised is shown, as one line
        return report_failure(error, output, url)


def output_in(common: Common, form: str | None) -> Output:
    """Where a command shows its result: ``--format json`` is ``--json``."""
    output = common.output(dict(os.environ))
    return replace(output, json=True) if form == "json" else output


def check_format(form: str | None, *, json: bool) -> None:
    """Raise UsageError where a format does not exist, or contradicts ``--json``."""
    if form is None:
        return
    from framework_m_migrations.cli.reporters import formats

    if form not in formats():
        raise UsageError(f"There is no format {form!r}.", next_step=f"The formats are {', '.join(formats())}.")
    if json and form != "json":
        raise UsageError(f"--json and --format {form} exclude each other.", next_step="Give one of them.")
