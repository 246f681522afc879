"""The commands of ``m migrate``: those of m-migrate, with the host's options."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from framework_m_migrations.cli.commands import declarative, lint, maintenance, versioned
from framework_m_migrations.cli.errors import UsageError
from framework_m_migrations.cli.failures import report_failure
from framework_m_migrations.cli.framework_m.options import HostCommon
from framework_m_migrations.cli.options import Format
from framework_m_migrations.cli.work import Work, execute
from framework_m_migrations.domain.errors import MigrationError

if TYPE_CHECKING:
    from framework_m_migrations.domain.results import RepairResult

type Command = Callable[..., int]

HOST = HostCommon()


def _switch(name: str) -> Parameter:
    return Parameter(name=f"--{name}", negative=f"--no-{name}")


DANGEROUS = _switch("allow-dangerous")
AUTOGENERATE = _switch("autogenerate")
DRY_RUN, FORCE, ALLOW_DROP = _switch("dry-run"), _switch("force"), _switch("allow-drop")

_PLACE = ("path", "database_url", "tenant", "site", "config", "apps")
PLACES = {
    **dict.fromkeys(("all", "sync", "status", "history"), _PLACE),
    "run": (*_PLACE[:5], "revision", "apps", "version_table"),
    "verify": ("path", "database_url", "apps"),
    **dict.fromkeys(("create", "rollback", "init"), ("path", "database_url")),
}
"""Options that the host's own commands also take in their places, in its order; a test compares them with the host."""

OWN_PLACES = {"run": "revision", "rollback": "to"}
"""What the first word is in our own commands, unless it is a folder."""

PLACE_HELP = "The project's folder, then the database's URL and more of its options, in the order of Framework M."


def hosted(name: str, function: Command) -> Command:
    """The same command with the host's options, which may stand in their places where the host takes them so."""
    places, own = PLACES.get(name), OWN_PLACES.get(name)

    @wraps(function)
    def command(*arguments: Any, **options: Any) -> int:
        kept = arguments if places is None else arguments[: len(leading)]
        try:
            placed = _placed(arguments[len(leading) :], places, own, options) if places is not None else options
        except UsageError as error:
            return report_failure(error, options.get("common", HOST).output(dict(os.environ)))
        return function(*kept, **{"common": HOST, **placed})

    signature = inspect.signature(function, eval_str=True)
    parameters = [
        one.replace(annotation=HostCommon, default=HOST) if key == "common" else one
        for key, one in signature.parameters.items()
    ]
    leading = [one for one in parameters if one.kind is not one.KEYWORD_ONLY and one.name != own]
    if places is not None:
        words = inspect.Parameter(
            "place", inspect.Parameter.VAR_POSITIONAL, annotation=Annotated[str, Parameter(help=PLACE_HELP)]
        )
        others = [one.replace(kind=one.KEYWORD_ONLY) for one in parameters if one not in leading]
        parameters = [*leading, words, *others]
    del command.__wrapped__
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters} | {"return": int}
    return command


def _placed(
    words: tuple[str, ...], places: tuple[str, ...], own: str | None, options: dict[str, Any]
) -> dict[str, Any]:
    """The options with the words in their places.

    Raises:
        UsageError: there are more words than places, or one repeats an option.
    """
    if own and len(words) == 1 and not (words[0] in {".", ".."} or os.sep in words[0]):
        places = (own,)
    if len(words) > len(places):
        raise UsageError(f"Unused words: {' '.join(words[len(places) :])}.")
    common: HostCommon = options.get("common", HOST)
    found = dict(options)
    shared: dict[str, Any] = {}
    for name, word in zip(places, words, strict=False):
        known = getattr(common, name) if hasattr(common, name) else options.get(name)
        if known is not None:
            raise UsageError(
                f"{word} and --{name.replace('_', '-')} name the same thing.", next_step="Give one of them."
            )
        if not hasattr(common, name):
            found[name] = word
        else:
            shared[name] = Path(word) if name in {"path", "config"} else (word,) if name in {"tenant", "apps"} else word
    return {**found, "common": replace(common, **shared)}


def run_all(
    *,
    force: Annotated[bool, FORCE] = False,
    allow_drop: Annotated[bool, ALLOW_DROP] = False,
    allow_dangerous: Annotated[bool, DANGEROUS] = True,
    yes: Annotated[bool, declarative.YES] = False,
    common: HostCommon = HOST,
) -> int:
    """Run, then sync: the recommended command.

    Applies the pending revisions first, then what the models add.

    Args:
        force: Compare everything, whatever the ledger says.
        allow_drop: Also drop what no model declares and the ledger records as ours; lists it first.
        allow_dangerous: Changes nothing: what is dangerous is withheld, and reported with the command for it.
        yes: Drop without asking.
        common: The options of every command.
    """
    del allow_dangerous
    return declarative.run_all(force=force, allow_drop=allow_drop, yes=yes, common=common)


def sync(
    *,
    dry_run: Annotated[bool, DRY_RUN] = False,
    sql: bool = False,
    force: Annotated[bool, FORCE] = False,
    allow_drop: Annotated[bool, ALLOW_DROP] = False,
    allow_dangerous: Annotated[bool, DANGEROUS] = True,
    yes: Annotated[bool, declarative.YES] = False,
    common: HostCommon = HOST,
) -> int:
    """Apply what the models declare.

    Applies at once what is safe, and names what it withholds and which command handles that.

    Args:
        dry_run: Only show what would be done; nothing is changed and no hook is run.
        sql: Only print the SQL that would be sent, ready to paste; nothing is changed and no hook is run.
        force: Compare everything, whatever the ledger says.
        allow_drop: Also drop what no model declares and the ledger records as ours; lists it first.
        allow_dangerous: Changes nothing: what is dangerous is withheld, and reported with the command for it.
        yes: Drop without asking.
        common: The options of every command.
    """
    del allow_dangerous
    return declarative.sync(dry_run=dry_run, sql=sql, force=force, allow_drop=allow_drop, yes=yes, common=common)


def verify(
    *,
    engine: str = "sqlalchemy",
    strict: bool = False,
    fail_on: Annotated[str | None, Parameter(metavar="RISK")] = None,
    format_: Format = None,
    common: HostCommon = HOST,
) -> int:
    """Judge the schema, read-only; exit code 3 when dirty.

    Dirty are breaking changes, unmanaged tables, revisions that are not applied or not known, several heads.

    Args:
        engine: Taken for the host's sake: this engine reads the catalog by itself.
        strict: Any difference is dirty; the same as --fail-on safe.
        fail_on: The least risk of a change that makes the schema dirty: safe, warning or breaking. Default: breaking.
        format_: text, json, or for CI: github, gitlab, junit, markdown, sarif.
        common: The options of every command.
    """
    del engine
    return _verify(strict=strict, fail_on=fail_on, format_=format_, common=common)


def _verify(*, strict: bool, fail_on: str | None, format_: str | None, common: HostCommon) -> int:
    match fail_on:
        case None | "safe" | "warning" | "breaking":
            return declarative.verify(strict=strict, fail_on=fail_on, format_=format_, common=common)
        case _:

            def refuse(_: Work) -> int:
                raise UsageError(f"--fail-on {fail_on!r}: there is no such risk.", next_step="safe, warning, breaking.")

            return execute(common, refuse)


def create(  # noqa: PLR0913 - the options of the command
    message: str,
    *,
    app: str | None = None,
    autogenerate: Annotated[bool, AUTOGENERATE] = True,
    dry_run: bool = False,
    depends_on: Annotated[tuple[str, ...], Parameter(n_tokens=1, negative=())] = (),
    merge: bool = False,
    online: Annotated[bool, Parameter(negative=())] = False,
    rename: Annotated[tuple[str, ...], Parameter(n_tokens=1, negative=(), metavar="RENAME")] = (),
    no_prove: Annotated[bool, Parameter(negative=())] = False,
    scratch_url: Annotated[str | None, Parameter(metavar="URL")] = None,
    common: HostCommon = HOST,
) -> int:
    """Write a revision for people to review.

    It goes into the app's own folder and is filled with the differences between models and database. On a terminal it
    asks about renames: a column or table goes while one of a compatible type comes.

    Args:
        message: What the revision is for.
        app: The app whose branch and folder it goes to. Default: the only one that there is.
        autogenerate: Fill it with what differs.
        dry_run: Only print the revision's text.
        depends_on: A revision of another app that must be applied before it; may be repeated.
        merge: Join the app's heads.
        online: Write what sync withholds in two halves, expand and contract, that do not block PostgreSQL.
        rename: A rename, as table.old:new or old_table:new_table; may be repeated.
        no_prove: Do not try the revision out on a scratch database.
        scratch_url: Empty database to try it out on. Default: one that is made beside yours and dropped.
        common: The options of every command.
    """
    try:
        chosen = app or _only_app(common)
    except MigrationError as error:
        return report_failure(error, common.output(dict(os.environ)))
    return versioned.create(
        message,
        app=chosen,
        no_autogenerate=not autogenerate,
        dry_run=dry_run,
        depends_on=depends_on,
        merge=merge,
        online=online,
        rename=rename,
        no_prove=no_prove,
        scratch_url=scratch_url,
        common=common,
    )


def _only_app(common: HostCommon) -> str:
    from framework_m_migrations.embedding.framework_m.wiring import host_apps

    settings = common.settings()
    apps = [found.name for found in host_apps(settings.apps or (), settings.path)]
    if len(apps) != 1:
        known = f"installed are {', '.join(apps)}" if apps else "none is installed"
        raise UsageError(f"It is not clear which app the revision is for: {known}.", next_step="Name it with --app.")
    return apps[0]


def repair(
    *,
    boot: Annotated[bool, Parameter(negative=())] = False,
    yes: Annotated[bool, maintenance.YES] = False,
    dry_run: bool = False,
    common: HostCommon = HOST,
) -> int:
    """Rebuild the ledger from the real database, or put in order what the web server's own boot left.

    Without --boot it changes no table of yours. Says what it will change, and asks, before it does.

    Args:
        boot: Add the primary keys that child tables lack, and drop empty tables of virtual and of tenants' DocTypes.
        yes: Go ahead without asking.
        dry_run: Only say what would change.
        common: The options of every command.
    """
    if not boot:
        return maintenance.repair(yes=yes, dry_run=dry_run, common=common)

    def body(work: Work) -> int:
        from framework_m_migrations.embedding.framework_m.host_database import Strays, repair_boot
        from framework_m_migrations.embedding.framework_m.wiring import host_apps

        settings = work.manager.settings
        strays = Strays.of(host_apps(settings.apps or (), settings.path))

        def act(look: bool) -> RepairResult:
            return work.manager.perform(
                partial(repair_boot, locks=settings.locks, strays=strays, dry_run=look), drops=True
            )

        return maintenance.announce_and_do(work, act, yes=yes, dry_run=dry_run)

    return execute(common, body)


def doctor(*, common: HostCommon = HOST) -> int:
    """Say what is wrong and the way out; exit code 3 when something is.

    Looks at plug-ins (the host passes over broken ones in silence), commands, boot steps and apps, then at connection,
    rights, migration lock, ledger, revisions and schema. Changes nothing.

    Args:
        common: The options of every command.
    """

    def body(work: Work) -> int:
        from framework_m_migrations.embedding.framework_m.doctor import examine

        return maintenance.report_checks(work, examine(COMMANDS))

    return execute(common, body)


_FUNCTIONS: dict[str, Command] = {
    "all": run_all,
    "sync": sync,
    "plan": declarative.plan,
    "apply": declarative.apply,
    "verify": verify,
    "run": versioned.run,
    "create": create,
    "prove": versioned.prove,
    "rollback": versioned.rollback,
    "status": maintenance.status,
    "history": versioned.history,
    "heads": versioned.heads,
    "branches": versioned.branches,
    "current": versioned.current,
    "graph": versioned.graph,
    "show": versioned.show,
    "squash": versioned.squash,
    "lint": lint.lint,
    "init": maintenance.init,
    "stamp": maintenance.stamp,
    "repair": repair,
    "config": maintenance.config,
    "explain": maintenance.explain,
    "completion": maintenance.completion,
    "doctor": doctor,
}
COMMANDS = {name: hosted(name, function) for name, function in _FUNCTIONS.items()}
