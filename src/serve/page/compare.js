// compare.js: two sentences side by side, in the same layer and head, and where they differ.
import { el, MANY, REST, setAttribute, setText } from "./dom.js";
import { matrixOf } from "./attention.js";
import { decimal, percent } from "./numbers.js";
import { t } from "./strings.js";
import { wordsView } from "./words.js";

const SECOND = "The animal didn't cross the street because it was too wide.";

/** ask(text) gives a promise of a document, or null where there is no server. pick(row) as in words.js; fail(error):
 * the user should know. */
export function compareView(host, ask, pick, fail) {
  const input = el("input", { type: "text", id: "second", value: SECOND, lang: "en", autocomplete: "off" });
  const form = el("form", { class: "line", onsubmit: (event) => {
    event.preventDefault();
    read();
  } }, el("label", { for: "second" }, t("second_sentence")), input, el("button", { type: "submit", class: "primary" }, t("compare_button")));
  const left = el("section", {});
  const right = el("section", {});
  const table = el("div", { class: "wide" });
  const differences = differenceTable(table);
  const says = el("p", { class: "says" }, t("compare_says"));
  host.replaceChildren(ask ? form : "", says, el("div", { class: "pair" }, left, right), table);
  const views = [wordsView(left, (row) => pick(row)), wordsView(right, (row) => { rowB = row; redraw(); })];
  let shown = null; // {document, choice, row}
  let second = null;
  let asked = null; // the document that `second` was asked for beside
  let questions = 0; // answers to all but the latest are dropped
  let rowB = null;

  async function read() {
    const mine = ++questions;
    asked = shown?.document ?? null;
    try {
      const answer = await ask(input.value);
      if (mine !== questions) return;
      second = answer;
      rowB = null;
      redraw();
    } catch (error) {
      fail(error);
    }
  }

  function redraw() {
    if (shown) draw(shown.document, shown.choice, shown.row);
  }

  function draw(document, choice, row, other) {
    if (shown && shown.document !== document && ask) second = null;
    if (shown && shown.row !== row) rowB = null;
    shown = { document, choice, row };
    second = other ?? second;
    views[0].draw(document, choice, row);
    if (!second) {
      says.textContent = ask ? t("compare_says") : t("compare_none");
      if (ask && asked !== document) read();
      return;
    }
    const a = matrixOf(document, choice);
    const b = matrixOf(second, choice);
    const at = rowB ?? matchingRow(a.rows, b.rows, row);
    views[1].draw(second, choice, at);
    differences.draw(a, b, row, at);
  }

  return { draw };
}

/** The same word in the other sentence, the nearest of several; else the same place. */
function matchingRow(rowsA, rowsB, row) {
  const same = rowsB.map((text, i) => [text, i]).filter(([text]) => text === rowsA[row]).map(([, i]) => i);
  const nearest = same.sort((x, y) => Math.abs(x - row) - Math.abs(y - row))[0];
  return nearest ?? Math.min(row, rowsB.length - 1);
}

/** Both rows in `host`, word by word. draw(a, b, rowA, rowB) shows them. */
function differenceTable(host) {
  const caption = el("caption");
  const body = el("tbody");
  const table = el("table", { class: "numbers" }, caption, el("thead", {}, el("tr", {}, ...[t("word"), t("first_sentence"), t("second_sentence"), t("difference")].map((text) =>
    el("th", { scope: "col" }, text)))), body);
  let rows = []; // {row, cells}
  let of = []; // the texts that they were made of
  let shown = null;
  let rest = 0; // the timer of a long table

  function fill(a, b) {
    rows = Array.from({ length: Math.max(a.columns.length, b.columns.length) }, (_, k) => {
      const cells = [el("td"), el("td"), el("td")];
      const names = [...new Set([a.columns[k], b.columns[k]].filter(Boolean))].join(" / ");
      return { cells, row: el("tr", {}, el("th", { scope: "row" }, names), ...cells) };
    });
    body.replaceChildren(...rows.map((one) => one.row));
    host.replaceChildren(table);
    of = [a.columns, b.columns];
  }

  function write() {
    const [a, b, rowA, rowB] = shown;
    setText(caption, `${a.rows[rowA]} / ${b.rows[rowB]}`);
    rows.forEach(({ row, cells }, k) => {
      const x = k < a.columns.length ? a.at(rowA, k) : null;
      const y = k < b.columns.length ? b.at(rowB, k) : null;
      setText(cells[0], x === null ? "" : percent(x));
      setText(cells[1], y === null ? "" : percent(y));
      setText(cells[2], x === null || y === null ? "" : decimal(100 * (y - x), 1));
      setAttribute(row, "class", Math.abs((y ?? 0) - (x ?? 0)) > 0.05 ? "chosen" : "");
    });
  }

  return {
    draw(a, b, rowA, rowB) {
      const same = of[0] === a.columns && of[1] === b.columns;
      shown = [a, b, rowA, rowB];
      clearTimeout(rest);
      if (!same) fill(a, b);
      if (same && rows.length > MANY) rest = setTimeout(write, REST);
      else write();
    },
  };
}
