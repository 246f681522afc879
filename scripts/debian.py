"""Programs for the tests from Debian's packages, unpacked into a folder of the project, without installing anything.

Needs apt-get and dpkg-deb; root, where apt's lists have to be fetched first.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.waiting import PROGRAM_LIMIT, turn


class SetupFailed(Exception):
    """The program is not to be had; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The versions of a program that the tests hold on. Debian keeps no older ones, so no single one can be pinned.

    Args:
        program: for the message.
        since: the first.
        before: the first that is too new.
    """

    program: str
    since: tuple[int, ...]
    before: tuple[int, ...]

    def check(self, text: str, otherwise: str) -> None:
        """Look at the first number with dots in the text.

        Raises:
            SetupFailed: it is none of the accepted versions.
        """
        found = re.search(r"\d+(?:\.\d+)+", text)
        version = tuple(map(int, found[0].split("."))) if found else ()
        if not self.since <= version < self.before:
            since, before = (".".join(map(str, one)) for one in (self.since, self.before))
            raise SetupFailed(
                f"The tests need {self.program} of version {since} or later, before {before}, and this is "
                f"{text.strip() or 'of no known version'}. {otherwise}"
            )


def version_of(program: Path) -> str:
    """What a program on this machine says of its version."""
    return _run(str(program), "--version", cwd=program.parent)


def unpacked(package: str, cache: Path, otherwise: str, accepted: Accepted) -> Path:
    """The root folder that a package and the libraries it needs are unpacked into. Two processes take turns.

    Args:
        package: Debian's name of it.
        cache: a folder of its own; a later call finds the package there.
        otherwise: what a person can do on a machine without Debian's tools; a part of the message.
        accepted: the versions that may be taken.

    Raises:
        SetupFailed: it cannot be fetched.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with turn(cache / "lock", what=f"another process that fetches {package}", limit=2 * PROGRAM_LIMIT):
        root = cache / "root"
        if not (cache / "stamp").is_file():
            shutil.rmtree(root, ignore_errors=True)
            _fetch(package, cache, otherwise, accepted)
            (cache / "stamp").touch()
    return root


def libraries(root: Path) -> Path | None:
    """Where the libraries of an unpacked package are, for LD_LIBRARY_PATH; None where the machine has them all."""
    return next((folder for folder in (root / "usr" / "lib").glob("*-linux-gnu*") if folder.is_dir()), None)


def _fetch(package: str, cache: Path, otherwise: str, accepted: Accepted) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise SetupFailed(f"The tests need {package}, and this machine has no {tool} to get it. {otherwise}")
    packages = cache / "packages"
    shutil.rmtree(packages, ignore_errors=True)
    packages.mkdir(parents=True)
    try:
        _download(packages, package)
    except SetupFailed:
        _run("apt-get", "update", "-qq", cwd=packages)
        _download(packages, package)
    [archive] = packages.glob("*.deb")
    # package_1%3a10.11.19-0+deb12u1_amd64.deb
    accepted.check(re.sub(r"^\d+%3a", "", archive.name.split("_")[1]), otherwise)
    for library in _missing_libraries(package, cache):
        _download(packages, library)
    for archive in sorted(packages.glob("*.deb")):
        _run("dpkg-deb", "--extract", str(archive), str(cache / "root"), cwd=packages)
    shutil.rmtree(packages)


def _missing_libraries(package: str, cache: Path) -> list[str]:
    """Libraries that a package depends on and that this machine does not have."""
    text = _run("apt-cache", "depends", "--important", package, cwd=cache)
    names = re.findall(r"^\s*Depends: (lib[\w.+-]+)$", text, re.MULTILINE)
    return [name for name in names if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Status}", name],
        capture_output=True,
        text=True,
        check=False,
        timeout=PROGRAM_LIMIT,
    )
    return done.returncode == 0 and done.stdout.endswith(" installed")


def _download(folder: Path, package: str) -> None:
    # Without its sandbox user, who may not write where the project is.
    _run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package, cwd=folder)


def _run(*command: str, cwd: Path) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=environment, timeout=PROGRAM_LIMIT
    )
    if done.returncode != 0:
        raise SetupFailed(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
