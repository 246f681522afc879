"""Identifiers of revisions, derived from what the revision is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

REVISION_ID_LENGTH = 12
"""Hexadecimal digits of an id: Alembic's own length, so that its version column (32) always has room."""


def revision_id(app: str, parents: Sequence[str], message: str, body: str) -> str:
    """The id of a revision: the same content gives the same id on every machine, any difference another one.

    Args:
        app: the app that gets the revision.
        parents: down_revision and depends_on, in order.
        message: what the author says about it.
        body: the code of upgrade and downgrade.

    Returns:
        Twelve hexadecimal digits, the beginning of the SHA-256 of all four.
    """
    content = json.dumps([app, list(parents), message, body], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()[:REVISION_ID_LENGTH]
