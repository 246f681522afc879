"""Records the picture of the README from the real program: `python -m scripts.record_svg`.

`m-migrate plan` runs on the demo's project under a pseudo-terminal; what it writes becomes an SVG that refers to
nothing outside itself: GitHub shows no picture that loads a font, and a reader's browser should call nobody.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import tempfile
import termios
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from examples.demo_project import A_FIELD_MORE, COMMAND, THREE_RISKS, Project

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "plan.svg"
FONTS = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace'
# A dark window with a border, which stands out from a light page and from a dark one.
THEME = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [
        (72, 79, 88),
        (255, 123, 114),
        (63, 185, 80),
        (227, 179, 65),
        (88, 166, 255),
        (188, 140, 255),
        (57, 197, 207),
        (177, 186, 196),
    ],
)


def planned(folder: Path, columns: int) -> str:
    """What `m-migrate plan` writes to a terminal, once the demo has come to its change of every risk."""
    project = Project(folder)
    quietly(project, "all")
    project.put_rows_in()
    project.edit(A_FIELD_MORE)
    quietly(project, "sync")
    project.edit(THREE_RISKS)
    return on_terminal(project, columns, "plan")


def quietly(project: Project, *arguments: str) -> None:
    subprocess.run(
        [str(COMMAND), *arguments], cwd=project.folder, env=project.environment(), check=True, capture_output=True
    )


def on_terminal(project: Project, columns: int, *arguments: str) -> str:
    """Run m-migrate on a pseudo-terminal of this width; its output, escape codes and all."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    dropped = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"}
    kept = {name: value for name, value in project.environment().items() if name not in dropped}
    environment = {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process = subprocess.Popen(
        [str(COMMAND), *arguments], cwd=project.folder, env=environment, stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    parts: list[bytes] = []
    with contextlib.suppress(OSError):  # Linux says so when the other side was closed.
        while part := os.read(ours, 65536):
            parts.append(part)
    os.close(ours)
    if process.wait() != 0:
        raise SystemExit(f"m-migrate {' '.join(arguments)} ended with {process.returncode}:\n{b''.join(parts)!r}")
    return b"".join(parts).decode()


def picture(written: str, columns: int, title: str) -> str:
    """An SVG of a terminal that shows a command and what it wrote."""
    console = Console(record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "green"), (title, "bold")))
    console.print(Text.from_ansi(written.replace("\r\n", "\n")), soft_wrap=False)
    template = re.sub(r"@font-face\s*\{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    template = re.sub(r"<!--.*?-->", "", template, flags=re.DOTALL)
    template = re.sub(r"font-family: [^;]+;", f"font-family: {FONTS};", template)
    lines = console.export_svg(title=title, theme=THEME, code_format=template, unique_id="plan").splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip()) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.record_svg", description=__doc__)
    parser.add_argument("--columns", type=int, default=118, help="width of the terminal")
    parser.add_argument("--output", type=Path, default=PICTURE)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="m-migrate-picture-") as folder:
        written = planned(Path(folder), options.columns)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(picture(written, options.columns, "m-migrate plan"), encoding="utf-8")
    print(f"Written: {options.output}")


if __name__ == "__main__":
    main()
