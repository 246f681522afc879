"""VersionResolver: which revisions are to be applied or taken back, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from framework_m_migrations.domain.errors import DependentRevision, UnknownRevision
from framework_m_migrations.domain.revisions import RevisionGraph
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
