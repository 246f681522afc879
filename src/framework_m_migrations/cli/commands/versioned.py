"""run, create, rollback, show, history and graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from framework_m_migrations.cli.confirm import ask
from framework_m_migrations.cli.document import clean
from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.options import Common
from framework_m_migrations.cli.work import DIRTY, DONE, Work, execute
from framework_m_migrations.container.project_file import split_names

if TYPE_CHECKING:
    from framework_m_migrations.domain.renames import Rename
    from framework_m_migrations.domain.results import HistoryResult
    from framework_m_migrations.domain.revisions import PreviewResult


def run(
    revision: str | None = None,
    *,
    app: str | None = None,
    steps: int | None = None,
    contract: Annotated[bool, Parameter(negative=())] = False,
    dry_run: bool = False,
    sql: bool = False,
    common: Common = Common(),  # noqa: B008 - frozen; cyclopts reads the default from the signature
) -> int:
    """Apply the pending revisions of all apps.

    Each comes before those that depend on it, and each has its own transaction.

    Args:
        revision: Only what this revision needs: an id, its beginning, an app's name, +1, REV+1, APP@head or APP@+1.
        app: Only what this app's revisions need.
        steps: Only so many revisions, the first ones; with --app, so many of its own.
        contract: Also end online changes: take away what only code from before them needs.
        dry_run: Only list what would run, with risk and locks; nothing is changed.
        sql: Only print the SQL that would be sent; nothing is changed.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        _check(steps=steps, sql=sql, common=common)
        if dry_run or sql:
            return _preview(work, work.manager.preview_run(revision, contract=contract, app=app, steps=steps), sql=sql)
        result = work.manager.run(revision, contract=contract, app=app, steps=steps)
        from framework_m_migrations.cli.reports.versioned import run_report

        work.output.show(run_report(result, work.progress.apps))
        work.output.show_json(result.to_dict())
        return DONE

    return execute(common, body)


def _check(*, steps: int | None, sql: bool, common: Common) -> None:
    if steps is not None and steps < 1:
        raise UsageError("--steps must be at least 1.")
    if sql and common.json:
        raise UsageError("--sql and --json exclude each other.", next_step="--dry-run --json holds the SQL too.")


def _preview(work: Work, result: PreviewResult, *, sql: bool) -> int:
    from framework_m_migrations.cli.reports.previews import preview_report, preview_sql

    if sql:
        work.output.show_code(preview_sql(result))
        return DONE
    work.output.show(preview_report(result))
    work.output.show_json(result.to_dict())
    return DONE


def create(  # noqa: PLR0913 - the options of the command
    message: str,
    /,
    *,
    app: str | None = None,
    no_autogenerate: bool = False,
    dry_run: bool = False,
    depends_on: Annotated[tuple[str, ...], Parameter(n_tokens=1, negative=())] = (),
    merge: bool = False,
    online: Annotated[bool, Parameter(negative=())] = False,
    rename: Annotated[tuple[str, ...], Parameter(n_tokens=1, negative=(), metavar="RENAME")] = (),
    no_prove: Annotated[bool, Parameter(negative=())] = False,
    scratch_url: Annotated[str | None, Parameter(metavar="URL")] = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Write a revision for people to review.

    It goes into the app's own folder and is filled with the differences between models and database. On a terminal it
    asks about renames: a column or table goes while one of a compatible type comes.

    Args:
        message: What the revision is for.
        app: The app whose branch and folder it goes to; may be left out where the project has one app.
        no_autogenerate: Write an empty revision.
        dry_run: Only print the revision's text.
        depends_on: A revision of another app that must be applied before it; may be repeated.
        merge: Join the app's heads.
        online: Write what sync withholds in two halves, expand and contract, that do not block PostgreSQL.
        rename: A rename, as table.old:new or old_table:new_table; may be repeated.
        no_prove: Do not try the revision out on a scratch database.
        scratch_url: Empty database to try it out on. Default: one that is made beside yours and dropped.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        if not message.strip():
            raise UsageError("The message is empty.", next_step="Say in a few words what the revision is for.")
        owner = app or _only_app(work)
        given = tuple(part for text in rename for part in text.split(",") if part)
        answers: tuple[str, ...] = ()
        asked = work.output.interactive and not no_autogenerate and not merge
        if asked:
            answers = _ask_about_renames(work, owner, given)
        result = work.manager.create(
            message,
            app=owner,
            autogenerate=not no_autogenerate,
            dry_run=dry_run,
            depends_on=tuple(part for text in depends_on for part in text.split(",") if part),
            merge=merge,
            online=online,
            renames=(*given, *answers),
            asked=asked,
            prove=not no_prove,
            scratch=scratch_url,
        )
        from framework_m_migrations.cli.reports.versioned import create_report

        work.output.show(create_report(result, dry_run=dry_run, doctypes=not work.manager.settings.metadata))
        work.output.show_json(result.to_dict() | ({"text": result.text} if dry_run else {}))
        return DONE

    return execute(common, body)


def _only_app(work: Work) -> str:
    settings = work.manager.settings
    apps = settings.apps or split_names(settings.installed_apps)
    if len(apps) != 1:
        known = f": the project has {', '.join(apps)}" if apps else ""
        raise UsageError(
            f"The revision needs an app{known}.", next_step="Name it: `m-migrate create MESSAGE --app APP`."
        )
    return apps[0]


def _ask_about_renames(work: Work, app: str, given: tuple[str, ...]) -> tuple[str, ...]:
    """The renames that a person on the terminal confirms; what one answer settles is not asked about again."""
    chosen: list[Rename] = []
    for one in work.manager.possible_renames(app):
        if one.text in given or any(one.clashes(other) for other in chosen):
            continue
        old, _, new = one.text.rpartition(":")
        what = "table" if one.new is None else "column"
        if ask(work.output, f"Was {what} {clean(old)} renamed to {clean(new)} ({clean(one.detail)})?"):
            chosen.append(one)
    return tuple(one.text for one in chosen)


def prove(
    *revisions: str,
    no_store: Annotated[bool, Parameter(negative=())] = False,
    scratch_url: Annotated[str | None, Parameter(metavar="URL")] = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Run revisions forwards, backwards and forwards on a scratch database; exit code 3 when one fails.

    The scratch database gets a copy of the schema and generated rows; your database is only read. The outcome is
    written into each revision's file, where lint shows it.

    Args:
        revisions: Ids or their beginnings. Default: the pending revisions.
        no_store: Leave the files as they are.
        scratch_url: Empty database to use. Default: one that is made beside yours and dropped.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        result = work.manager.prove(*revisions, scratch=scratch_url, store=not no_store)
        from framework_m_migrations.cli.reports.versioned import prove_report

        work.output.show(prove_report(result))
        work.output.show_json(result.to_dict())
        return DIRTY if result.failed else DONE

    return execute(common, body)


def rollback(
    to: str | None = None,
    *,
    steps: int | None = None,
    app: str | None = None,
    dry_run: bool = False,
    sql: bool = False,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Take revisions back, the last one first.

    Args:
        to: The revision that shall be the last applied one: an id, its beginning, base, -1, REV-1 or APP@base.
        steps: How many. Default: 1.
        app: Only revisions of this app.
        dry_run: Only list what would be taken back, with risk and locks; nothing is changed.
        sql: Only print the SQL that would be sent; nothing is changed.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        if steps is not None and to is not None:
            raise UsageError("--steps and --to exclude each other.", next_step="Give one of them.")
        _check(steps=steps, sql=sql, common=common)
        if dry_run or sql:
            return _preview(work, work.manager.preview_rollback(steps=steps, app=app, to=to), sql=sql)
        result = work.manager.rollback(steps=steps, app=app, to=to)
        from framework_m_migrations.cli.reports.versioned import run_report

        work.output.show(run_report(result, work.progress.apps))
        work.output.show_json(result.to_dict())
        return DONE

    return execute(common, body)


def show(
    revision: str,
    *,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Show one revision: its SQL, risk and locks, and whether it is applied; change nothing.

    Args:
        revision: An id, its beginning, APP@head, or relative to one of these, as in REV-1.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        result = work.manager.show(revision)
        from framework_m_migrations.cli.reports.previews import show_report

        work.output.show(show_report(result))
        work.output.show_json(result.to_dict())
        return DONE

    return execute(common, body)


def history(
    *,
    app: str | None = None,
    log: Annotated[bool, Parameter(negative=())] = False,
    limit: int = 20,
    common: Common = Common(),  # noqa: B008
) -> int:
    """List the revisions in order, applied and pending, or what was done to the database.

    Args:
        app: Only revisions of this app.
        log: The last steps of sync and the last revisions: when, what, who, and whether it succeeded. With --verbose
            also their SQL.
        limit: How many entries of the log.
        common: The options of every command.
    """
    if log:

        def body(work: Work) -> int:
            if app is not None:
                raise UsageError("--log is about all apps.", next_step="Leave --app out.")
            from framework_m_migrations.cli.reports.versioned import log_report

            result = work.manager.log(limit)
            work.output.show(log_report(result, verbose=work.output.verbose))
            work.output.show_json(result.to_dict())
            return DONE

        return execute(common, body)
    return _listed(common, app, "history", lambda result: result)


def heads(
    *,
    app: str | None = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """List the heads of each app: the revisions that no other follows.

    Args:
        app: Only heads of this app.
        common: The options of every command.
    """
    return _listed(common, app, "heads", lambda result: result.heads())


def current(
    *,
    app: str | None = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """List the last applied revisions of each app.

    Args:
        app: Only revisions of this app.
        common: The options of every command.
    """
    return _listed(common, app, "current", lambda result: result.current())


def branches(
    *,
    app: str | None = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """List the revisions at which the history of an app branches: several others follow them.

    Args:
        app: Only revisions of this app.
        common: The options of every command.
    """
    return _listed(common, app, "branches", lambda result: result.branches())


def graph(
    *,
    schema: Annotated[bool, Parameter(negative=())] = False,
    app: str | None = None,
    near: Annotated[tuple[str, ...], Parameter(n_tokens=1, negative=(), metavar="NAME")] = (),
    distance: int = 1,
    format_: Annotated[Literal["text", "mermaid", "svg"], Parameter(name="--format")] = "text",
    out: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Draw the revisions, or the tables with their foreign keys and pending changes; change nothing.

    More than 100 revisions or tables are drawn as one box for each app; --app and --near choose a part.

    Args:
        schema: Draw tables, coloured by the risk of their pending changes, and not revisions.
        app: Only this app's, and what of others they have an edge to.
        near: Only tables or revisions of such a name (* and ? are allowed) and their neighbours; may be repeated.
        distance: How many edges away a neighbour of --near may be.
        format_: text, mermaid or svg.
        out: Write to this file.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        from framework_m_migrations.cli.graphs import mermaid, svg, text
        from framework_m_migrations.domain.graph import part, revision_graph

        whole = work.manager.schema_graph() if schema else revision_graph(work.manager.history())
        found = part(whole, app=app, near=near, distance=distance)
        if not found.nodes and (app is not None or near):
            raise UsageError("Nothing matches --app and --near.", next_step="See `m-migrate graph` without them.")
        drawn = {"text": text, "mermaid": mermaid, "svg": svg}[format_].render(found)
        if out is not None:
            try:
                out.write_text(drawn, encoding="utf-8")
            except OSError as error:
                raise UsageError(f"The file cannot be written: {error}.") from error
        elif not work.output.json:
            work.output.show_code(drawn)
        nodes, edges = [asdict(node) for node in found.nodes], [asdict(edge) for edge in found.edges]
        work.output.show_json({"command": "graph", "nodes": nodes, "edges": edges})
        return DONE

    return execute(common, body)


def _listed(common: Common, app: str | None, command: str, chosen: Callable[[HistoryResult], HistoryResult]) -> int:
    """Show those revisions of the history that ``chosen`` takes out of it."""

    def body(work: Work) -> int:
        from framework_m_migrations.cli.reports.versioned import history_report

        found = chosen(work.manager.history(app))
        work.output.show(history_report(found))
        work.output.show_json({**found.to_dict(), "command": command})
        return DONE

    return execute(common, body)


def squash(
    *,
    app: str,
    to: str,
    message: str | None = None,
    dry_run: bool = False,
    scratch_url: Annotated[str | None, Parameter(metavar="URL")] = None,
    common: Common = Common(),  # noqa: B008
) -> int:
    """Replace an app's revisions up to one of them by a single revision with the same effect.

    Proves on an empty database that both make the same schema and rows. Databases that have all of them, or a part,
    need nothing else than their next run.

    Args:
        app: The app whose revisions are replaced, from its first one on.
        to: The last revision to replace; the new one keeps its id.
        message: What the new revision is for.
        dry_run: Prove, and only print the new revision's text.
        scratch_url: Empty database to prove it on. Default: one that is made beside yours and dropped.
        common: The options of every command.
    """

    def body(work: Work) -> int:
        result = work.manager.squash(app=app, to=to, message=message, dry_run=dry_run, scratch=scratch_url)
        from framework_m_migrations.cli.reports.previews import squash_report

        work.output.show(squash_report(result))
        work.output.show_json(result.to_dict() | ({"text": result.text} if dry_run else {}))
        return DONE

    return execute(common, body)
