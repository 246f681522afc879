// From what Python answers to elements of the page. Nothing here is set as HTML: texts stay texts.
export const make = (name, attributes = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

const COMMAND = { sync: "sync applies it", create: "withheld: create, then run", manual: "withheld: up to you" };
const SQLITE_LOCK = "locks the database against other writers; readers go on";

const sqlOf = (what, name, sql, locks) =>
  make("div", { class: "dialect" },
    make("h4", {}, name),
    sql.length
      ? make("pre", { tabindex: "0", role: "group", "aria-label": `${name}: ${what}` }, make("code", {}, `${sql.join(";\n")};`))
      : make("p", { class: "hint" }, "The revision has it."),
    ...(sql.length ? locks : []).map((lock) => make("p", { class: "lock" }, lock)));

const change = ({ risk, what, reason, table, app, handled_by, withheld, sql, postgres }) =>
  make("li", { class: `change ${risk}` },
    make("div", { class: "change-head" },
      make("span", { class: `badge ${risk}` }, risk.toUpperCase()),
      make("span", { class: "what" }, make("code", {}, table), ` ${what}`),
      make("span", { class: "by" }, withheld ? COMMAND[handled_by === "sync" ? "manual" : "create"] : COMMAND.sync)),
    make("p", { class: "reason" }, reason),
    make("details", { open: !withheld },
      make("summary", {}, withheld ? "SQL of the revision, and locks" : "SQL and locks"),
      make("div", { class: "dialects" },
        sqlOf(what, "SQLite", sql, [SQLITE_LOCK]),
        sqlOf(what, "PostgreSQL", postgres.sql, postgres.locks.length ? postgres.locks : ["no lock on a table that exists"]))));

export const showPlan = (list, plan) => list.replaceChildren(...plan.changes.map(change));

export const showRenames = (place, renames, choose) =>
  place.replaceChildren(...renames.map((one) =>
    make("div", { class: "rename" },
      make("span", {}, "Is ", make("code", {}, one.new || one.text.split(":")[1]), " the new name of ", make("code", {}, one.old), "?"),
      make("button", { type: "button", class: "small", onclick: () => choose(one) }, `Rename ${one.old}`))));

export const summary = (plan) => {
  if (!plan.changes.length) return "Nothing to do: the database matches the models.";
  const safe = plan.changes.filter((one) => !one.withheld).length;
  const rest = plan.changes.length - safe;
  const parts = [safe && `${safe} safe`, rest && `${rest} withheld`].filter(Boolean);
  return `${plan.changes.length} change${plan.changes.length === 1 ? "" : "s"}: ${parts.join(", ")}.`;
};

const cell = (value) =>
  value === null ? make("td", { class: "null" }, "NULL") : make("td", {}, typeof value === "object" ? JSON.stringify(value) : String(value));

const table = (found, everything, onAdd) => {
  const shown = found.columns.map((column, index) => [column, index]).filter(([column]) => everything || !column.standard);
  const hidden = found.columns.length - shown.length;
  return make("section", { class: "table", "aria-label": `Table ${found.name}` },
    make("div", { class: "bar" },
      make("h3", {}, make("code", {}, found.name), ` ${found.total} row${found.total === 1 ? "" : "s"}`),
      make("button", { type: "button", class: "small", "aria-label": `Add a row to ${found.name}`, onclick: () => onAdd(found.name) }, "Add a row")),
    make("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": `Rows of ${found.name}` },
      make("table", {},
        make("thead", {}, make("tr", {}, ...shown.map(([column]) =>
          make("th", { scope: "col" }, column.name, make("small", {}, `${column.type}${column.required ? " NOT NULL" : ""}`))))),
        make("tbody", {}, ...(found.rows.length
          ? found.rows.map((row) => make("tr", {}, ...shown.map(([, index]) => cell(row[index]))))
          : [make("tr", {}, make("td", { colspan: shown.length || 1, class: "null" }, "no rows yet"))])))),
    hidden ? make("p", { class: "hint" }, `and ${hidden} columns that every DocType has`) : null);
};

export const showTables = (place, tables, everything, onAdd) =>
  place.replaceChildren(...(tables.length
    ? tables.map((found) => table(found, everything, onAdd))
    : [make("p", { class: "hint" }, "No database yet. Sync makes it.")]));

export const problem = (error) =>
  make("div", { class: "problem", role: "alert" },
    make("strong", {}, [error.code, error.line && `${error.app}/models.py, line ${error.line}`].filter(Boolean).join(", ")),
    make("span", {}, ` ${error.what}`),
    error.next_step ? make("p", {}, error.next_step) : null);

// Folders and files, as a list of lists. `files` are {path, key, badge}.
export const showTree = (place, files, open, choose, addApp) => {
  const folders = new Map();
  for (const file of files) {
    const [app] = file.path.split("/");
    folders.set(app, [...(folders.get(app) ?? []), file]);
  }
  const items = [...folders].map(([app, inside]) =>
    make("li", {}, make("span", { class: "folder" }, `${app}/`),
      make("ul", {}, ...inside.map((file) =>
        make("li", {}, make("button", {
          type: "button", class: "file", "aria-current": String(file.key === open), "data-key": file.key, onclick: () => choose(file.key),
        }, file.path.split("/").slice(1).join("/"), file.badge ? make("span", { class: `badge ${file.badge === "APPLIED" ? "safe" : "warning"}` }, file.badge) : null))))));
  const extra = addApp ? make("li", {}, make("button", { type: "button", class: "file", onclick: addApp }, "+ a second app")) : null;
  place.replaceChildren(make("ul", {}, ...items, ...(extra ? [extra] : [])));
};
