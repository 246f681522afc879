"""What may happen to a schema from one release to the next.

A mutation is four numbers and a verb, read against the schema it meets, so that every sequence of mutations means
something, shrinks well, and can be kept as a regression case by copying it. One that has nothing to work on does
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tests.histories import constraints
from tests.histories.choices import (
    ENUM,
    ENUM_NAMES,
    FIELD_NAMES,
    LABELS,
    TABLE_NAMES,
    TEXTS,
    Mutation,
    choose,
    free,
    pair,
)
from tests.histories.kinds import KINDS, NUMBERS, WHOLE
from tests.histories.model import Field, Schema, Table


def mutate(schema: Schema, mutation: Mutation) -> Schema:
    """The schema after a mutation; the same one where the mutation has nothing to work on."""
    return VERBS[mutation.verb](schema, mutation)


def _new_field(schema: Schema, table: Table, mutation: Mutation) -> Field | None:
    name = free(FIELD_NAMES, [one.name for one in table.fields], mutation.on)
    if name is None:
        return None
    kinds = [*KINDS, *(ENUM + enum for enum in schema.enums)]
    field = Field(name, kinds[mutation.pick % len(kinds)], required=bool(mutation.how & 1))
    return _with_default(schema, field, mutation.how >> 1)


def _with_default(schema: Schema, field: Field, how: int) -> Field:
    """None, the server's or the application's, by ``how``."""
    if how % 3 == 0:
        return replace(field, default=None, in_code=False)
    constants: Sequence[object]
    if field.kind.startswith(ENUM):
        constants = schema.enums[field.kind.removeprefix(ENUM)]
    else:
        constants = KINDS[field.kind].defaults
    return replace(field, default=constants[how // 3 % len(constants)], in_code=how % 3 == 2)


def _add_table(schema: Schema, mutation: Mutation) -> Schema:
    name = free(TABLE_NAMES, [table.name for table in schema.tables], mutation.at)
    if name is None or len(schema.tables) >= 4:
        return schema
    table = Table(name)
    for number in range(1 + mutation.pick % 3):
        field = _new_field(schema, table, replace(mutation, pick=mutation.pick + number, on=mutation.on + number))
        table = table if field is None else replace(table, fields=(*table.fields, field))
    return replace(schema, tables=(*schema.tables, table))


def _remove_table(schema: Schema, mutation: Mutation) -> Schema:
    table = choose(schema.tables, mutation.at)
    if table is None:
        return schema
    rest = (replace(one, was=None) if one.was == table.name else one for one in schema.tables if one is not table)
    tables = tuple(
        replace(one, references=tuple(ref for ref in one.references if ref.target != table.name)) for one in rest
    )
    return replace(schema, tables=tables, gone_tables=(*schema.gone_tables, table))


def _return_table(schema: Schema, mutation: Mutation) -> Schema:
    table = choose(schema.gone_tables, mutation.at)
    if table is None:
        return schema
    gone = tuple(one for one in schema.gone_tables if one is not table)
    if table.name.casefold() in {one.name.casefold() for one in schema.tables}:
        return replace(schema, gone_tables=gone)
    names = {one.name for one in schema.tables} | {table.name}
    taken = {key.name for one in schema.tables for key in one.keys}
    table = replace(
        table,
        was=None if table.was in names else table.was,
        references=tuple(one for one in table.references if one.target in names),
        keys=tuple(key for key in table.keys if key.name not in taken),
    )
    return replace(schema, tables=(*schema.tables, table), gone_tables=gone)


def _rename_table(schema: Schema, mutation: Mutation) -> Schema:
    table = choose(schema.tables, mutation.at)
    name = free(TABLE_NAMES, [one.name for one in schema.tables], mutation.pick)
    if table is None or name is None:
        return schema
    tables = []
    for one in schema.tables:
        after = replace(_with_own_keys(one, schema.made), name=name, was=table.name) if one is table else one
        references = tuple(replace(ref, target=name) if ref.target == table.name else ref for ref in after.references)
        tables.append(replace(after, references=references))
    return replace(schema, tables=tuple(tables), made=schema.made + 1)


def _with_own_keys(table: Table, number: int) -> Table:
    """A table whose former name is forgotten may be another one, beside the former: that keeps the names of its keys.

    An index waits for its name everywhere. The name of a unique constraint is taken in PostgreSQL alone.
    """
    if table.was is None:
        return table
    keys = (key if key.index else replace(key, name=key.name and f"{key.name} {number}") for key in table.keys)
    return replace(table, keys=tuple(keys))


def _forget_rename(schema: Schema, mutation: Mutation) -> Schema:
    """The declaration says nothing of a former name any more, whether anybody renamed or not."""
    table = choose(schema.tables, mutation.at)
    if table is None:
        return schema
    fields = tuple(replace(one, was=None) for one in table.fields)
    table = _with_own_keys(table, schema.made)
    return replace(schema.put(replace(table, was=None, fields=fields)), made=schema.made + 1)


def _add_field(schema: Schema, mutation: Mutation) -> Schema:
    table = choose(schema.tables, mutation.at)
    field = None if table is None else _new_field(schema, table, mutation)
    if table is None or field is None or len(table.fields) >= 7:
        return schema
    return schema.put(replace(table, fields=(*table.fields, field)))


def _compute_field(schema: Schema, mutation: Mutation) -> Schema:
    """A field that the database computes of another."""
    table = choose(schema.tables, mutation.at)
    if table is None or len(table.fields) >= 7:
        return schema
    source = choose([one.name for one in table.fields if one.kind in NUMBERS and one.computed is None], mutation.on)
    name = free(FIELD_NAMES, [one.name for one in table.fields], mutation.pick)
    if source is None or name is None:
        return schema
    return schema.put(replace(table, fields=(*table.fields, Field(name, "big", computed=source))))


def _uncompute_field(schema: Schema, mutation: Mutation) -> Schema:
    table = choose([table for table in schema.tables if any(one.computed for one in table.fields)], mutation.at)
    if table is None:
        return schema
    field = choose([one for one in table.fields if one.computed], mutation.on)
    return schema if field is None else schema.put(table.without(field.name))


def _remove_field(schema: Schema, mutation: Mutation) -> Schema:
    found = pair(schema, mutation)
    if found is None:
        return schema
    table, field = found
    return replace(schema.put(table.without(field.name)), gone_fields=(*schema.gone_fields, (table.name, field)))


def _return_field(schema: Schema, mutation: Mutation) -> Schema:
    gone = choose(schema.gone_fields, mutation.at)
    if gone is None:
        return schema
    name, field = gone
    rest = tuple(one for one in schema.gone_fields if one is not gone)
    table = schema.table(name)
    known = field.kind in KINDS or field.kind.removeprefix(ENUM) in schema.enums
    if table is None or not known or field.name.casefold() in {one.name.casefold() for one in table.fields}:
        return replace(schema, gone_fields=rest)
    if isinstance(field.default, str) and field.kind.startswith(ENUM):
        field = replace(field, default=None)
    return replace(schema.put(replace(table, fields=(*table.fields, replace(field, was=None)))), gone_fields=rest)


def _rename_field(schema: Schema, mutation: Mutation) -> Schema:
    found = pair(schema, mutation)
    name = None if found is None else free(FIELD_NAMES, [one.name for one in found[0].fields], mutation.pick)
    if found is None or name is None:
        return schema
    return schema.put(found[0].renamed(found[1].name, name))


def _retype(schema: Schema, mutation: Mutation) -> Schema:
    """Another type; what stands on the field keeps its meaning with it, so the choice is narrower there."""
    found = pair(schema, mutation)
    if found is None:
        return schema
    table, field = found
    kinds: Sequence[str] = [*KINDS, *(ENUM + enum for enum in schema.enums)]
    if any(one.field == field.name for one in table.references):
        kinds = WHOLE
    elif any(key.lower and field.name in key.fields for key in table.keys):
        kinds = TEXTS
    elif any(rule.field == field.name for rule in table.rules) or any(
        one.computed == field.name for one in table.fields
    ):
        kinds = NUMBERS
    elif table.used(field.name):
        kinds = [name for name, kind in KINDS.items() if kind.keyable]
    kind = kinds[mutation.pick % len(kinds)]
    return (
        schema
        if kind == field.kind
        else schema.put(table.with_field(_with_default(schema, replace(field, kind=kind), mutation.how)))
    )


def _require(schema: Schema, mutation: Mutation) -> Schema:
    found = pair(schema, mutation)
    if found is None:
        return schema
    return schema.put(found[0].with_field(replace(found[1], required=not found[1].required)))


def _redefault(schema: Schema, mutation: Mutation) -> Schema:
    found = pair(schema, mutation)
    if found is None:
        return schema
    return schema.put(found[0].with_field(_with_default(schema, found[1], mutation.how)))


def _comment(schema: Schema, mutation: Mutation) -> Schema:
    found = pair(schema, mutation)
    if found is None:
        return schema
    text = (None, "what it's for", "100% :x")[mutation.how % 3]
    if mutation.pick % 2:
        return schema.put(replace(found[0], comment=text))
    return schema.put(found[0].with_field(replace(found[1], comment=text)))


def _label(schema: Schema, mutation: Mutation) -> Schema:
    """A new enumeration, a label more, or one less."""
    name = ENUM_NAMES[mutation.at % len(ENUM_NAMES)]
    labels = schema.enums.get(name)
    if labels is None:
        return replace(schema, enums={**schema.enums, name: LABELS[: 2 + mutation.pick % 2]})
    missing = [label for label in LABELS if label not in labels]
    used = {one.default for table in schema.tables for one in table.fields if one.kind == ENUM + name}
    spare = [label for label in labels if label not in used]
    if mutation.how % 4 and missing:
        place = mutation.pick % (len(labels) + 1)
        labels = (*labels[:place], missing[0], *labels[place:])
    elif spare and len(labels) > 1:
        labels = tuple(label for label in labels if label != spare[mutation.pick % len(spare)])
    return replace(schema, enums={**schema.enums, name: labels})


VERBS: dict[str, Callable[[Schema, Mutation], Schema]] = {
    "add_table": _add_table,
    "add_field": _add_field,
    "add_key": constraints.add_key,
    "add_rule": constraints.add_rule,
    "add_reference": constraints.add_reference,
    "label": _label,
    "retype": _retype,
    "redefault": _redefault,
    "require": _require,
    "comment": _comment,
    "compute_field": _compute_field,
    "uncompute_field": _uncompute_field,
    "partial_key": constraints.partial_key,
    "lower_key": constraints.lower_key,
    "remove_field": _remove_field,
    "remove_key": constraints.remove_key,
    "remove_table": _remove_table,
    "return_field": _return_field,
    "return_table": _return_table,
    "rename_field": _rename_field,
    "rename_table": _rename_table,
    "forget_rename": _forget_rename,
    "change_key": constraints.change_key,
    "change_rule": constraints.change_rule,
    "change_reference": constraints.change_reference,
}
