"""Mutations of indexes, unique constraints, checks and foreign keys."""

from __future__ import annotations

from dataclasses import replace

from tests.histories.choices import ENUM, TEXTS, Mutation, choose
from tests.histories.kinds import KINDS, NUMBERS, WHOLE
from tests.histories.model import Key, Reference, Rule, Schema, Table


def add_key(schema: Schema, mutation: Mutation) -> Schema:
    """A mutation: add key."""
    table = choose(schema.tables, mutation.at)
    if table is None:
        return schema
    able = _able(table)
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


def partial_key(schema: Schema, mutation: Mutation) -> Schema:
    """An index that leaves out rows, unique or not."""
    table = choose(schema.tables, mutation.at)
    if table is None:
        return schema
    field, where = choose(_able(table), mutation.on), choose([one.name for one in table.fields], mutation.pick)
    if field is None or where is None:
        return schema
    key = Key(f"ix {schema.made}", (field,), unique=mutation.how % 3 == 2, where=where)
    return replace(schema.put(replace(table, keys=(*table.keys, key))), made=schema.made + 1)


def lower_key(schema: Schema, mutation: Mutation) -> Schema:
    """An index over an expression."""
    able = [(table, one) for table in schema.tables for one in table.fields if one.kind in TEXTS]
    chosen = choose(able, mutation.at)
    if chosen is None:
        return schema
    table, field = chosen
    key = Key(f"ix {schema.made}", (field.name,), lower=True)
    return replace(schema.put(replace(table, keys=(*table.keys, key))), made=schema.made + 1)


def _able(table: Table) -> list[str]:
    return [one.name for one in table.fields if one.kind.startswith(ENUM) or KINDS[one.kind].keyable]


def remove_key(schema: Schema, mutation: Mutation) -> Schema:
    """A mutation: remove key."""
    table = choose([table for table in schema.tables if table.keys], mutation.at)
    if table is None:
        return schema
    gone = table.keys[mutation.on % len(table.keys)]
    return schema.put(replace(table, keys=tuple(key for key in table.keys if key is not gone)))


def change_key(schema: Schema, mutation: Mutation) -> Schema:
    """The same name over other fields."""
    table = choose([table for table in schema.tables if table.keys], mutation.at)
    if table is None:
        return schema
    old = table.keys[mutation.on % len(table.keys)]
    able = _able(table)
    if not able or old.lower:
        return schema
    fields = (able[mutation.pick % len(able)],)
    if any(set(key.fields) == set(fields) and key.unique == old.unique for key in table.keys):
        return schema
    return schema.put(
        replace(table, keys=tuple(replace(key, fields=fields) if key is old else key for key in table.keys))
    )


def add_rule(schema: Schema, mutation: Mutation) -> Schema:
    """A mutation: add rule."""
    able = [(table, one) for table in schema.tables for one in table.fields if one.kind in NUMBERS]
    chosen = choose(able, mutation.at)
    if chosen is None:
        return schema
    table, field = chosen
    rule = Rule(f"ck {schema.made}", field.name, (-100, 3)[mutation.how % 2])
    return replace(schema.put(replace(table, rules=(*table.rules, rule))), made=schema.made + 1)


def change_rule(schema: Schema, mutation: Mutation) -> Schema:
    """A mutation: change rule."""
    table = choose([table for table in schema.tables if table.rules], mutation.at)
    if table is None:
        return schema
    old = table.rules[mutation.on % len(table.rules)]
    rules = tuple(replace(rule, least=rule.least - 1) if rule is old else rule for rule in table.rules)
    return schema.put(
        replace(table, rules=rules if mutation.how % 2 else tuple(r for r in table.rules if r is not old))
    )


def add_reference(schema: Schema, mutation: Mutation) -> Schema:
    """A mutation: add reference."""
    able = [
        (table, one)
        for table in schema.tables
        for one in table.fields
        if one.kind in WHOLE and one.computed is None and all(ref.field != one.name for ref in table.references)
    ]
    chosen, target = choose(able, mutation.at), choose(schema.tables, mutation.on)
    if chosen is None or target is None:
        return schema
    table, field = chosen
    action = (None, "CASCADE", "SET NULL")[mutation.pick % 3]
    reference = Reference(f"fk {schema.made}" if mutation.how % 2 else None, field.name, target.name, action)
    return replace(schema.put(replace(table, references=(*table.references, reference))), made=schema.made + 1)


def change_reference(schema: Schema, mutation: Mutation) -> Schema:
    """A mutation: change reference."""
    table = choose([table for table in schema.tables if table.references], mutation.at)
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
