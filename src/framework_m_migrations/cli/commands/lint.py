"""lint: judge revisions before they are merged."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from framework_m_migrations.cli.options import Common, Format
from framework_m_migrations.cli.work import DIRTY, DONE, Work, execute


def lint(
    *revisions: str,
    no_squawk: Annotated[bool, Parameter(negative=())] = False,
    format_: Format = None,
    common: Common = Common(),  # noqa: B008 - frozen; cyclopts reads the default from the signature
) -> int:
    """Judge revision files by the SQL they would send; exit code 3 when something is wrong.

    Locking, copying and destructive statements are reported with rule, file and line, for the kind of database that the
    URL names; without a URL, for PostgreSQL. Needs no database.

    Args:
        revisions: Ids, their beginnings, or files. Default: all revisions of the apps.
        no_squawk: Do without squawk, which is used where it is installed.
        format_: text, json, or for CI: github, gitlab, junit, markdown, sarif.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        result = work.manager.lint(*revisions, use_squawk=not no_squawk)
        from framework_m_migrations.cli.reports.lint import lint_report

        work.present(format_, result, lint_report(result), result.to_dict())
        return DIRTY if result.failed else DONE

    return execute(common, body, database=False, form=format_)
