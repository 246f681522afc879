"""What a PostgreSQL database looks like, read in one statement of the tests' own, so that a history costs little."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

if TYPE_CHECKING:
    from tests.histories.traits import Traits

# Enumerations are named as they are; everything else by its table. Expressions are what the server prints of them.
QUERY = r"""
WITH t AS (
  SELECT c.oid AS relid, c.relname::text AS name FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname NOT LIKE '\_\_schema\_%'
), i AS (
  SELECT t.name, x.*, c.relname::text AS index, ARRAY(
    SELECT CASE WHEN x.indkey[k] = 0 THEN pg_get_indexdef(x.indexrelid, k + 1, false) ELSE (
      SELECT attname::text FROM pg_attribute a WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[k]) END
    FROM generate_series(0, x.indnkeyatts - 1) k ORDER BY k) AS keys
  FROM t JOIN pg_index x ON x.indrelid = relid JOIN pg_class c ON c.oid = x.indexrelid
)
SELECT 'table', name, '', jsonb_build_array(obj_description(relid, 'pg_class')) FROM t
UNION ALL
SELECT 'column', name, attname::text, jsonb_build_array(format_type(atttypid, atttypmod), NOT attnotnull,
  pg_get_expr(adbin, adrelid), col_description(relid, attnum), attgenerated)
FROM t JOIN pg_attribute a ON attrelid = relid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef d ON adrelid = relid AND adnum = attnum
UNION ALL
SELECT 'index', name, index, jsonb_build_array(to_jsonb(keys), indisprimary, indisunique, indisvalid,
  pg_get_expr(indpred, indrelid), 0 = ANY(indkey)) FROM i
UNION ALL
SELECT 'constraint', t.name, conname::text, jsonb_build_array(contype, convalidated, pg_get_constraintdef(c.oid),
  (SELECT jsonb_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey)),
  r.relname, confdeltype)
FROM t JOIN pg_constraint c ON conrelid = relid LEFT JOIN pg_class r ON r.oid = confrelid WHERE contype IN ('c', 'f')
UNION ALL
SELECT 'enum', typname::text, '', jsonb_agg(enumlabel ORDER BY enumsortorder)
FROM pg_type p JOIN pg_enum ON enumtypid = p.oid WHERE typnamespace = 'public'::regnamespace GROUP BY typname
"""


NUMBER = re.compile(r"'(-?\d+(?:\.\d+)?)'::(?:smallint|integer|bigint|numeric|real|double precision)")
NO_DEFAULT = re.compile(r'NULL::[a-z "]+(\[\])?')


def facts_of_postgres(connection: sa.Connection) -> Traits:
    """The facts of the schema ``public``, the engine's ledger left out."""
    found: Traits = {}
    result = connection.exec_driver_sql(QUERY, execution_options={"no_parameters": True})
    for kind, table, name, value in result:
        _note(found, kind, table, name, value)
    return found


def _note(found: Traits, kind: str, table: str, name: str, value: list[Any]) -> None:
    match kind:
        case "table":
            found["comment", table] = value[0]
            found.setdefault(("primary", table), None)
        case "column":
            for fact, one in zip(("type", "null", "default", "comment", "generated"), value, strict=True):
                found[fact, table, name] = one
            if NO_DEFAULT.fullmatch(value[2] or ""):
                # What SET DEFAULT NULL leaves where the type has a length: sync has no other way to take one away.
                found["default", table, name] = None
            if (number := NUMBER.fullmatch(value[2] or "")) is not None:
                # A number is the same in quotes, as which it is declared for some types and not for others.
                found["default", table, name] = number[1]
        case "index":
            keys, primary, unique, valid, where, by_expression = value
            if not valid:
                found["invalid index", table, name] = True
            if primary:
                found["primary", table] = tuple(keys)
            elif by_expression or where is not None:
                found["index", table, name] = (tuple(keys), unique, where)
            elif unique:
                # What keeps columns unique counts as such, whether it is called an index or a constraint.
                found["unique", table, *sorted(keys)] = True
            else:
                found["index", table, name] = tuple(keys)
        case "constraint":
            contype, validated, definition, columns, target, action = value
            if not validated:
                found["pending constraint", table, name] = True
            if contype == "f":
                found["reference", table, *columns] = target, action
            else:
                found["check", table, name] = definition
        case _:
            found["enum", table] = tuple(value)
