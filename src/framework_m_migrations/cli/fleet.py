"""The commands that work on many tenants, for ``--tenant a,b,c`` and ``--all-tenants``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.failures import report_failure
from framework_m_migrations.cli.options import Common
from framework_m_migrations.cli.redaction import hide_deeply
from framework_m_migrations.cli.work import DIRTY, DONE, check_format, output_in

if TYPE_CHECKING:
    from pathlib import Path

    from framework_m_migrations.domain.plan import Risk
    from framework_m_migrations.domain.results import FleetResult
    from framework_m_migrations.embedding.fleet import TenantCommands


def sync(common: Common, *, force: bool, dry_run: bool, allow_drop: bool, sql: bool) -> int:
    """``sync`` for each; 0 unless one failed."""

    def ask(tenants: TenantCommands) -> FleetResult:
        _refuse(**{"--allow-drop": allow_drop, "--sql": sql})
        return tenants.sync(force=force, dry_run=dry_run)

    return _execute(common, ask, lambda _: DONE)


def run_all(common: Common, *, force: bool, allow_drop: bool) -> int:
    """``run`` once, then ``sync`` for each; 0 unless one failed."""

    def ask(tenants: TenantCommands) -> FleetResult:
        _refuse(**{"--allow-drop": allow_drop})
        return tenants.all(force=force)

    return _execute(common, ask, lambda _: DONE)


def _refuse(**options: bool) -> None:
    for option, given in options.items():
        if given:
            raise UsageError(
                f"{option} works on one tenant at a time.",
                next_step="Name one with --tenant; leave the option out for many.",
            )


def plan(common: Common, *, force: bool, out: Path | None, check: bool, form: str | None) -> int:
    """``plan`` for each; 0 unless one failed."""

    def ask(tenants: TenantCommands) -> FleetResult:
        _refuse(**{"--out": out is not None, "--check": check})
        return tenants.plan(force=force)

    return _execute(common, ask, lambda _: DONE, form=form)


def verify(common: Common, fail_on: Callable[[], Risk], *, form: str | None) -> int:
    """``verify`` for each; DIRTY when one of them is.

    Args:
        common: the options that every command has.
        fail_on: tells the least risk that makes a schema dirty; may raise.
        form: the format that was asked for.
    """
    return _execute(
        common,
        lambda tenants: tenants.verify(fail_on=fail_on()),
        lambda result: DIRTY if result.dirty else DONE,
        form=form,
    )


def status(common: Common, *, ready: bool, tolerant: bool) -> int:
    """``status`` for each; with ``ready`` DIRTY unless all of them and what they share may be served."""

    def judge(result: FleetResult) -> int:
        return DIRTY if ready and not result.ready_for(tolerant=tolerant) else DONE

    def ask(tenants: TenantCommands) -> FleetResult:
        if tolerant and not ready:
            raise UsageError("--tolerant says how to judge.", next_step="Give it together with --ready.")
        return tenants.status()

    return _execute(
        common,
        ask,
        judge,
        lambda result: {"ready": result.ready_for(tolerant=tolerant)},
    )


def _execute(
    common: Common,
    ask: Callable[[TenantCommands], FleetResult],
    judge: Callable[[FleetResult], int],
    more: Callable[[FleetResult], dict[str, Any]] = lambda _: {},
    *,
    form: str | None = None,
) -> int:
    """Run a command over many tenants and show what came of it.

    Args:
        common: the options that every command has.
        ask: the command.
        judge: the exit code when no tenant failed.
        more: further values for ``--json``.
        form: the format that was asked for: text or JSON, the formats of CI systems show one schema.

    Returns:
        The exit code. When tenants failed, it is that of their failures where these have the same, else 1.
    """
    output = output_in(common, form)
    url = common.database_url or os.environ.get("DATABASE_URL", "")
    try:
        check_format(form, json=common.json)
        _refuse(**{f"--format {form}": form not in {None, "text", "json"}})
        with output.stdout_kept_clean():
            from framework_m_migrations.cli.progress import ProgressSink
            from framework_m_migrations.cli.reports.fleet import fleet_report

            with ProgressSink(output) as progress:
                tenants = common.fleet(progress)
                url = tenants.settings.url
                output = replace(output, database=tenants.shown_url)
                result = ask(tenants)
                output.announce(default=not tenants.settings.database_url)
            output.show(fleet_report(result, verbose=common.verbose, url=url))
            output.show_json(hide_deeply(result.to_dict() | more(result), url))
            codes = {1 if outcome.error is None else outcome.error.exit_code for outcome in result.failed}
            return (codes.pop() if len(codes) == 1 else 1) if codes else judge(result)
    except BaseException as error:  # noqa: BLE001 - the outermost boundary, as in work.execute
        return report_failure(error, output, url)
