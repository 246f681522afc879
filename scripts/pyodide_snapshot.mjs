// Writes a memory snapshot of a booted Pyodide, compressed by gzip, with everything imported that a Python file imports:
//   node scripts/pyodide_snapshot.mjs PACKAGES.zip FILE.py FOLDER OUT.gz
// The archive and the folder's Python files are unpacked in /packages, as the worker that loads it has them.
import fs from "node:fs";
import path from "node:path";
import zlib from "node:zlib";
import { loadPyodide } from "pyodide";

const [packages, warm, folder, out] = process.argv.slice(2);
const python = await loadPyodide({ _makeSnapshot: true });
python.unpackArchive(new Uint8Array(fs.readFileSync(packages)), "zip", { extractDir: "/packages" });
for (const name of fs.readdirSync(folder).filter((one) => one.endsWith(".py"))) {
  python.FS.writeFile(`/packages/${name}`, fs.readFileSync(path.join(folder, name)));
}
try {
  python.runPython('import sys; sys.path[:0] = ["/packages"]');
  python.runPython(fs.readFileSync(warm, "utf8"), { globals: python.toPy({ __name__: "warm" }) });
  python.runPython("import gc; gc.collect()");
  fs.writeFileSync(out, zlib.gzipSync(python.makeMemorySnapshot(), { level: 6 }));
} catch (error) {
  console.error(String(error.message ?? error)); // without the source of Pyodide, in one line of a megabyte
  process.exit(1);
}
process.exit();
