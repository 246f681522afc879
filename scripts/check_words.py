"""Finds phrases in the documents that are not plain English: a line for each, and exit code 1 when there is any.

Each phrase has a replacement. Code blocks and text in backquotes are left out: they quote commands and their output.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Phrase (a regular expression; a space also matches a line break) and what to write instead.
PHRASES: dict[str, str] = {
    # People and actors
    "nobody|somebody|whoever|everybody": "the actor: m-migrate, the server, another session, your application",
    "holds? (?:up|others up|readers up|writers up)": "blocks",
    "in the way": "blocking, blocks",
    "lend|lends|lent": "assigns, moves to another server session",
    # Reporting
    "told|tells of|telling": "reported, reports; distinguished",
    "said so|says so|it is said": "reported",
    "has an account of|have an account of": "records",
    "way out": "fix, next step",
    # Repair and progress
    "mend|mends|mended|mending": "fix",
    "goes on|go on|going on|went on": "resumes, continues",
    "anew|once more": "again",
    "worked off": "processed",
    "in (?:its|their|his) turn": "then, later",
    "for good": "permanently",
    "for ever": "forever, indefinitely",
    "any more": "no longer",
    # Dependence
    "stands? on": "depends on",
    "pull the ground": "remove what another revision depends on",
    "stands? in the way": "blocks",
    "careful class": "the stricter class",
    # Availability
    "(?:to|can|cannot|could|not) be had|(?:was|were) (?:not )?had": "available, unavailable; executed",
    "served too|serves? any|cannot serve": "supported",
    "do without|does without": "omit, disable",
    # Values
    "(?:is|are) another|another each time": "a volatile default; differs",
    "half a character|half characters": "an unpaired surrogate",
    "capitals": "upper-case letters",
    # Speed
    "quicker|quickest": "faster; speed-up over",
    "times (?:quicker|faster) than": "speed-up over",
    # Literal translations
    "in the place of": "instead of, in place of",
    "taken for": "treated as, mistaken for",
    "is to be|are to be": "must be, will be",
    "all else": "everything else",
    "be it": "or, either",
    "of ours|is ours|are ours": "that m-migrate created",
    "wanted": "desired, declared",
    "comes to|came to": "is, was, ends in",
    # Histories, which belong to git
    "was found|were found|what was seen": "the state that holds now",
    "used to": "the state that holds now",
    "of the night": "nightly",
}
PATTERNS = [
    (re.compile(rf"\b(?:{phrase})\b".replace(" ", r"\s+"), re.IGNORECASE), instead)
    for phrase, instead in PHRASES.items()
]
CODE = re.compile(r"^```.*?^```|^(?: {4,}|\t)\S.*?$|``[^`].*?``|`[^`]*`", re.DOTALL | re.MULTILINE)
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "benchmarks/*.md",
    "tests/*.md",
    "examples/*/*.md",
    "docs/**/*.md",
)


def findings(path: str, text: str) -> Iterator[str]:
    """One line for each phrase in a document: place, phrase and replacement."""
    prose = CODE.sub(lambda found: re.sub(r"[^\n]", "\N{NO-BREAK SPACE}", found[0]), text)
    hits = [(found.start(), found[0], instead) for pattern, instead in PATTERNS for found in pattern.finditer(prose)]
    for start, phrase, instead in sorted(hits):
        line = prose.count("\n", 0, start) + 1
        yield f'{path}:{line}: "{" ".join(phrase.split())}": write instead: {instead}'


def documents(root: Path) -> list[str]:
    """The documents that are checked, by their path from the project's root."""
    names = {path.relative_to(root).as_posix() for pattern in DOCUMENTS for path in root.glob(pattern)}
    return sorted(names)


def main(root: Path) -> int:
    names = documents(root)
    found = [line for name in names for line in findings(name, (root / name).read_text(encoding="utf-8"))]
    for line in found:
        print(line)
    print(f"Words: {len(names)} documents, {len(found)} findings.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent.parent))
