"use strict";
// Shows the data of this page. Everything from a file goes in as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const LONG = 1600; // characters of a text that are shown before it is asked for whole
const at = (id) => document.getElementById(id);

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function longText(text) {
  if (!text.trim()) return [make("p", "text empty", "(empty)")];
  // Not in the middle of a surrogate pair.
  const short = text.slice(0, LONG).replace(/[\uD800-\uDBFF]$/, "");
  const shown = make("p", "text", text.length > LONG ? `${short}\u2026` : text);
  shown.dir = "auto"; // right to left where its letters are
  if (text.length <= LONG) return [shown];
  const button = make("button", "", `Show all ${text.length.toLocaleString("en")} characters`);
  button.type = "button";
  button.addEventListener("click", () => {
    shown.textContent = text;
    shown.tabIndex = -1;
    shown.focus({ preventScroll: true });
    button.remove();
  });
  return [shown, button];
}

function panel(title, said, text, className = "") {
  const box = make("section", `panel ${className}`);
  box.append(make("h3", "", title));
  if (said) box.append(make("p", "said", said));
  box.append(...longText(text));
  return box;
}

// A chip for each [kind, name], with the number of its items; the first is chosen.
function addKinds(kinds, numOf) {
  for (const [kind, name] of kinds) {
    const label = make("label");
    const input = make("input");
    Object.assign(input, { type: "radio", name: "kind", value: kind, checked: kind === kinds[0][0] });
    label.append(input, `${name} `, make("b", "", numOf(kind))); // told apart from a number in the name
    at("kinds").append(label);
  }
}

// A test of a text in small letters: whether it has every word of the search.
function searched() {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  return (textOf) => words.every((word) => textOf().includes(word));
}

// The key / goes to the search; Enter in it sends no form.
function prepareSearch(filter) {
  at("tools").addEventListener("submit", (event) => event.preventDefault());
  at("tools").addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input[type=search], select");
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    at("search").focus();
  });
}
