// A row of data.rows is a record; `numbers` are the score and both perplexities, `shown` what is written for them.
// `interval` has the lower end, IFD and the upper end, where scores have a standard error.
const SCALE = [0.5, 1.5]; // on which intervals are drawn: 1 is in its middle
const INTERVAL = { name: "Interval", of: (row) => row.interval?.[2] ?? null, title: "95 percent interval of IFD, on a scale from 0.5 to 1.5; sorted by its upper end" };
const COLUMNS = [
  { name: "Rank", of: (row) => row.rank, write: (row) => row.rank?.toLocaleString("en") ?? "\u2013", title: `1 is the highest ${data.score} below the threshold` },
  { name: data.score, of: (row) => row.numbers[0], write: (row) => row.shown[0] },
  ...(data.has_intervals ? [INTERVAL] : []),
  { name: "Ppl alone", isFolded: true, of: (row) => row.numbers[1], write: (row) => row.shown[1], title: "Perplexity of the response alone" },
  { name: "Ppl after", isFolded: true, of: (row) => row.numbers[2], write: (row) => row.shown[2], title: "Perplexity of the response after its prompt" },
  { name: "Length", of: (row) => row.length, write: (row) => row.length.toLocaleString("en"), title: "Characters of the response" },
  { name: "Selected", of: (row) => (row.selected ? 0 : 1) },
  { name: "Instruction", isText: true, of: (row) => titleOf(row).toLowerCase() },
  { name: "Response", isText: true, of: (row) => responseOf(row).toLowerCase() },
];
const KINDS = [["all", "All"], ["selected", "Selected"], ...(data.has_intervals ? [["unsure", "Not sure"]] : []), ...data.groups];
const NAMES = { instruction: "Instruction", input: "Input", output: "Response", system: "System", user: "User", assistant: "Assistant", tool: "Tool" };
const GROUP_NAMES = Object.fromEntries(data.groups);
let order = { column: COLUMNS[0], descending: false };

function isKind(row, kind) {
  if (kind === "selected") return row.selected;
  if (kind === "unsure") return row.unsure;
  return kind === "all" || row.group === kind;
}

function titleOf(row) {
  const asked = row.texts.find((text) => ["instruction", "user"].includes(text.name) && text.text.trim()) ?? row.texts[0];
  return asked?.text.trim().slice(0, 240) || "(no text)";
}

// The first line that says something, of the first response that is scored.
function responseOf(row) {
  const responses = row.texts.filter((text) => ["output", "assistant"].includes(text.name));
  const scored = responses.find((text) => text.score !== data.not_scored) ?? responses[0];
  const lines = (scored?.text ?? "").split("\n").map((line) => line.trim()).filter(Boolean);
  return (lines.find((line) => !line.startsWith("```")) ?? lines[0] ?? "(empty)").slice(0, 240);
}

// A length is in characters; in JavaScript some take two places.
function isShortened(text) {
  return text.text.length < text.length && [...text.text].length < text.length;
}

function panelOf(text) {
  const cut = isShortened(text) ? `Shortened: the first ${[...text.text].length.toLocaleString("en")} of ${text.length.toLocaleString("en")} characters` : "";
  return panel(NAMES[text.name], [text.score, cut].filter(Boolean).join(" \u00b7 "), text.text);
}

function perplexities(row) {
  return row.numbers[1] === null ? [] : [`perplexity ${row.shown[1]} alone, ${row.shown[2]} after its prompt`];
}

function howSure(row) {
  if (!data.has_intervals) return [];
  const tokens = row.tokens === null ? [] : [`${row.tokens.toLocaleString("en")} ${row.tokens === 1 ? "token" : "tokens"}`];
  if (!row.interval) return [...tokens, ...(row.unsure ? ["not sure: its interval is not known"] : [])];
  const [low, , high] = row.interval_shown;
  return [...tokens, `95 percent interval of IFD ${low} to ${high}${row.unsure ? ", so it is not surely below 1" : ""}`];
}

// A line from the lower to the upper end, a bar at IFD, and a mark at 1; what is beyond the scale is drawn at its edge.
function intervalOf(row) {
  const scale = make("span", `scale${row.unsure ? " unsure" : ""}`);
  const [low, score, high] = row.interval.map((end) => (100 * (Math.min(Math.max(end, SCALE[0]), SCALE[1]) - SCALE[0])) / (SCALE[1] - SCALE[0]));
  const [line, dot] = [make("i", "line"), make("i", "dot")];
  Object.assign(line.style, { left: `${low}%`, width: `${high - low}%` });
  dot.style.left = `${score}%`;
  scale.append(line, dot);
  scale.classList.toggle("before", row.interval[2] < SCALE[0]);
  scale.classList.toggle("after", row.interval[0] > SCALE[1]);
  scale.setAttribute("aria-hidden", "true"); // its ends are written below it
  return scale;
}

function detailsOf(row) {
  const line = make("tr", "detail");
  const cell = make("td", "details");
  const panels = make("div", "panels");
  const groups = row.group ? [GROUP_NAMES[row.group]] : [];
  panels.append(make("p", "", [`Record ${row.number.toLocaleString("en")}, counted from 0`, ...perplexities(row), ...howSure(row), ...groups].join(" \u00b7 ")));
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
    if (row.unsure) cell.append(make("span", "badge unsure", "not sure"));
  } else if (column === INTERVAL) {
    cell.className = "interval";
    if (row.interval) cell.append(intervalOf(row), make("span", "ends", `${row.interval_shown[0]} to ${row.interval_shown[2]}`));
  } else if (column.name === "Instruction") {
    cell.className = "words";
    const button = make("button", "open");
    const title = make("span", "title clamped", titleOf(row));
    title.dir = "auto";
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.append(title);
    cell.append(button);
    if (row.reason) cell.append(make("span", "why", row.reason));
  } else if (column.name === "Response") {
    cell.className = "words response";
    const line = make("span", "clamped", responseOf(row));
    line.dir = "auto";
    cell.append(line);
  }
  if (column.isFolded) cell.classList.add("folded-ppl");
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

function shownRows() {
  const isFound = searched();
  const kind = at("kinds").querySelector(":checked").value;
  return data.rows.filter((row) => isKind(row, kind) && isFound(() => haystack(row))).sort(compare);
}

function filter() {
  const rows = shownRows();
  at("download").disabled = !rows.length;
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

function sortBy(column, descending) {
  order = { column, descending };
  markOrder();
  filter();
}

function markOrder() {
  COLUMNS.forEach((column, index) => {
    const head = at("table").tHead.rows[0].cells[index];
    if (column === order.column) head.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
  at("order").value = `${COLUMNS.indexOf(order.column)} ${order.descending}`;
}

function option(value, text) {
  const element = make("option", "", text);
  element.value = value;
  return element;
}

// On a narrow page, two lists take the place of the groups' chips and of the table's head.
function addLists() {
  for (const [kind, name] of KINDS) at("kind").append(option(kind, `${name} (${numOf(kind).toLocaleString("en")})`));
  COLUMNS.forEach((column, index) => {
    const ways = column.name === "Rank" ? ["highest first", "lowest first"] : column.name === "Selected" ? ["first", "last"] : column.isText ? ["A to Z", "Z to A"] : ["lowest first", "highest first"];
    ways.forEach((way, place) => at("order").append(option(`${index} ${place === 1}`, `${column.name}: ${way}`)));
  });
  at("kind").addEventListener("input", () => {
    at("kinds").querySelector(`[value="${at("kind").value}"]`).checked = true;
  });
  at("kinds").addEventListener("input", (event) => {
    at("kind").value = event.target.value;
  });
  at("order").addEventListener("input", () => {
    const [index, descending] = at("order").value.split(" ");
    sortBy(COLUMNS[Number(index)], descending === "true");
  });
}

function numOf(kind) {
  return data.rows.filter((row) => isKind(row, kind)).length;
}

// The head of the table stays in sight below the search, whose height changes with the width of the page.
function stickBelowTools() {
  const measure = () => document.documentElement.style.setProperty("--tools-height", `${at("tools").offsetHeight}px`);
  new ResizeObserver(measure).observe(at("tools"));
  measure();
}

function showTable() {
  const all = data.rows.length === data.num_records;
  const [num, total] = [data.rows.length, data.num_records].map((value) => value.toLocaleString("en"));
  at("sampled").textContent = all ? `All ${total} records. Open one to read it.` : `A sample: ${num} of ${total} records, up to 100 of each group below. Search and sorting see these alone. Open one to read it.`;
  for (const column of COLUMNS) {
    const head = make("th", { Selected: "mark", Instruction: "words", Response: "words", Interval: "interval" }[column.name] ?? "number");
    if (column.isFolded) head.classList.add("folded-ppl");
    const button = make("button", "", column.name);
    button.type = "button";
    if (column.title) button.title = column.title;
    head.scope = "col";
    head.setAttribute("role", "columnheader");
    button.addEventListener("click", () => sortBy(column, order.column === column && !order.descending));
    head.append(button);
    at("table").tHead.rows[0].append(head);
  }
  addKinds(KINDS, numOf);
  addLists();
  markOrder();
  at("ppls").addEventListener("input", () => at("table").classList.toggle("with-ppls", at("ppls").checked));
  at("download").addEventListener("click", download);
}

showTable();
stickBelowTools();
filter();
prepareSearch(filter);
