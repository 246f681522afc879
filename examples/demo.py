"""The whole engine at work on a throw-away SQLite file: `make demo`.

Every command is the real one, run as a process of its own. The demo ends with a failure as soon as one of them ends
with another exit code than it should, or a row is lost.
"""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from examples.demo_project import A_FIELD_MORE, APPS, COMMAND, THREE_RISKS, Edit, Project

DONE, FAILED, DIRTY = 0, 1, 3
BACKFILL = re.compile(r"^( *)# op\.execute\(.*\)$", re.MULTILINE)


class DemoFailed(Exception):
    """Something did not go as the demo promises."""


class Demo:
    """Tells and does."""

    def __init__(self, console: Console, project: Project) -> None:
        self.console = console
        self.project = project
        self.done: list[tuple[str, int, float]] = []
        self.chapters = 0

    def chapter(self, title: str, *told: str) -> None:
        self.chapters += 1
        self.console.print()
        self.console.rule(Text(f"{self.chapters}. {title}", style="bold cyan"), align="left")
        for line in told:
            self.console.print(line, highlight=False)

    def command(self, *arguments: str, expected: int = DONE) -> None:
        """Run m-migrate, its output going where ours goes."""
        shown = " ".join(f'"{part}"' if " " in part else part for part in arguments)
        self.console.print()
        self.console.print(Text.assemble(("$ ", "dim"), (f"m-migrate {shown}", "bold")))
        sys.stdout.flush()
        started = time.perf_counter()
        code = subprocess.run(
            [str(COMMAND), *arguments],
            cwd=self.project.folder,
            env=self.project.environment(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
        seconds = time.perf_counter() - started
        self.done.append((shown, code, seconds))
        if code != expected:
            raise DemoFailed(f"`m-migrate {shown}` ended with exit code {code}; {expected} was expected.")
        self.console.print(f"(exit code {code}, {seconds:.2f} s)", style="dim", highlight=False)

    def edit(self, edits: tuple[Edit, ...]) -> None:
        """Change files and show the difference."""
        files = sorted({one.file for one in edits})
        before = {file: self._lines(file) for file in files}
        self.project.edit(edits)
        for file in files:
            self._difference(file, before[file])

    def _difference(self, file: str, before: list[str]) -> None:
        lines = list(difflib.unified_diff(before, self._lines(file), file, file, n=1, lineterm=""))
        self.console.print()
        self._code("\n".join(line for line in lines if not line.startswith(("---", "@@"))), "diff")

    def _lines(self, file: str) -> list[str]:
        return (self.project.folder / file).read_text(encoding="utf-8").splitlines()

    def _code(self, text: str, language: str) -> None:
        if self.console.is_terminal:
            self.console.print(Syntax(text, language, theme="ansi_dark", background_color="default", word_wrap=True))
        else:
            self.console.print(text, markup=False, highlight=False)

    def rows(self) -> None:
        """Every row that was put in must still be there as it was."""
        lost = self.project.rows_lost()
        if lost:
            raise DemoFailed(f"Rows were lost: {', '.join(lost)}")
        self.console.print("Every row that was put in is still there, unchanged.", style="green")

    def review(self) -> None:
        """Do what a person does with a revision that `create` wrote: read it, and say what old rows shall get."""
        folder = self.project.folder / "shop" / "migrations" / "versions"
        path = next(folder.glob("*currency*.py"))
        text = path.read_text(encoding="utf-8")
        self._code(text[text.index("def upgrade") : text.index("def downgrade")].rstrip(), "python")
        self.command("run", expected=FAILED)
        self.console.print(
            "Nobody had said what old orders shall hold, so the database refused it, and is as it was before. The"
            " review fills that in:"
        )
        filled = "op.execute(\"UPDATE shop_order SET currency = 'EUR' WHERE currency IS NULL\")"
        mended, found = BACKFILL.subn(lambda match: match[1] + filled, text)
        if found != 1:
            raise DemoFailed(f"{path.name} has {found} places for a backfill instead of one.")
        before = text.splitlines()
        path.write_text(mended, encoding="utf-8")
        self._difference(str(path.relative_to(self.project.folder)), before)

    def summary(self) -> None:
        table = Table(title="What was run", title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
        table.add_column("command")
        table.add_column("exit code", justify="right")
        table.add_column("seconds", justify="right")
        for shown, code, seconds in self.done:
            table.add_row(f"m-migrate {shown}", str(code), f"{seconds:.2f}")
        table.add_row(f"{len(self.done)} commands", "", f"{sum(item[2] for item in self.done):.2f}", style="bold")
        self.console.print()
        self.console.print(table)


def play(demo: Demo) -> None:
    demo.chapter(
        "A new database",
        f"The apps {', '.join(APPS)}. Three bring revisions, ordered across apps; support has models only.",
        "`all` is `run`, then `sync`: the one command of a deployment.",
    )
    demo.command("all")

    demo.chapter("Nothing to do", "Two statements tell that nothing changed; most of the time is Python starting.")
    demo.command("sync")

    demo.chapter("Rows, and a field more", "The database follows the class; no file is written.")
    count = demo.project.put_rows_in()
    demo.console.print(f"{count} rows were put in.", highlight=False)
    demo.edit(A_FIELD_MORE)
    demo.command("sync")
    demo.rows()

    demo.chapter("A change of every risk", "A new field, a required one, a shorter one, and one that goes.")
    demo.edit(THREE_RISKS)
    demo.command("plan")

    demo.chapter("Sync applies what is safe", "What it withholds it names, now and every time until it is gone.")
    demo.command("sync")
    demo.rows()

    demo.chapter("Verify fails", "Read-only, for CI: exit code 3 while the database lacks what the code needs.")
    demo.command("verify", expected=DIRTY)

    demo.chapter("The rest becomes a revision", "`create` writes what was withheld, for a person to review.")
    demo.command("create", "currency of orders, no phone", "--app", "shop")
    demo.review()
    demo.command("run")
    demo.rows()

    demo.chapter("Verify passes")
    demo.command("verify")

    demo.chapter("Back, and forth again", "A revision can be taken back. A dropped column returns without its values.")
    demo.command("rollback", "--app", "shop")
    demo.command("verify", expected=DIRTY)
    demo.command("all")
    demo.command("verify")
    demo.rows()

    demo.chapter("Where everything stands")
    demo.command("status")
    demo.summary()


def main() -> int:
    terminal = sys.stdout.isatty()
    console = Console(soft_wrap=not terminal, width=None if terminal else 100)
    if not COMMAND.exists():
        console.print(f"There is no {COMMAND.name} beside {sys.executable}: install the package first (make demo).")
        return 1
    with tempfile.TemporaryDirectory(prefix="m-migrate-demo-") as folder:
        demo = Demo(console, Project(Path(folder)))
        try:
            play(demo)
        except (DemoFailed, RuntimeError) as error:
            console.print(f"\nTHE DEMO FAILED: {error}", style="bold red", highlight=False)
            return 1
    console.print("\nThe demo is done: everything ended as it should.", style="bold green")
    return 0


if __name__ == "__main__":
    sys.exit(main())
