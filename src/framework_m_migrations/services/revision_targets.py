"""From a revision as a person names it to revisions of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework_m_migrations.domain.errors import UnknownRevision
from framework_m_migrations.domain.revision_targets import BASE, HEADS, Target, parse_target
from framework_m_migrations.domain.revisions import RevisionGraph
from framework_m_migrations.services.version_resolver import VersionResolver

_FORMS = "The forms are REV, head, base, +N, -N, REV+N, REV-N, APP@head and APP@+N; `m-migrate history` lists ids."


@dataclass(frozen=True, slots=True)
class Upward:
    """What ``run`` is asked for.

    Attributes:
        pending: revisions to apply, in order, before those are taken out that wait.
        explicit: one revision was named, so that it does not wait for ``--contract``.
        steps: apply only so many of them; None for all.
        app: count only revisions of this app as steps.
    """

    pending: tuple[str, ...]
    explicit: bool = False
    steps: int | None = None
    app: str | None = None

    def cut(self, chosen: Sequence[str], graph: RevisionGraph) -> tuple[str, ...]:
        """The first ``steps`` of the chosen ones; with an app, its first ones and what they depend on."""
        if self.steps is None:
            return tuple(chosen)
        counted = [name for name in chosen if self.app is None or graph.by_id[name].app == self.app]
        if self.app is None:
            return tuple(counted[: self.steps])
        needed = graph.closure(counted[: self.steps])
        return tuple(name for name in chosen if name in needed)


@dataclass(frozen=True, slots=True)
class Downward:
    """What ``rollback`` is asked for: the arguments of VersionResolver.rollback."""

    steps: int = 1
    app: str | None = None
    to: str | None = None


def upward(
    versions: VersionResolver, text: str | None = None, *, app: str | None = None, steps: int | None = None
) -> Upward:
    """The revisions that ``run`` is to apply.

    Args:
        versions: all revisions, and where the database is.
        text: the last revision to apply; None for the heads.
        app: only what this app's revisions need.
        steps: only so many revisions.

    Raises:
        UnknownRevision: the text names nothing, or something below the current position.
        MultipleHeads: an app that is to be brought to its head has several.
    """
    graph = versions.graph
    versions.require_known()
    branch = None if app is None else _app(graph, app)
    if text is None:
        return Upward(versions.pending(branch), steps=steps, app=branch)
    target = _parsed(graph, text)
    branch = _same_app(graph, target, branch)
    if target.relative:
        if target.delta < 0:
            raise UnknownRevision(
                f"{text} is below the current revision, and run only goes up.",
                next_step="Use `m-migrate rollback` to go down.",
            )
        if steps is not None:
            raise UnknownRevision(f"{text} and --steps both say how many revisions.", next_step="Give one of them.")
        return Upward(versions.pending(branch), steps=target.delta, app=branch)
    if target.delta == 0:
        if target.symbol in HEADS:
            return Upward(versions.pending(branch), steps=steps, app=branch)
        if target.symbol in graph.apps():
            return Upward(versions.pending(target.symbol), steps=steps, app=target.symbol)
    name = _named(versions, target, branch)
    if name is None:
        return Upward((), explicit=True)
    return Upward(versions.pending(name), explicit=True, steps=steps, app=branch)


def downward(
    versions: VersionResolver, text: str | None = None, *, app: str | None = None, steps: int | None = None
) -> Downward:
    """What ``rollback`` is to take back.

    Args:
        versions: all revisions, and where the database is.
        text: the revision that shall be the last applied one, or ``-N`` for so many steps; None for ``steps``.
        app: only revisions of this app.
        steps: how many; 1 where neither says it.

    Raises:
        UnknownRevision: the text names nothing, or something above the current position.
    """
    graph = versions.graph
    branch = None if app is None else _app(graph, app)
    if text is None:
        return Downward(1 if steps is None else steps, branch)
    target = _parsed(graph, text)
    branch = _same_app(graph, target, branch)
    if not target.relative:
        if target.symbol == BASE and target.delta == 0:
            return Downward(app=branch, to=BASE)
        start = _start(versions, target, branch)
        name = _walked(versions, target, start, branch)
        if name is None:
            return Downward(app=branch or (None if start is None else graph.by_id[start].app), to=BASE)
        return Downward(app=branch, to=name)
    if target.delta > 0:
        raise UnknownRevision(
            f"{text} is above the current revision, and rollback only goes down.",
            next_step="Use `m-migrate run` to go up.",
        )
    if steps is not None:
        raise UnknownRevision(f"{text} and --steps both say how many revisions.", next_step="Give one of them.")
    return Downward(-target.delta, branch)


def named(versions: VersionResolver, text: str) -> tuple[str, ...]:
    """The revisions that a text stands for by itself, whatever the database is at; empty for ``base``.

    Raises:
        UnknownRevision: it names nothing, or counts from the current position.
    """
    graph = versions.graph
    target = _parsed(graph, text)
    branch = _same_app(graph, target, None)
    if target.relative:
        raise UnknownRevision(f"{text} counts from the current revision.", next_step="Name a revision.")
    if target.delta == 0 and target.symbol in HEADS:
        return graph.heads(branch)
    name = _named(versions, target, branch)
    return () if name is None else (name,)


def _parsed(graph: RevisionGraph, text: str) -> Target:
    target = parse_target(text, {*graph.by_id, *graph.apps()})
    if target is None:
        raise UnknownRevision(f"{text!r} names no revision.", next_step=_FORMS)
    return target


def _app(graph: RevisionGraph, name: str) -> str:
    if name in graph.apps():
        return name
    for revision in graph.revisions:
        if name in revision.branch_labels and revision.app is not None:
            return revision.app
    raise UnknownRevision(
        f"There is no app {name!r} with revisions.",
        next_step=f"Apps with revisions: {', '.join(graph.apps()) or 'none'}.",
    )


def _same_app(graph: RevisionGraph, target: Target, app: str | None) -> str | None:
    if target.branch is None:
        return app
    branch = _app(graph, target.branch)
    if app not in {None, branch}:
        raise UnknownRevision(f"{target.text} is of app {branch!r}, not of {app!r}.", next_step="Name one app.")
    return branch


def _named(versions: VersionResolver, target: Target, branch: str | None) -> str | None:
    return _walked(versions, target, _start(versions, target, branch), branch)


def _start(versions: VersionResolver, target: Target, branch: str | None) -> str | None:
    """The revision that the symbol stands for; None for the state before the first one."""
    graph = versions.graph
    if target.symbol == BASE:
        return None
    if target.symbol in HEADS or target.symbol in graph.apps():
        heads = graph.heads(branch if target.symbol in HEADS else target.symbol)
        if len(heads) != 1:
            raise UnknownRevision(
                f"{target.text} is ambiguous: there are {len(heads)} heads.", next_step="Name an app, as in APP@head-1."
            )
        return heads[0]
    name = versions.resolve(target.symbol or "")
    if branch is not None and graph.by_id[name].app != branch:
        raise UnknownRevision(f"Revision {name} is of app {graph.by_id[name].app!r}, not of {branch!r}.")
    return name


def _walked(versions: VersionResolver, target: Target, start: str | None, branch: str | None) -> str | None:
    """So many revisions up or down from ``start`` along its branch; None for the state before the first one."""
    graph, name = versions.graph, start
    for _ in range(abs(target.delta)):
        if target.delta > 0:
            found = _first(graph, branch) if name is None else graph.followers.get(name, ())
        elif name is None:
            found = ()
        else:
            found = graph.by_id[name].down_revisions
            if not found:
                name = None
                continue
        if len(found) != 1:
            which = "no revision is there" if not found else f"it could be {', '.join(found)}"
            raise UnknownRevision(f"{target.text} cannot be resolved: {which}.", next_step=_FORMS)
        name = found[0]
    return name


def _first(graph: RevisionGraph, branch: str | None) -> tuple[str, ...]:
    return tuple(one.id for one in graph.revisions if not one.down_revisions and (branch is None or one.app == branch))
