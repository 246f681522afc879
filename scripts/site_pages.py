"""Hooks of mkdocs: pages of the repository that are not in docs/, and links to them."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")


def _places() -> dict[str, str]:
    """Paths in the repository, and the page of the site that each of them becomes."""
    places = {name: f"{Path(name).stem.lower()}.md" for name in ("CONTRIBUTING.md", "CHANGELOG.md")}
    places |= {"benchmarks/README.md": "benchmarks.md", "examples/deploy": "examples/deploy.md"}
    places["src/framework_m_migrations/schemas/documents.json"] = "schemas/documents.json"
    for readme in sorted(ROOT.glob("examples/*/README.md")):
        example = f"examples/{readme.parent.name}"
        places |= {f"{example}/README.md": f"{example}.md", example: f"{example}.md"}
    return places


PLACES = _places()


def _listing(folder: Path) -> str:
    """A page that shows every file of a folder."""
    parts = [f"# Files of {folder.relative_to(ROOT).as_posix()}"]
    for file in sorted(folder.iterdir()):
        language = {".sh": "bash", ".yaml": "yaml", ".yml": "yaml"}.get(file.suffix, "docker")
        parts.append(f"## {file.name}\n\n```{language}\n{file.read_text(encoding='utf-8')}```")
    return "\n\n".join(parts) + "\n"


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/, and the JSON Schema."""
    from mkdocs.structure.files import File

    for source, page in PLACES.items():
        place = ROOT / source
        if place.is_file():
            files.append(File.generated(config, page, content=place.read_text(encoding="utf-8")))
        elif not (place / "README.md").is_file():
            files.append(File.generated(config, page, content=_listing(place)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Point each link to a file of the repository to the page that the file became."""
    here = page.file.src_uri
    source = next((place for place, name in PLACES.items() if name == here), f"docs/{here}")

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        wanted = PLACES.get(target, target.removeprefix("docs/"))
        if target not in PLACES and not target.startswith("docs/"):
            return link[1]  # Nothing of the site: the strict build names it.
        return posixpath.relpath(wanted, posixpath.dirname(here) or ".")

    return LINK.sub(moved, markdown)
