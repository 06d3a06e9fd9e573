// The records that the table shows, as JSON lines: made here, from what the page has.
const PLAIN = ["system", "instruction", "input", "output"];
const ROLE_OF = { instruction: "user", input: "user", output: "assistant" };

function recordOf(row) {
  const [score, direct, conditioned] = row.numbers;
  const record = { number: row.number, rank: row.rank, selected: row.selected, [data.key_name]: score, ppl_A_direct: direct, ppl_A_condition: conditioned };
  if (row.reason) record.ifd_skipped = row.reason;
  const names = row.texts.map((text) => text.name);
  const isPlain = names.every((name) => PLAIN.includes(name)) && new Set(names).size === names.length;
  if (isPlain) Object.assign(record, Object.fromEntries(row.texts.map((text) => [text.name, text.text])));
  else record.messages = row.texts.map((text) => ({ role: ROLE_OF[text.name] ?? text.name, content: text.text }));
  // The page does not have all of a long text, nor all turns of a long conversation.
  if (row.left_out || row.texts.some(isShortened)) record.shortened = true;
  return record;
}

function download() {
  const lines = shownRows().map((row) => `${JSON.stringify(recordOf(row))}\n`);
  const link = make("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = `${data.name.split(/[\\/]/).pop().replace(/\.[^.]*$/, "")}_shown.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // the browser has it by then
}
