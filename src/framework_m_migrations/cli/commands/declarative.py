"""all, sync, plan and verify."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from framework_m_migrations.cli import fleet
from framework_m_migrations.cli.confirm import require_consent
from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.options import Common, Format
from framework_m_migrations.cli.work import DIRTY, DONE, Work, execute

if TYPE_CHECKING:
    from framework_m_migrations.domain.plan import Risk
    from framework_m_migrations.domain.results import SyncResult

YES = Parameter(name=("--yes", "-y"))


def run_all(
    *,
    force: bool = False,
    allow_drop: bool = False,
    yes: Annotated[bool, YES] = False,
    common: Common = Common(),  # noqa: B008 - frozen; cyclopts reads the default from the signature
) -> int:
    """Run, then sync: the recommended command.

    Applies the pending revisions first, then what the models add.

    Args:
        force: Compare everything, whatever the ledger says.
        allow_drop: Also drop what no model declares and the ledger records as ours; lists it first.
        yes: Drop without asking.
        common: The options of every command.
    """
    if common.many:
        return fleet.run_all(common, force=force, allow_drop=allow_drop)

    def body(work: Work) -> int:
        from framework_m_migrations.cli.reports.versioned import all_report
        from framework_m_migrations.domain.results import AllResult

        if allow_drop:
            # The list of drops must be true after the revisions, so the two tracks are called one by one.
            result = AllResult(work.manager.run(), _dropping_sync(work, force=force, yes=yes))
        else:
            result = work.manager.all(force=force)
        work.output.show(all_report(result, work.progress.apps, verbose=common.verbose))
        work.output.show_json(result.to_dict())
        return DONE

    return execute(common, body)


def sync(
    *,
    dry_run: bool = False,
    sql: bool = False,
    force: bool = False,
    allow_drop: bool = False,
    yes: Annotated[bool, YES] = False,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Apply what the models declare.

    Applies at once what is safe, and names what it withholds and which command handles that.

    Args:
        dry_run: Only show what would be done; nothing is changed and no hook is run.
        sql: Only print the SQL that would be sent, ready to paste; nothing is changed and no hook is run.
        force: Compare everything, whatever the ledger says.
        allow_drop: Also drop what no model declares and the ledger records as ours; lists it first.
        yes: Drop without asking.
        common: The options of every command.
    """
    if common.many:
        return fleet.sync(common, force=force, dry_run=dry_run, allow_drop=allow_drop, sql=sql)

    def body(work: Work) -> int:
        began = time.monotonic()
        _check_sync(sql=sql, allow_drop=allow_drop, json=common.json)
        from framework_m_migrations.cli.reports import declarative as reports

        if sql:
            result = work.manager.sync(force=force, dry_run=True)
            work.output.show_code(reports.plan_sql(result.plan))
            return DONE
        if allow_drop and not dry_run:
            result = _dropping_sync(work, force=force, yes=yes)
        else:
            result = work.manager.sync(force=force, dry_run=dry_run, allow_drop=allow_drop)
        # Nothing to do is found without the engine's clock; the whole command's time says more than none.
        shown = result if result.seconds else replace(result, seconds=time.monotonic() - began)
        work.output.show(reports.sync_report(shown, verbose=common.verbose))
        if allow_drop and dry_run:
            work.output.show(reports.drops_report(reports.drops_of_plan(result.plan)))
        work.output.show_json(result.to_dict())
        return DONE

    return execute(common, body)


def _check_sync(*, sql: bool, allow_drop: bool, json: bool) -> None:
    if sql and allow_drop:
        raise UsageError("--sql prints no drops.", next_step="`m-migrate plan` shows the SQL of what may be dropped.")
    if sql and json:
        raise UsageError("--sql and --json exclude each other.", next_step="`m-migrate plan --json` holds the SQL too.")


def _dropping_sync(work: Work, *, force: bool, yes: bool) -> SyncResult:
    """List what may be dropped, ask for consent, then sync with drops."""
    from framework_m_migrations.cli.reports import declarative as reports

    listed = work.manager.plan(force=force)
    drops = reports.drops_of_plan(listed)
    if drops:
        shown = reports.drops_report(drops)
        if work.output.json or work.output.quiet:
            work.output.note(shown)
        else:
            work.output.show(shown)
        require_consent(
            work.output, yes=yes, question="Drop these?", details={"actions": [str(planned) for planned in drops]}
        )
    return work.manager.sync(force=force, allow_drop=True, reviewed=listed)


def plan(
    *,
    force: bool = False,
    out: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    check: bool = False,
    format_: Format = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Show what sync would do; change nothing.

    Each change with its risk and reason; each step with its locks and exact SQL; what is withheld.

    Args:
        force: Compare everything, whatever the ledger says.
        out: Also write the plan to a file, for `m-migrate apply FILE`.
        check: Exit with 3 if sync would apply or withhold anything, for CI.
        format_: text, json, or for CI: github, gitlab, junit, markdown, sarif.
        common: The options of every command.
    """
    if common.many:
        return fleet.plan(common, force=force, out=out, check=check, form=format_)

    def body(work: Work) -> int:
        result = work.manager.plan(force=force)
        if out is not None:
            from framework_m_migrations.domain.results import plan_document

            _write_plan(out, plan_document(result, work.output.database))
        from framework_m_migrations.cli.reports.declarative import plan_report

        document = plan_report(result, verbose=work.output.verbose)
        work.present(format_, result, document, {"command": "plan", **result.to_dict()})
        return DIRTY if check and not result.plan.is_empty else DONE

    return execute(common, body, form=format_)


def _write_plan(file: Path, document: dict[str, Any]) -> None:
    try:
        file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The plan cannot be written to {file}: {error.strerror}.") from error


def apply(
    file: Path,
    /,
    *,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Apply exactly the plan of a file, or refuse because something changed since.

    The file is written by `m-migrate plan --out FILE`. If all of it is applied already, nothing happens.

    Args:
        file: The plan.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"The plan {file} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise UsageError(f"The plan {file} is no JSON document: {error}.") from error
        result = work.manager.apply(document if isinstance(document, dict) else {})
        from framework_m_migrations.cli.reports.declarative import sync_report

        work.output.show(sync_report(result, verbose=common.verbose))
        work.output.show_json({**result.to_dict(), "command": "apply"})
        return DONE

    return execute(common, body)


def verify(
    *,
    strict: bool = False,
    fail_on: Literal["safe", "warning", "breaking"] | None = None,
    format_: Format = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Judge the schema, read-only; exit code 3 when dirty.

    Dirty are breaking changes, unmanaged tables, revisions that are not applied or not known, several heads.

    Args:
        strict: Any difference is dirty; the same as --fail-on safe.
        fail_on: The least risk of a change that makes the schema dirty. Default: breaking.
        format_: text, json, or for CI: github, gitlab, junit, markdown, sarif.
        common: The options of every command.
    """

    def least() -> Risk:
        from framework_m_migrations.domain.plan import Risk

        if strict and fail_on not in {None, "safe"}:
            raise UsageError(f"--strict and --fail-on {fail_on} contradict each other.", next_step="Give one of them.")
        return Risk.SAFE if strict else Risk[(fail_on or "breaking").upper()]

    if common.many:
        return fleet.verify(common, least, form=format_)

    def body(work: Work) -> int:
        from framework_m_migrations.cli.reports.declarative import verify_report

        result = work.manager.verify(fail_on=least())
        work.present(format_, result, verify_report(result), result.to_dict())
        return DIRTY if result.dirty else DONE

    return execute(common, body, form=format_)
