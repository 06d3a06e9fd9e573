const CHUNK = 40; // pairs made at once while scrolling
const SHORT = 28; // characters of a model's name where there is little room
const short = (name) => (name.length > SHORT ? `${name.slice(0, SHORT / 2)}\u2026${name.slice(1 - SHORT / 2)}` : name);
const wins = [`${short(data.key1)} wins`, `${short(data.key2)} wins`];
const KINDS = [["all", "All"], ["win", wins[0]], ["tie", "Tie"], ["lose", wins[1]], ["conflict", "Conflict"], ["unparsed", "Unparsed"], ["differ", "Judges differ"]];
const NAMES = Object.fromEntries(KINDS);
const isSeveral = !data.is_empty && data.judges.length > 1;

// The first judge's view; of several, also whether they differ.
function isKind(pair, kind) {
  const [first] = pair.opinions;
  return kind === "all" || first.outcome === kind || (kind === "conflict" && first.conflict) || (kind === "differ" && pair.differ);
}

function showVerdict() {
  document.title = `${data.key1} against ${data.key2}`;
  for (const id of ["key1", "key2", "judge", "conclusion"]) at(id).textContent = data[id];
  if (data.is_empty) {
    for (const section of document.querySelectorAll("main > section, .skip, #length, #warnings")) section.remove();
    return;
  }
  at("length").textContent = data.length;
  at("warnings").append(...data.warnings.map((line) => make("li", "", line)));
  for (const id of ["notes", "meanings"]) at(id).append(...data[id].map((line) => make("p", "", line)));
  fillTable(at("table"), "Test set", data.rows);
  at("hint").textContent = `At the right of a pair, the scores ${data.key1}\u2009\u2013\u2009${data.key2}; order 1 shows ${data.key1} first${isSeveral ? `, and all are of ${data.judges[0]}` : ""}.`;
  showJudges();
  at("health").append(...data.health.map(healthTable));
  for (const other of data.others) {
    const table = emptyTable();
    at("others").append(make("p", "hint", other.rule), table);
    fillTable(table, "Test set", other.rows);
  }
}

function emptyTable() {
  const table = make("table");
  table.append(make("thead"), make("tbody"));
  return table;
}

// A word that is longer than a narrow column may be broken anywhere, a short name nowhere.
function headCell(text) {
  return make("th", /\S{12}/.test(text) ? "long" : text.length < 9 ? "short" : "", text);
}

function headRow(names) {
  const line = make("tr");
  for (const [name, below] of names) {
    const cell = headCell(name);
    cell.scope = "col";
    if (below) cell.append(make("small", "", below));
    line.append(cell);
  }
  return line;
}

function numberCell(text, ...below) {
  const cell = make("td", "", text);
  cell.append(...below.map((line) => make("small", "", line)));
  return cell;
}

function rowName(text) {
  const name = headCell(text);
  name.scope = "row";
  return name;
}

function fillTable(table, first, rows) {
  const names = [[first], ["Pairs"], [short(data.key1)], ["Tie"], [short(data.key2)], ["Score", "interval, sign test"], ["At equal length", `rate of ${short(data.key1)}`]];
  table.tHead.append(headRow(names));
  for (const row of rows) {
    const line = make("tr", row.is_total ? "total" : "");
    line.append(rowName(row.name), ...[row.pairs, row.win, row.tie, row.lose].map((value) => numberCell(value)));
    const [rate, interval] = row.at_equal_length;
    const equal = numberCell(rate, interval);
    equal.className = "equal";
    line.append(numberCell(row.score, row.interval, row.sign_test), equal);
    table.tBodies[0].append(line);
  }
}

function showJudges() {
  if (!isSeveral) {
    at("judges").remove();
    return;
  }
  fillTable(at("totals"), "Judge", data.totals);
  for (const agreement of data.agreements) {
    at("agreements").append(make("p", "agreement", agreement.text));
    if (!agreement.counts.length) continue;
    const names = [wins[0], "Tie", wins[1]];
    const table = emptyTable();
    table.className = "crossed";
    table.tHead.append(headRow([[`${agreement.judges[0]} (rows), ${agreement.judges[1]} (columns)`], ...names.map((name) => [name])]));
    agreement.counts.forEach((counts, row) => {
      const line = make("tr");
      line.append(rowName(names[row]), ...counts.map((count, column) => make("td", row === column ? "same" : "", count)));
      table.tBodies[0].append(line);
    });
    at("agreements").append(table);
  }
}

function healthTable({ judge, checks }) {
  const box = make("div", "health");
  if (isSeveral) box.append(make("h3", "", judge));
  if (!checks.length) box.append(make("p", "hint", "Nothing to tell: no parsed pair."));
  const table = make("table");
  const body = make("tbody");
  for (const check of checks) {
    const line = make("tr");
    const mark = make("td", "mark");
    mark.append(make("span", `badge ${check.mark}`, check.is_worrying ? "! Worrying" : "\u2713 Fine"));
    line.append(rowName(check.name), mark, make("td", "finding", check.finding));
    body.append(line);
  }
  table.append(body);
  box.append(table);
  return box;
}

function showTools() {
  for (const name of new Set(data.pairs.map((pair) => pair.set))) {
    const option = make("option", "", name);
    option.value = name;
    at("set").append(option);
  }
  const kinds = KINDS.filter(([kind]) => kind !== "differ" || isSeveral);
  addKinds(kinds, (kind) => data.pairs.filter((pair) => isKind(pair, kind)).length);
}

function saidScores(scores) {
  return scores ? `${data.key1}: ${scores[0]} \u00b7 ${data.key2}: ${scores[1]}` : "no readable scores";
}

function pairBody(pair) {
  const body = make("div", "body");
  body.append(panel("Question", "", pair.prompt, "question"));
  if (pair.input) body.append(panel("Input", "", pair.input, "question"));
  body.append(panel(`Answer 1: ${data.key1}`, "", pair.answers[0]), panel(`Answer 2: ${data.key2}`, "", pair.answers[1]));
  pair.opinions.forEach((opinion, index) => {
    const by = isSeveral ? ` by ${data.judges[index]}` : "";
    body.append(panel(`Review${by} in order 1: ${data.key1} shown first`, saidScores(opinion.scores[0]), opinion.reviews[0]));
    body.append(panel(`Review${by} in order 2: ${data.key2} shown first`, saidScores(opinion.scores[1]), opinion.reviews[1]));
  });
  return body;
}

function badgesOf(pair) {
  const badges = make("span", "badges");
  const [first] = pair.opinions;
  badges.append(make("span", `badge ${first.outcome}`, NAMES[first.outcome]));
  if (first.conflict) badges.append(make("span", "badge conflict", "Conflict"));
  if (pair.differ) badges.append(make("span", "badge differ", "Judges differ"));
  return badges;
}

// The scores of both models, in the order of the page's title, for each order of showing.
function scoresOf(pair) {
  const box = make("span", "scores");
  pair.opinions[0].scores.forEach((both, index) => {
    box.append(make("span", "", `order ${index + 1}: ${both ? `${both[0]}\u2009\u2013\u2009${both[1]}` : "?"}`));
  });
  return box;
}

function pairItem(pair) {
  const item = make("li");
  const details = make("details");
  const summary = make("summary");
  const about = [pair.set, pair.category, `#${pair.id}`].filter(Boolean).join(" \u00b7 ");
  summary.append(badgesOf(pair), make("span", "title", pair.prompt.slice(0, 300)), scoresOf(pair), make("span", "about", about));
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(pairBody(pair));
  });
  item.append(details);
  return item;
}

let matching = [];
let numShown = 0;

function showMore() {
  at("list").append(...matching.slice(numShown, numShown + CHUNK).map(pairItem));
  numShown = Math.min(numShown + CHUNK, matching.length);
  at("more").hidden = numShown === matching.length;
}

function haystack(pair) {
  const reviews = pair.opinions.flatMap((opinion) => opinion.reviews);
  pair.words ??= [pair.set, pair.category, pair.id, pair.prompt, pair.input, ...pair.answers, ...reviews].join("\n").toLowerCase();
  return pair.words;
}

function filter() {
  const isFound = searched();
  const kind = at("kinds").querySelector(":checked").value;
  const set = at("set").value;
  matching = data.pairs.filter((pair) => isKind(pair, kind) && (!set || pair.set === set) && isFound(() => haystack(pair)));
  at("count").textContent = `${matching.length} of ${data.pairs.length} pairs`;
  at("list").replaceChildren();
  numShown = 0;
  showMore();
}

function onKey(event) {
  if (!event.target.matches("#list summary") || (event.key !== "ArrowDown" && event.key !== "ArrowUp")) return;
  const item = event.target.closest("li");
  const next = event.key === "ArrowDown" ? item.nextElementSibling : item.previousElementSibling;
  if (!next) return;
  event.preventDefault();
  next.querySelector("summary").focus();
}

function showPairs() {
  showTools();
  filter();
  prepareSearch(filter);
  at("more").addEventListener("click", showMore);
  document.addEventListener("keydown", onKey);
  new IntersectionObserver((entries, observer) => {
    if (!entries[0].isIntersecting || numShown === matching.length) return;
    showMore();
    // It tells of changes only: ask again, for when a tall window has room for still more.
    observer.unobserve(at("more"));
    observer.observe(at("more"));
  }, { rootMargin: "600px" }).observe(at("more"));
}

showVerdict();
if (!data.is_empty) showPairs();
