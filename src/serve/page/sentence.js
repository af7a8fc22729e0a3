// sentence.js: the sentence, its translation as it appears, the model and its checkpoint.
import { el } from "./dom.js";
import { t } from "./strings.js";

const EXAMPLES = ["The animal didn't cross the street because it was too tired.", "The animal didn't cross the street because it was too wide."];

/** show(document, other): there is another document; other: one to compare with. */
export function sentenceView(host, source, show, fail) {
  const live = source.live;
  let text = live ? EXAMPLES[0] : source.documents[0].source.text;
  let translation = live ? "" : source.documents[0].target.text;
  let model = live ? source.models[0]?.model ?? 0 : 0;
  let checkpoint = 0;
  let asked = 0; // the number of the latest question: answers to earlier ones are dropped
  let output = null;
  let sentences = []; // of the text that was translated
  let number = 0; // of the one that is looked at
  const picker = el("div", {});

  const request = (q) => ({ model, checkpoint, q });

  /** A document of another sentence, by the same model. */
  const documentOf = (q) => source.document(request(q));

  async function translate() {
    const mine = ++asked;
    output.textContent = "";
    output.setAttribute("aria-busy", "true");
    try {
      const wanted = request(text);
      let whole = null;
      if (checkpoint === 0) {
        whole = await source.translate(wanted, (sofar) => { if (mine === asked) output.textContent = sofar; });
      }
      const doc = await source.document(wanted);
      if (mine !== asked) return;
      if (doc.sentences.length === 0) throw new Error(t("nothing_translated"));
      translation = whole ?? doc.target.text;
      output.textContent = translation;
      sentences = doc.sentences;
      number = 0;
      picker.replaceChildren(sentencePicker());
      await show(doc);
    } catch (error) {
      if (mine === asked) fail(error);
    } finally {
      output.setAttribute("aria-busy", "false");
    }
  }

  /** Another sentence of the text: each was translated, and is looked at, on its own. */
  async function look(i) {
    const mine = ++asked;
    try {
      const doc = await source.document({ ...request(text), sentence: i });
      if (mine !== asked) return;
      number = i;
      await show(doc);
    } catch (error) {
      if (mine === asked) fail(error);
    }
  }

  function sentencePicker() {
    if (!live || sentences.length < 2) return "";
    const select = el("select", { id: "which", onchange: () => look(Number(select.value)) },
      ...sentences.map((one, i) => el("option", { value: String(i), selected: i === number }, `${i + 1}. ${one}`)));
    return el("p", { class: "line" }, el("label", { for: "which" }, t("which_sentence")), select);
  }

  /** Languages and name; of two models of the same name in two folders the second says so. */
  function modelLabel({ model, name, source_name, target_name }) {
    const before = source.models.filter((m) => m.name === name && m.model < model).length;
    return `${source_name} \u2192 ${target_name}, ${name}${before > 0 ? ` (${before + 1})` : ""}`;
  }

  function modelPicker() {
    if (!live || source.models.length < 2) return "";
    const select = el("select", { id: "model", onchange: () => {
      model = Number(select.value);
      checkpoint = 0;
      draw();
      host.querySelector("#model").focus(); // the one chosen from is another element now
      translate();
    } }, ...source.models.map((m) => el("option", { value: String(m.model), selected: m.model === model }, modelLabel(m))));
    return el("p", { class: "line" }, el("label", { for: "model" }, t("model")), select);
  }

  /** A slider over what the training left beside the model; its right end is the model itself. */
  function checkpointSlider() {
    const list = live ? source.models.find((m) => m.model === model)?.checkpoints ?? [] : [];
    if (list.length === 0) return "";
    const place = checkpoint === 0 ? list.length : list.indexOf(checkpoint);
    const says = (i) => (i === list.length ? t("checkpoint_end") : t("checkpoint_at", list[i], list.at(-1)));
    const value = el("output", { for: "checkpoint" }, says(place));
    const slider = el("input", { type: "range", id: "checkpoint", min: "0", max: String(list.length), step: "1", value: String(place),
      "aria-valuetext": says(place), oninput: () => {
        const i = Number(slider.value);
        value.textContent = says(i);
        slider.setAttribute("aria-valuetext", says(i));
        checkpoint = i === list.length ? 0 : list[i];
        translate();
      } });
    return el("p", { class: "line" }, el("label", { for: "checkpoint" }, t("checkpoint")), slider, value);
  }

  function form() {
    const input = el("input", { type: "text", id: "source", value: text, autocomplete: "off", spellcheck: "false", oninput: () => { text = input.value; } });
    const examples = EXAMPLES.map((example, i) => el("button", { type: "button", class: "example", onclick: () => {
      text = example;
      input.value = example;
      translate();
    } }, t(i === 0 ? "example_tired" : "example_wide")));
    const secret = el("input", { type: "password", id: "key", value: source.key, autocomplete: "off", oninput: () => { source.key = secret.value; } });
    return el("form", { class: "line", onsubmit: (event) => {
      event.preventDefault();
      translate();
    } }, el("label", { for: "source" }, t("type")), input,
    source.needsKey ? el("label", { for: "key" }, t("key")) : "", source.needsKey ? secret : "",
    el("button", { type: "submit", class: "primary" }, t("translate")), el("span", { class: "examples", role: "group", "aria-label": t("examples") }, ...examples));
  }

  function draw() {
    output = el("p", { class: "translation", "aria-live": "polite" }, translation);
    const given = live ? form() : el("p", { class: "given" }, text);
    picker.replaceChildren(sentencePicker());
    host.replaceChildren(given, output, picker, modelPicker(), checkpointSlider());
  }

  async function start() {
    if (!live) await show(source.documents[0], source.documents[1]);
    else if (source.models.length > 0 && (!source.needsKey || source.key)) await translate();
  }

  return { draw, start, documentOf };
}
