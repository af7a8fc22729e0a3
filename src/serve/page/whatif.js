// whatif.js: what a head does: the translation with the chosen head silenced, or made to look at another word.
import { el } from "./dom.js";
import { decimal } from "./numbers.js";
import { t } from "./strings.js";

/** source: that of the page (source.js), live. fail(error): the user should know. */
export function whatIfView(host, source, fail) {
  let drawn = null; // {document, choice, row}
  let asked = 0; // answers to all but the latest are dropped

  async function ask(change) {
    const mine = ++asked;
    const { document, choice } = drawn;
    const head = choice.head === "mean" ? {} : { head: choice.head };
    answer.replaceChildren(el("p", { class: "says" }, t("working")));
    try {
      const made = await source.intervene(document, { part: choice.part, layer: choice.layer, ...head, ...change });
      if (mine === asked) show(made);
    } catch (error) {
      if (mine === asked) answer.replaceChildren();
      fail(error);
    }
  }

  function line(label, made) {
    return el("tr", {}, el("th", { scope: "row" }, t(label)), el("td", {}, made.text),
      el("td", {}, decimal(made.log_probability, 2)), el("td", {}, decimal(made.log_probability_edited, 2)));
  }

  function show(made) {
    answer.replaceChildren(el("table", {}, el("caption", {}, t("whatif_says")),
      el("thead", {}, el("tr", {}, el("td"), el("th", { scope: "col" }, t("translation")), el("th", { scope: "col" }, t("log_p")), el("th", { scope: "col" }, t("log_p_edited")))),
      el("tbody", {}, line("before", made.before), line("after", made.after))),
    made.before.text === made.after.text ? el("p", { class: "says" }, t("stays_the_same")) : "");
  }

  const answer = el("div", { class: "whatif-answer", "aria-live": "polite" });
  const silence = el("button", { type: "button", onclick: () => ask({}) });
  const place = el("select", { id: "whatif-word" });
  const look = el("button", { type: "button", onclick: () => {
    const { rows, columns, row } = drawn;
    const key = columns[Number(place.value)];
    ask({ query: [rows[row].first, rows[row].count], key: [key.first, key.count] });
  } }, t("make_it"));
  const label = el("label", { for: "whatif-word" });
  const forced = el("p", { class: "line" }, label, place, look);
  host.replaceChildren(el("h2", {}, t("whatif")), el("p", { class: "line" }, silence), forced, answer);

  /** words: {rows, columns}, lists of {word, first, count} on both sides. */
  function draw(document, choice, row, words) {
    host.hidden = choice.layer === "rollout";
    if (host.hidden) return;
    const same = drawn && drawn.document === document && drawn.choice.part === choice.part && drawn.choice.layer === choice.layer
      && drawn.choice.head === choice.head && drawn.row === row;
    if (same) return;
    const columns = drawn && drawn.document === document && drawn.choice.part === choice.part ? null : words.columns;
    drawn = { document, choice: { ...choice }, row, ...words };
    asked++;
    answer.replaceChildren();
    silence.textContent = choice.head === "mean" ? t("silence_all", choice.layer + 1) : t("silence", choice.layer + 1, choice.head + 1);
    label.textContent = t("make_look", words.rows[row].word);
    if (columns) place.replaceChildren(...columns.map((word, i) => el("option", { value: String(i) }, word.word)));
  }

  return { draw };
}
