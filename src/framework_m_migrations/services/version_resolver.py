"""VersionResolver: which revisions are to be applied or taken back, in which order, and how people name them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from framework_m_migrations.domain.errors import DependentRevision, UnknownRevision
from framework_m_migrations.domain.revisions import BASE, HEADS, RevisionGraph, Target, parse_target
from framework_m_migrations.ports.session import Session


@dataclass(frozen=True, slots=True)
class VersionResolver:
    """Answers over one graph and the heads that the database is at.

    Args:
        graph: all revisions of all apps.
        current: heads stored in the database; ids may be unknown to the graph.
    """

    graph: RevisionGraph
    current: frozenset[str]

    @property
    def unknown(self) -> tuple[str, ...]:
        """Heads in the database that no file has."""
        return tuple(sorted(self.current - self.graph.by_id.keys()))

    @property
    def applied(self) -> frozenset[str]:
        """Every known revision that is applied."""
        return self.graph.closure(self.current & self.graph.by_id.keys())

    def require_known(self) -> None:
        """Raise UnknownRevision when the database is at a revision that no file has."""
        gone = {name: one for one in self.graph.revisions for name in one.replaces if name in self.unknown}
        for name, one in gone.items():
            raise UnknownRevision(
                f"The database is at revision {name}, which {one.id} replaced and whose file was deleted.",
                next_step=f"Bring the replaced files back from version control, into the folder squashed beside "
                f"{one.path or one.id}, run `m-migrate run`, then delete them again.",
                details={"unknown": list(self.unknown), "replaced_by": one.id},
            )
        if self.unknown:
            raise UnknownRevision(
                f"The database is at revision {', '.join(self.unknown)}, which no installed app has.",
                details={"unknown": list(self.unknown)},
            )

    def resolve(self, text: str) -> str:
        """The revision that an id or its unambiguous beginning names.

        Raises:
            UnknownRevision: none or several fit.
        """
        if text in self.graph.by_id:
            return text
        fitting = [name for name in self.graph.order if name.startswith(text)] if text else []
        if len(fitting) == 1:
            return fitting[0]
        found = (
            f"{len(fitting)} revisions begin with it: {', '.join(fitting)}" if fitting else "no installed app has it"
        )
        raise UnknownRevision(
            f"Revision {text!r} is not known: {found}.", next_step="`m-migrate history` lists all of them."
        )

    def pending(self, target: str | None = None) -> tuple[str, ...]:
        """Revisions to apply, in order: all, or those that ``target`` needs.

        ``target`` is a revision id, ``heads``, or an app's name for that app's heads.

        Raises:
            UnknownRevision: the target or a revision of the database is not known.
            MultipleHeads: an app that is to be brought to its head has several.
        """
        self.require_known()
        if target is None or target in {"head", "heads"}:
            self.graph.require_single_heads()
            wanted = frozenset(self.graph.order)
        elif target in self.graph.apps():
            wanted = self.graph.closure(self.graph.heads(target))
        else:
            wanted = self.graph.closure([self.resolve(target)])
        applied = self.applied
        return tuple(name for name in self.graph.order if name in wanted and name not in applied)

    def contract_due(self) -> tuple[str, ...]:
        """Contract revisions that are not applied though the revision whose change they end is."""
        applied, by_id = self.applied, self.graph.by_id
        return tuple(name for name in self.graph.order if name not in applied and by_id[name].contract_of in applied)

    def new_to(self, pending: Sequence[str]) -> frozenset[str | None]:
        """Apps to which the database is new if it has none of their tables: for these it matters for what is pending.

        Where no revision is applied it matters for contract revisions. Where sync builds the tables it always does:
        revisions that are applied may have been recorded just before somebody stopped it.
        """
        by_id = self.graph.by_id
        started = {by_id[name].app for name in self.applied}
        return frozenset(
            app
            for name in pending
            for app in (by_id[name].app,)
            if self.graph.is_beside_sync(app) or (by_id[name].contract_of is not None and app not in started)
        )

    def recorded(self, pending: Sequence[str], at_work: Collection[str | None] = ()) -> tuple[str, ...]:
        """Those of ``pending`` that count as applied without being run, as the database has no table of their app.

        They change tables that sync had made, which are not there yet; sync will make them as they are wanted now. That
        holds for all revisions of an app of which one was written beside sync: together they are one history.

        Args:
            pending: revisions, in order.
            at_work: those of ``new_to`` of which the database has tables.
        """
        by_id = self.graph.by_id
        built = {app for app in self.new_to(pending) if self.graph.is_beside_sync(app)}
        new = built.difference(at_work)
        return tuple(name for name in pending if by_id[name].app in new)

    def held(self, pending: Sequence[str], at_work: Collection[str | None] = ()) -> tuple[str, ...]:
        """Those of ``pending`` that wait until somebody says that no old code runs any more.

        Contract revisions, and what stands on them, of apps that have a revision applied already, or tables: a database
        that is new to an app has no old code of it and gets all its revisions at once.

        Args:
            pending: revisions, in order.
            at_work: those of ``new_to`` of which the database has tables.
        """
        by_id = self.graph.by_id
        free = self.new_to(pending).difference(at_work)
        first = [name for name in pending if by_id[name].contract_of is not None and by_id[name].app not in free]
        waiting = self.graph.descendants(first)
        return tuple(name for name in pending if name in waiting)

    def rollback(self, *, steps: int = 1, app: str | None = None, to: str | None = None) -> tuple[str, ...]:
        """Revisions to take back, in order: each before those it stands on.

        Args:
            steps: how many; ignored when ``to`` is given.
            app: of this app only; other apps' revisions that stand on them are not pulled along but refused.
            to: the revision that shall be the last applied one (``base`` for none), of ``app`` or of its own app.

        Raises:
            UnknownRevision: ``to`` or a revision of the database is not known, or ``to`` is not applied.
            DependentRevision: an applied revision that is not to be taken back stands on one that is.
        """
        self.require_known()
        applied = self.applied
        order = [name for name in reversed(self.graph.order) if name in applied]
        if to is not None:
            chosen = self._down_to(to, app, applied)
        else:
            candidates = [name for name in order if app is None or self.graph.by_id[name].app == app]
            chosen = frozenset(candidates[:steps])
        self._require_free(chosen, applied)
        return tuple(name for name in order if name in chosen)

    def _down_to(self, to: str, app: str | None, applied: frozenset[str]) -> frozenset[str]:
        if to == "base":
            return frozenset(name for name in applied if app is None or self.graph.by_id[name].app == app)
        target = self.resolve(to)
        if target not in applied:
            raise UnknownRevision(
                f"Revision {target!r} is not applied, so there is nothing to roll back to.",
                next_step="`m-migrate status` shows where each app is.",
            )
        branch = app or self.graph.by_id[target].app
        above = self.graph.descendants([target]) - {target}
        return frozenset(name for name in above & applied if branch is None or self.graph.by_id[name].app == branch)

    def _require_free(self, chosen: Iterable[str], applied: frozenset[str]) -> None:
        chosen = frozenset(chosen)
        standing = sorted((self.graph.descendants(chosen) & applied) - chosen)
        if standing:
            described = ", ".join(f"{name} ({self.graph.by_id[name].app})" for name in standing)
            raise DependentRevision(
                f"These applied revisions stand on what would be rolled back: {described}.",
                details={"revisions": standing},
            )


def resolver(session: Session) -> VersionResolver:
    """The revisions of all apps against what the database says now."""
    graph = session.versions.graph()
    with session.reading():
        return VersionResolver(graph, session.versions.current())


# From a revision as a person names it to revisions of the graph.


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
