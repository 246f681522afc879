"""squash: write one revision that replaces a range."""

from __future__ import annotations

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import RevisionError, UnknownRevision
from framework_m_migrations.domain.revisions import RevisionGraph
from framework_m_migrations.domain.squashing import SquashDraft, SquashResult
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.revision_targets import named
from framework_m_migrations.services.version_resolver import resolver


def squash(
    session: Session,
    *,
    app: str,
    to: str,
    message: str | None = None,
    dry_run: bool = False,
    scratch: str | None = None,
) -> UseCase[SquashResult]:
    """Replace an app's revisions from its first one to ``to`` by one that has the id of the last.

    Args:
        session: the ports.
        app: whose revisions.
        to: the last one to be replaced, in any absolute form of domain.revision_targets.
        message: what the new revision is for.
        dry_run: write nothing.
        scratch: as for Prover.squash.

    Raises:
        UnknownRevision: ``to`` is no single revision of the app.
        RevisionError: there is nothing to replace, something outside the range depends on a part of it, or the new
            revision could not be proven equivalent. Nothing was written.
    """
    yield from ()
    graph = resolver(session).graph
    found = named(resolver(session), to)
    if len(found) != 1 or graph.by_id[found[0]].app != app:
        raise UnknownRevision(
            f"{to!r} is no single revision of app {app!r}.", next_step="Name the last one to replace."
        )
    draft, prover = _draft(graph, app, found[0], message), session.prover
    if prover is None:
        raise RevisionError("These revisions are in no files: nothing can be squashed.", details={"revision": draft.id})
    return prover.squash(draft, scratch=scratch, dry_run=dry_run)


def _draft(graph: RevisionGraph, app: str, last: str, message: str | None) -> SquashDraft:
    below = graph.closure([last])
    replaced = tuple(graph.by_id[name] for name in graph.order if name in below and graph.by_id[name].app == app)
    names = {one.id for one in replaced}
    if len(replaced) < 2:
        raise RevisionError(f"Revision {last} is the first one of app {app!r}: there is nothing to squash.")
    within = names - {last}
    held = [
        f"{one.id} ({one.app})"
        for one in graph.revisions
        if one.id not in names and within.intersection((*one.parents, one.contract_of or ""))
    ]
    if held:
        raise RevisionError(
            f"Revisions outside the range need a part of it: {', '.join(held)}.",
            next_step="Choose --to so that everything else needs the last revision of the range, or none.",
            details={"revisions": held},
        )
    beside_sync = any(one.beside_sync for one in replaced)
    contract = [one.id for one in replaced if one.contract_of is not None]
    if beside_sync and contract:
        raise RevisionError(
            f"Sync built tables of app {app!r} before its first revision, and {', '.join(contract)} must wait for "
            "--contract on such databases. One revision cannot wait with a part of itself.",
            next_step=f"Squash to a revision before {contract[0]}.",
        )
    return SquashDraft(
        id=last,
        app=app,
        message=message or f"squash of {len(replaced)} revisions",
        replaced=replaced,
        down_revisions=_outside(names, [name for one in replaced for name in one.down_revisions]),
        depends_on=_outside(names, [name for one in replaced for name in one.depends_on]),
        branch_labels=tuple(dict.fromkeys(label for one in replaced for label in one.branch_labels)),
        beside_sync=beside_sync,
    )


def _outside(names: set[str], parents: list[str]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(parents) if name not in names)
