// Tables as boxes with their columns, and lines from a key to the table that it refers to.
const SVG = "http://www.w3.org/2000/svg";
const ROW = 20;
const HEAD = 26;
const GAP = 56;
const LETTER = 7.8;
const COLUMNS = 3;

const make = (name, attributes, ...children) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

const text = (column) =>
  `${column.key ? "◆ " : ""}${column.name} ${column.type}${column.required ? " NOT NULL" : ""}${column.target ? ` → ${column.target}` : ""}`;

// "+", "-" or "~" by table and by column, seen from `own`: what the other side does not have, or has otherwise.
const compare = (own, other, mark) => {
  const there = new Map(other.map((table) => [table.name, table]));
  return own.map((table) => {
    const twin = there.get(table.name);
    const columns = new Map((twin?.columns ?? []).map((column) => [column.name, text(column)]));
    return {
      ...table,
      mark: twin ? "" : mark,
      columns: table.columns.map((column) => {
        const before = columns.get(column.name);
        return { ...column, mark: before === undefined ? mark : before === text(column) ? "" : "~" };
      }),
    };
  });
};

const KINDS = { "+": "added", "−": "removed", "~": "changed", "": "same" };

const box = (table) => {
  const lines = table.columns.map((column) => `${column.mark || " "} ${text(column)}`);
  if (table.hidden) lines.push(`  and ${table.hidden} columns of every DocType`);
  const letters = Math.max(table.name.length + 2, ...lines.map((line) => line.length));
  return { ...table, lines, width: letters * LETTER + 20, height: HEAD + lines.length * ROW + 6 };
};

export const draw = (place, own, other, mark, what) => {
  if (!own.length) {
    const empty = document.createElement("p");
    empty.className = "hint";
    empty.textContent = "No tables yet.";
    return place.replaceChildren(empty);
  }
  const boxes = compare(own, other, mark).map(box);
  const at = new Map();
  const heights = Array(COLUMNS).fill(10);
  const widths = Array(COLUMNS).fill(0);
  boxes.forEach((one, index) => {
    const column = index % COLUMNS;
    widths[column] = Math.max(widths[column], one.width);
    at.set(one.name, { ...one, column, y: heights[column] });
    heights[column] += one.height + 24;
  });
  const left = (column) => 10 + widths.slice(0, column).reduce((sum, width) => sum + width + GAP, 0);
  const parts = [];
  for (const one of at.values()) {
    const x = left(one.column);
    one.columns.forEach((column, index) => {
      const target = at.get(column.target);
      if (!target) return;
      const y = one.y + HEAD + index * ROW + ROW / 2;
      const aim = target.y + HEAD / 2;
      const [from, to, bend] = target.column < one.column
        ? [x, left(target.column) + target.width, -1]
        : target.column > one.column
          ? [x + one.width, left(target.column), 1]
          : [x, left(target.column), -1];
      const out = target.column === one.column ? -24 : 28 * bend;
      const into = target.column === one.column ? -24 : -28 * bend;
      parts.push(make("path", { class: `key ${KINDS[column.mark]}`, d: `M${from} ${y} C${from + out} ${y} ${to + into} ${aim} ${to} ${aim}` }),
        make("circle", { class: `key ${KINDS[column.mark]}`, cx: to, cy: aim, r: 3.5 }));
    });
    parts.push(make("g", { class: `box ${KINDS[one.mark]}`, transform: `translate(${x} ${one.y})` },
      make("rect", { width: one.width, height: one.height, rx: 8 }),
      make("text", { class: "name", x: 10, y: 18 }, `${one.mark ? `${one.mark} ` : ""}${one.name}`),
      ...one.lines.map((line, index) => make("text", {
        class: `column ${KINDS[one.columns[index]?.mark ?? ""]}`, x: 10, y: HEAD + index * ROW + 14, "xml:space": "preserve",
      }, line))));
  }
  const width = left(Math.min(COLUMNS, boxes.length)) - GAP + 20;
  const height = Math.max(...heights);
  const said = boxes.map((one) => `${KINDS[one.mark]} table ${one.name}: ${one.columns.map((column) => `${text(column)}${column.mark ? `, ${KINDS[column.mark]}` : ""}`).join("; ")}`);
  place.replaceChildren(make("svg", { class: "diagram", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${what}. ${said.join(". ").replaceAll("same table", "Table")}` }, ...parts));
};
