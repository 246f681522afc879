"""Builds a release into dist/ and checks it: version, changelog, metadata, contents and an installation of the wheel.

`make release` runs it. All checks run; each problem is one line, and the exit code is 1 if there is any. Nothing is
uploaded. CONTRIBUTING.md has the procedure.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("build==1.6.1", "twine==7.0.0")
PACKAGE = "framework_m_migrations"
CONTENTS = ("py.typed", "schemas/documents.json", "docs/errors.md", "docs/lint.md", "docs/risk.md")
HEADING = re.compile(r"^## (\S+) \((\S+)\)$", re.MULTILINE)


def state_problems(version: str, changelog: str, changed: str) -> Iterator[str]:
    """What keeps the tree from being released.

    Args:
        version: the package's version.
        changelog: text of CHANGELOG.md.
        changed: output of `git status --porcelain`.
    """
    newest = HEADING.search(changelog)
    if newest is None:
        yield "CHANGELOG.md has no heading such as `## 0.2.0 (2026-12-31)`."
    elif newest[1] != version:
        yield f"CHANGELOG.md begins with {newest[1]}, but {PACKAGE}.__version__ is {version}."
    elif not re.fullmatch(r"\d{4}-\d{2}-\d{2}", newest[2]):
        yield f"CHANGELOG.md: replace ({newest[2]}) after {version} with the date of the release."
    if changed:
        yield "The tree has uncommitted changes."


def wheel_problems(wheel: Path, version: str) -> Iterator[str]:
    """What is wrong with the content of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = Parser().parsestr(archive.read(next(n for n in names if n.endswith("/METADATA"))).decode())
    if metadata["Version"] != version:
        yield f"{wheel.name} has version {metadata['Version']}, not {version}."
    for missing in sorted({f"{PACKAGE}/{name}" for name in CONTENTS} - set(names)):
        yield f"{wheel.name} lacks {missing}."
    for name in names:
        if not name.startswith((f"{PACKAGE}/", f"{PACKAGE}-{metadata['Version']}.dist-info/")):
            yield f"{wheel.name} has {name}, which is outside the package."


def run(*command: str | Path) -> bool:
    print("+", *command, flush=True)
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def environment(folder: Path, *install: str | Path) -> Path:
    """The Python of a new virtual environment."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *install], cwd=ROOT, check=True)
    return python


def main() -> int:
    sys.path.insert(0, str(ROOT / "src"))
    from framework_m_migrations import __version__ as version

    changed = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    problems = list(state_problems(version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), changed.stdout))
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        tools = environment(Path(temporary, "tools"), *TOOLS)
        # The wheel is built from the sdist, so an incomplete sdist fails here.
        if not run(tools, "-m", "build", "--outdir", dist):
            problems.append("The build failed.")
        else:
            wheel = next(dist.glob("*.whl"))
            problems += wheel_problems(wheel, version)
            if not run(tools, "-m", "twine", "check", "--strict", *sorted(dist.iterdir())):
                problems.append("The metadata check of twine failed.")
            clean = environment(Path(temporary, "clean"), wheel, "--constraint", ROOT / "constraints" / "runtime.txt")
            if not run(clean, "-m", f"{PACKAGE}.cli", "explain", "M200"):
                problems.append("The installed wheel does not run.")
    for problem in problems:
        print(f"Not ready: {problem}")
    if not problems:
        print(f"Ready: {version}. Next: git tag v{version}, then upload dist/.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
