"""What may happen to a schema from one release to the next.

A mutation is four numbers and a verb, read against the schema it meets, so that every sequence of mutations means
something, shrinks well, and can be kept as a regression case by copying it. One that has nothing to work on does
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.histories.kinds import KINDS, NUMBERS, WHOLE
from tests.histories.model import Field, Key, Reference, Rule, Schema, Table

TABLE_NAMES = ("item", "order", "Mixed Case", 'quo"te', "naïve ключ", "per%cent %(x)s", "semi;colon--", "select")
FIELD_NAMES = (
    "name", "order", "Group", "a b", 'quo"te', "ключ", "per%cent %s", "co:lon :x", "semi;--", "user", "back`tick",
    "[brackets]", "position", "x" * 60, "1st", "dash-ed",
)  # fmt: skip
ENUM_NAMES = ("colour", "Size", "position")
LABELS = ("red", "it's green", "blue: %s", "Red", "last")
ENUM = "enum "


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: ``verb`` is a key of VERBS; the numbers choose among what there is."""

    verb: str
    at: int = 0
    on: int = 0
    pick: int = 0
    how: int = 0


def mutate(schema: Schema, mutation: Mutation) -> Schema:
    """The schema after a mutation; the same one where the mutation has nothing to work on."""
    return VERBS[mutation.verb](schema, mutation)


def _choose[T](items: Sequence[T], number: int) -> T | None:
    return items[number % len(items)] if items else None


def _pair(schema: Schema, mutation: Mutation) -> tuple[Table, Field] | None:
    table = _choose(schema.tables, mutation.at)
    field = None if table is None else _choose(table.fields, mutation.on)
    return None if table is None or field is None else (table, field)


def _free(names: Sequence[str], taken: Sequence[str], number: int) -> str | None:
    folded = {name.casefold() for name in taken}
    return _choose([name for name in names if name.casefold() not in folded], number)


def _new_field(schema: Schema, table: Table, mutation: Mutation) -> Field | None:
    name = _free(FIELD_NAMES, [one.name for one in table.fields], mutation.on)
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
    name = _free(TABLE_NAMES, [table.name for table in schema.tables], mutation.at)
    if name is None or len(schema.tables) >= 4:
        return schema
    table = Table(name)
    for number in range(1 + mutation.pick % 3):
        field = _new_field(schema, table, replace(mutation, pick=mutation.pick + number, on=mutation.on + number))
        table = table if field is None else replace(table, fields=(*table.fields, field))
    return replace(schema, tables=(*schema.tables, table))


def _remove_table(schema: Schema, mutation: Mutation) -> Schema:
    table = _choose(schema.tables, mutation.at)
    if table is None:
        return schema
    rest = (replace(one, was=None) if one.was == table.name else one for one in schema.tables if one is not table)
    tables = tuple(
        replace(one, references=tuple(ref for ref in one.references if ref.target != table.name)) for one in rest
    )
    return replace(schema, tables=tables, gone_tables=(*schema.gone_tables, table))


def _return_table(schema: Schema, mutation: Mutation) -> Schema:
    table = _choose(schema.gone_tables, mutation.at)
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
    table = _choose(schema.tables, mutation.at)
    name = _free(TABLE_NAMES, [one.name for one in schema.tables], mutation.pick)
    if table is None or name is None:
        return schema
    tables = []
    for one in schema.tables:
        after = replace(one, name=name, was=table.name) if one is table else one
        references = tuple(replace(ref, target=name) if ref.target == table.name else ref for ref in after.references)
        tables.append(replace(after, references=references))
    return replace(schema, tables=tuple(tables))


def _forget_rename(schema: Schema, mutation: Mutation) -> Schema:
    """The declaration says nothing of a former name any more, whether anybody renamed or not."""
    table = _choose(schema.tables, mutation.at)
    if table is None:
        return schema
    return schema.put(replace(table, was=None, fields=tuple(replace(one, was=None) for one in table.fields)))


def _add_field(schema: Schema, mutation: Mutation) -> Schema:
    table = _choose(schema.tables, mutation.at)
    field = None if table is None else _new_field(schema, table, mutation)
    if table is None or field is None or len(table.fields) >= 7:
        return schema
    return schema.put(replace(table, fields=(*table.fields, field)))


def _remove_field(schema: Schema, mutation: Mutation) -> Schema:
    pair = _pair(schema, mutation)
    if pair is None:
        return schema
    table, field = pair
    return replace(schema.put(table.without(field.name)), gone_fields=(*schema.gone_fields, (table.name, field)))


def _return_field(schema: Schema, mutation: Mutation) -> Schema:
    gone = _choose(schema.gone_fields, mutation.at)
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
    pair = _pair(schema, mutation)
    name = None if pair is None else _free(FIELD_NAMES, [one.name for one in pair[0].fields], mutation.pick)
    if pair is None or name is None:
        return schema
    return schema.put(pair[0].renamed(pair[1].name, name))


def _retype(schema: Schema, mutation: Mutation) -> Schema:
    """Another type; what stands on the field keeps its meaning with it, so the choice is narrower there."""
    pair = _pair(schema, mutation)
    if pair is None:
        return schema
    table, field = pair
    kinds: Sequence[str] = [*KINDS, *(ENUM + enum for enum in schema.enums)]
    if any(one.field == field.name for one in table.references):
        kinds = WHOLE
    elif any(rule.field == field.name for rule in table.rules):
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
    pair = _pair(schema, mutation)
    if pair is None:
        return schema
    return schema.put(pair[0].with_field(replace(pair[1], required=not pair[1].required)))


def _redefault(schema: Schema, mutation: Mutation) -> Schema:
    pair = _pair(schema, mutation)
    if pair is None:
        return schema
    return schema.put(pair[0].with_field(_with_default(schema, pair[1], mutation.how)))


def _comment(schema: Schema, mutation: Mutation) -> Schema:
    pair = _pair(schema, mutation)
    if pair is None:
        return schema
    text = (None, "what it's for", "100% :x")[mutation.how % 3]
    if mutation.pick % 2:
        return schema.put(replace(pair[0], comment=text))
    return schema.put(pair[0].with_field(replace(pair[1], comment=text)))


def _add_key(schema: Schema, mutation: Mutation) -> Schema:
    table = _choose(schema.tables, mutation.at)
    if table is None:
        return schema
    able = [one.name for one in table.fields if one.kind.startswith(ENUM) or KINDS[one.kind].keyable]
    if not able:
        return schema
    first, second = able[mutation.on % len(able)], able[(mutation.on + 1) % len(able)]
    fields = (first,) if mutation.pick % 2 or first == second else (first, second)
    index = mutation.how % 3 < 2
    unique = mutation.how % 3 > 0
    if any(set(key.fields) == set(fields) and key.unique == unique for key in table.keys):
        return schema
    named = index or mutation.how % 2 == 0
    name = f"{'ix' if index else 'uq'} {schema.made}" if named else None
    table = replace(table, keys=(*table.keys, Key(name, fields, unique, index)))
    return replace(schema.put(table), made=schema.made + 1)


def _remove_key(schema: Schema, mutation: Mutation) -> Schema:
    table = _choose([table for table in schema.tables if table.keys], mutation.at)
    if table is None:
        return schema
    gone = table.keys[mutation.on % len(table.keys)]
    return schema.put(replace(table, keys=tuple(key for key in table.keys if key is not gone)))


def _change_key(schema: Schema, mutation: Mutation) -> Schema:
    """The same name over other fields."""
    table = _choose([table for table in schema.tables if table.keys], mutation.at)
    if table is None:
        return schema
    old = table.keys[mutation.on % len(table.keys)]
    able = [one.name for one in table.fields if one.kind.startswith(ENUM) or KINDS[one.kind].keyable]
    fields = (able[mutation.pick % len(able)],)
    if any(set(key.fields) == set(fields) and key.unique == old.unique for key in table.keys):
        return schema
    return schema.put(
        replace(table, keys=tuple(replace(key, fields=fields) if key is old else key for key in table.keys))
    )


def _add_rule(schema: Schema, mutation: Mutation) -> Schema:
    able = [(table, one) for table in schema.tables for one in table.fields if one.kind in NUMBERS]
    chosen = _choose(able, mutation.at)
    if chosen is None:
        return schema
    table, field = chosen
    rule = Rule(f"ck {schema.made}", field.name, (-100, 3)[mutation.how % 2])
    return replace(schema.put(replace(table, rules=(*table.rules, rule))), made=schema.made + 1)


def _change_rule(schema: Schema, mutation: Mutation) -> Schema:
    table = _choose([table for table in schema.tables if table.rules], mutation.at)
    if table is None:
        return schema
    old = table.rules[mutation.on % len(table.rules)]
    rules = tuple(replace(rule, least=rule.least - 1) if rule is old else rule for rule in table.rules)
    return schema.put(
        replace(table, rules=rules if mutation.how % 2 else tuple(r for r in table.rules if r is not old))
    )


def _add_reference(schema: Schema, mutation: Mutation) -> Schema:
    able = [
        (table, one)
        for table in schema.tables
        for one in table.fields
        if one.kind in WHOLE and all(ref.field != one.name for ref in table.references)
    ]
    chosen, target = _choose(able, mutation.at), _choose(schema.tables, mutation.on)
    if chosen is None or target is None:
        return schema
    table, field = chosen
    action = (None, "CASCADE", "SET NULL")[mutation.pick % 3]
    reference = Reference(f"fk {schema.made}" if mutation.how % 2 else None, field.name, target.name, action)
    return replace(schema.put(replace(table, references=(*table.references, reference))), made=schema.made + 1)


def _change_reference(schema: Schema, mutation: Mutation) -> Schema:
    table = _choose([table for table in schema.tables if table.references], mutation.at)
    if table is None:
        return schema
    old = table.references[mutation.on % len(table.references)]
    if mutation.how % 2:
        rest = tuple(one for one in table.references if one is not old)
        return schema.put(replace(table, references=rest))
    action = "CASCADE" if old.on_delete is None else None
    return schema.put(
        replace(
            table,
            references=tuple(replace(one, on_delete=action) if one is old else one for one in table.references),
        )
    )


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
    "add_key": _add_key,
    "add_rule": _add_rule,
    "add_reference": _add_reference,
    "label": _label,
    "retype": _retype,
    "redefault": _redefault,
    "require": _require,
    "comment": _comment,
    "remove_field": _remove_field,
    "remove_key": _remove_key,
    "remove_table": _remove_table,
    "return_field": _return_field,
    "return_table": _return_table,
    "rename_field": _rename_field,
    "rename_table": _rename_table,
    "forget_rename": _forget_rename,
    "change_key": _change_key,
    "change_rule": _change_rule,
    "change_reference": _change_reference,
}
