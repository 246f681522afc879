"""Metadata that lies: objects that are not what they seem, that contradict themselves, or that raise when looked at."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import UserDefinedType

from framework_m_migrations.domain.errors import MigrationError
from tests.hostile.outcome import Prey, outcome, sqlite_prey, wipe
from tests.hostile.texts import hostile
from tests.support.profile import cases


class Angry(UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self, **kw: object) -> str:
        raise RuntimeError("you shall not look")


class Nothing(UserDefinedType[Any]):
    cache_ok = True

    def get_col_spec(self, **kw: object) -> Any:
        return None


class Injected(UserDefinedType[Any]):
    """A type is the app's own code; still it does not end the statement that it stands in."""

    cache_ok = True

    def get_col_spec(self, **kw: object) -> str:
        return "INTEGER); CREATE TABLE pwned (i int"


class Wrapped(sa.types.TypeDecorator[Any]):
    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        raise ValueError("no dialect pleases me")


class Spoiled(sa.sql.expression.FunctionElement[Any]):
    inherit_cache = True


@compiles(Spoiled)
def _spoil(element: Spoiled, compiler: object, **kw: object) -> str:
    raise KeyError("spoiled")


class Colours(enum.Enum):
    RED = "red"


TYPES: tuple[Callable[[], Any], ...] = (
    Angry, Nothing, Injected, Wrapped, sa.Integer, sa.String, lambda: sa.String(-1), lambda: sa.String(10**30),
    lambda: sa.Numeric(-5, 99), sa.Enum, lambda: sa.Enum(Colours), lambda: sa.Enum("a", "a"),
    lambda: sa.ARRAY(sa.Integer), postgresql.JSONB, postgresql.INET, mysql.LONGTEXT, sa.types.NullType,
    lambda: sa.String(collation="x\"y; DROP TABLE sentinel"), lambda: sa.Enum("x" * 5000, name="e"), sa.PickleType,
    lambda: sa.LargeBinary(2**40), lambda: sa.Interval(second_precision=99), lambda: sa.DateTime(timezone=True),
)  # fmt: skip
DEFAULTS: tuple[Callable[[str], Any], ...] = (
    lambda text: text,
    lambda text: sa.text("1"),
    lambda text: sa.text("(1; DROP TABLE sentinel)"),
    lambda text: sa.text(":unbound"),
    lambda text: sa.func.now(),
    lambda text: Spoiled(),
    lambda text: sa.FetchedValue(),
    lambda text: sa.Computed("id +"),
    lambda text: sa.Computed("id + 1"),
    lambda text: sa.Identity(start=-5, increment=0),
    lambda text: sa.Sequence("seq"),
    sa.literal,
    lambda text: sa.bindparam("x"),
    lambda text: sa.select(sa.literal(1)).scalar_subquery(),
    lambda text: sa.null(),
)
INFOS: tuple[Any, ...] = (
    {}, {"doctype": 5}, {"doctype": None}, {"doctype": ""}, {"doctype": object()}, {"app": 7}, {"app": ["x"]},
    {"doctype": "Customer", "app": "a"}, {"doctype": "Customer", "app": "b"}, {"renamed_from": 3},
    {"renamed_from": "sentinel"}, {"renamed_from": ["sentinel"]}, {"tenant": "maybe"}, {"doctype": "x" * 9000},
)  # fmt: skip


@st.composite
def liars(draw: st.DrawFn) -> Callable[[], sa.MetaData]:
    count = draw(st.integers(1, 2))
    kinds = [draw(st.sampled_from(TYPES)) for _ in range(2)]
    default = draw(st.one_of(st.none(), st.sampled_from(DEFAULTS)))
    infos = [draw(st.sampled_from(INFOS)) for _ in range(3)]
    text = draw(hostile)
    more = draw(st.sets(st.sampled_from(LIES), max_size=2))

    def declare() -> sa.MetaData:
        metadata = sa.MetaData(schema=draw_schema)
        for number in range(count):
            made = sa.Table(f"t{number}", metadata, info=dict(infos[number]))
            made.append_column(sa.Column("id", sa.Integer, primary_key=True, info=dict(infos[2])))
            value = None if default is None else default(text)
            items = (
                [value] if isinstance(value, sa.schema.SchemaItem) and not isinstance(value, sa.FetchedValue) else []
            )
            if isinstance(value, (sa.Computed, sa.Identity)):
                items = [value]
            server = value if not items else None
            made.append_column(sa.Column("a", kinds[0](), *items, server_default=server))
            made.append_column(sa.Column("b", kinds[1]()))
            for lie in sorted(more):
                lies[lie](made, text)
        return metadata

    draw_schema = draw(st.sampled_from((None, None, None, "main", "nowhere", "a;b", "public")))
    return declare


def _renamed(table: sa.Table, text: str) -> None:
    table.c.b.name = text


def _ghost_key(table: sa.Table, text: str) -> None:
    table.append_constraint(sa.ForeignKeyConstraint(["b"], [f"nowhere_{table.name}.id"], name=text))


def _text_index(table: sa.Table, text: str) -> None:
    table.append_constraint(sa.CheckConstraint("1 = 1"))
    table.indexes.add(
        sa.Index(f"iy_{table.name}", table.c.a, sqlite_where=sa.text(text), postgresql_where=sa.text(text))
    )


def _check(table: sa.Table, text: str) -> None:
    table.append_constraint(sa.CheckConstraint(text, name=f"ck_{table.name}"))


def _closing_check(table: sa.Table, text: str) -> None:
    table.append_constraint(sa.CheckConstraint("1 = 1)); DROP TABLE sentinel; --"))


def _wrong_kind(table: sa.Table, text: str) -> None:
    table.comment = 5  # type: ignore[assignment]


def _spoiled_index(table: sa.Table, text: str) -> None:
    sa.Index(f"iz_{table.name}", Spoiled(), _table=table)


def _own_key(table: sa.Table, text: str) -> None:
    table.append_constraint(sa.ForeignKeyConstraint(["a", "b"], [f"{table.fullname}.id", f"{table.fullname}.a"]))


def _option(table: sa.Table, text: str) -> None:
    table.dialect_options["sqlite"]["with_rowid"] = text


def _prefix(table: sa.Table, text: str) -> None:
    table._prefixes = [text]


lies: dict[str, Callable[[sa.Table, str], None]] = {
    "renamed": _renamed, "ghost key": _ghost_key, "text index": _text_index, "check": _check,
    "closing check": _closing_check, "wrong kind": _wrong_kind, "spoiled index": _spoiled_index, "own key": _own_key,
    "option": _option, "prefix": _prefix,
}  # fmt: skip
LIES = sorted(lies)


@settings(max_examples=cases(40, 4000), suppress_health_check=[HealthCheck.too_slow])
@given(liars())
def test_metadata_that_lies(declare: Callable[[], sa.MetaData]) -> None:
    with sqlite_prey() as prey:
        lied_to(prey, declare)


@settings(max_examples=cases(12, 1500), suppress_health_check=[HealthCheck.too_slow])
@given(declare=liars())
def test_metadata_that_lies_on_postgresql(postgres_prey: Prey, declare: Callable[[], sa.MetaData]) -> None:
    wipe(postgres_prey)
    lied_to(postgres_prey, declare)


def lied_to(prey: Prey, declare: Callable[[], sa.MetaData]) -> None:
    try:
        metadata = declare()
    except Exception:  # noqa: BLE001 - what SQLAlchemy itself does not take is not our case
        return
    manager = prey.manager(metadata)
    result = outcome(manager.sync)
    prey.check()
    again = outcome(lambda: manager.plan(force=True))
    prey.check()
    if not isinstance(result, MigrationError):
        assert not isinstance(again, MigrationError), again
        assert not again.plan.applied, again.to_dict()
