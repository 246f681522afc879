"""Builds the playground, a static page with all that it needs, and serves it on this machine:

    python -m scripts.playground [--port 8000] [--build-only] [--out build/playground]

The folder that it builds can be put on any server for static files.
"""

from __future__ import annotations

import argparse
import json
import shutil
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from scripts.pyodide_bundle import build as build_archive
from scripts.pyodide_setup import ROOT, ensure

PAGE = ROOT / "playground"
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
# What the worker downloads with fetch, and counts.
COUNTED = ("pyodide.asm.wasm", "python_stdlib.zip", "packages.zip", "doctypes.zip")


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
    files = {file.name: file for file in (*out.iterdir(), *runtime.iterdir())}
    (out / "sizes.json").write_text(json.dumps({name: files[name].stat().st_size for name in COUNTED}))
    return out


class Handler(SimpleHTTPRequestHandler):
    """Files of the folder; the browser asks each time whether they are new."""

    extensions_map = {  # noqa: RUF012 - as the base class has it
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
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
