"""How the database fills a column: an identity, a sequence of its own, a computed expression, or a plain default.

Where PostgreSQL can change the one into the other it does; a computed expression is changed in place from version 17
on. Otherwise the column is dropped and added, and what stood on it is made again from the catalog's own definitions.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from framework_m_migrations.adapters.sql.dialects.postgresql.altering import regclass, sequence_name, sequence_of
from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import cut, unquote, written
from framework_m_migrations.adapters.sql.dialects.postgresql.queries import text
from framework_m_migrations.adapters.sql.dialects.postgresql.tokens import string_literal
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import computed_sql, qualified, type_sql
from framework_m_migrations.adapters.sql.object_options import identity_sql, sequence_clauses
from framework_m_migrations.domain import operations as o
from framework_m_migrations.domain.schema import Generated

SET_EXPRESSION = 17
"""The first server version that changes a computed expression in place."""

_STANDING = text(
    """
WITH place AS (
    SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = CAST(CAST(:tab AS text) AS regclass) AND a.attname = CAST(:col AS text)
)
SELECT d.sql FROM place p, LATERAL (
    SELECT 1, i.indexrelid, pg_catalog.pg_get_indexdef(i.indexrelid)
    FROM pg_catalog.pg_index i
    WHERE i.indrelid = p.attrelid
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = p.attrelid
                      AND k.contype IN ('p', 'u', 'x'))
      AND EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass
                  AND e.objid = i.indexrelid AND e.refclassid = 'pg_catalog.pg_class'::regclass
                  AND e.refobjid = p.attrelid AND e.refobjsubid = p.attnum)
    UNION ALL
    SELECT CASE k.contype WHEN 'p' THEN 2 WHEN 'u' THEN 3 ELSE 4 END, k.oid,
           pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', CAST(:tab AS text), k.conname,
                             pg_catalog.pg_get_constraintdef(k.oid))
    FROM pg_catalog.pg_constraint k
    WHERE k.conrelid = p.attrelid AND k.conparentid = 0 AND k.contype IN ('p', 'u', 'x', 'f', 'c')
      AND EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_constraint'::regclass
                  AND e.objid = k.oid AND e.refclassid = 'pg_catalog.pg_class'::regclass
                  AND e.refobjid = p.attrelid AND e.refobjsubid = p.attnum)
    UNION ALL
    SELECT 5, k.oid,
           pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, CAST(:tab AS text), c.description)
    FROM pg_catalog.pg_constraint k
    JOIN pg_catalog.pg_description c ON c.objoid = k.oid AND c.classoid = 'pg_catalog.pg_constraint'::regclass
    WHERE k.conrelid = p.attrelid AND p.attnum = ANY (k.conkey)
    UNION ALL
    SELECT 6, s.oid, pg_catalog.pg_get_statisticsobjdef(s.oid)
    FROM pg_catalog.pg_statistic_ext s WHERE s.stxrelid = p.attrelid AND p.attnum = ANY (s.stxkeys::int2[])
    UNION ALL
    SELECT 7, 0, pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', CAST(:tab AS text), CAST(:col AS text),
                                   c.description)
    FROM pg_catalog.pg_description c
    WHERE c.objoid = p.attrelid AND c.classoid = 'pg_catalog.pg_class'::regclass AND c.objsubid = p.attnum
) AS d(place, object, sql)
ORDER BY d.place, d.object
""",
    tab=sa.Text(),
    col=sa.Text(),
)
"""What goes with a column, as statements that make it again."""


def set_generated(operation: o.SetGenerated, connection: sa.Connection | None, schema: str | None) -> tuple[str, ...]:
    """The statements that change how the database fills a column.

    Args:
        operation: the change.
        connection: to look up sequences and what stands on a column; None for a script.
        schema: the session's.
    """
    return tuple(_Change(operation, connection, schema).statements())


class _Change:
    def __init__(self, operation: o.SetGenerated, connection: sa.Connection | None, schema: str | None) -> None:
        self._table = operation.table
        self._before = operation.before
        self._after = operation.column
        self._connection = connection
        self._schema = schema
        self._name = qualified(operation.table, schema)
        self._column = written(operation.column.name)
        self._alter = f"ALTER TABLE {self._name} ALTER COLUMN {self._column}"

    def statements(self) -> Iterator[str]:
        old, new = self._before.generated, self._after.generated
        if old == new:
            return
        if new is not None and new.kind == "computed":
            yield from self._computed(old, new)
        elif old is not None and new is not None and (old.kind, new.kind) == ("identity", "identity"):
            yield from self._options(old, new)
        elif old is not None and new is not None and {old.kind, new.kind} == {"serial", "identity"}:
            yield from self._identity_for_serial(new) if new.kind == "identity" else self._serial_for_identity()
        elif old is not None and new is not None and (old.kind, new.kind) == ("serial", "serial"):
            yield f"ALTER SEQUENCE {self._sequence()} AS {self._after.type.base}"
        else:
            yield from self._without(old)
            yield from self._with(new)

    def _without(self, old: Generated | None) -> Iterator[str]:
        """Take away what fills the column; its values stay."""
        match None if old is None else old.kind:
            case "identity":
                yield f"{self._alter} DROP IDENTITY"
            case "serial":
                sequence = self._sequence()
                yield f"{self._alter} DROP DEFAULT"
                yield f"DROP SEQUENCE {sequence}"
            case "computed" if old is not None and not old.stored:
                yield from self._replaced(bare=True)
            case "computed":
                yield f"{self._alter} DROP EXPRESSION"
            case _:
                if self._before.default is not None:
                    yield f"{self._alter} DROP DEFAULT"

    def _with(self, new: Generated | None) -> Iterator[str]:
        """Fill a column that nothing fills."""
        if new is None:
            if self._after.default is not None:
                yield f"{self._alter} SET DEFAULT {self._after.default}"
            return
        if self._before.nullable:
            yield f"{self._alter} SET NOT NULL"
        if new.kind == "identity":
            yield f"{self._alter} ADD {identity_sql(new)}"
            yield self._continued(self._owned(), dict(new.options))
            return
        sequence = sequence_name(self._table, self._after.name, self._schema)
        yield f"CREATE SEQUENCE {sequence} AS {self._after.type.base} OWNED BY {self._name}.{self._column}"
        yield self._continued(regclass(sequence), {})
        yield f"{self._alter} SET DEFAULT nextval({regclass(sequence)})"

    def _continued(self, sequence: str, options: dict[str, str]) -> str:
        """Numbers go on behind those of the rows."""
        down = options.get("increment", "1").startswith("-")
        furthest, compared = (f"min({self._column})", "<=") if down else (f"max({self._column})", ">=")
        start = options.get("start", options.get("maxvalue", "-1") if down else options.get("minvalue", "1"))
        return f"SELECT setval({sequence}, {furthest}) FROM {self._name} HAVING {furthest} {compared} {start}"  # noqa: S608 - names are quoted

    def _owned(self) -> str:
        return f"pg_get_serial_sequence({string_literal(self._name)}, {string_literal(self._after.name)})"

    def _sequence(self) -> str:
        found = sequence_of(self._table, self._before.name, self._connection, self._schema)
        return found or sequence_name(self._table, self._before.name, self._schema)

    def _options(self, old: Generated, new: Generated) -> Iterator[str]:
        parts = []
        if old.always is not new.always:
            parts.append(f"SET GENERATED {'ALWAYS' if new.always else 'BY DEFAULT'}")
        clauses = sequence_clauses(dict(old.options), dict(new.options))
        parts += [clause if clause == "RESTART" else f"SET {clause}" for clause in clauses]
        if parts:
            yield f"{self._alter} {' '.join(parts)}"

    def _identity_for_serial(self, new: Generated) -> Iterator[str]:
        """The identity's sequence takes the place, and the position, of the one that the column owned."""
        sequence = self._sequence()
        *place, name = _parts(sequence)
        former = ".".join([*place, written(cut(f"{unquote(name)[:40]}_former"))])
        yield f"ALTER SEQUENCE {sequence} OWNED BY NONE"
        yield f"{self._alter} DROP DEFAULT"
        yield f"ALTER SEQUENCE {sequence} RENAME TO {_parts(former)[-1]}"
        if self._before.nullable:
            yield f"{self._alter} SET NOT NULL"
        yield f"{self._alter} ADD {identity_sql(new)}"
        yield f"SELECT setval({self._owned()}, last_value, is_called) FROM {former}"  # noqa: S608 - names are quoted
        yield f"DROP SEQUENCE {former}"

    def _serial_for_identity(self) -> Iterator[str]:
        sequence = self._sequence()
        *place, name = _parts(sequence)
        later = ".".join([*place, written(cut(f"{unquote(name)[:40]}_later"))])
        yield f"CREATE SEQUENCE {later} AS {self._after.type.base}"
        yield f"SELECT setval({regclass(later)}, last_value, is_called) FROM {sequence}"  # noqa: S608 - names are quoted
        yield f"{self._alter} DROP IDENTITY"
        yield f"ALTER SEQUENCE {later} RENAME TO {name}"
        yield f"ALTER SEQUENCE {sequence} OWNED BY {self._name}.{self._column}"
        yield f"{self._alter} SET DEFAULT nextval({regclass(sequence)})"

    def _computed(self, old: Generated | None, new: Generated) -> Iterator[str]:
        in_place = old is not None and old.kind == "computed" and old.stored is new.stored
        version = () if self._connection is None else tuple(self._connection.dialect.server_version_info or ())
        if in_place and (self._connection is None or version >= (SET_EXPRESSION,)):
            yield f"{self._alter} SET EXPRESSION AS ({new.expression})"
        else:
            yield from self._replaced(bare=False)

    def _replaced(self, *, bare: bool) -> Iterator[str]:
        """The column dropped and added, and what stood on it made again; ``bare`` keeps the values it had."""
        standing = self._standing()
        type_ = type_sql(self._after.type, self._schema)
        required = "" if self._after.nullable else " NOT NULL"
        if bare:
            copied = written(cut(f"{self._after.name[:40]}_computed"))
            yield f"ALTER TABLE {self._name} RENAME COLUMN {self._column} TO {copied}"
            yield f"ALTER TABLE {self._name} ADD COLUMN {self._column} {type_}"
            yield f"UPDATE {self._name} SET {self._column} = {copied}"  # noqa: S608 - names are quoted
            yield f"ALTER TABLE {self._name} DROP COLUMN {copied}"
            if required:
                yield f"{self._alter} SET NOT NULL"
        else:
            generated = self._after.generated
            clause = "" if generated is None else f" {computed_sql(generated)}"
            yield f"ALTER TABLE {self._name} DROP COLUMN {self._column}"
            yield f"ALTER TABLE {self._name} ADD COLUMN {self._column} {type_}{clause}{required}"
        yield from standing

    def _standing(self) -> list[str]:
        if self._connection is None:
            return []
        found = self._connection.execute(_STANDING, {"tab": self._name, "col": self._before.name})
        return [sql for (sql,) in found]


def _parts(name: str) -> list[str]:
    """The quoted parts of a qualified name."""
    parts, quoted = [""], False
    for letter in name:
        quoted = quoted is not (letter == '"')
        if letter == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts
