// Runs a Python file inside Pyodide under Node, with this repository at /repo and its packages at /site:
//   node --experimental-wasm-stack-switching scripts/pyodide_node.mjs FILE [ARGUMENT...]
// FILE is below the repository. IndexedDB is that of fake-indexeddb. A further folder is mounted at /out: $PYODIDE_OUT.
import "fake-indexeddb/auto";
import path from "node:path";
import { fileURLToPath } from "node:url";
import fs from "node:fs";
import { loadPyodide } from "pyodide";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const [file, ...rest] = process.argv.slice(2);
const python = await loadPyodide({ env: { HOME: "/home/pyodide", PYTHONPYCACHEPREFIX: "/pycache" } });
const mounts = { "/repo": root, "/site": `${root}/.pyodide/site`, "/pycache": `${root}/.pyodide/pycache` };
if (process.env.PYODIDE_OUT) mounts["/out"] = process.env.PYODIDE_OUT;
for (const [inside, outside] of Object.entries(mounts)) {
  fs.mkdirSync(outside, { recursive: true });
  python.FS.mkdirTree(inside);
  python.FS.mount(python.FS.filesystems.NODEFS, { root: outside }, inside);
}
python.globals.set("_arguments", python.toPy([`/repo/${file}`, ...rest]));
try {
  await python.runPythonAsync(`
import sys
sys.path[:0] = ["/repo/src", "/repo", "/site"]
sys.argv = list(_arguments)
`);
  process.exitCode = (await python.runPythonAsync(fs.readFileSync(path.join(root, file), "utf8"), { filename: file })) ?? 0;
} catch (error) {
  console.error(String(error.message ?? error));
  process.exitCode = 1;
}
process.exit();
