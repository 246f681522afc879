// A text area that colours Python behind its text. Tab moves on, as everywhere; Enter keeps the indentation.
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

const coloured = (text) => {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [name] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    const span = document.createElement("span");
    span.className = `py-${name}`;
    span.textContent = match[0];
    parts.push(text.slice(end, match.index), span);
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end), "\n"];
};

export const editor = (area, onChange) => {
  const shadow = document.createElement("pre");
  shadow.setAttribute("aria-hidden", "true");
  area.parentElement.insertBefore(shadow, area);
  const paint = () => {
    shadow.replaceChildren(...coloured(area.value));
    area.rows = Math.max(area.dataset.rows ?? 6, area.value.split("\n").length + 1);
    follow();
  };
  const follow = () => {
    shadow.scrollTop = area.scrollTop;
    shadow.scrollLeft = area.scrollLeft;
  };
  area.addEventListener("scroll", follow);
  area.addEventListener("input", () => {
    paint();
    onChange?.(area.value);
  });
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.isComposing) return;
    const before = area.value.slice(0, area.selectionStart);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    const indent = line.match(/^\s*/)[0] + (line.trimEnd().endsWith(":") ? "    " : "");
    if (!indent) return;
    event.preventDefault();
    area.setRangeText(`\n${indent}`, area.selectionStart, area.selectionEnd, "end");
    area.dispatchEvent(new Event("input"));
  });
  paint();
  return {
    get value() {
      return area.value;
    },
    set value(text) {
      area.value = text;
      paint();
    },
  };
};
