// Serves a folder of static files on a free port of this machine: `const { origin, close } = await serve(folder)`.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const TYPES = {
  ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css",
  ".wasm": "application/wasm", ".json": "application/json",
};

export const serve = async (folder) => {
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    const file = path.join(folder, path.normalize(name.endsWith("/") ? `${name}index.html` : name));
    fs.readFile(file, (error, content) => {
      response.writeHead(error ? 404 : 200, { "Content-Type": TYPES[path.extname(file)] ?? "application/octet-stream" });
      response.end(error ? undefined : content);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
};
