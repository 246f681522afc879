// A text area that colours Python behind its text, numbers its lines and marks one that is wrong. Tab moves on, as
// everywhere; Enter keeps the indentation.
const WORDS =
  "and as assert async await break class continue def del elif else except finally for from global if import in is " +
  "lambda nonlocal not or pass raise return try while with yield True False None";
const TOKEN = new RegExp(
  [
    String.raw`(?<comment>#[^\n]*)`,
    String.raw`(?<string>"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)`,
    String.raw`(?<number>\b\d[\d_.]*\b)`,
    String.raw`(?<word>\b(?:${WORDS.split(" ").join("|")})\b)`,
    String.raw`(?<kind>\b[A-Z]\w*\b)`,
  ].join("|"),
  "g",
);

const span = (name, ...children) => {
  const element = document.createElement("span");
  element.className = name;
  element.append(...children);
  return element;
};

// One element a line; a token of several lines, which is a string, is a span in each.
const lines = (text) => {
  const rows = [[]];
  const put = (part, name) =>
    part.split("\n").forEach((piece, index) => {
      if (index) rows.push([]);
      if (piece) rows.at(-1).push(name ? span(`py-${name}`, piece) : piece);
    });
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [name] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    put(text.slice(end, match.index));
    put(match[0], name);
    end = match.index + match[0].length;
  }
  put(text.slice(end));
  return rows;
};

export const editor = (area, onChange) => {
  const shadow = document.createElement("pre");
  shadow.setAttribute("aria-hidden", "true");
  area.parentElement.insertBefore(shadow, area);
  let wrong = null; // the number of a line
  const paint = () => {
    shadow.replaceChildren(...lines(area.value).flatMap((row, index) =>
      [span(index + 1 === wrong ? "line wrong" : "line", ...row), "\n"]));
    area.rows = Math.max(area.dataset.rows ?? 6, area.value.split("\n").length + 1);
    follow();
  };
  const follow = () => {
    shadow.scrollTop = area.scrollTop;
    shadow.scrollLeft = area.scrollLeft;
  };
  area.addEventListener("scroll", follow);
  area.addEventListener("input", () => {
    wrong = null;
    paint();
    onChange(area.value);
  });
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.isComposing || area.readOnly) return;
    const before = area.value.slice(0, area.selectionStart);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    const indent = line.match(/^\s*/)[0] + (line.trimEnd().endsWith(":") ? "    " : "");
    if (!indent) return;
    event.preventDefault();
    area.setRangeText(`\n${indent}`, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
  });
  return {
    // Shows a text; where it is the one already there, the cursor stays.
    show(text, { readOnly = false } = {}) {
      area.readOnly = readOnly;
      if (area.value !== text) {
        wrong = null;
        area.value = text;
      }
      paint();
    },
    mark(line) {
      wrong = line ?? null;
      area.setAttribute("aria-invalid", String(wrong !== null));
      paint();
    },
  };
};
