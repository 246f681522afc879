"""status, init, stamp and repair."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from framework_m_migrations.cli import fleet
from framework_m_migrations.cli.confirm import require_consent
from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.options import Common
from framework_m_migrations.cli.redaction import hide_deeply
from framework_m_migrations.cli.work import DIRTY, DONE, Work, execute
from framework_m_migrations.domain.errors import ConfigurationError
from framework_m_migrations.domain.hints import PROGRAM

if TYPE_CHECKING:
    from framework_m_migrations.domain.results import Check, RepairResult

OWN = "framework-m-migrations"
YES = Parameter(name=("--yes", "-y"))


def status(
    *,
    ready: bool = False,
    tolerant: bool = False,
    common: Common = Common(),  # noqa: B008 - frozen; cyclopts reads the default from the signature
) -> int:
    """Show where both tracks stand; change nothing.

    Revisions per app, models and ledger, and who holds the migration lock.

    Args:
        ready: Judge too, for readiness probes: exit code 3 while a revision is pending, a table or column is
            missing, or a breaking change is open.
        tolerant: With --ready, stay ready while the next release is rolled out over the same database.
        common: The options of every command.
    """
    if common.many:
        return fleet.status(common, ready=ready, tolerant=tolerant)

    def body(work: Work) -> int:
        result = work.manager.status()
        from framework_m_migrations.cli.reports.state import status_report

        if tolerant and not ready:
            raise UsageError("--tolerant says how to judge.", next_step="Give it together with --ready.")
        may_serve = result.ready_for(tolerant=tolerant)
        work.output.show(status_report(result))
        work.output.show_json({**result.to_dict(), "ready": may_serve})
        return DIRTY if ready and not may_serve else DONE

    return execute(common, body, announced=False)


def doctor(
    *,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Say what is wrong and the way out; exit code 3 when something is.

    Looks at the connection, rights, migration lock, ledger, revisions, schema and versions; changes nothing.

    Args:
        common: The options of every command.
    """
    return execute(common, lambda work: report_checks(work, ()))


def report_checks(work: Work, more: Sequence[Check]) -> int:
    """Show what doctor finds of the database, and further checks; the exit code."""
    from framework_m_migrations.cli.reports.state import doctor_report

    url = work.manager.settings.url
    checks = (*more, *work.manager.doctor(), _versions(url.partition("://")[0].partition("+")[2]))
    work.output.show(doctor_report(checks, url))
    work.output.show_json(hide_deeply({"command": "doctor", "checks": [check.to_dict() for check in checks]}, url))
    return DONE if all(check.ok for check in checks) else DIRTY


def _versions(driver: str) -> Check:
    """What is installed, and whether it is as new as this package's metadata asks for."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from framework_m_migrations.domain.results import Check

    found: list[str] = []
    old: list[str] = []
    with suppress(PackageNotFoundError):
        lowest = dict(re.findall(r"^([\w-]+)(?:\[\w+\])?>=([\d.]+)", "\n".join(requires(OWN) or ()), re.MULTILINE))
        for name in (OWN, "sqlalchemy", "alembic", driver):
            # A driver may be a part of Python.
            with suppress(PackageNotFoundError, ValueError):
                installed = version(name)
                found.append(f"{name} {installed}")
                if name in lowest and _numbers(installed) < _numbers(lowest[name]):
                    old.append(f"{name}>={lowest[name]}")
    step = f"Install {', '.join(old)}." if old else ""
    return Check("versions", not old, f"{', '.join(found)}{'; too old' if old else ''}", step)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", re.split(r"[a-z+]", text)[0])]


def init(
    *,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Write the project's settings, and alembic.ini with a thin env.py for the alembic command.

    Finds models of SQLAlchemy, SQLModel, Flask-SQLAlchemy and advanced-alchemy, and asks on a terminal. An existing
    history of Alembic or Flask-Migrate is joined: its files are left as they are.

    Args:
        common: The options of every command.
    """

    def body(work: Work) -> int:
        from framework_m_migrations.adapters.sql.revisions.library import layout_of
        from framework_m_migrations.cli.reports.versioned import init_report
        from framework_m_migrations.cli.setup import ProjectSetup, set_up
        from framework_m_migrations.domain.results import InitResult

        settings = work.manager.settings
        hosted = common.program != PROGRAM
        made = ProjectSetup(None, ()) if hosted else set_up(settings, work.output)
        layout = layout_of(settings.path)
        if not hosted and (layout.ini is not None or layout.folders):
            if made.file is None:
                raise ConfigurationError(
                    "The project has its settings and its revision history already.",
                    next_step="See `m-migrate config`; change the files by hand.",
                )
            place = layout.ini.name if layout.ini is not None else layout.folders[0].relative_to(settings.path)
            result = InitResult((made.file,), (*made.remarks, f"Joins the history of {place}."))
        else:
            files = work.manager.init().files
            result = InitResult((*((made.file,) if made.file else ()), *files), made.remarks)
        work.output.show(init_report(result))
        work.output.show_json(result.to_dict())
        return DONE

    return execute(common, body, database=False)


def stamp(
    *revisions: str,
    yes: Annotated[bool, YES] = False,
    dry_run: bool = False,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Set which revisions count as applied, running none.

    For use after manual surgery. Says what it will change, and asks, before it does.

    Args:
        revisions: The revisions that shall be the last applied ones; heads for all heads, base for none.
        yes: Go ahead without asking.
        dry_run: Only say what would change.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        if not revisions:
            raise UsageError("No revision was named.", next_step="Name revisions, or heads for all, or base for none.")
        if "base" in revisions and len(revisions) > 1:
            raise UsageError("base stands for no revision at all and cannot be joined with others.")
        wanted = () if revisions == ("base",) else revisions
        return announce_and_do(work, lambda dry: work.manager.stamp(*wanted, dry_run=dry), yes=yes, dry_run=dry_run)

    return execute(common, body)


def repair(
    *,
    yes: Annotated[bool, YES] = False,
    dry_run: bool = False,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Rebuild the ledger from the real database.

    Changes no table of yours. Says what it will change, and asks, before it does.

    Args:
        yes: Go ahead without asking.
        dry_run: Only say what would change.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        return announce_and_do(work, lambda dry: work.manager.repair(dry_run=dry), yes=yes, dry_run=dry_run)

    return execute(common, body)


def announce_and_do(work: Work, act: Callable[[bool], RepairResult], *, yes: bool, dry_run: bool) -> int:
    """Show what ``act`` would do when it only looks (True), ask, and let it do so (False)."""
    from framework_m_migrations.cli.reports.versioned import actions_report, repair_report

    output = work.output
    announced = act(True)
    output.show(actions_report(announced.command, announced.actions))
    if dry_run or not announced.actions:
        output.show_json(announced.to_dict())
        return DONE
    require_consent(output, yes=yes, question="Go ahead?", details={"actions": list(announced.actions)})
    result = act(False)
    output.show(repair_report(result, announced.actions))
    output.show_json(result.to_dict())
    return DONE


def config(
    *,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Show each setting, its value and where it comes from; open no database.

    An option wins over the environment, the environment over the project's file (m-migrate.toml, or
    [tool.framework-m-migrations] of pyproject.toml), the file over the default.

    Args:
        common: The options of every command.
    """

    def body(work: Work) -> int:
        from framework_m_migrations.cli.reports.state import config_report, settings_rows

        rows = settings_rows(common.resolved())
        work.output.show(config_report(rows))
        settings = {name: {"value": value, "origin": origin} for name, value, origin in rows}
        work.output.show_json({"command": "config", "settings": settings})
        return DONE

    return execute(common, body, database=False)


def explain(
    code: str,
    /,
    *,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Explain an error (M200), a rule of lint (L101) or of risk (column-required); open no database.

    Args:
        code: The code, as it is printed.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        from framework_m_migrations.cli.reports.codes import explained, explanation_report

        found = explained(code)
        if not found:
            raise UsageError(
                f"There is no error or rule `{code}`.", next_step="Give a code such as M200, L302 or column-required."
            )
        work.output.show(explanation_report(found))
        work.output.show_json({"command": "explain", "explanations": [one._asdict() for one in found]})
        return DONE

    return execute(common, body, database=False)


def completion(
    shell: Literal["bash", "zsh", "fish"],
    /,
    *,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Print the completion script of a shell for m-migrate; open no database.

    Args:
        shell: bash, zsh or fish.
        common: The options of every command.
    """
    from framework_m_migrations.cli.app import make_app

    output = common.output(dict(os.environ))
    script = make_app(fancy=False).generate_completion(prog_name=PROGRAM, shell=shell)
    if output.json:
        output.show_json({"command": "completion", "script": script})
    else:
        output.show_code(script)
    return DONE
