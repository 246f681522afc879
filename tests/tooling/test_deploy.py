"""The files in examples/deploy are valid, and each m-migrate command in them is one that this version understands."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from framework_m_migrations.cli.app import make_app

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "deploy"
YAML = sorted([*FOLDER.glob("*.y*ml"), *ROOT.glob(".pre-commit*.yaml"), *ROOT.glob(".github/workflows/*.yml")])


def commands(text: str) -> Iterator[list[str]]:
    """Each m-migrate command line in a file, be it a list, a line of a script or a sentence."""
    for line in text.splitlines():
        found = re.search(r"m-migrate(?!-)(.*)", line.split("#")[0].replace('", "', " "))
        if found is not None:
            words = re.split(r"[`;\"\]]|\$@", found[1])[0]
            yield shlex.split(words)


@pytest.mark.parametrize("file", YAML, ids=lambda file: file.name)
def test_files_are_yaml(file: Path) -> None:
    documents: list[Any] = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    assert documents
    assert all(isinstance(document, dict | list) for document in documents)


def test_every_command_is_understood() -> None:
    app = make_app(fancy=False)
    files = [*FOLDER.iterdir(), ROOT / ".pre-commit-hooks.yaml"]
    seen = [words for file in files for words in commands(file.read_text(encoding="utf-8")) if words]
    assert len(seen) > 12
    for words in seen:
        app.parse_args(words, exit_on_error=False, print_error=False)


def test_each_pod_of_the_indexed_job_has_its_share_of_the_tenants(tmp_path: Path) -> None:
    (tmp_path / "tenants").write_text("".join(f"t{number}\n" for number in range(1, 6)), encoding="utf-8")
    (tmp_path / "m-migrate").write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    (tmp_path / "m-migrate").chmod(0o755)
    *_, job = yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text(encoding="utf-8"))
    *shell, script = job["spec"]["template"]["spec"]["containers"][0]["command"]
    shares = []
    for index in range(job["spec"]["completions"]):
        done = subprocess.run(
            [*shell, script.replace("/etc/shop", str(tmp_path))],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "JOB_COMPLETION_INDEX": str(index)},
            capture_output=True,
            text=True,
            check=True,
        )
        shares.append(done.stdout.split()[-1].split(","))
    assert sorted(name for share in shares for name in share) == ["t1", "t2", "t3", "t4", "t5"]


def test_the_entrypoint_hands_its_arguments_on(tmp_path: Path) -> None:
    program = tmp_path / "m-migrate"
    program.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    for given, sent in (
        (["migrate", "--schema", "a b"], "all --connect-wait 2m --schema a b"),
        (["check"], "status --ready"),
        (["m-migrate", "plan"], "plan"),
    ):
        done = subprocess.run(
            [FOLDER / "entrypoint.sh", *given],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, sent)
