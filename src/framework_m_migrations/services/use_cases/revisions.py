"""Revisions without running them for real: preview and show, prove, squash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import RevisionError, UnknownRevision, UnsupportedDatabase
from framework_m_migrations.domain.results import ProveResult
from framework_m_migrations.domain.revisions import (
    PreviewResult,
    Proof,
    RevisionGraph,
    ShowResult,
    SquashDraft,
    SquashResult,
)
from framework_m_migrations.ports.session import Session
from framework_m_migrations.services.use_cases.run import RunOptions, chosen_by
from framework_m_migrations.services.version_resolver import VersionResolver, downward, named, resolver


def preview_run(session: Session, options: RunOptions) -> UseCase[PreviewResult]:
    """What ``run`` would do; the arguments and errors are those of use_cases.run.run."""
    yield from ()
    versions = resolver(session)
    pending, recorded, held = chosen_by(session, versions, options)
    return _result(session, versions, pending, upgrade=True, recorded=recorded, held=held)


def preview_rollback(
    session: Session, *, steps: int | None = None, app: str | None = None, to: str | None = None
) -> UseCase[PreviewResult]:
    """What ``rollback`` would do; the arguments and errors are those of use_cases.run.rollback."""
    yield from ()
    versions = resolver(session)
    wanted = downward(versions, to, app=app, steps=steps)
    chosen = versions.rollback(steps=wanted.steps, app=wanted.app, to=wanted.to)
    return _result(session, versions, chosen, upgrade=False)


def show(session: Session, text: str) -> UseCase[ShowResult]:
    """One revision with its SQL and its state.

    Args:
        session: the ports.
        text: its id, the beginning of one, ``APP@head`` or a form relative to one of these.

    Raises:
        UnknownRevision: the text names no revision, or several.
    """
    yield from ()
    versions = resolver(session)
    found = named(versions, text)
    if len(found) != 1:
        many = f"it stands for {', '.join(found)}" if found else "nothing comes before the first revision"
        raise UnknownRevision(f"{text!r} names no single revision: {many}.", next_step="Name one revision.")
    revision = versions.graph.by_id[found[0]]
    applied = revision.id in versions.applied
    held: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    if not applied:
        before = versions.pending(revision.id)
        held = versions.held(before)
    with session.reading():
        # A pending revision is shown as it would run from here, after those that it needs.
        up = session.versions.render(before or (revision.id,), alone=applied)[-1]
        [down] = session.versions.render((revision.id,), upgrade=False, alone=True)
    followers = tuple(one.id for one in versions.graph.revisions if revision.id in one.parents)
    return ShowResult(revision, "applied" if applied else "pending", up, down, followers, revision.id in held)


def _result(
    session: Session,
    versions: VersionResolver,
    revisions: Sequence[str],
    *,
    upgrade: bool,
    recorded: Sequence[str] = (),
    held: Sequence[str] = (),
) -> PreviewResult:
    with session.reading():
        previews = session.versions.render(revisions, upgrade=upgrade, recorded=recorded)
    capabilities = session.capabilities
    return PreviewResult(
        tuple((versions.graph.by_id[one.revision], one) for one in previews),
        "upgrade" if upgrade else "downgrade",
        tuple(held),
        tuple(recorded),
        capabilities.dialect,
        capabilities.transactional_ddl,
    )


# prove: try revisions out on a scratch database, and store the outcome in their files.


@dataclass(frozen=True, slots=True)
class ProveOptions:
    """What to prove.

    Attributes:
        revisions: ids or their beginnings; empty for the pending revisions.
        scratch: URL of an empty database to try them on; None to make one.
        store: write each outcome into the revision's file.
    """

    revisions: tuple[str, ...] = ()
    scratch: str | None = None
    store: bool = True


def prove(session: Session, options: ProveOptions) -> UseCase[ProveResult]:
    """Prove revisions, in the order in which they are applied.

    Returns:
        One proof for each; what a revision does wrong is an outcome, not an error.

    Raises:
        UnknownRevision: an id that no revision has.
        ConfigurationError: the scratch database cannot be used.
        UnsupportedDatabase: there is no prover for this database.
    """
    yield from ()
    versions = resolver(session)
    wanted = {versions.resolve(text) for text in options.revisions}
    chosen = [name for name in versions.graph.order if name in wanted] if wanted else list(versions.pending())
    found = proofs(session, chosen, scratch=options.scratch, store=options.store)
    if chosen and not found:
        raise UnsupportedDatabase("Revisions cannot be tried out on this database.")
    return ProveResult(found)


def proofs(
    session: Session, revisions: Sequence[str], *, scratch: str | None = None, store: bool = True
) -> tuple[Proof, ...]:
    """The proofs of revisions, in order; none where the session has no prover.

    Args:
        session: the ports.
        revisions: ids.
        scratch: as for Prover.prove.
        store: write what was tried into the files.
    """
    prover = session.prover
    if prover is None:
        return ()
    day = session.clock.now().date().isoformat()
    found: list[Proof] = []
    for revision in revisions:
        with session.reading():
            proof = prover.prove(revision, scratch=scratch)
        found.append(prover.store(proof, day) if store and proof.tried else proof)
    return tuple(found)


# squash: write one revision that replaces a range.


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
