"""Many tenants: one look at all of them, and the commands for one."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass

from framework_m_migrations.domain.effects import UseCase
from framework_m_migrations.domain.errors import ConfigurationError, UnsupportedDatabase
from framework_m_migrations.domain.options import LockOptions, SyncOptions
from framework_m_migrations.domain.ownership import CATALOG_TOKEN, LedgerForm
from framework_m_migrations.domain.results import TENANT, AllResult, RepairResult, SyncResult
from framework_m_migrations.ports.schema_source import SchemaSource
from framework_m_migrations.ports.session import Session
from framework_m_migrations.ports.tenants import TenantLook, Tenants
from framework_m_migrations.services.hash_cache import HashCache
from framework_m_migrations.services.use_cases.repair import repair
from framework_m_migrations.services.use_cases.run import run
from framework_m_migrations.services.use_cases.sync import check_before_revisions, sync
from framework_m_migrations.services.waiting import acquire, note, retrying


@dataclass(frozen=True, slots=True)
class Survey:
    """What one look at all tenants told.

    Attributes:
        unchanged: tenants with nothing to do, each with the token of its catalog.
        others: tenants to be worked on one by one, in the order in which they were named.
        doctypes: how many DocTypes each tenant has tables for.
        source: the wanted schema of tenants, which need not be loaded again for each.
        alike: of ``others``, those whose schemas were compared with each other: equal values stand for equal schemas.
    """

    unchanged: Mapping[str, str | None]
    others: tuple[str, ...]
    doctypes: int
    source: SchemaSource
    alike: Mapping[str, Hashable]

    @property
    def tenants(self) -> tuple[str, ...]:
        """All of them, in order of name."""
        return tuple(sorted((*self.unchanged, *self.others)))


def survey(
    session: Session, tenants: Tenants, names: Collection[str] | None, *, force: bool = False, alike: bool = False
) -> UseCase[Survey]:
    """Tell the tenants that have nothing to do from the others, by checksums and catalog tokens alone.

    Reads only, in a number of statements that does not grow with the number of tenants.

    Args:
        session: in the default schema; its source is what each tenant wants.
        tenants: over the same connection.
        names: the schemas; None for all that the database knows as tenants'.
        force: take none for unchanged.
        alike: compare the schemas with each other.

    Raises:
        UnsupportedDatabase: the database has no schemas.
        ConfigurationError: there is no tenant, or one of them is the default schema.
    """
    yield from ()
    if not session.capabilities.schemas:
        raise UnsupportedDatabase(
            "Tenants are kept in schemas, which this database does not have.",
            next_step="Use PostgreSQL; on SQLite give each tenant a database of its own.",
        )
    wanted = session.source.checksums()
    with session.reading():
        chosen = tuple(tenants.with_ledger() if names is None else dict.fromkeys(names))
        looks = tenants.look(chosen) if chosen else {}
    if names is None:
        chosen = tuple(name for name in chosen if _known(name, looks[name]))
    if not chosen:
        raise ConfigurationError(
            "No tenant was found: the database has no schema that was synced for a tenant.",
            next_step="Name the tenants the first time: --tenant a,b,c.",
        )
    for name in chosen:
        _refuse_default(name, looks[name])
    # Tokens of one schema each tell nothing of tables that are declared in a third one.
    cheap = not force and not session.source.schemas()
    unchanged = {name: looks[name].token for name in chosen if cheap and _has_nothing_to_do(name, looks[name], wanted)}
    others = tuple(name for name in chosen if name not in unchanged)
    groups: dict[str, Hashable] = {}
    # What a definition brings about may be rows, which no catalog has.
    if alike and not session.source.schemas() and not any(one.objects for one in session.source.load()):
        with session.reading():
            groups = {name: (text, _remembered(looks[name])) for name, text in tenants.alike(others).items()}
    return Survey(unchanged, others, len(wanted), session.source, groups)


def _remembered(look: TenantLook) -> Hashable:
    """What a comparison takes from a tenant's ledger, beside ownership."""
    if look.snapshot is None:
        return None
    state = frozenset((key, value) for key, value in look.snapshot.state.items() if key not in {TENANT, CATALOG_TOKEN})
    return frozenset(look.snapshot.checksums.items()), state


def _known(name: str, look: TenantLook) -> bool:
    return look.snapshot is not None and look.snapshot.state.get(TENANT) == name


def _has_nothing_to_do(name: str, look: TenantLook, wanted: Mapping[str, str]) -> bool:
    return (
        look.snapshot is not None
        and look.token is not None
        and _known(name, look)
        and HashCache().judge(wanted, look.snapshot, look.token).hit
    )


def _refuse_default(name: str, look: TenantLook) -> None:
    if look.is_default:
        raise ConfigurationError(
            f"The schema {name} is the connection's own, where what all tenants share is kept; it cannot be a tenant's."
        )


def sync_tenant(session: Session, tenants: Tenants, schema: str, options: SyncOptions) -> UseCase[SyncResult]:
    """sync, in the schema of a tenant, which is made first where it does not exist.

    Args:
        session: in the tenant's schema.
        tenants: over the same connection.
        schema: its name.
        options: as for sync.

    Raises:
        ConfigurationError: it is the default schema.
        MissingPrivilege: the schema does not exist, and the role may not make it.
    """
    with session.reading():
        look = tenants.look((schema,))[schema]
    _refuse_default(schema, look)
    if not look.exists and not options.dry_run:

        def create() -> None:
            with session.transaction(options.locks.limits):
                tenants.create(schema)

        yield from retrying(session, options.locks, create)
    result = yield from sync(session, options)
    if not options.dry_run:
        yield from remember(session, schema, options.locks)
    return result


def run_all_tenant(session: Session, tenants: Tenants, schema: str, options: SyncOptions) -> UseCase[AllResult]:
    """run, then sync_tenant. Revisions are the database's, not the tenant's."""

    def check() -> None:
        with session.reading():
            exists = tenants.look((schema,))[schema].exists
        if exists:
            check_before_revisions(session, options)

    ran = yield from run(session, options.locks, check=check)
    synced = yield from sync_tenant(session, tenants, schema, options)
    return AllResult(ran, synced)


def repair_tenant(session: Session, schema: str, locks: LockOptions, *, dry_run: bool) -> UseCase[RepairResult]:
    """repair, which forgets what only the ledger knows, and then whose schema it is."""
    result = yield from repair(session, locks, dry_run=dry_run)
    if not dry_run:
        yield from remember(session, schema, locks)
    return result


def remember(session: Session, schema: str, locks: LockOptions) -> UseCase[None]:
    """Note in a tenant's ledger, where there is one, that its schema is a tenant's."""
    with session.reading():
        snapshot = session.ledger.snapshot()
    if snapshot.form is not LedgerForm.CURRENT or snapshot.state.get(TENANT) == schema:
        return
    yield from acquire(session, locks)
    try:
        yield from note(session, locks, {TENANT: schema})
    finally:
        session.lock.release()
