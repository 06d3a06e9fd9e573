const CHUNK = 40; // pairs made at once while scrolling
const KINDS = [["all", "All"], ["win", "Win"], ["tie", "Tie"], ["lose", "Lose"], ["conflict", "Conflict"], ["unparsed", "Unparsed"]];
const NAMES = Object.fromEntries(KINDS);

function isKind(pair, kind) {
  return kind === "all" || pair.outcome === kind || (kind === "conflict" && pair.conflict);
}

function showVerdict() {
  document.title = `${data.key1} against ${data.key2}`;
  for (const id of ["key1", "key2", "judge", "conclusion"]) at(id).textContent = data[id];
  for (const id of ["warnings", "health"]) at(id).append(...data[id].map((line) => make("li", "", line)));
  at("notes").append(...data.notes.map((line) => make("p", "", line)));
  at("hint").textContent = `Win: ${data.key1} wins. At the right of a pair, the scores ${data.key1}\u2013${data.key2} in order 1 \u00b7 in order 2.`;
  for (const other of data.others) {
    const table = at("table").cloneNode(true);
    table.removeAttribute("id");
    at("others").append(make("p", "hint", other.rule), table);
    fillTable(table, other.rows);
  }
  fillTable(at("table"), data.rows);
}

function fillTable(table, rows) {
  for (const row of rows) {
    const line = make("tr", row.is_total ? "total" : "");
    const name = make("th", "", row.name);
    name.scope = "row";
    const score = make("td", "", row.score);
    score.append(make("small", "", row.interval));
    line.append(name, ...[row.pairs, row.win, row.tie, row.lose].map((value) => make("td", "", value)), score, make("td", "wide", row.sign_test));
    table.tBodies[0].append(line);
  }
}

function showTools() {
  for (const name of new Set(data.pairs.map((pair) => pair.set))) {
    const option = make("option", "", name);
    option.value = name;
    at("set").append(option);
  }
  addKinds(KINDS, (kind) => data.pairs.filter((pair) => isKind(pair, kind)).length);
}

function saidScores(scores) {
  return scores ? `${data.key1}: ${scores[0]} \u00b7 ${data.key2}: ${scores[1]}` : "no readable scores";
}

function pairBody(pair) {
  const body = make("div", "body");
  body.append(panel("Question", "", pair.prompt, "question"));
  if (pair.input) body.append(panel("Input", "", pair.input, "question"));
  body.append(panel(`Answer 1: ${data.key1}`, "", pair.answers[0]), panel(`Answer 2: ${data.key2}`, "", pair.answers[1]));
  body.append(panel(`Review in order 1: ${data.key1} shown first`, saidScores(pair.scores[0]), pair.reviews[0]));
  body.append(panel(`Review in order 2: ${data.key2} shown first`, saidScores(pair.scores[1]), pair.reviews[1]));
  return body;
}

function pairItem(pair) {
  const item = make("li");
  const details = make("details");
  const summary = make("summary");
  const badges = make("span", "badges");
  badges.append(make("span", `badge ${pair.outcome}`, NAMES[pair.outcome]));
  if (pair.conflict) badges.append(make("span", "badge conflict", "Conflict"));
  const scores = pair.scores.map((both) => (both ? `${both[0]}\u2013${both[1]}` : "?")).join("  \u00b7  ");
  const about = [pair.set, pair.category, `#${pair.id}`].filter(Boolean).join(" \u00b7 ");
  summary.append(badges, make("span", "title", pair.prompt.slice(0, 300)), make("span", "scores", scores), make("span", "about", about));
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
  pair.words ??= [pair.set, pair.category, pair.id, pair.prompt, pair.input, ...pair.answers, ...pair.reviews].join("\n").toLowerCase();
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

showVerdict();
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
