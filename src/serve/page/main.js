// main.js: what is chosen, and who draws it. Every view is a module that is given a document of attention
// and the choice, and calls back when the user chooses something else.
import { matrixOf, rowOf, tokenOf, wordsOf } from "./attention.js";
import { readAddress, writeAddress } from "./address.js";
import { compareView } from "./compare.js";
import { arrowKeys, el, onWidth, save, setText } from "./dom.js";
import { headsView } from "./heads.js";
import { matrixTable, matrixView } from "./matrix.js";
import { exact } from "./numbers.js";
import { onTheme, setTheme, themeName } from "./palette.js";
import { pictureView } from "./picture.js";
import { wordAt } from "./places.js";
import { sentenceView } from "./sentence.js";
import { openSource } from "./source.js";
import { stepsView } from "./steps.js";
import { nextLanguage, setLanguage, t } from "./strings.js";
import { translatorView } from "./translator.js";
import { whatIfView } from "./whatif.js";
import { rowTable, wordsView } from "./words.js";

const TABLE_LIMIT = 48; // words of a side, for the table of a whole matrix
const at = (id) => document.getElementById(id);
const state = {
  source: null, document: null, other: null, tab: "attention", token: null, picture: {},
  choice: { part: "encoder", layer: 0, head: "mean", words: true, lines: "one" },
};
let views = {};
let sentence = null;
let tabled = null; // the matrix that stands in its table

/* ---- choosing ---- */

/** Whatever was chosen before has to exist in this document. */
function fit(doc) {
  const choice = state.choice;
  if (doc.parts[choice.part].layers === 0) choice.part = "encoder"; // a decoder of recurrent units
  const part = doc.parts[choice.part];
  if (choice.layer !== "rollout") choice.layer = Math.min(choice.layer, part.layers - 1);
  if (choice.head !== "mean") choice.head = Math.min(choice.head, part.heads - 1);
  if (state.token === null) Object.assign(state, mostDecided(doc));
}

/** The first look: the word, layer and head with the largest weight on a word further away; "it" where there is one. */
function mostDecided(doc) {
  const part = doc.parts.encoder;
  const words = doc.source.words;
  const wanted = words.findIndex((word) => word.word === "it");
  let best = { weight: -1, row: Math.max(wanted, 0), layer: part.layers - 1, head: 0 };
  for (let layer = 0; layer < part.layers; layer++) {
    for (let head = 0; head < part.heads; head++) {
      const matrix = matrixOf(doc, { part: "encoder", layer, head, words: true });
      words.forEach((word, row) => words.forEach((key, k) => {
        if (word.mark || key.mark || Math.abs(row - k) < 3 || (wanted >= 0 && row !== wanted) || words.length > 200) return;
        const weight = matrix.at(row, k);
        if (weight > best.weight) best = { weight, row, layer, head };
      }));
    }
  }
  return { token: words[best.row].first, choice: { ...state.choice, part: "encoder", layer: best.layer, head: best.head } };
}

async function change(choice, token) {
  const before = state.choice.part;
  Object.assign(state.choice, choice);
  if (token !== null && token !== undefined) state.token = token;
  if (before !== state.choice.part) fit(state.document);
  await draw();
}

function pick(row) {
  return change({}, tokenOf(state.document, state.choice.part, state.choice.words, row));
}

/* ---- drawing ---- */

function title(doc, choice) {
  const part = doc.parts[choice.part];
  const where = choice.layer === "rollout" ? t("rollout_of", part.layers)
    : choice.head === "mean" ? t("here_mean", choice.layer + 1, part.layers, part.heads)
      : t("here", choice.layer + 1, part.layers, choice.head + 1, part.heads);
  return `${t(choice.part)}, ${where}`;
}

function drawAttention(doc, choice, row) {
  const matrix = matrixOf(doc, choice);
  const heading = title(doc, choice);
  setText(at("here"), heading);
  at("lines-box").hidden = choice.head !== "mean" || choice.layer === "rollout";
  views.words.draw(doc, choice, row);
  if (views.whatif) {
    const sides = wordsOf(doc, choice.part);
    views.whatif.draw(doc, choice, rowOf(doc, choice.part, true, state.token), sides);
  }
  views.row.draw(matrix, row, t(choice.words ? "word" : "piece"));
  setText(at("matrix-says"), t(themeName() === "dark" ? "matrix_dark" : "matrix_says"));
  views.matrix.draw(matrix, row, `${t("matrix")}: ${heading}`);
  const small = Math.max(matrix.rows.length, matrix.columns.length) <= TABLE_LIMIT;
  at("matrix-details").hidden = !small;
  if (!small || !at("matrix-details").open) at("matrix-table").replaceChildren();
  else if (tabled !== matrix) at("matrix-table").replaceChildren(matrixTable(matrix, heading));
  tabled = at("matrix-table").firstChild ? matrix : null;
}

/** The same view again from its address; a picture is not in it. */
function noteAddress() {
  const { part, layer, head } = state.choice;
  writeAddress({ tab: state.tab === "picture" ? "attention" : state.tab, part, layer, head, word: state.token });
}

async function draw() {
  const doc = state.document;
  at("panels").hidden = !doc && state.tab !== "picture"; // a server that asks for a key shows nothing without
  document.querySelector("aside").hidden = !doc || state.tab === "picture";
  if (!doc) return;
  fit(doc);
  noteAddress();
  const row = rowOf(doc, state.choice.part, state.choice.words, state.token);
  at("trace").hidden = state.tab !== "steps";
  views.heads.draw(doc, state.choice);
  if (state.tab === "attention") drawAttention(doc, state.choice, row);
  if (state.tab === "steps") await views.steps.draw(doc, state.choice, state.token).catch(fail);
  if (state.tab === "compare") views.compare.draw(doc, state.choice, row, state.other);
  if (state.tab === "picture") views.picture.draw();
}

/* ---- the frame ---- */

function attentionPanel() {
  const words = el("div", {});
  const matrix = el("div", {});
  const lines = el("input", { type: "checkbox", id: "lines", onchange: () => change({ lines: lines.checked ? "all" : "one" }) });
  const details = el("details", { id: "matrix-details", ontoggle: () => draw() }, el("summary", {}, t("as_table")),
    el("div", { id: "matrix-table", class: "scroller", tabindex: "0", role: "region", "aria-label": t("matrix") }));
  lines.checked = state.choice.lines === "all";
  const row = el("details", {}, el("summary", {}, t("as_table")));
  const whatif = state.source.live ? el("section", { id: "whatif" }) : null;
  const panel = el("div", {}, el("h2", { id: "here" }), words,
    el("p", { class: "line", id: "lines-box" }, lines, el("label", { for: "lines" }, t("all_heads"))),
    row, whatif, el("h2", {}, t("matrix")), el("p", { class: "says", id: "matrix-says" }), matrix,
    el("p", { class: "line" }, el("button", { type: "button", onclick: () => saveMatrix() }, t("save_table"))), details);
  views.words = wordsView(words, pick);
  views.row = rowTable(row);
  views.whatif = whatif && whatIfView(whatif, state.source, fail);
  views.matrix = matrixView(matrix, pick);
  return panel;
}

/** The matrix that is shown, as comma-separated values. */
function saveMatrix() {
  const matrix = matrixOf(state.document, state.choice);
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  const lines = matrix.rows.map((name, r) => [quoted(name), ...matrix.columns.map((_, c) => exact(matrix.at(r, c)))]);
  save("attention.csv", "text/csv", `${[["", ...matrix.columns.map(quoted)], ...lines].map((line) => line.join(",")).join("\n")}\n`);
}

function makePanels() {
  const steps = el("div", {});
  const compare = el("div", {});
  const made = { attention: attentionPanel(), steps, compare };
  views.steps = stepsView(steps, at("trace"), state.source, change);
  views.compare = compareView(compare, sentence.documentOf, pick, fail);
  if (state.source.pictures) {
    made.picture = el("div", {});
    views.picture = pictureView(made.picture, state.source, state.picture, fail);
  }
  views.heads = headsView(at("heads"), (choice) => change(choice), state.source.probe);
  at("panels").replaceChildren(...Object.entries(made).map(([name, panel]) => {
    panel.id = `panel-${name}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `tab-${name}`);
    panel.hidden = name !== state.tab;
    return panel;
  }));
  makeTabs(Object.keys(made));
}

function openTab(name) {
  state.tab = name;
  at("tabs").querySelectorAll("button").forEach((tab) => {
    at(tab.getAttribute("aria-controls")).hidden = tab.id !== `tab-${name}`;
    tab.setAttribute("aria-selected", String(tab.id === `tab-${name}`));
    tab.setAttribute("tabindex", tab.id === `tab-${name}` ? "0" : "-1");
  });
  return draw();
}

function makeTabs(names) {
  const tabs = names.map((name) => el("button", {
    type: "button", id: `tab-${name}`, role: "tab", "aria-selected": String(name === state.tab), "aria-controls": `panel-${name}`, onclick: () => openTab(name),
  }, t(name)));
  at("tabs").replaceChildren(...tabs);
  arrowKeys(at("tabs"), tabs, names.indexOf(state.tab), (i) => openTab(names[i]));
}

function fail(error) {
  at("status").textContent = t("error", error.message);
  at("status").classList.add("wrong");
}

/** doc: null where there is nothing to look at. */
function show(doc, other) {
  at("status").textContent = "";
  at("status").classList.remove("wrong");
  const same = doc && doc.source.text === state.document?.source.text;
  if (doc && state.document === null) restore(doc);
  else if (!same) state.token = null;
  state.document = doc;
  state.other = other ?? null;
  return draw();
}

/** The first look is that of the address, as far as this document has it. */
function restore(doc) {
  const { tab, part, layer, head, word } = readAddress();
  if (at(`tab-${tab}`)) openTab(tab);
  if (!(part in doc.parts) || !/^\d+$/.test(word ?? "")) return;
  const number = (text, other) => (text === other ? other : Math.max(0, Math.trunc(Number(text)) || 0));
  Object.assign(state.choice, { part, layer: number(layer, "rollout"), head: number(head, "mean") });
  state.token = Number(word);
}

/** What a word of the translation looked at: from the translator, as wordAt takes it. */
async function lookAt(wanted) {
  const doc = state.document;
  const word = wordAt(wordsOf(doc, "cross").rows, wanted);
  const there = state.choice.part === "cross";
  if (state.tab !== "attention") openTab("attention");
  await change({ part: "cross", words: true, layer: there ? state.choice.layer : doc.parts.cross.layers - 1, head: there ? state.choice.head : "mean" },
    tokenOf(doc, "cross", true, word));
  at("view").scrollIntoView({ block: "nearest" });
}

async function openPicture(file) {
  await openTab("picture");
  views.picture.open(file);
}

/** All fixed texts again, in the language chosen. */
function translatePage() {
  document.querySelectorAll("[data-text]").forEach((element) => { element.textContent = t(element.dataset.text); });
  document.querySelectorAll("[data-label]").forEach((element) => element.setAttribute("aria-label", t(element.dataset.label)));
  at("language").textContent = nextLanguage().name;
  at("language").lang = nextLanguage().code;
  at("theme").textContent = t(themeName() === "dark" ? "theme_light" : "theme_dark");
  sentence.draw();
  makePanels();
  return draw();
}

async function start() {
  setLanguage(navigator.language);
  state.source = await openSource();
  const view = state.source.live ? translatorView : sentenceView;
  sentence = view(at("sentence"), state.source, { show, lookAt, picture: openPicture, fail });
  at("language").onclick = () => {
    setLanguage(nextLanguage().key);
    translatePage();
  };
  at("theme").onclick = () => {
    setTheme(themeName() === "dark" ? "light" : "dark");
    translatePage();
  };
  onTheme(translatePage);
  onWidth(at("panels"), (_, first) => { if (state.document && !first) draw(); });
  await translatePage();
  await sentence.start();
}

start().catch(fail);
