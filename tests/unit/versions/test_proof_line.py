"""The line of a proof in a revision's file: written, replaced and read in files of every form."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from framework_m_migrations.adapters.sql.revisions.proving import store_proof, stored_proof

CODE = 'revision = "a1"\n\n\ndef upgrade():\n    pass\n'
HEADS = {
    "ours": '"""add a column\n\nRevision ID: a1\nRevises: b1\n\nREVIEW before it is run:\n- [ ] Data\n"""\n\n',
    "one line": '"""add a column"""\n',
    "alembic": '"""add\n\nRevision ID: a1\nRevises: \nCreate Date: 2024-01-01\n\n"""\n',
    "none": "",
    "shebang": "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n",
    "raw": "r'''a \\d pattern'''\n",
    "single quotes": "'short'\n",
    "not ASCII": '"""größer"""\n',
}
WORDS = (
    "proved on SQLite 3.45, 2026-11-30: forwards, backwards, forwards.",
    'failed on MariaDB 10.11, 2026-11-30: a \\path, """quotes""" and \x1b[0m ' + "many words " * 30 + "end.",
)


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_it_is_read_as_written_and_replaced(tmp_path: Path, head: str, newline: str) -> None:
    file = tmp_path / "a1.py"
    file.write_bytes((head + CODE).replace("\n", newline).encode())
    assert stored_proof(file) is None
    before = ast.dump(ast.parse(CODE))
    for words in (*WORDS, *reversed(WORDS)):
        text = store_proof(file, words)
        assert text.encode() == file.read_bytes()
        found = stored_proof(file)
        assert found is not None
        shown = " ".join(words.replace('"""', "'").replace("\x1b", "").split())
        assert (found.text, found.current) == (shown, True)
        assert text.count("Proof: ") == 1
        tree = ast.parse(text)
        kept = [node for node in tree.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
        assert ast.dump(ast.Module(kept, [])) == before
        assert (newline == "\r\n") == ("\r\n" in text)
        assert newline == "\n" or text.count("\n") == text.count("\r\n")


def test_an_edit_of_the_code_makes_it_old_and_a_ticked_box_does_not(tmp_path: Path) -> None:
    file = tmp_path / "a1.py"
    file.write_text(HEADS["ours"] + CODE, encoding="utf-8")
    store_proof(file, WORDS[0])
    ticked = file.read_text(encoding="utf-8").replace("- [ ]", "- [x]")
    file.write_text(ticked, encoding="utf-8")
    found = stored_proof(file)
    assert found is not None
    assert found.current
    file.write_text(ticked.replace("    pass", "    return"), encoding="utf-8")
    found = stored_proof(file)
    assert found is not None
    assert not found.current


def test_the_message_of_the_revision_stays(tmp_path: Path) -> None:
    file = tmp_path / "a1.py"
    file.write_text(HEADS["one line"] + CODE, encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(store_proof(file, WORDS[0])))
    assert docstring is not None
    assert docstring.split("\n\n")[0] == "add a column"
