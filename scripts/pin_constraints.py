"""Resolve the dependencies anew and write constraints/*.txt: name==version and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = {"runtime.txt": ".", "dev.txt": ".[dev,framework-m,squawk]", "docs.txt": ".[docs]"}


def resolve(requirement: str) -> list[str]:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-"]
    answer = subprocess.run([*command, requirement], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found = {}
    for item in json.loads(answer.stdout)["install"]:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        found[name] = item["metadata"]["version"]
    found.pop("framework-m-migrations", None)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def main() -> None:
    for file, requirement in FILES.items():
        pins = resolve(requirement)
        (ROOT / "constraints" / file).write_text("\n".join(pins) + "\n", encoding="utf-8")
        print(f"constraints/{file}: {len(pins)} packages")


if __name__ == "__main__":
    main()
