"""Everything that SQLAlchemy can declare, and what becomes of it on each database.

The list is complete: tests/unit/test_declarable.py derives the names from the installed SQLAlchemy and fails on one
that is not here. docs/objects.md is generated from it, and ``refuse`` refuses at load what it says is refused.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import sqlalchemy as sa

from framework_m_migrations.domain.errors import InvalidMetadata

DIALECTS = ("sqlite", "postgresql", "mariadb")
MEANING = {
    "A": ("applied where no row can be lost", "written", "compared"),
    "W": ("applied with a new table or column; a change is withheld", "written", "compared"),
    "H": ("applied with a new table or column; a change is withheld", "by hand", "compared"),
    "N": ("applied with a new table", "written for a new table", "not compared: it is no part of the definition"),
    "X": ("refused (M120)", "refused (M120)", "refused (M120)"),
    "R": ("not applied", "not written", "reported"),
    "-": ("no effect on this database", "no effect", "no effect"),
    "P": ("Python only", "Python only", "Python only"),
}
"""What a letter of the table says about sync, create and verify."""

_TABLE = """
# Objects
Table                                   A A A
Column                                  A A A
MetaData                                P P P
Index                                   A A A
Constraint                              A A A
ColumnCollectionConstraint              A A A
PrimaryKeyConstraint                    H H H
UniqueConstraint                        A A A   SQLite keeps one that is added to an existing table as a unique index
CheckConstraint                         A A A
ForeignKey                              A A A
ForeignKeyConstraint                    A A A   not written across schemas on SQLite
ExcludeConstraint                       X A X
Computed                                W W W
Identity                                - W W   MariaDB: AUTO_INCREMENT
Sequence                                - A A   MariaDB: created where a column needs it
DefaultGenerator                        P P P
ColumnDefault                           P P P   a constant one fills existing rows of a new NOT NULL column
CallableColumnDefault                   P P P
ScalarElementColumnDefault              P P P
ColumnElementColumnDefault              P P P
HasSchemaAttr                           P P P
# Named types
type sqltypes.Boolean                   A A A
type sqltypes.BOOLEAN                   A A A
type sqltypes.Enum                      A A A   SQLite: a text, with a check where the model asks for one
type sqltypes.MatchType                 P P P
type postgresql.ENUM                    - A -
type postgresql.DOMAIN                  X W X
type mysql.ENUM                         - - A
# Statements that SQLAlchemy writes
ddl create_table                        A A A
ddl create_column                       A A A
ddl create_index                        A A A
ddl create_sequence                     - A A
ddl create_schema                       - A -
ddl create_enum_type                    - A -
ddl create_domain_type                  - W -
ddl create_view                         A A A   replaced in place where no column is lost; see docs/defined.md
ddl create_table_as                     R R R
ddl set_table_comment                   - A A
ddl set_column_comment                  - A A
ddl set_constraint_comment              - A -
ddl computed_column                     W W W
ddl identity_column                     - W W
ddl ddl                                 R R R   DDL listeners are not managed
ddl primary_key_constraint              H H H
ddl unique_constraint                   A A A
ddl check_constraint                    A A A
ddl column_check_constraint             A A A
ddl table_or_column_check_constraint    A A A
ddl foreign_key_constraint              A A A
ddl exclude_constraint                  X A X
ddl add_constraint                      A A A
# Options of MetaData
MetaData.schema                         A A A
MetaData.quote_schema                   P P P
MetaData.naming_convention              A A A
MetaData.info                           P P P   objects of sqlalchemy-declarative-extensions: see docs/defined.md
# Options of a table
Table.name                              A A A
Table.metadata                          P P P
Table.schema                            A A A
Table.quote                             P P P
Table.quote_schema                      P P P
Table.autoload_with                     P P P
Table.autoload_replace                  P P P
Table.keep_existing                     P P P
Table.extend_existing                   P P P
Table.resolve_fks                       P P P
Table.include_columns                   P P P
Table.implicit_returning                P P P
Table.comment                           - A A
Table.info                              P P P   see docs/exclude.md for `managed` and `is_view`
Table.listeners                         R R R
Table.prefixes                          X W X   TEMPORARY is refused everywhere
sqlite.Table.autoincrement              W - -
sqlite.Table.strict                     W - -
sqlite.Table.with_rowid                 W - -
postgresql.Table.ignore_search_path     - P -
postgresql.Table.inherits               - W -
postgresql.Table.on_commit              - X -
postgresql.Table.partition_by           - H -
postgresql.Table.tablespace             - W -
postgresql.Table.using                  - W -
postgresql.Table.with                   - W -
postgresql.Table.with_oids              - X -   gone since PostgreSQL 12
mysql.Table.*                           - - W   see below
# Options of a column
Column.name                             A A A
Column.type_                            A A A
Column.autoincrement                    P W W
Column.default                          P P P
Column.insert_default                   P P P
Column.doc                              P P P
Column.key                              P P P
Column.index                            A A A
Column.unique                           A A A
Column.info                             P P P
Column.nullable                         W W W   SQLite: a primary key takes NULL where the model lets it
Column.onupdate                         P P P
Column.primary_key                      H H H
Column.server_default                   A A A   MariaDB: with ON UPDATE
Column.server_onupdate                  P P P
Column.quote                            P P P
Column.system                           P P P   such a column is left out
Column.comment                          - A A
Column.insert_sentinel                  P P P
sqlite.Column.on_conflict_primary_key   W - -
sqlite.Column.on_conflict_not_null      W - -
sqlite.Column.on_conflict_unique        W - -
Computed.sqltext                        W W W
Computed.persisted                      W W W
FetchedValue.for_update                 P P P
DefaultClause.arg                       A A A
DefaultClause.for_update                P P P
# Options of identities and sequences
Identity.always                         - W -
Identity.on_null                        - - -
Identity.start                          - W -
Identity.increment                      - W -
Identity.minvalue                       - W -
Identity.maxvalue                       - W -
Identity.nominvalue                     - W -
Identity.nomaxvalue                     - W -
Identity.cycle                          - W -
Identity.cache                          - W -
Identity.order                          - - -
Sequence.name                           - A A
Sequence.schema                         - A A
Sequence.start                          - W N
Sequence.increment                      - W N
Sequence.minvalue                       - W N
Sequence.maxvalue                       - W N
Sequence.nominvalue                     - W N
Sequence.nomaxvalue                     - W N
Sequence.cycle                          - W N
Sequence.cache                          - W N
Sequence.order                          - - -
Sequence.data_type                      - W N
Sequence.optional                       - A A
Sequence.quote                          P P P
Sequence.quote_schema                   P P P
Sequence.metadata                       P P P
Sequence.for_update                     P P P
# Options of constraints
Constraint.name                         A A A
Constraint.deferrable                   X W X   of foreign keys see ForeignKeyConstraint
Constraint.initially                    X W X
Constraint.info                         P P P
Constraint.comment                      - A -
PrimaryKeyConstraint.columns            H H H
PrimaryKeyConstraint.name               N N -   not compared
PrimaryKeyConstraint.deferrable         X H X
PrimaryKeyConstraint.initially          X H X
PrimaryKeyConstraint.info               P P P
UniqueConstraint.columns                W W W
UniqueConstraint.name                   A A A
UniqueConstraint.deferrable             X W X
UniqueConstraint.initially              X W X
UniqueConstraint.info                   P P P
CheckConstraint.sqltext                 W W W
CheckConstraint.name                    A A A
CheckConstraint.deferrable              X X X
CheckConstraint.initially               X X X
CheckConstraint.table                   P P P
CheckConstraint.info                    P P P
ForeignKey.column                       W W W
ForeignKey.use_alter                    A A A   sync decides what is added later
ForeignKey.name                         A A A
ForeignKey.onupdate                     W W W
ForeignKey.ondelete                     W W W
ForeignKey.deferrable                   W W X
ForeignKey.initially                    W W X
ForeignKey.link_to_name                 P P P
ForeignKey.match                        W W X
ForeignKey.info                         P P P
ForeignKey.comment                      - A -
ForeignKeyConstraint.columns            W W W
ForeignKeyConstraint.refcolumns         W W W
ForeignKeyConstraint.name               A A A
ForeignKeyConstraint.onupdate           W W W
ForeignKeyConstraint.ondelete           W W W
ForeignKeyConstraint.deferrable         W W X
ForeignKeyConstraint.initially          W W X
ForeignKeyConstraint.use_alter          A A A
ForeignKeyConstraint.link_to_name       P P P
ForeignKeyConstraint.match              W W X
ForeignKeyConstraint.table              P P P
ForeignKeyConstraint.info               P P P
ForeignKeyConstraint.comment            - A -
sqlite.Constraint.on_conflict           W - -   of a check it has no effect in SQLite
postgresql.CheckConstraint.not_valid    - W -
postgresql.ForeignKeyConstraint.not_valid - W -
postgresql.PrimaryKeyConstraint.include - H -
postgresql.UniqueConstraint.include     - W -
postgresql.UniqueConstraint.nulls_not_distinct - W -
mysql.PrimaryKeyConstraint.using        - - N   InnoDB has one kind of index
# Options of indexes
Index.name                              A A A
Index.unique                            W W W
Index.quote                             P P P
Index.info                              P P P
sqlite.Index.where                      W - -
postgresql.Index.concurrently           - P -   sync decides how an index is built
postgresql.Index.include                - W -
postgresql.Index.invalid                - P -
postgresql.Index.nulls_not_distinct     - W -
postgresql.Index.ops                    - W -
postgresql.Index.tablespace             - W -
postgresql.Index.using                  - W -
postgresql.Index.where                  - W -
postgresql.Index.with                   - W -
mysql.Index.length                      - - W
mysql.Index.prefix                      - - W   FULLTEXT and SPATIAL
mysql.Index.using                       - - W   compared for the engine MEMORY; InnoDB has one kind
mysql.Index.with_parser                 - - N
# Options of named types
DOMAIN.name                             - A -
DOMAIN.data_type                        - H -
DOMAIN.collation                        - H -
DOMAIN.collation_schema                 - H -
DOMAIN.default                          - W -
DOMAIN.constraint_name                  - W -
DOMAIN.not_null                         - W -
DOMAIN.check                            - W -
DOMAIN.create_type                      - P -
ENUM.name                               - A -
ENUM.create_type                        - P -
# Options of views and queries
sqlite.CreateView.if_not_exists         P - -
postgresql.CreateView.with              - R -
mysql.Update.limit                      - - P
mysql.Delete.limit                      - - P
"""


class Row(NamedTuple):
    """One thing that can be declared; ``states`` has a letter of ``MEANING`` for each of ``DIALECTS``."""

    group: str
    name: str
    states: tuple[str, ...]
    note: str


@functools.cache
def rows() -> tuple[Row, ...]:
    """The whole list."""
    found: list[Row] = []
    group = ""
    for line in _TABLE.strip().splitlines():
        if line.startswith("# "):
            group = line[2:]
            continue
        kind, _, rest = line.partition(" ") if not line.startswith(("type ", "ddl ")) else (line[:4].strip(), "", "")
        name = kind if rest else " ".join(line.split()[:2])
        words = line[len(name) :].split(None, 3)
        found.append(Row(group, name, tuple(words[:3]), words[3] if len(words) > 3 else ""))
    return tuple(found)


@functools.cache
def _refused(dialect: str) -> frozenset[str]:
    place = DIALECTS.index(dialect) if dialect in DIALECTS else None
    return frozenset(row.name for row in rows() if place is not None and row.states[place] == "X")


def refuse(table: sa.Table, dialect: sa.Dialect, constraints: list[sa.Constraint]) -> None:
    """Refuse what is declared and has no meaning on this database, before anything is sent.

    Args:
        table: the model's.
        dialect: of the database.
        constraints: of the table, as far as DDL for this dialect has them.

    Raises:
        InvalidMetadata: it declares such a thing.
    """
    refused = _refused(dialect.name)
    if table._prefixes and "Table.prefixes" in refused:  # noqa: SLF001 - SQLAlchemy has no other name for it
        raise _refusal(table, f"the prefix {' '.join(map(str, table._prefixes))}", dialect)  # noqa: SLF001
    options: Any = table.dialect_options[dialect.name] if table.dialect_kwargs else {}
    for name in options:
        if options[name] and f"{dialect.name}.Table.{name}" in refused:
            raise _refusal(table, f"the option {dialect.name}_{name}", dialect)
    for constraint in constraints:
        kind = type(constraint).__name__
        if not hasattr(dialect.ddl_compiler, f"visit_{constraint.__visit_name__}"):
            raise _refusal(table, f"a constraint of the kind {kind}", dialect)
        for option in ("deferrable", "initially", "match"):
            if getattr(constraint, option, None) and f"{kind}.{option}" in refused:
                raise _refusal(table, f"{option.upper()} of a {kind}", dialect)


def _refusal(table: sa.Table, what: str, dialect: sa.Dialect) -> InvalidMetadata:
    return InvalidMetadata(
        f"Table {table.name} declares {what}, which {dialect.name} does not have.",
        next_step="Leave it out, or declare it for other databases alone (ddl_if, another MetaData).",
        details={"table": str(table.name)},
    )
