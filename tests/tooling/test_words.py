"""The word list finds phrases in prose, over line breaks too, and leaves code alone."""

from __future__ import annotations

import pytest

from scripts.check_words import findings


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("It is told.", 'a.md:1: "told"'),
        ("Fine.\n\nIt goes\non where it was.", 'a.md:3: "goes on"'),
        ("`told` and\nMended.", 'a.md:2: "Mended"'),
        ("    told\n\nNobody waits.", 'a.md:3: "Nobody"'),
        ("```\ntold\n```\nA lock cannot\nbe had.", 'a.md:4: "cannot be had"'),
    ],
)
def test_a_phrase_is_found_with_its_line_and_replacement(text: str, place: str) -> None:
    (found,) = findings("a.md", text)
    assert found.startswith(f"{place}: write instead: ")


@pytest.mark.parametrize(
    "text", ["`is told`", "```text\nnobody\n```", "    make mended", "A household recommends it.", "``a `told` b``"]
)
def test_code_and_other_words_pass(text: str) -> None:
    assert list(findings("a.md", text)) == []
