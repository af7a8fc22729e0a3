// translator.js: a text, its translation as it appears, the languages and the model; and the way from a word of the
// translation to what it looked at.
import { readAddress, writeAddress } from "./address.js";
import { arrowKeys, el, languageTag, save } from "./dom.js";
import { lostText, placesOf, wordsIn } from "./places.js";
import { t } from "./strings.js";

const EXAMPLES = ["The animal didn't cross the street because it was too tired.", "The animal didn't cross the street because it was too wide."];
const PAUSE = 700; // milliseconds without a key before what was typed is translated
const MOST_WORDS = 600; // of a translation, that can be clicked
const LONGEST = 2000; // of a text that goes into the address
const READ_HERE = /\.(txt|text|md|csv|srt|vtt|html?)$/i; // files whose text can go into the field

/** on: {show(document) of what is looked at now, or null; lookAt({text, share}) of a word of its translation and its place; picture(file); fail(error)}. */
export function translatorView(host, source, on) {
  const first = readAddress();
  const state = {
    from: source.models[0]?.source ?? "auto", to: source.models[0]?.target ?? "", model: null, checkpoint: 0,
    text: first.text ?? EXAMPLES[0], translation: "", detected: null, answered: null,
    sentences: [], places: null, number: 0, chosen: null,
    startAt: Number(first.sentence) || 0, // the sentence to look at first
  };
  let asked = 0; // the number of the latest question: answers to earlier ones are dropped
  let pause = 0;
  let leaving = null; // an AbortController of the question under way
  let parts = {}; // the elements that are written to

  if (first.from) state.from = first.from;
  if (first.to) state.to = first.to;

  /* ---- languages and models ---- */

  const unique = (list) => list.filter((one, i) => list.findIndex(({ code }) => code === one.code) === i);
  const serves = (from, to) => from !== to && source.languages.some(({ code, targets: reached }) => code === from && reached.includes(to));
  const sources = () => unique(source.models.map((m) => ({ code: m.source, name: m.source_name })));
  const direct = () => unique(source.models.filter((m) => state.from === "auto" || m.source === state.from)
    .map((m) => ({ code: m.target, name: m.target_name })));
  /** Those of one model first, then those through a third language. */
  const targets = () => unique([...direct(), ...source.languages.filter(({ code }) =>
    source.languages.some((one) => (state.from === "auto" || one.code === state.from) && serves(one.code, code)))]);
  const fitting = () => source.models.filter((m) => m.target === state.to && m.source === spoken());
  const current = () => fitting().find((m) => m.model === state.model) ?? fitting()[0];
  const spoken = () => (state.from === "auto" ? state.detected : state.from);
  const nameOf = (code) => [...sources(), ...targets()].find((one) => one.code === code)?.name ?? code;

  function fitLanguages() {
    if (state.from !== "auto" && !sources().some(({ code }) => code === state.from)) state.from = sources()[0]?.code ?? "auto";
    if (!targets().some(({ code }) => code === state.to)) state.to = targets()[0]?.code ?? "";
  }

  const request = (q) => (current() ? { model: current().model, checkpoint: state.checkpoint, q } : { source: spoken(), target: state.to, q });

  /** A document of another sentence, by the same model. */
  const documentOf = (q) => source.document(request(q));

  /* ---- translating ---- */

  function stop() {
    clearTimeout(pause);
    leaving?.abort();
    leaving = null;
    return ++asked;
  }

  async function findModel(signal) {
    if (state.from === "auto") {
      state.detected = await source.detect(state.text, signal);
      if (!state.detected) throw new Error(t("not_detected"));
      parts.detected.textContent = t("detected", nameOf(state.detected));
    }
    if (!current() && !serves(spoken(), state.to)) throw new Error(t("not_served", nameOf(spoken()), nameOf(state.to)));
  }

  function problem() {
    if (state.text.trim() === "") return t("empty");
    return lengthOf(state.text) > source.characterLimit ? t("too_long", source.characterLimit) : null;
  }

  /** Of the sentence that the address names, or the first. */
  async function firstDocument(wanted, signal) {
    let doc = await source.document(wanted, signal);
    if (state.startAt > 0 && state.startAt < doc.sentences.length) {
      state.number = state.startAt;
      doc = await source.document({ ...wanted, sentence: state.number }, signal);
    }
    state.startAt = 0;
    return doc;
  }

  async function translate() {
    const mine = stop();
    const wrong = problem();
    forget();
    parts.says.textContent = wrong ?? "";
    if (wrong) {
      writeAddress({ text: "" });
      await on.show(null);
      return;
    }
    const { signal } = leaving = new AbortController();
    parts.output.setAttribute("aria-busy", "true");
    try {
      await findModel(signal);
      const wanted = request(state.text);
      const whole = state.checkpoint > 0 ? null
        : await source.translate(wanted, (sofar) => { if (mine === asked) parts.output.textContent = sofar; }, signal);
      const doc = current() ? await firstDocument(wanted, signal) : null;
      if (mine !== asked) return;
      state.translation = whole ?? doc.target.text;
      state.answered = wanted;
      state.sentences = doc?.sentences ?? [];
      writeAddress({ from: state.from, to: state.to, text: state.text.length <= LONGEST ? state.text : null, sentence: state.number || null });
      drawTranslation();
      await on.show(state.sentences.length > 0 ? doc : null);
      if (state.sentences.length === 0) parts.says.textContent = t(doc ? "nothing_translated" : "two_models");
    } catch (error) {
      if (mine === asked) on.fail(error);
    } finally {
      if (mine === asked) parts.output.setAttribute("aria-busy", "false");
    }
  }

  /** Nothing of the last translation holds any longer. */
  function forget() {
    Object.assign(state, { translation: "", answered: null, sentences: [], places: null, number: 0, chosen: null });
    parts.output.replaceChildren();
    parts.ways.replaceChildren();
    parts.picker.replaceChildren();
  }

  function typed(text) {
    state.text = text;
    count();
    stop();
    pause = setTimeout(translate, PAUSE);
  }

  /** Text from elsewhere: an example, a file. */
  function take(text) {
    state.text = text;
    parts.field.value = text;
    count();
    return translate();
  }

  function count() {
    const length = lengthOf(state.text);
    parts.counter.textContent = t("counter", length, source.characterLimit);
    parts.field.setAttribute("aria-invalid", String(length > source.characterLimit));
  }

  /* ---- from a word to its attention ---- */

  /** Another sentence of the text: each was translated, and is looked at, on its own. */
  async function look(number, word) {
    const mine = ++asked;
    try {
      const doc = await source.document({ ...state.answered, sentence: number });
      if (mine !== asked) return;
      state.number = number;
      parts.picker.replaceChildren(sentencePicker());
      writeAddress({ sentence: number || null });
      await on.show(doc);
      if (word) on.lookAt(word);
    } catch (error) {
      if (mine === asked) on.fail(error);
    }
  }

  /** Where each sentence stands in the translation, and other translations of it; asked for once. */
  async function findPlaces() {
    if (!state.places) {
      const made = await source.alternatives(state.answered, state.sentences);
      state.places = placesOf(state.translation, made);
    }
    return state.places;
  }

  async function openWord(word, i) {
    state.chosen = i;
    parts.words.forEach((one, k) => one.setAttribute("aria-pressed", String(k === i)));
    try {
      const answered = state.answered;
      const places = await findPlaces();
      if (answered !== state.answered) return;
      const number = Math.max(0, places.findIndex((one) => word.start < one.end));
      drawWays(places[number], number);
      await look(number, { text: word.text, share: (word.start - places[number].start) / Math.max(1, places[number].end - places[number].start) });
    } catch (error) {
      on.fail(error);
    }
  }

  function drawWays(place, number) {
    const choose = (text) => {
      const old = place.end - place.start;
      state.translation = state.translation.slice(0, place.start) + text + state.translation.slice(place.end);
      state.places.slice(number).forEach((one, k) => {
        if (k > 0) one.start += text.length - old;
        one.end += text.length - old;
      });
      place.text = text;
      drawTranslation();
      drawWays(place, number);
    };
    parts.ways.replaceChildren(el("h2", {}, t("other_ways")), place.ways.length < 2 ? el("p", { class: "says" }, t("no_other_ways"))
      : el("ul", { class: "ways" }, ...place.ways.map((text) => el("li", {}, el("button", { type: "button", lang: languageTag(state.to),
        "aria-pressed": String(text === place.text), onclick: () => choose(text) }, text)))));
  }

  function drawTranslation() {
    const pieces = wordsIn(state.translation);
    const clickable = state.answered?.checkpoint === 0 && state.sentences.length > 0 && pieces.filter((one) => one.word).length <= MOST_WORDS;
    const words = [];
    parts.output.replaceChildren(...pieces.map((piece) => {
      if (!piece.word || !clickable) return piece.text;
      const i = words.length;
      words.push(el("span", { class: "said", role: "button", "aria-pressed": String(i === state.chosen), onclick: () => openWord(piece, i),
        onkeydown: (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          openWord(piece, i);
        } }, piece.text));
      return words[i];
    }));
    parts.words = words;
    if (words.length > 0) arrowKeys(parts.output, words, state.chosen ?? 0, () => {});
    parts.picker.replaceChildren(sentencePicker());
    parts.hint.hidden = words.length === 0;
    parts.tools.hidden = state.translation === "";
  }

  function sentencePicker() {
    if (state.sentences.length < 2) return "";
    const select = el("select", { id: "which", onchange: () => look(Number(select.value)) },
      ...state.sentences.map((one, i) => el("option", { value: String(i), selected: i === state.number }, `${i + 1}. ${one}`)));
    return el("p", { class: "line" }, el("label", { for: "which" }, t("which_sentence")), select);
  }

  /* ---- files ---- */

  async function openFile(file) {
    const mine = stop();
    try {
      if (file.type.startsWith("image/") && source.pictures) on.picture(file);
      else if (source.takesFile(file.name)) await translateFile(file, mine);
      else if (file.type.startsWith("text/") || READ_HERE.test(file.name)) {
        const text = await file.text();
        if (lostText(text)) throw new Error(unknown(file));
        await take(text);
      } else throw new Error(unknown(file));
    } catch (error) {
      on.fail(error);
    }
  }

  const unknown = (file) => t("file_unknown", file.name, source.fileKinds.join(" ") || t("no_files"));

  async function translateFile(file, mine) {
    parts.file.replaceChildren(t("file_working", file.name));
    try {
      const link = await source.translateFile(file, state.from, state.to);
      if (mine === asked) parts.file.replaceChildren(el("a", { href: link, download: file.name }, t("file_ready", file.name)));
    } catch (error) {
      parts.file.replaceChildren();
      throw error;
    }
  }

  /* ---- the frame ---- */

  function languageSelect(id, label, list, value, changed) {
    const select = el("select", { id, onchange: () => changed(select.value) },
      ...list.map(({ code, name }) => el("option", { value: code, selected: code === value }, name)));
    return [el("span", { class: "field" }, el("label", { for: id }, t(label)), select)];
  }

  /** Whatever was chosen by the element with this id is in force; it is another element afterwards. */
  function chosenBy(id) {
    fitLanguages();
    draw();
    host.querySelector(id)?.focus();
    return translate();
  }

  function swap() {
    const from = spoken();
    if (!from || !sources().some(({ code }) => code === state.to)) return undefined;
    Object.assign(state, { from: state.to, to: from, text: state.translation || state.text, model: null, checkpoint: 0 });
    return chosenBy("#swap");
  }

  function languages() {
    const back = state.from === "auto" || serves(state.to, state.from);
    return el("div", { class: "line" },
      ...languageSelect("from", "from", [{ code: "auto", name: t("detect") }, ...sources()], state.from, (code) => {
        Object.assign(state, { from: code, model: null, checkpoint: 0 });
        chosenBy("#from");
      }), el("button", { type: "button", id: "swap", "aria-label": t("swap"), title: t("swap"), disabled: !back, onclick: swap }, "\u21c4"),
      ...languageSelect("to", "to", targets(), state.to, (code) => {
        Object.assign(state, { to: code, model: null, checkpoint: 0 });
        chosenBy("#to");
      }), parts.detected, ...modelPicker(), ...checkpointSlider());
  }

  /** Of two models of the same name in two folders the second says so. */
  function modelLabel({ model, name }) {
    const before = source.models.filter((m) => m.name === name && m.model < model).length;
    return `${name}${before > 0 ? ` (${before + 1})` : ""}`;
  }

  function modelPicker() {
    const list = fitting();
    if (list.length < 2) return [];
    const select = el("select", { id: "model", onchange: () => {
      Object.assign(state, { model: Number(select.value), checkpoint: 0 });
      chosenBy("#model");
    } }, ...list.map((m) => el("option", { value: String(m.model), selected: m === current() }, modelLabel(m))));
    return [el("label", { for: "model" }, t("model")), select];
  }

  /** A slider over what the training left beside the model; its right end is the model itself. */
  function checkpointSlider() {
    const list = current()?.checkpoints ?? [];
    if (list.length === 0) return [];
    const place = state.checkpoint === 0 ? list.length : list.indexOf(state.checkpoint);
    const says = (i) => (i === list.length ? t("checkpoint_end") : t("checkpoint_at", list[i], list.at(-1)));
    const value = el("output", { for: "checkpoint" }, says(place));
    const slider = el("input", { type: "range", id: "checkpoint", min: "0", max: String(list.length), step: "1", value: String(place),
      "aria-valuetext": says(place), oninput: () => {
        const i = Number(slider.value);
        value.textContent = says(i);
        slider.setAttribute("aria-valuetext", says(i));
        state.checkpoint = i === list.length ? 0 : list[i];
        translate();
      } });
    return [el("label", { for: "checkpoint" }, t("checkpoint")), slider, value];
  }

  function keyField() {
    if (!source.needsKey) return [];
    const secret = el("input", { type: "password", id: "key", value: source.key, autocomplete: "off", oninput: () => { source.key = secret.value; },
      onkeydown: (event) => { if (event.key === "Enter") translate(); } });
    return [el("p", { class: "line" }, el("label", { for: "key" }, t("key")), secret)];
  }

  function sourcePane() {
    parts.field = el("textarea", { id: "source", rows: "7", spellcheck: "false", placeholder: t("placeholder"), "aria-label": t("source_text"),
      "aria-describedby": "counter", oninput: () => typed(parts.field.value), onkeydown: (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
        event.preventDefault();
        translate();
      } });
    parts.field.value = state.text;
    parts.counter = el("span", { id: "counter", class: "says" });
    const chosen = el("input", { type: "file", id: "file", class: "unseen", onchange: () => {
      if (chosen.files[0]) openFile(chosen.files[0]);
      chosen.value = ""; // the same may be chosen again
    } });
    const examples = EXAMPLES.map((example, i) => el("button", { type: "button", class: "example", lang: "en", onclick: () => take(example) },
      t(i === 0 ? "example_tired" : "example_wide")));
    const pane = el("div", { class: "pane" }, parts.field, el("div", { class: "line" },
      el("button", { type: "button", class: "primary", onclick: () => translate() }, t("translate")),
      el("button", { type: "button", onclick: () => { take(""); parts.field.focus(); } }, t("clear")),
      chosen, el("label", { for: "file", class: "button" }, t("file_label")),
      el("span", { class: "examples", role: "group", "aria-label": t("examples") }, ...examples), parts.counter));
    pane.ondragover = (event) => event.preventDefault();
    pane.ondrop = (event) => {
      if (!event.dataTransfer.files[0]) return;
      event.preventDefault();
      openFile(event.dataTransfer.files[0]);
    };
    return pane;
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(state.translation);
    } catch { // an address without TLS has no clipboard: what is selected can be copied all the same
      getSelection().selectAllChildren(parts.output);
      if (!document.execCommand("copy")) return;
    }
    button.textContent = t("copied");
    setTimeout(() => { button.textContent = t("copy"); }, 1500);
  }

  function targetPane() {
    parts.output = el("div", { class: "translation", role: "group", "aria-label": t("translation"), "aria-live": "polite", "aria-busy": "false", lang: languageTag(state.to) });
    parts.says = el("p", { class: "says", role: "status" });
    parts.file = el("p", { role: "status" });
    const copying = el("button", { type: "button", onclick: () => copy(copying) }, t("copy"));
    parts.tools = el("div", { class: "line" }, copying,
      el("button", { type: "button", onclick: () => save("translation.txt", "text/plain", `${state.translation}\n`) }, t("save")));
    parts.hint = el("p", { class: "says small" }, t("click_a_word"));
    return el("div", { class: "pane" }, parts.output, parts.says, parts.file, parts.tools, parts.hint, parts.ways);
  }

  function draw() {
    parts = { words: [], picker: el("div", {}), ways: el("div", { "aria-live": "polite" }),
      detected: el("span", { class: "says" }, state.from === "auto" && state.detected ? t("detected", nameOf(state.detected)) : "") };
    const panes = el("div", { class: "panes" }, sourcePane(), targetPane());
    host.replaceChildren(languages(), ...keyField(), panes, parts.picker);
    count();
    drawTranslation();
    if (state.places && state.chosen !== null) drawWays(state.places[state.number], state.number);
  }

  async function start() {
    if (source.models.length > 0 && (!source.needsKey || source.key)) await translate();
  }

  fitLanguages();
  return { draw, start, documentOf };
}

/** As the server counts: characters, not units of UTF-16. */
function lengthOf(text) {
  return [...text].length;
}
