"""Random pairs of schemas: one schema, and what a release or its opposite makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tests.equivalence.declaring import (
    FOREIGN_CHOICES,
    INDEX_OPTIONS,
    KEYS,
    TABLE_OPTIONS,
    UNIQUE_OPTIONS,
    define,
    rows_of,
)
from tests.equivalence.kinds import KINDS, STRICT
from tests.equivalence.model import Col, Item, Sch, Tab, free
from tests.equivalence.ways import Pair

TABLES = ("orders", "Line", "group", "part of")
COLUMNS = ("a", "b", "Name", "order", "c d", "e", "f", "g")
COMMENTS = (None, "one", "it's 100% :x")
EXTRAS: dict[str, tuple[str, ...]] = {
    "sqlite": ("", "", "", "computed", "virtual", "conflict"),
    "postgresql": ("", "", "", "computed", "virtual", "identity", "always", "sequence"),
    "mariadb": ("", "", "", "computed", "virtual", "on update"),
}
REFERS = {"int": "int", "identity": "int", "always": "int", "big": "big", "text": "str60", "unsigned": "uint"}
"""The kind of a column that refers to a table with such a key."""


@dataclass(frozen=True)
class Generated:
    """A pair as it was drawn.

    Attributes:
        dialect: it is for.
        before, after: the schemas.
        rows: how many in each table.
        nulls: some values are NULL.
        fits: rows and changes are such that each row stays as it is.
    """

    dialect: str
    before: Sch
    after: Sch
    rows: int = 0
    nulls: bool = False
    fits: bool = True

    def pair(self) -> Pair:
        """What is to be proved."""
        rows = rows_of(self.before, self.dialect, self.rows, self.nulls)
        return Pair(define(self.before, self.dialect), define(self.after, self.dialect), rows, self.fits)


class Drawing:
    """Draws the parts of a schema for one dialect."""

    def __init__(self, dialect: str, seed: int) -> None:
        self._random = Random(f"{dialect} {seed}")
        self.dialect = dialect
        self.easy = self.chance()
        self.before = Sch(())

    def one[T](self, of: tuple[T, ...] | list[T]) -> T:
        return self._random.choice(of)

    def chance(self, of: int = 2) -> bool:
        return self._random.randrange(of) == 0

    def number(self, most: int) -> int:
        return self._random.randint(0, most)

    # --- parts

    def schema(self) -> Sch:
        schema = Sch((), convention=self.chance())
        for _ in range(1 + self.number(1)):
            schema = self.add_table(schema)
        for _ in range(2 + self.number(3)):
            schema = self.add_item(schema)
        return schema

    def column(self, name: str) -> Col:
        kinds = KINDS[self.dialect]
        kind = self.one(list(kinds))
        extra = self.one(EXTRAS[self.dialect])
        if extra == "on update":
            return Col(name, self.one(["stamp", "moment"]), extra=extra)
        if extra == "conflict":
            return Col(name, kind, required=True, default=0 if kinds[kind].defaults else None, extra=extra)
        if extra:
            return Col(name, "int", extra=extra, how=self.number(3), comment=self.one(COMMENTS))
        default = self.number(4) if self.chance() and kinds[kind].defaults else None
        return Col(name, kind, required=self.chance(), default=default, comment=self.one(COMMENTS))

    def table(self, name: str) -> Tab:
        names = list(COLUMNS[self.number(3) :][: 2 + self.number(3)])
        cols = tuple(self.column(one) for one in names)
        options = tuple(option for option in TABLE_OPTIONS[self.dialect] if self.chance(4))
        key = self.one(KEYS[self.dialect])
        return _fitting(Tab(name, cols, key=key, options=options, comment=self.one(COMMENTS)), self.dialect)

    # --- edits

    def edit(self, schema: Sch) -> Sch:
        verbs = [
            self.add_column, self.alter_type, self.toggle_required, self.change_default, self.change_comment,
            self.change_extra, self.add_item, self.alter_item, self.remove_item, self.rename_column, self.add_table,
            self.change_table, self.rename_table, self.change_key, self.remove_column,
        ]  # fmt: skip
        for _ in range(4):
            changed = self.one(verbs)(schema)
            if changed != schema:
                return changed
        return schema

    def _tab(self, schema: Sch) -> Tab:
        # A table that is renamed is changed by the next revision only.
        return self.one([tab for tab in schema.tabs if not tab.was])

    def _put(self, schema: Sch, tab: Tab, new: Tab) -> Sch:
        return replace(schema, tabs=tuple(_fitting(new, self.dialect) if one is tab else one for one in schema.tabs))

    def _put_col(self, schema: Sch, tab: Tab, col: Col, new: Col) -> Sch:
        return self._put(schema, tab, replace(tab, cols=tuple(new if one is col else one for one in tab.cols)))

    def add_table(self, schema: Sch) -> Sch:
        names = free(TABLES, [tab.name for tab in schema.tabs] + [tab.was or "" for tab in schema.tabs])
        return replace(schema, tabs=(*schema.tabs, self.table(names[0]))) if names else schema

    def add_column(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        names = free(COLUMNS, [col.name for col in tab.cols] + [col.was or "" for col in tab.cols])
        if not names:
            return schema
        col = self.column(names[0])
        if self.easy and col.required and col.default is None and not col.extra:
            col = replace(col, required=False)
        return self._put(schema, tab, replace(tab, cols=(*tab.cols, col)))

    def remove_column(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        col = self.one(tab.cols)
        if len(tab.cols) == 1 or (tab.key == "pair" and col is tab.cols[0]) or _used(tab, col):
            return schema
        return self._put(schema, tab, replace(tab, cols=tuple(one for one in tab.cols if one is not col)))

    def alter_type(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        col = self.one(tab.cols)
        kinds = KINDS[self.dialect]
        choices = list(kinds[col.kind].wider if self.easy else kinds)
        if col.extra or _used(tab, col, "foreign") or not choices:
            return schema
        kind = self.one(choices)
        if _used(tab, col) and kinds[kind].group != kinds[col.kind].group:
            return schema
        default = None if not kinds[kind].defaults else col.default
        return self._put_col(schema, tab, col, replace(col, kind=kind, default=default))

    def toggle_required(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        col = self.one(tab.cols)
        if col.extra in {"computed", "virtual", "identity", "always"} or _used(tab, col, "foreign"):
            return schema
        if self.easy and not any(col.name == one.name for old in self.before.tabs for one in old.cols):
            return schema
        return self._put_col(schema, tab, col, replace(col, required=not col.required))

    def change_default(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        col = self.one(tab.cols)
        if col.extra or not KINDS[self.dialect][col.kind].defaults:
            return schema
        return self._put_col(schema, tab, col, replace(col, default=self.one([0, 1, 2, None])))

    def change_comment(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        if self.chance():
            return self._put(schema, tab, replace(tab, comment=self.one(COMMENTS)))
        col = self.one(tab.cols)
        return self._put_col(schema, tab, col, replace(col, comment=self.one(COMMENTS)))

    def change_extra(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        col = self.one(tab.cols)
        if col.kind != "int" or _used(tab, col) or (tab.key == "pair" and col is tab.cols[0]):
            return schema
        extra = self.one(sorted({*EXTRAS[self.dialect]} - {"conflict", "on update"}))
        if self.easy and extra != col.extra:
            extra = col.extra
        return self._put_col(
            schema, tab, col, replace(col, extra=extra, how=self.number(3), default=None, required=False)
        )

    def rename_column(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        col = self.one(tab.cols)
        names = free(COLUMNS, [one.name for one in tab.cols] + [one.was or "" for one in tab.cols])
        if not names or col.was:
            return schema
        new = replace(col, name=names[-1], was=col.name)
        items = tuple(
            replace(item, columns=tuple(new.name if one == col.name else one for one in item.columns))
            for item in tab.items
        )
        return (
            self._put_col(schema, tab, col, new)
            if not items
            else self._put(
                schema, tab, replace(tab, cols=tuple(new if one is col else one for one in tab.cols), items=items)
            )
        )

    def rename_table(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        names = free(TABLES, [one.name for one in schema.tabs] + [one.was or "" for one in schema.tabs])
        if not names or tab.was or tab not in self.before.tabs:
            return schema
        tabs = []
        for one in schema.tabs:
            new = replace(one, name=names[-1], was=tab.name) if one is tab else one
            items = (replace(item, target=names[-1]) if item.target == tab.name else item for item in new.items)
            tabs.append(replace(new, items=tuple(items)))
        return replace(schema, tabs=tuple(tabs))

    def change_table(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        option = self.one(list(TABLE_OPTIONS[self.dialect]))
        options = set(tab.options) ^ {option}
        if option == "strict" or "strict" in tab.options:
            return schema
        return self._put(schema, tab, replace(tab, options=tuple(sorted(options))))

    def change_key(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        if self.easy or tab.key == "pair" or any(item.target == tab.name for one in schema.tabs for item in one.items):
            return schema
        return self._put(schema, tab, replace(tab, key=self.one([key for key in KEYS[self.dialect] if key != "pair"])))

    # --- constraints and indexes

    def _names(self, schema: Sch, what: str, tab: Tab, columns: tuple[str, ...]) -> str | None:
        if what not in {"index", "exclude"} and not (what == "check" and schema.convention) and self.chance():
            return None
        taken = {item.name for one in schema.tabs for item in one.items}
        return free([f"{what} {tab.name} {number}" for number in range(20)], [name for name in taken if name])[0]

    def add_item(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        whats = ["unique", "index", "check", "foreign"] + (["exclude"] if self.dialect == "postgresql" else [])
        what = self.one(whats)
        if what == "foreign":
            return self._add_foreign(schema, tab)
        groups = {"unique": ("number", "text", "plain"), "index": ("number", "text", "plain", "gin"),
                  "check": ("number", "text"), "exclude": ("number", "text", "range")}[what]  # fmt: skip
        kinds = KINDS[self.dialect]
        unfit = {"sequence", "virtual"} if self.dialect == "postgresql" else {"sequence"}
        fitting = [col for col in tab.cols if kinds[col.kind].group in groups and col.extra not in unfit]
        if self.easy and what in {"unique", "exclude"}:
            fitting = [col for col in fitting if col.default is None or (col.required is False and not col.extra)]
        if not fitting:
            return schema
        col = self.one(fitting)
        columns = (col.name,)
        comment = self.one(COMMENTS) if self.dialect == "postgresql" and what != "index" else None
        name = self._names(schema, what, tab, columns)
        item = Item(what, columns, name, comment=comment if name or schema.convention else None)
        item = self._with_option(item, tab)
        if item.option == "two":
            item = replace(item, columns=(col.name, "n"))
        # A check that gets another name is the same one, and keeps its name.
        former = [one for old in self.before.tabs for one in old.items if one.what == what == "check"]
        if any((one.columns, one.option) == (item.columns, item.option) for one in former):
            return schema
        # Two that say the same are one to some databases.
        same = [one.name for one in tab.items if one.what == item.what and one.columns == item.columns]
        if same and (what in {"unique", "exclude"} or None in {item.name, *same}):
            return schema
        return self._put(schema, tab, replace(tab, items=(*tab.items, item)))

    def _with_option(self, item: Item, tab: Tab) -> Item:
        group = KINDS[self.dialect][tab.col(item.columns[0]).kind].group
        match item.what:
            case "unique":
                return replace(item, option=self.one(list(UNIQUE_OPTIONS[self.dialect])))
            case "check":
                return replace(
                    item, option="text" if group == "text" else self.one(["", "less", "between", "in", "or"])
                )
            case "exclude":
                return replace(item, option="overlap" if group == "range" else "equal")
            case "foreign":
                return replace(item, option=self.one(list(FOREIGN_CHOICES[self.dialect])))
            case _:
                options = ["gin"] if group == "gin" else list(INDEX_OPTIONS[self.dialect])
                if group != "text":
                    options = [option for option in options if option not in {"pattern", "prefix"}]
                return replace(item, option=self.one(options))

    def _add_foreign(self, schema: Sch, tab: Tab) -> Sch:
        place = schema.tabs.index(tab)
        targets = [one for one in schema.tabs[: place + 1] if one.key in REFERS]
        names = free(COLUMNS, [col.name for col in tab.cols] + [col.was or "" for col in tab.cols])
        if not targets or not names or "strict" in tab.options:
            return schema
        target = self.one(targets)
        kind = REFERS[target.key]
        free_columns = [col for col in tab.cols if col.kind == kind and not col.extra and not col.required
                        and col.default is None and not _used(tab, col) and tab.key != "pair"]  # fmt: skip
        if free_columns and not self.chance():
            col, cols = free_columns[0], tab.cols
        else:
            col = Col(names[0], kind)
            cols = (*tab.cols, col)
        item = self._with_option(
            Item("foreign", (col.name,), self._names(schema, "foreign", tab, ()), target=target.name),
            tab=replace(tab, cols=cols),
        )
        return self._put(schema, tab, replace(tab, cols=cols, items=(*tab.items, item)))

    def alter_item(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        if not tab.items:
            return schema
        item = self.one(tab.items)
        if item.option == "two" or (self.easy and item.what == "check"):
            # Another check may refuse the rows.
            return schema
        new = self._with_option(item, tab)
        if new.option == "two" or (self.easy and "unique" in new.option and "unique" not in item.option):
            return schema
        return self._put(schema, tab, replace(tab, items=tuple(new if one is item else one for one in tab.items)))

    def remove_item(self, schema: Sch) -> Sch:
        tab = self._tab(schema)
        if not tab.items:
            return schema
        item = self.one(tab.items)
        return self._put(schema, tab, replace(tab, items=tuple(one for one in tab.items if one is not item)))


def _used(tab: Tab, col: Col, *whats: str) -> bool:
    return any(col.name in item.columns and (not whats or item.what in whats) for item in tab.items)


def _fitting(tab: Tab, dialect: str) -> Tab:
    """The table without what its database would refuse."""
    if tab.key == "pair":
        first = tab.cols[0]
        kind = KINDS[dialect][first.kind]
        bad = kind.group not in {"number", "text", "plain"} or first.kind in {"stamp", "bits"}
        first = replace(first, kind="int" if bad or first.extra else first.kind, extra="", default=None, required=True)
        tab = replace(tab, cols=(first, *tab.cols[1:]))
    # Its check has one name.
    checked = [col for col in tab.cols if col.kind == "checked"][1:]
    tab = replace(tab, cols=tuple(replace(col, kind="int") if col in checked else col for col in tab.cols))
    options = set(tab.options)
    if "strict" in options:
        cols = tuple(replace(col, kind="int" if col.kind not in STRICT else col.kind) for col in tab.cols)
        cols = tuple(col if col.kind == "int" else replace(col, default=None) for col in cols)
        cols = tuple(replace(col, default=0) if col.extra == "conflict" else col for col in cols)
        tab = replace(tab, cols=cols, key="int" if tab.key != "pair" else "pair")
    if "latin1" in options:
        options.discard("collate")
    if tab.key != "int" or "without rowid" in options:
        options.discard("autoincrement")
    return replace(tab, options=tuple(one for one in TABLE_OPTIONS[dialect] if one in options))


def _one_mood(schema: Sch) -> Sch:
    """An enumeration has one list of values."""
    if all(col.kind != "mood3" for tab in schema.tabs for col in tab.cols):
        return schema
    tabs = (
        replace(tab, cols=tuple(replace(col, kind="mood3") if col.kind == "mood2" else col for col in tab.cols))
        for tab in schema.tabs
    )
    return replace(schema, tabs=tuple(tabs))


def _without_former_names(schema: Sch) -> Sch:
    tabs = (replace(tab, was=None, cols=tuple(replace(col, was=None) for col in tab.cols)) for tab in schema.tabs)
    return replace(schema, tabs=tuple(tabs))


def _keeping_options(before: Sch, after: Sch) -> Sch:
    """What a model no longer says of a table stays as it is on the servers."""
    had = {tab.name: tab.options for tab in before.tabs}
    tabs = (
        replace(tab, options=tuple(dict.fromkeys((*had.get(tab.was or tab.name, ()), *tab.options))))
        for tab in after.tabs
    )
    return replace(after, tabs=tuple(tabs))


def drawn(dialect: str, seed: int) -> Generated:
    """The pair of that number for a dialect."""
    drawing = Drawing(dialect, seed)
    drawing.before = after = before = drawing.schema()
    for _ in range(1 + drawing.number(4)):
        if not all(tab.was for tab in after.tabs):
            after = drawing.edit(after)
    before, after = _one_mood(before), _one_mood(after)
    easy = drawing.easy
    # Without its former name a column of the key is another one, and the key is another.
    keys = {tab.cols[0].was for tab in after.tabs if tab.key == "pair"}
    if drawing.chance(3) and keys <= {None}:
        before, after, easy = _without_former_names(after), _without_former_names(before), False
    if dialect != "sqlite":
        after = _keeping_options(before, after)
    rows = drawing.number(3)
    nulls = drawing.chance() and not easy
    # No row refers to what a default says.
    dangling = any(
        item.what == "foreign" and tab.col(name).default is not None
        for tab in after.tabs
        for item in tab.items
        for name in item.columns
    )
    return Generated(dialect, before, after, rows, nulls, fits=(easy and not dangling) or rows == 0)
