"""run, create, rollback and history."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.options import Common
from framework_m_migrations.cli.work import DONE, Work, execute


def run(
    *,
    revision: str | None = None,
    contract: Annotated[bool, Parameter(negative=())] = False,
    common: Common = Common(),  # noqa: B008 - frozen; cyclopts reads the default from the signature
) -> int:
    """Apply the pending revisions of all apps.

    Each comes before those that depend on it, and each has its own transaction.

    Args:
        revision: Only what this revision needs; an id, its beginning, or an app's name for that app's revisions.
        contract: Also end online changes: take away what only code from before them needs.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        result = work.manager.run(revision, contract=contract)
        from framework_m_migrations.cli.reports.versioned import run_report

        work.output.show(run_report(result, work.progress.apps))
        work.output.show_json(result.to_dict())
        return DONE

    return execute(common, body)


def create(
    message: str,
    /,
    *,
    app: str,
    no_autogenerate: bool = False,
    dry_run: bool = False,
    depends_on: Annotated[tuple[str, ...], Parameter(n_tokens=1, negative=())] = (),
    merge: bool = False,
    online: Annotated[bool, Parameter(negative=())] = False,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Write a revision for people to review.

    It goes into the app's own folder and is filled with what differs between DocTypes and database.

    Args:
        message: What the revision is for.
        app: The app whose branch and folder it goes to.
        no_autogenerate: Write an empty revision.
        dry_run: Only print the revision's text.
        depends_on: A revision of another app that must be applied before it; may be repeated.
        merge: Join the app's heads.
        online: Write what sync withholds in two halves, expand and contract, that hold nobody up on PostgreSQL.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        if not message.strip():
            raise UsageError("The message is empty.", next_step="Say in a few words what the revision is for.")
        result = work.manager.create(
            message,
            app=app,
            autogenerate=not no_autogenerate,
            dry_run=dry_run,
            depends_on=tuple(part for text in depends_on for part in text.split(",") if part),
            merge=merge,
            online=online,
        )
        from framework_m_migrations.cli.reports.versioned import create_report

        work.output.show(create_report(result, dry_run=dry_run))
        work.output.show_json(result.to_dict() | ({"text": result.text} if dry_run else {}))
        return DONE

    return execute(common, body)


def rollback(
    *,
    steps: int | None = None,
    app: str | None = None,
    to: str | None = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Take revisions back, the last one first.

    Args:
        steps: How many. Default: 1.
        app: Only revisions of this app.
        to: The revision that shall be the last applied one; base for none.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        if steps is not None and to is not None:
            raise UsageError("--steps and --to exclude each other.", next_step="Give one of them.")
        if steps is not None and steps < 1:
            raise UsageError("--steps must be at least 1.")
        result = work.manager.rollback(steps=steps or 1, app=app, to=to)
        from framework_m_migrations.cli.reports.versioned import run_report

        work.output.show(run_report(result, work.progress.apps))
        work.output.show_json(result.to_dict())
        return DONE

    return execute(common, body)


def history(
    *,
    app: str | None = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """List the revisions in order, applied and pending.

    Args:
        app: Only revisions of this app.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        result = work.manager.history(app)
        from framework_m_migrations.cli.reports.versioned import history_report

        work.output.show(history_report(result))
        work.output.show_json(result.to_dict())
        return DONE

    return execute(common, body)
