"""Builds the playground, a static page with all that it needs, and serves it on this machine:

    python -m scripts.playground [--port 8000] [--build-only] [--out build/playground]

The folder that it builds can be put on any server for static files.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.pyodide_bundle import build as build_archive
from scripts.pyodide_setup import CACHE, FETCH, ROOT, ensure

PAGE = ROOT / "playground"
WARM = PAGE / "warm.py"
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
# What the worker downloads with fetch, and counts.
COUNTED = ("pyodide.asm.wasm", "python_stdlib.zip", "packages.zip", "doctypes.zip", "snapshot.bin.gz")
# Pyodide compiles WebAssembly, and the stores of this package evaluate their JavaScript, in the worker. The page itself
# has a stricter policy in index.html, which counts too.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def build(out: Path) -> Path:
    """Write page, Pyodide and archives of modules into a folder; returns it."""
    ensure()
    out.mkdir(parents=True, exist_ok=True)
    for file in PAGE.iterdir():
        if file.is_file():
            shutil.copyfile(file, out / file.name)
    runtime = out / "pyodide"
    runtime.mkdir(exist_ok=True)
    for name in RUNTIME:
        shutil.copyfile(ROOT / "node_modules" / "pyodide" / name, runtime / name)
    build_archive(out / "packages.zip", ("core",))
    build_archive(out / "doctypes.zip", ("doctypes",))
    _snapshot(out)
    files = {file.name: file for file in (*out.iterdir(), *runtime.iterdir())}
    sizes: dict[str, object] = {name: files[name].stat().st_size for name in COUNTED}
    sizes["python"] = sorted(file.name for file in PAGE.glob("*.py") if file.name != WARM.name)
    (out / "sizes.json").write_text(json.dumps(sizes))
    # For servers that read headers from such a file; others take them from docs/browser.md.
    (out / "_headers").write_text("/*\n" + "".join(f"  {name}: {value}\n" for name, value in HEADERS.items()))
    return out


def _snapshot(out: Path) -> None:
    """Write the memory of a Pyodide that has imported everything; kept by the content of all that is in it."""
    maker = ROOT / "scripts" / "pyodide_snapshot.mjs"
    parts = [maker, ROOT / "package.json", out / "packages.zip", *sorted(PAGE.glob("*.py"))]
    digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in parts)).hexdigest()
    kept = CACHE / "archives" / f"{digest}.bin.gz"
    if not kept.exists():
        node = shutil.which("node")
        if node is None:
            raise SystemExit("The playground needs Node 20 or later; node was not found.")
        fresh = kept.with_suffix(f".{os.getpid()}")
        command = [node, str(maker), str(out / "packages.zip"), str(WARM), str(PAGE), str(fresh)]
        subprocess.run(command, cwd=ROOT, check=True, timeout=FETCH)
        fresh.replace(kept)
    shutil.copyfile(kept, out / "snapshot.bin.gz")


class Handler(SimpleHTTPRequestHandler):
    """Files of the folder; the browser asks each time whether they are new."""

    extensions_map = {  # noqa: RUF012 - as the base class has it
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only failures are told."""
        if str(code) >= "400":
            super().log_request(code, size)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Builds the playground and serves it on this machine.")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "playground", help="the folder to build")
    parser.add_argument("--build-only", action="store_true")
    arguments = parser.parse_args()
    print("Building the playground; the first time takes half a minute ...", flush=True)
    out = build(arguments.out)
    if arguments.build_only:
        print(f"Built in {out}.")
        return
    try:
        server = ThreadingHTTPServer(("127.0.0.1", arguments.port), partial(Handler, directory=str(out)))
    except OSError as error:
        raise SystemExit(
            f"Port {arguments.port} cannot be used ({error.strerror}); choose another with --port."
        ) from None
    with server:
        print(f"The playground is at http://localhost:{server.server_address[1]}/   (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    main()
