from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import make_url, text

from framework_m_migrations.adapters.sql.revisions.writer.source import docstring, escape_binds, layout, string_literal
from scripts.waiting import PROGRAM_LIMIT

NASTY = st.text(st.characters(exclude_categories=()), max_size=60) | st.text("\\'\":%x \n\t$", max_size=12)


@given(NASTY)
def test_string_literals_mean_what_they_say(value: str) -> None:
    source = string_literal(value)
    assert ast.literal_eval(source) == value
    assert "\n" not in source
    source.encode()


@given(NASTY)
def test_docstrings_end_where_they_should(value: str) -> None:
    module = ast.parse(docstring(value) + "\nx = 1\n")
    assert len(module.body) == 2
    found = ast.get_docstring(module, clean=False)
    assert found is not None
    assert found == value + "\n"


@example("$:0")
@example("a\\:b :c$ ::d e:f")
@given(NASTY.filter(lambda value: "\0" not in value))
def test_escaped_sql_reaches_the_database_as_it_was(sql: str) -> None:
    compiled = text(escape_binds(sql)).compile(dialect=make_url("postgresql+asyncpg://").get_dialect()())
    assert (str(compiled), compiled.params) == (sql, {})


def test_layout_is_what_the_formatter_makes(tmp_path: Path) -> None:
    words = ", ".join(f'sa.Column("column_{number}", sa.String(length={number}))' for number in range(5))
    source = "\n".join(
        [
            "op.drop_table('short')",
            f"op.create_table('long', {words})",
            "op.create_index('ix_a_rather_long_name_for_an_index', 'a_rather_long_table_name', ['a', 'b', 'c'])",
            "op.create_index('ix', 'table', ['a_rather_long_column_name', 'another_rather_long_name', 'third'])",
            "with op.batch_alter_table('a_table_with_a_name', naming_convention={'uq': 'uq_%(table_name)s'}) as b:",
            "    b.drop_constraint('it\\'s')",
            "if op.get_context().dialect.name == 'postgresql':",
            "    with op.get_context().autocommit_block():",
            "        op.execute('say \"hi\"')",
            "x = ('one',)",
            "y = -1",
        ]
    )
    file = tmp_path / "x.py"
    file.write_text("\n".join(layout(source, 0)) + "\n")
    assert ast.dump(ast.parse(file.read_text())) == ast.dump(ast.parse(source))
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_LIMIT,
    )
    assert done.returncode == 0, done.stdout
