"""Servers from Debian's packages: which versions the tests take, and what they say of another."""

from __future__ import annotations

import pytest

from scripts.debian import Accepted, SetupFailed

ACCEPTED = Accepted("MariaDB", (10, 6), (12,))


@pytest.mark.parametrize(
    "text", ["10.11.19-0+deb12u1", "10.6", "11.8.2-1", "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu"]
)
def test_accepted_versions(text: str) -> None:
    ACCEPTED.check(text, "")


@pytest.mark.parametrize("text", ["10.5.29-0", "12.0.2", "5.5", ""])
def test_another_version_is_refused_with_what_is_accepted_and_what_to_do(text: str) -> None:
    with pytest.raises(SetupFailed, match=r"need MariaDB of version 10\.6 or later, before 12, .* Name one\."):
        ACCEPTED.check(text, "Name one.")
