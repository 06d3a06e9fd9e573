// A row of data.rows is a record; `numbers` are IFD and both perplexities, `shown` what is written for them.
const COLUMNS = [
  { name: "Rank", of: (row) => row.rank, write: (row) => row.rank?.toLocaleString("en") ?? "\u2013", title: "1 is the highest IFD below the threshold" },
  { name: "IFD", of: (row) => row.numbers[0], write: (row) => row.shown[0] },
  { name: "Ppl alone", of: (row) => row.numbers[1], write: (row) => row.shown[1], title: "Perplexity of the response alone" },
  { name: "Ppl after", of: (row) => row.numbers[2], write: (row) => row.shown[2], title: "Perplexity of the response after its prompt" },
  { name: "Length", of: (row) => row.length, write: (row) => row.length.toLocaleString("en"), title: "Characters of the response" },
  { name: "Selected", of: (row) => (row.selected ? 0 : 1) },
  { name: "Instruction", of: (row) => titleOf(row).toLowerCase() },
];
const KINDS = [["all", "All"], ["selected", "Selected"], ...data.groups];
const NAMES = { instruction: "Instruction", input: "Input", output: "Response", system: "System", user: "User", assistant: "Assistant", tool: "Tool" };
const GROUP_NAMES = Object.fromEntries(data.groups);
let order = { column: COLUMNS[0], descending: false };

function isKind(row, kind) {
  return kind === "all" || (kind === "selected" ? row.selected : row.groups.includes(kind));
}

function titleOf(row) {
  const asked = row.texts.find((text) => ["instruction", "user"].includes(text.name) && text.text.trim()) ?? row.texts[0];
  return asked?.text.trim().slice(0, 240) || "(no text)";
}

function showNumbers() {
  document.title = `${data.name}: IFD report`;
  at("name").textContent = data.name;
  at("lead").textContent = data.lead;
  at("warnings").append(...data.warnings.map((line) => make("li", "", line)));
  at("notes").append(...data.notes.map((line) => make("p", "", line)));
  for (const part of data.counts) {
    const name = part.kind;
    if (part.num) {
      const piece = make("span", `kind-${name}`);
      piece.style.flex = `${part.num} 0 0`;
      at("bar").append(piece);
    }
    const item = make("li");
    const share = data.num_records ? ` \u00b7\u00a0${((100 * part.num) / data.num_records).toFixed(1)}%` : "";
    item.append(make("i", `kind-${name}`), make("strong", "", part.num.toLocaleString("en")), `${part.name}${share}`, make("small", "", part.note));
    at("counts").append(item);
  }
  for (const [name, ...values] of data.quantiles) {
    const line = make("tr");
    const head = make("th", "", name);
    head.scope = "row";
    line.append(head, ...values.map((value) => make("td", "", value)));
    at("quantiles").tBodies[0].append(line);
  }
  at("length").append(...data.length.map((line) => make("p", "", line)));
}

function panelOf(text) {
  const isCut = text.text.length < text.length && [...text.text].length < text.length;
  const cut = isCut ? `Shortened: the first ${[...text.text].length.toLocaleString("en")} of ${text.length.toLocaleString("en")} characters` : "";
  return panel(NAMES[text.name], [text.score, cut].filter(Boolean).join(" \u00b7 "), text.text);
}

function detailsOf(row) {
  const line = make("tr", "detail");
  const cell = make("td", "details");
  const panels = make("div", "panels");
  const groups = row.groups.map((group) => GROUP_NAMES[group]);
  panels.append(make("p", "", [`Record ${row.number.toLocaleString("en")}, counted from 0`, ...groups].join(" \u00b7 ")));
  const boxes = row.texts.map(panelOf);
  if (row.left_out) boxes.splice(boxes.length / 2, 0, make("p", "", `${row.left_out.toLocaleString("en")} turns are left out here.`));
  panels.append(...boxes);
  cell.colSpan = COLUMNS.length;
  cell.setAttribute("role", "cell");
  line.setAttribute("role", "row");
  line.id = `details-${row.number}`;
  cell.append(panels);
  line.append(cell);
  return line;
}

function cellOf(row, column) {
  const cell = make("td", "number", column.write?.(row));
  cell.dataset.name = column.name;
  cell.setAttribute("role", "cell");
  if (column.name === "Selected") {
    cell.className = "mark";
    if (row.selected) cell.append(make("span", "badge selected", "selected"));
  } else if (column.name === "Instruction") {
    cell.className = "words";
    const button = make("button", "open");
    const title = make("span", "title", titleOf(row));
    title.dir = "auto";
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.append(title);
    cell.append(button);
    if (row.reason) cell.append(make("span", "why", row.reason));
  }
  return cell;
}

function lineOf(row) {
  const line = make("tr", "record");
  line.setAttribute("role", "row");
  line.append(...COLUMNS.map((column) => cellOf(row, column)));
  const button = line.querySelector(".open");
  line.addEventListener("click", (event) => {
    if (!event.target.closest(".open") && String(getSelection())) return; // someone marks text to copy it
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    if (!isOpen) {
      row.details ??= detailsOf(row);
      button.setAttribute("aria-controls", row.details.id);
      line.after(row.details);
    } else {
      row.details.remove();
    }
  });
  return line;
}

function compare(one, other) {
  const [a, b] = [order.column.of(one), order.column.of(other)];
  if (a === b) return 0;
  if (a === null) return 1; // what has no number is last, in either direction
  if (b === null) return -1;
  const sign = typeof a === "string" ? a.localeCompare(b, "en") : a - b;
  return order.descending ? -sign : sign;
}

function haystack(row) {
  row.words ??= [row.reason ?? "", ...row.texts.map((text) => text.text)].join("\n").toLowerCase();
  return row.words;
}

function filter() {
  const isFound = searched();
  const kind = at("kinds").querySelector(":checked").value;
  const rows = data.rows.filter((row) => isKind(row, kind) && isFound(() => haystack(row))).sort(compare);
  at("count").textContent = `${rows.length.toLocaleString("en")} of ${data.rows.length.toLocaleString("en")} shown`;
  const lines = rows.flatMap((row) => {
    row.line ??= lineOf(row);
    return row.details && row.line.querySelector(".open").getAttribute("aria-expanded") === "true" ? [row.line, row.details] : [row.line];
  });
  if (!lines.length) {
    const line = make("tr");
    const cell = make("td", "nothing words", "No record here has all of these words.");
    cell.colSpan = COLUMNS.length;
    line.append(cell);
    lines.push(line);
  }
  at("table").tBodies[0].replaceChildren(...lines);
}

function sortBy(column) {
  order = { column, descending: order.column === column && !order.descending };
  markOrder();
  filter();
}

function markOrder() {
  COLUMNS.forEach((column, index) => {
    const head = at("table").tHead.rows[0].cells[index];
    if (column === order.column) head.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
}

function showTable() {
  const all = data.rows.length === data.num_records;
  const [num, total] = [data.rows.length, data.num_records].map((value) => value.toLocaleString("en"));
  at("sampled").textContent = all ? `All ${total} records. Open one to read it.` : `A sample: ${num} of ${total} records, up to 100 of each group below. Search and sorting see these alone. Open one to read it.`;
  for (const column of COLUMNS) {
    const head = make("th", { Selected: "mark", Instruction: "words" }[column.name] ?? "number");
    const button = make("button", "", column.name);
    button.type = "button";
    if (column.title) button.title = column.title;
    head.scope = "col";
    head.setAttribute("role", "columnheader");
    button.addEventListener("click", () => sortBy(column));
    head.append(button);
    at("table").tHead.rows[0].append(head);
  }
  addKinds(KINDS, (kind) => data.rows.filter((row) => isKind(row, kind)).length);
  markOrder();
}

showNumbers();
showTable();
filter();
prepareSearch(filter);
