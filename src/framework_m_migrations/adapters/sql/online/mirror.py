"""Triggers that keep two columns of a row equal while old and new code write to the same table.

Their names sort behind those of others, so that they see what other BEFORE triggers made of the row.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from framework_m_migrations.adapters.sql.dialects.postgresql.identifiers import written
from framework_m_migrations.adapters.sql.dialects.postgresql.writing import qualified
from framework_m_migrations.domain.renames import fitted
from framework_m_migrations.domain.schema import TableName

_ROW = "m_migrate_row"
_WITHOUT_EQUALITY = ("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A trigger on a table, over two of its columns."""

    table: TableName
    first: str
    second: str

    @property
    def name(self) -> str:
        """Of the trigger and of its function: the same whichever column is named first."""
        pair = sorted((self.first, self.second))
        mark = hashlib.sha256("\0".join((self.table.name, *pair)).encode()).hexdigest()[:8]
        return fitted(f"zz_m_migrate_{self.table.name}_{'_'.join(pair)}", f"_{mark}")

    @property
    def _function(self) -> str:
        return qualified(TableName(self.name, self.table.schema), None)

    def create(self, body: str) -> tuple[str, ...]:
        """The statements that make it, or make it anew."""
        table, name, function = qualified(self.table, None), written(self.name), self._function
        tag = "$m_migrate$"
        while tag in body:
            tag = f"{tag[:-1]}_$"
        return (
            f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {tag}\n{body}\n{tag}",
            f"DROP TRIGGER IF EXISTS {name} ON {table}",
            f"CREATE TRIGGER {name} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()",
        )

    def drop(self) -> tuple[str, ...]:
        """The statements that take it away."""
        return (
            f"DROP TRIGGER IF EXISTS {written(self.name)} ON {qualified(self.table, None)}",
            f"DROP FUNCTION IF EXISTS {self._function}()",
        )


def both_ways(old: str, new: str, type_: str, old_default: str | None, new_default: str | None) -> str:
    """The body that lets old code write one column and new code the other.

    A row that is inserted names one of the two, and the other has its default: that is how the writer is told. Where
    both were named and differ, the new column counts. An update changes one of them; where it changes both, the new
    one counts.

    Args:
        old: the column that old code writes.
        new: the column that new code writes.
        type_: of both.
        old_default: SQL, None for none, or for one that gives another value each time.
        new_default: likewise.
    """
    a, b = written(old), written(new)

    def differ(left: str, right: str) -> str:
        return f"{_comparable(left, type_)} IS DISTINCT FROM {_comparable(right, type_)}"

    def is_default(column: str, default: str | None) -> str:
        return f"NOT ({differ(f'NEW.{column}', f'CAST({default} AS {type_})' if default else f'NULL::{type_}')})"

    return (
        "BEGIN\n"
        "  IF TG_OP = 'INSERT' THEN\n"
        f"    IF {differ(f'NEW.{b}', f'NEW.{a}')} THEN\n"
        f"      IF NOT ({is_default(a, old_default)}) AND {is_default(b, new_default)} THEN\n"
        f"        NEW.{b} := NEW.{a};\n"
        "      ELSE\n"
        f"        NEW.{a} := NEW.{b};\n"
        "      END IF;\n"
        "    END IF;\n"
        f"  ELSIF {differ(f'NEW.{b}', f'OLD.{b}')} THEN\n"
        f"    NEW.{a} := NEW.{b};\n"
        f"  ELSIF {differ(f'NEW.{a}', f'OLD.{a}')} THEN\n"
        f"    NEW.{b} := NEW.{a};\n"
        "  END IF;\n"
        "  RETURN NEW;\n"
        "END"
    )


def forward(copy: str, using: str) -> str:
    """The body that computes a copy of another type from the row; a value that has no counterpart is refused."""
    value = _selected(using, "NEW.*")
    return f"BEGIN\n  NEW.{written(copy)} := {value};\n  RETURN NEW;\nEND"


def backward(column: str, former: str, using: str, back: str) -> str:
    """The body that keeps the former column after the swap, so that the change can be taken back without loss.

    What has no counterpart in the former type becomes NULL there, and so does what would not come back the same: new
    code is never refused.
    """
    a, b = written(column), written(former)
    again = _selected(f"({using})::text", f"NEW.{b} AS {a}")
    return (
        "BEGIN\n"
        f"  IF TG_OP = 'INSERT' OR NEW.{a}::text IS DISTINCT FROM OLD.{a}::text THEN\n"
        "    BEGIN\n"
        f"      NEW.{b} := {_selected(back, 'NEW.*')};\n"
        f"      IF NEW.{a}::text IS DISTINCT FROM {again} THEN\n"
        f"        NEW.{b} := NULL;\n"
        "      END IF;\n"
        "    EXCEPTION WHEN data_exception THEN\n"
        f"      NEW.{b} := NULL;\n"
        "    END;\n"
        "  END IF;\n"
        "  RETURN NEW;\n"
        "END"
    )


def _selected(expression: str, row: str) -> str:
    """The value of an expression over the columns of a row."""
    return f"(SELECT {expression} FROM (SELECT {row}) AS {_ROW})"  # noqa: S608 - of the author's revision


def _comparable(value: str, type_: str) -> str:
    return f"({value})::text" if type_.startswith(_WITHOUT_EQUALITY) and not type_.startswith("jsonb") else value
