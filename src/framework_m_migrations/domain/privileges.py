"""Which rights a piece of work needs, as data, so that a missing one is named before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import ForeignKey, TableName


@dataclass(frozen=True, slots=True)
class Needs:
    """What work is about to do, as far as rights are concerned. Writing the ledger is always part of it.

    Attributes:
        creates_in: schemas in which something with a name of its own is made (table, index, enumeration); None is the
            session's own schema.
        alters: existing tables that are changed, which only their owner may do.
        refers_to: existing tables that a foreign key is to point at.
        extends: existing enumerations that get a value, which only their owner may give.
        unknown: what will be done is not known before it is done, as with revisions; the role must only be able to do
            something at all, be it by SET ROLE. The ledger is not written then.
    """

    creates_in: frozenset[str | None] = frozenset()
    alters: frozenset[TableName] = frozenset()
    refers_to: frozenset[TableName] = frozenset()
    extends: frozenset[TableName] = frozenset()
    unknown: bool = False


def needs_of(operations: Iterable[o.Operation]) -> Needs:
    """The rights that operations need, in the order in which they are carried out.

    What an operation makes belongs to the role from then on, so that it counts for none of the later ones.
    """
    creates_in: set[str | None] = set()
    alters: set[TableName] = set()
    refers_to: set[TableName] = set()
    extends: set[TableName] = set()
    made: set[TableName] = set()
    for operation in operations:
        keys: tuple[ForeignKey, ...] = ()
        match operation:
            case o.CreateTable(definition=definition, foreign_keys=keys):
                creates_in.add(definition.name.schema)
                made.add(definition.name)
            case o.CreateEnum(enum=enum):
                creates_in.add(enum.name.schema)
                made.add(enum.name)
            case o.CreateObject(object=wanted):
                # A schema needs a right on the database, and is made with its owner's rights inside.
                creates_in.update({wanted.name.schema} if wanted.kind != "schema" else ())
                made.add(wanted.name)
            case o.AddEnumValue(enum=name):
                extends.add(name)
            case o.CreateIndex(table=table) | o.AddUnique(table=table, via_index=None):
                creates_in.add(table.schema)
                alters.add(table)
            case o.AddForeignKey(table=table, foreign_key=key):
                alters.add(table)
                keys = (key,)
            case _:
                alters.add(operation.table)
        refers_to.update(key.target for key in keys)
    return Needs(
        frozenset(creates_in), frozenset(alters - made), frozenset(refers_to - made - alters), frozenset(extends - made)
    )
