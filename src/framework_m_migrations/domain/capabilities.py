"""What a database can do, declared once by its adapter, each with a reason where the answer is no.

Planning asks these and never the name of the dialect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from framework_m_migrations.domain.naming import STANDARD, Naming
from framework_m_migrations.domain.renames import Spell, spelt
from framework_m_migrations.domain.schema import ColumnType

type Fits = Callable[[ColumnType, ColumnType], bool]


def fits_any(column: ColumnType, target: ColumnType) -> bool:
    """True: any type may refer to any."""
    del column, target
    return True


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The traits of a database that shape a plan.

    Attributes:
        dialect: SQLAlchemy's name of the dialect.
        server_version: as a tuple, () when there is no server.
        transactional_ddl: a failing step leaves nothing behind.
        identifier_limit: longest identifier in bytes of UTF-8, None for no limit.
        step_weight: how many objects one transaction may lock; the plan is cut into steps of at most this weight.
        forward_references: CREATE TABLE may name a foreign key target that does not exist yet.
        alter_constraints: constraints can be added to a table that exists.
        alter_column: type, nullability and default of a column that exists can be changed without a copy of its rows.
        named_enums: enumerations are objects of their own.
        schemas: tables live in named schemas.
        comments: tables and columns carry comments.
        online_index: an index can be built without blocking writers (outside a transaction).
        deferred_validation: foreign keys and checks can be added NOT VALID and validated later.
        unique_via_index: a unique constraint can adopt an index.
        add_volatile_default: a column with a volatile default can be added to a table with rows in one statement.
        staged_defaults: such a column can also be added in stages: its default for new rows first, then values for
            those that exist, in batches.
        unvalidated_not_null: NOT NULL can be added without a look at the rows, and validated later.
        unvalidated_part_keys: a foreign key of a partitioned table can be added now and validated later.
        distinct_defaults: defaults, as they are spelt canonically, that never give two rows the same value.
        table_locks: readers and writers of one table are not held up by a transaction that changes another, so that
            each existing table is changed in a step of its own.
        typed_plans: a prepared statement fails once the columns that it returns are others, or of another type.
        column_statistics: what the planner of queries knows of a column's values is lost when its type changes.
        rename_constraints: a constraint can get another name and stay as it is.
        unique_is_index: the dialect keeps unique constraints as indexes, so each satisfies the other.
        drop_unique: a unique constraint, or a column that is part of one or of the primary key, goes from a table that
            stays without a copy of its rows.
        expression_indexes: an index may be over expressions.
        partial_indexes: an index may leave out rows by a predicate.
        options_as_named: a table has more options than models name; only those that a model names are compared.
        folds_tables: names of tables that differ in the case of ASCII letters only are one.
        folds_columns: names of columns that differ in it only are one.
        naming: how constraints without a name are named.
        spell: how an expression names a column.
        keys_to_any_index: a foreign key may point to columns that have an index, be it unique or not, and gets one of
            its own, under its name or that of its first column.
        defines: kinds of objects with a definition that it has; see ``domain.defined.DEFINED``.
        savepoints: a part of a transaction can be taken back.
        constraint_names: constraints keep their names; where not, they are compared by what they say.
        text_lengths: a text has the length of its type at most, and the catalog tells it.
        typed_values: a value is of the type of its column, and no longer than that.
        key_actions: foreign keys have ON DELETE and ON UPDATE.
        alter_under_dependents: a NOT NULL column comes, a column changes or goes, and a table gets another name, while
            the table has an index or a foreign key of another table points at it.
        alter_enums: an enumeration that exists gets further labels.
        add_computed: a computed column can be added to a table that exists.
        serial_keys: SQLAlchemy's DDL makes whole-numbered primary keys that the database numbers itself. Where not, the
            shared writer creates a sequence for the key of each table.
        merges_constraints: CREATE TABLE makes one of several unique or exclusion constraints that say the same.
        restrict: a foreign key's RESTRICT differs from NO ACTION.
        validates_checks: adding a check fails where rows that exist break it.
        batched_reads: the catalog of any number of tables is read in the same number of statements.
        column_order: the catalog tells the columns of a table in their order, new ones last.
        async_driver: SQLAlchemy's name of an asynchronous driver, such as ``postgresql+asyncpg``; None for none.
        ignored_actions: of foreign keys, that the database takes and does nothing for.
        key_fits: whether a column of a type may refer to one of another; true where it is not known.
        auto_increment: a column is numbered by an attribute of its own, which ALTER TABLE gives and takes.
        views_hold_types: the type of a column cannot be changed while a view uses it.
    """

    dialect: str
    server_version: tuple[int, ...] = ()
    transactional_ddl: bool = True
    identifier_limit: int | None = None
    step_weight: int = 1000
    forward_references: bool = False
    alter_constraints: bool = True
    alter_column: bool = True
    named_enums: bool = False
    schemas: bool = False
    comments: bool = False
    online_index: bool = False
    deferred_validation: bool = False
    unique_via_index: bool = False
    add_volatile_default: bool = True
    staged_defaults: bool = False
    unvalidated_not_null: bool = False
    unvalidated_part_keys: bool = False
    distinct_defaults: frozenset[str] = frozenset()
    typed_plans: bool = False
    column_statistics: bool = False
    rename_constraints: bool = False
    unique_is_index: bool = False
    table_locks: bool = False
    drop_unique: bool = True
    expression_indexes: bool = True
    partial_indexes: bool = True
    options_as_named: bool = False
    folds_tables: bool = False
    folds_columns: bool = False
    naming: Naming = STANDARD
    spell: Spell = spelt
    keys_to_any_index: bool = False
    defines: frozenset[str] = frozenset()
    views_hold_types: bool = False
    merges_constraints: bool = False
    restrict: bool = True
    auto_increment: bool = False
    validates_checks: bool = True
    batched_reads: bool = True
    column_order: bool = True
    async_driver: str | None = None
    ignored_actions: frozenset[str] = frozenset()
    key_fits: Fits = fits_any
    savepoints: bool = True
    constraint_names: bool = True
    text_lengths: bool = True
    typed_values: bool = True
    key_actions: bool = True
    alter_under_dependents: bool = True
    alter_enums: bool = True
    add_computed: bool = True
    serial_keys: bool = True
