"""A schema as a history sees it: plain values, of which each adapter's own declaration is made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Field:
    """A column beside the key ``id``. ``default`` is a constant, which only the application knows where ``in_code``.

    ``computed`` names the field that the database adds one to, to have the value.
    """

    name: str
    kind: str
    required: bool = False
    default: object = None
    in_code: bool = False
    was: str | None = None
    comment: str | None = None
    computed: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An index (``index``), unique or not, or a unique constraint, which need not have a name.

    ``where`` names a field that is not NULL in the rows of a partial index; ``lower`` indexes the field in lower case.
    """

    name: str | None
    fields: tuple[str, ...]
    unique: bool = False
    index: bool = True
    where: str | None = None
    lower: bool = False

    def uses(self, name: str) -> bool:
        """Whether the field is one of its keys, or in its predicate."""
        return name in self.fields or name == self.where


@dataclass(frozen=True, slots=True)
class Rule:
    """A check: the field is greater than ``least``."""

    name: str
    field: str
    least: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key to the ``id`` of a table."""

    name: str | None
    field: str
    target: str
    on_delete: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with an integer key ``id``."""

    name: str
    fields: tuple[Field, ...] = ()
    keys: tuple[Key, ...] = ()
    rules: tuple[Rule, ...] = ()
    references: tuple[Reference, ...] = ()
    was: str | None = None
    comment: str | None = None

    def used(self, name: str) -> bool:
        """Whether a constraint or an index stands on the field."""
        return (
            any(key.uses(name) for key in self.keys)
            or any(one.computed == name for one in self.fields)
            or any(rule.field == name for rule in self.rules)
            or any(reference.field == name for reference in self.references)
        )

    def without(self, name: str) -> Table:
        """The table without a field, and without what stands on it."""
        for one in self.fields:
            if one.computed == name:
                return self.without(one.name).without(name)
        return replace(
            self,
            fields=tuple(one for one in self.fields if one.name != name),
            keys=tuple(key for key in self.keys if not key.uses(name)),
            rules=tuple(rule for rule in self.rules if rule.field != name),
            references=tuple(one for one in self.references if one.field != name),
        )

    def renamed(self, before: str, after: str) -> Table:
        """The table with a field renamed everywhere."""

        def name(old: str) -> str:
            return after if old == before else old

        return replace(
            self,
            fields=tuple(
                replace(one, name=after, was=before)
                if one.name == before
                else replace(one, computed=one.computed and name(one.computed))
                for one in self.fields
            ),
            keys=tuple(
                replace(key, fields=tuple(map(name, key.fields)), where=key.where and name(key.where))
                for key in self.keys
            ),
            rules=tuple(replace(rule, field=name(rule.field)) for rule in self.rules),
            references=tuple(replace(one, field=name(one.field)) for one in self.references),
        )

    def computed(self) -> set[str]:
        """Fields that are computed, and the names of what stands on them."""
        names = {one.name for one in self.fields if one.computed}
        keys = {str(key.name) for key in self.keys if any(map(key.uses, names))}
        return names | keys | {rule.name for rule in self.rules if rule.field in names}

    def with_field(self, wanted: Field) -> Table:
        """The table with a field put in the place of the one of its name."""
        return replace(self, fields=tuple(wanted if one.name == wanted.name else one for one in self.fields))


@dataclass(frozen=True, slots=True)
class Schema:
    """Everything wanted at one time, and what was wanted before, so that it may return."""

    tables: tuple[Table, ...] = ()
    enums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    gone_tables: tuple[Table, ...] = ()
    gone_fields: tuple[tuple[str, Field], ...] = ()
    made: int = 0

    def table(self, name: str) -> Table | None:
        """The table of this name."""
        return next((table for table in self.tables if table.name == name), None)

    def put(self, table: Table) -> Schema:
        """The schema with a table in the place of the one of its name."""
        return replace(self, tables=tuple(table if one.name == table.name else one for one in self.tables))
