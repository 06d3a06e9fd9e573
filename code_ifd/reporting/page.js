// The numbers of a report: everything above its table of records.
function showNumbers() {
  document.title = data.title;
  at("name").textContent = data.name;
  at("origin").textContent = data.origin.join(" \u00b7 ");
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
  for (const [name, score, ...ppls] of data.quantiles) {
    addRow(at("quantiles"), name, [score]);
    addRow(at("ppl-quantiles"), name, ppls);
  }
  at("of-score").textContent = data.score;
  at("length").append(...data.length.map((line) => make("p", "", line)));
}

function addRow(table, name, values) {
  const line = make("tr");
  const head = make("th", "", name);
  head.scope = "row";
  line.append(head, ...values.map((value) => make("td", "", value)));
  table.tBodies[0].append(line);
  return line;
}

function showWhatIf() {
  at("what-if").hidden = !data.what_if.length;
  const table = at("what-if").querySelector("table");
  const hasUnsure = data.what_if.some((row) => row.unsure !== null);
  if (hasUnsure) {
    const head = make("th", "", "Not sure");
    head.scope = "col";
    table.tHead.rows[0].append(head);
  }
  for (const row of data.what_if) {
    const missing = row.missing ? ` (all below the threshold; ${row.missing.toLocaleString("en")} too few)` : "";
    const values = [row.num.toLocaleString("en") + missing, row.lowest, row.length];
    if (hasUnsure) values.push(row.unsure.toLocaleString("en"));
    const line = addRow(table, row.rate, values);
    if (row.is_current) line.cells[0].append(" ", make("span", "badge selected", "this page"));
  }
}

function showCategories() {
  at("categories").hidden = !data.categories.length;
  const all = percent(data.counts[0].num, data.num_records);
  at("categories-hint").textContent = `Of all records, ${all} are selected. Where the share of a value is far from that, training on the selection changes the mix of your data.`;
  for (const { key, rows } of data.categories) {
    const table = make("table");
    const head = make("tr");
    for (const name of [key, "Selected", "Not selected", "Share", `Median ${data.score}`]) {
      const cell = make("th", "", name);
      cell.scope = "col";
      head.append(cell);
    }
    table.createTHead().append(head);
    table.createTBody();
    for (const row of rows) {
      const values = [row.selected, row.num - row.selected].map((value) => value.toLocaleString("en"));
      addRow(table, row.value, [...values, percent(row.selected, row.num), row.median ?? "\u2013"]);
    }
    at("categories").querySelector(".columns").append(table);
  }
}

function percent(part, whole) {
  return whole ? `${((100 * part) / whole).toFixed(1)}%` : "\u2013";
}

function showNextStep() {
  const [lines, snippet] = [at("next").querySelector(".notes"), at("next").querySelector("pre")];
  lines.append(...data.next_step.lines.map((line) => make("p", "", line)));
  snippet.textContent = data.next_step.snippet;
  snippet.hidden = !data.next_step.snippet;
}

showNumbers();
showWhatIf();
showCategories();
showNextStep();
