"""The wanted schema from SQLAlchemy tables: any MetaData, or tables that another source has made."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DOMAIN

from framework_m_migrations.adapters.sql.defined import Defined, defined_in, schemas_in, wanted_defined
from framework_m_migrations.adapters.sql.desired.fingerprint import Fingerprints
from framework_m_migrations.adapters.sql.desired.tables import Target, WantedTable, refuse_labels, wanted_table
from framework_m_migrations.adapters.sql.dialects.base import SqlDialect
from framework_m_migrations.adapters.sql.engines import redact
from framework_m_migrations.adapters.sql.names import hostile
from framework_m_migrations.adapters.sql.objects import (
    Declared,
    alone,
    listeners,
    wanted_domain,
    wanted_schemas,
    wanted_sequence,
)
from framework_m_migrations.adapters.sql.sqlalchemy_versions import query_behind
from framework_m_migrations.domain.defined import in_order
from framework_m_migrations.domain.errors import InvalidMetadata, MigrationError
from framework_m_migrations.domain.exclusion import Exclusion
from framework_m_migrations.domain.schema import DocTypeSchema, EnumType, SchemaObject, Table, TableName

DOCTYPE_KEY = "doctype"
"""Key of ``Table.info`` with the name of the DocType that a table belongs to; several tables may share one."""
APP_KEY = "app"
"""Key of ``Table.info`` with the name of the app that declares it."""
MANAGED_KEY = "managed"
"""Key of ``Table.info``: False for a table that is not ours, whatever the MetaData is used for besides."""
VIEW_KEY = "is_view"
"""Key of ``Table.info``: True for a table that is mapped to a view, as Alembic's users know it."""
TENANT_KEY = "tenant"
"""Key of ``Table.info``: True where each tenant has such a table of its own, False where all tenants share one."""


@dataclass(frozen=True, slots=True)
class DocTypeTables:
    """One DocType and the SQLAlchemy tables that it is stored in, its own first.

    ``name`` None stands for the name of its table, as the session's database knows it. ``objects`` are what a MetaData
    declares for no table: sequences, enumerations, domains.
    """

    name: str | None
    app: str | None
    tables: tuple[sa.Table, ...]
    objects: tuple[Declared, ...] = ()


def source_from_tables(
    doctypes: Iterable[DocTypeTables], dialect: sa.Dialect, sql_dialect: SqlDialect, *, schema: str | None = None
) -> MetadataSource:
    """A schema source over DocTypes whose tables are known.

    Args:
        doctypes: in order of declaration.
        dialect: the connection's, initialised, so that its server version is known.
        sql_dialect: its services.
        schema: the session's schema: tables declared in it count as the default schema's.
    """
    return MetadataSource(doctypes, Target.of(dialect, sql_dialect, schema=schema))


def doctypes_of(metadata: sa.MetaData, *, app: str | None = None) -> tuple[DocTypeTables, ...]:
    """The tables of a MetaData as DocTypes: one for each table, unless ``Table.info`` groups them.

    Args:
        metadata: views, and tables made by a query of their own (CREATE TABLE AS), are left out.
        app: the app that declares the tables, where their ``info`` does not say.

    Raises:
        InvalidMetadata: tables of one DocType are said to belong to different apps, or a name in ``info`` is none.
    """
    found: dict[str | int, DocTypeTables] = {}
    for table in metadata.tables.values():
        if query_behind(table) is not None:
            continue
        name = _text(table, DOCTYPE_KEY)
        declared = _text(table, APP_KEY, app)
        before = found.get(name) if name is not None else None
        if before is None:
            found[name if name is not None else id(table)] = DocTypeTables(name, declared, (table,))
        elif before.app != declared:
            raise InvalidMetadata(f"DocType {name} is declared by two apps: {before.app} and {declared}.")
        else:
            found[before.name or ""] = DocTypeTables(name, declared, (*before.tables, table))
    objects = []
    for one in alone(metadata):
        kind = "sequence" if isinstance(one, sa.Sequence) else "type"
        place = f"{one.schema}." if one.schema else ""
        objects.append(DocTypeTables(f"{kind} {place}{one.name}", app, (), (one,)))
    owner = f" of {app}" if app else ""
    objects += [
        DocTypeTables(f"schema {name}{owner}", app, (), (sa.schema.CreateSchema(name),))
        for name in schemas_in(metadata)
    ]
    defined = [DocTypeTables(one.title, app, (), (one,)) for one in defined_in(metadata)]
    return (*found.values(), *objects, *defined)


def _text(table: sa.Table, key: str, default: str | None = None) -> str | None:
    """A name in ``Table.info``: it ends up in the ledger, and must be one that can be read back from there."""
    info = table.__dict__.get("info")  # To ask SQLAlchemy for it would make one for every table.
    value: object = info.get(key, default) if info else default
    if value is None:
        return None
    wrong = hostile(value) if isinstance(value, str) else "is not a string"
    if wrong is not None:
        raise InvalidMetadata(f"The {key} {value!r} in the info of table {table.name!r} {wrong}.")
    return str(value)


class _declared_by:  # noqa: N801 - read as a word after ``with``
    """What a type or default of the app's own raises when it is looked at says which DocType cannot be had.

    A class, as a generator would cost as much for each table as all its indexes do.
    """

    __slots__ = ("_doctype",)

    def __init__(self, doctype: str) -> None:
        self._doctype = doctype

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, MigrationError):
            what = f"DocType {self._doctype} cannot be read: {type(error).__name__}: {redact(str(error))}"
            raise InvalidMetadata(f"{what.rstrip('.')}.", details={"doctype": self._doctype}) from error


class MetadataSource:
    """Implements ports.schema_source.SchemaSource.

    Args:
        doctypes: in order of declaration. Their tables are looked at anew on every call.
        target: what values are spelled for.
        apps: apps that were asked for, whether they declare a DocType or not.
        reserved: names that nobody may declare in the session's schema: the tables of the engine itself.
        exclusion: what is not ours, beside the tables whose ``info`` says so.
        absent: MetaData that were named and have no table.

    Attributes:
        exclusion: both.

    Raises:
        InvalidMetadata: two DocTypes have one name, two tables are one to the database, or one is the engine's own.
    """

    def __init__(
        self,
        doctypes: Iterable[DocTypeTables],
        target: Target,
        apps: Iterable[str] = (),
        reserved: Iterable[str] = (),
        exclusion: Exclusion | None = None,
        absent: tuple[str, ...] = (),
    ) -> None:
        self._absent = absent
        self.exclusion = exclusion or Exclusion()
        self._apps = frozenset(apps)
        self._reserved = tuple(reserved)
        self._target = target
        self._fingerprints = Fingerprints(target)
        self._doctypes: dict[str, DocTypeTables] = {}
        self._unmanaged: list[str] = []
        owners: dict[tuple[str | None, str], str] = {}
        schemas: set[str] = set()
        self._own = own = frozenset(target.names.key(name) for name in self._reserved)
        for doctype in self._kept(doctypes):
            if doctype.objects and not self._has(one := doctype.objects[0]):
                if isinstance(one, Defined):
                    self._unmanaged.append(f"The {one.title} is not managed: not supported on this database")
                continue
            title = self._name(doctype)
            if title in self._doctypes:
                raise InvalidMetadata(f"Two DocTypes are called {title}.")
            self._doctypes[title] = doctype
            for table in doctype.tables:
                target.spelling.adopt(table)
                name = target.names.table(table.name, table.schema)
                key = (name.schema, target.names.key(name.name))
                if name.schema is not None:
                    schemas.add(name.schema)
                elif key[1] in own:
                    raise InvalidMetadata(
                        f"DocType {title} declares table {name}, which is where migrations are recorded.",
                        next_step="Give it another name, or leave it out of what is declared.",
                        details={"table": str(name)},
                    )
                if key in owners:
                    raise InvalidMetadata(
                        f"The DocTypes {owners[key]} and {title} both declare table {name}.",
                        details={"table": str(name)},
                    )
                owners[key] = title
        self._schemas = frozenset(schemas)

    def _has(self, declared: Declared) -> bool:
        """Whether this database has such objects."""
        can = self._target.capabilities
        return declared.kind in can.defines if isinstance(declared, Defined) else can.named_enums and can.schemas

    def aimed_at(self, target: Target) -> MetadataSource:
        """The same DocTypes, spelled for another database or schema."""
        return MetadataSource(self._given, target, self._apps, self._reserved, self._chosen, self._absent)

    def _kept(self, doctypes: Iterable[DocTypeTables]) -> list[DocTypeTables]:
        """The DocTypes with those of their tables that are ours; sets ``exclusion`` to what is not."""
        self._given, self._chosen = tuple(doctypes), self.exclusion
        names = self._target.names
        excluded: set[TableName] = set()
        found: list[DocTypeTables] = []
        for doctype in self._given:
            tables = []
            for table in doctype.tables:
                name = names.table(table.name, table.schema)
                info = table.__dict__.get("info") or {}
                if info.get(MANAGED_KEY) is False or info.get(VIEW_KEY) or self._chosen.excludes(name, table):
                    excluded.add(name)
                else:
                    tables.append(table)
            if tables or (doctype.objects and not self._hidden(doctype.objects[0])):
                found.append(doctype if len(tables) == len(doctype.tables) else replace(doctype, tables=tuple(tables)))
        self.exclusion = replace(self._chosen, tables=frozenset(excluded))
        return found

    def _hidden(self, one: Declared) -> bool:
        """Whether an object with a definition is left out."""
        if not isinstance(one, Defined):
            return False
        name = self._target.names.table(one.name, one.schema)
        view = one.kind.endswith("view") and self._chosen.excludes(name, one.item)
        return view or self._chosen.hides(one.kind, one.name, name, one.item)

    def apps(self) -> frozenset[str]:
        """The apps asked for and those that declare something."""
        return self._apps.union(one.app for one in self._doctypes.values() if one.app is not None)

    def schemas(self) -> frozenset[str]:
        """The schemas, beside the session's own, that tables are declared in."""
        return self._schemas

    def checksums(self) -> Mapping[str, str]:
        """DocType name to SHA-256 of its app and of what its tables are."""
        return {name: self._checksum(doctype) for name, doctype in self._doctypes.items()}

    def absent(self) -> tuple[str, ...]:
        """The MetaData that were named and have no table."""
        return self._absent

    def unmanaged(self) -> tuple[str, ...]:
        """The app's own listeners to create_all and drop_all, which no command calls, and objects that are left out."""
        tables = [table for doctype in self._doctypes.values() for table in doctype.tables]
        targets: list[sa.MetaData | sa.Table] = [*{id(one.metadata): one.metadata for one in tables}.values(), *tables]
        called = (line for one in targets for line in listeners(one, self._target.dialect.name))
        return (*called, *self._unmanaged)

    def _name(self, doctype: DocTypeTables) -> str:
        if doctype.name is not None:
            return doctype.name
        table = doctype.tables[0]
        return str(self._target.names.table(table.name, table.schema))

    def _checksum(self, doctype: DocTypeTables) -> str:
        owner = f"{doctype.app!r}{self.exclusion.salt}"
        if doctype.objects:
            return hashlib.sha256(f"{owner} {self._load(doctype.name or '', doctype)!r}".encode()).hexdigest()
        with _declared_by(doctype.name or str(doctype.tables[0].name)):
            prints = [self._fingerprints.of(table, owner) for table in doctype.tables]
        if len(prints) == 1:
            return prints[0]
        return hashlib.sha256("\n".join(prints).encode()).hexdigest()

    def load(self, names: Collection[str] | None = None) -> tuple[DocTypeSchema, ...]:
        """The wanted schema of the named DocTypes, of all when ``names`` is None; only these are converted.

        Raises:
            InvalidMetadata: a definition contradicts itself or another one.
        """
        wanted = None if names is None else set(names)
        chosen = [item for item in self._doctypes.items() if wanted is None or item[0] in wanted]
        loaded = tuple(self._load(name, doctype) for name, doctype in chosen)
        _check_enums(loaded)
        return in_order(loaded)

    def _load(self, name: str, doctype: DocTypeTables) -> DocTypeSchema:
        tables: list[Table] = []
        enums: dict[TableName, EnumType] = {}
        objects: dict[SchemaObject, None] = {}
        for one in doctype.objects:
            match one:
                case sa.Sequence():
                    objects.setdefault(wanted_sequence(one, self._target))
                case Defined():
                    with _declared_by(name):
                        objects.setdefault(wanted_defined(one, self._target))
                case sa.schema.CreateSchema():
                    objects.setdefault(SchemaObject("schema", TableName(str(one.element))))
                case DOMAIN():
                    objects.setdefault(wanted_domain(one, self._target))
                case _:
                    enums.update({enum.name: enum for enum in self._target.types(one).enums})
                    for enum in enums.values():
                        refuse_labels(enum)
        for table in doctype.tables:
            with _declared_by(name):
                wanted = wanted_table(table, self._target)
            tables.append(self.exclusion.stripped(wanted.table))
            for enum in wanted.enums:
                if enums.setdefault(enum.name, enum).values != enum.values:
                    raise InvalidMetadata(
                        f"DocType {name} declares the enumeration {enum.name} twice with different values."
                    )
            self._refuse_own_names(name, wanted)
            objects.update(dict.fromkeys(wanted.objects))
        named = [table.name for table in tables] + [*enums] + [one.name for one in objects]
        schemas = wanted_schemas(named, self._target)
        return DocTypeSchema(name, tuple(tables), tuple(enums.values()), doctype.app, (*schemas, *objects))

    def _refuse_own_names(self, doctype: str, wanted: WantedTable) -> None:
        """Indexes, keys and types share names with tables: one called like the engine's own would lock it out."""
        table = wanted.table
        if table.name.schema is None:
            named = [table.primary_key, *table.indexes, *table.uniques]
            for item in named:
                if item is not None and item.name is not None:
                    self._refuse_own_name(doctype, item.name, f"an index or key of table {table.name}")
        for enum in wanted.enums:
            if enum.name.schema is None:
                self._refuse_own_name(doctype, enum.name.name, "an enumeration")

    def _refuse_own_name(self, doctype: str, name: str, what: str) -> None:
        if self._target.names.key(name) in self._own:
            raise InvalidMetadata(
                f"DocType {doctype} gives {what} the name {name}, under which migrations are recorded.",
                next_step="Give it another name.",
                details={"name": name},
            )


def _check_enums(doctypes: Iterable[DocTypeSchema]) -> None:
    owners: dict[TableName, tuple[str, EnumType]] = {}
    for doctype in doctypes:
        for enum in doctype.enums:
            owner, before = owners.setdefault(enum.name, (doctype.name, enum))
            if before.values != enum.values:
                raise InvalidMetadata(
                    f"The DocTypes {owner} and {doctype.name} declare enumeration {enum.name} with different values."
                )
