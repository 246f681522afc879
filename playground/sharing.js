// The files as text: in the storage of the browser, in a link, and between tabs.
import { APPS } from "./examples.js";

const KEPT = "framework-m-playground";

const files = (value) => {
  if (typeof value !== "object" || value === null) return null;
  const found = Object.fromEntries(APPS.filter((app) => typeof value[app] === "string").map((app) => [app, value[app]]));
  return Object.keys(found).length ? found : null;
};
const parsed = (text) => {
  try {
    return files(JSON.parse(text));
  } catch {
    return text ? { [APPS[0]]: text } : null; // as an earlier version of the page kept it
  }
};

export const kept = () => {
  try {
    return parsed(localStorage.getItem(KEPT));
  } catch {
    return null; // storage is switched off; the examples are there
  }
};

// Whether it could be kept.
export const keep = (given) => {
  try {
    localStorage.setItem(KEPT, JSON.stringify(given));
    return true;
  } catch {
    return false;
  }
};

// What another tab typed.
export const onTyped = (work) =>
  addEventListener("storage", ({ key, newValue }) => {
    const found = key === KEPT && newValue ? parsed(newValue) : null;
    if (found) work(found);
  });

const through = async (stream, bytes) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());

export const toLink = async (given) => {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(JSON.stringify(given)));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return `#files=${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
};

// The files of a link, null where it carries none; throws for a link that is cut short.
export const fromLink = async (hash) => {
  const [, text] = hash.match(/^#files=([\w-]+)$/) ?? [];
  if (!text) return null;
  const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  return files(JSON.parse(new TextDecoder().decode(await through(new DecompressionStream("deflate-raw"), bytes))));
};
