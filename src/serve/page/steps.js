// steps.js: the computation of one word in one head, from its embedding to what the layer gives, as the
// article's steps. Every number opens in the trace beside it.
import { arrowKeys, el, setAttribute } from "./dom.js";
import { tokensOf } from "./attention.js";
import { openLayer, openMatrices } from "./layer.js";
import { decimal, exact } from "./numbers.js";
import { headColor } from "./palette.js";
import { strip } from "./strip.js";
import { traceView } from "./trace.js";
import { t } from "./strings.js";

const FIRST = 24; // rows of the table of scores before one asks for more

/** panel: where a number is traced. change(choice, token): the user, or a trace, went to another layer, head or word. */
export function stepsView(host, panel, source, change) {
  const column = el("div", { class: "steps" });
  const body = el("div", {});
  host.replaceChildren(column);
  let document = null;
  let picker = null; // {of, group, buttons}: the pieces of the sentence, which stay as one goes through them
  const opened = new Map(); // "part layer" -> promise of numbers, of the document shown

  async function read(part, layer) {
    const [numbers, matrices] = await Promise.all([source.layer(document, part, layer), source.matrices(document, part, layer)]);
    return {
      layer: openLayer(numbers), matrices: openMatrices(matrices),
      labels: { queries: tokensOf(document, part, "queries"), keys: tokensOf(document, part, "keys") },
    };
  }

  function load(part, layer) {
    const key = `${part} ${layer}`;
    if (!opened.has(key)) opened.set(key, read(part, layer));
    return opened.get(key);
  }

  const trace = traceView(panel, load, (part, layer) => change({ part, layer }, null));
  let traced = ""; // what the trace belongs to

  async function draw(doc, choice, token) {
    if (doc !== document) {
      document = doc;
      opened.clear();
      trace.clear();
    }
    if (choice.layer === "rollout" || choice.head === "mean") return say(t("choose_head"));
    const numbers = await source.layer(doc, choice.part, choice.layer);
    if (numbers === null) return say(t("no_steps"));
    const { layer, labels } = await load(choice.part, choice.layer);
    if (doc !== document) return; // another sentence came meanwhile
    const q = Math.min(token, layer.queries - 1);
    const h = choice.head;
    const open = (at) => trace.open(choice.part, choice.layer, { q, h, ...at });
    mark(labels.queries, q);
    body.replaceChildren(...sections(layer, labels, q, h, open));
    const now = `${q}`;
    if (traced !== now) trace.clear();
    traced = now;
    panel.hidden = false;
  }

  function say(text) {
    picker = null;
    column.replaceChildren(el("p", { class: "says" }, text));
  }

  /** The pieces of the sentence; the steps are of piece q. */
  function mark(pieces, q) {
    if (picker?.of !== pieces) {
      const buttons = pieces.map((piece, i) => el("button", { type: "button", class: "chip", role: "radio", onclick: () => change({}, i) }, piece));
      picker = { of: pieces, buttons, group: el("div", { class: "chips", role: "radiogroup", "aria-label": t("steps_for", "") }, ...buttons) };
      column.replaceChildren(picker.group, body);
    }
    picker.buttons.forEach((button, i) => setAttribute(button, "aria-checked", String(i === q)));
    arrowKeys(picker.group, picker.buttons, q, (i) => change({}, i));
  }

  function section(number, title, formula, says, ...content) {
    return el("section", { class: "step" }, el("h2", {}, el("span", { class: "step-number" }, `${number}`), title),
      el("p", { class: "formula" }, formula), el("p", { class: "says" }, says), ...content);
  }

  function sections(layer, labels, q, h, open) {
    const { channels, head_size: size, heads } = layer;
    const row = (name, kind, options) => strip(t(name), layer.row(kind, q), (c) => open({ kind, c }), options);
    const mark = { mark: [h * size, (h + 1) * size] };
    return [
      section(1, t("s_embed"), t("s_embed_f"), t("s_embed_says", channels), row("table", "table"), row("position", "position"), row("embedding", "embedding")),
      section(2, t("s_input"), t(layer.norm_last ? "s_input_f_post" : "s_input_f_pre"), t("s_input_says"), row("residual", "residual"), row("input", "input")),
      section(3, t("s_project"), t("s_project_f"), t("s_project_says", size), strip(t("query"), layer.query(h, q), (d) => open({ kind: "query", d }))),
      section(4, t("s_score"), t(layer.biased ? "s_score_f_b" : "s_score_f", size, decimal(layer.root, 2)), `${t("s_score_says")} ${t("trace_hint")}`, scoreTable(layer, labels, q, h, open)),
      section(5, t("s_sum"), t("s_sum_f"), t("s_sum_says", h + 1, size), strip(t("output"), layer.output(h, q), (d) => open({ kind: "output", d }))),
      section(6, t("s_join"), t("s_join_f", heads), t("s_join_says"), row("joined", "joined", mark), row("projected", "projected"), norms(layer, q, h)),
      section(7, t("s_add"), t(layer.norm_last ? "s_add_f_post" : "s_add_f_pre"), t("s_add_says"), row("result", "result")),
    ];
  }

  function scoreTable(layer, labels, q, h, open) {
    const weights = layer.weights("weights", h, q);
    const most = Math.max(...weights);
    const order = Array.from({ length: layer.visible(q) }, (_, k) => k);
    const heavy = new Set([...order].sort((a, b) => weights[b] - weights[a]).slice(0, FIRST));
    const body = el("tbody");
    const more = el("button", { type: "button", hidden: order.length <= FIRST, onclick: () => fill(order) }, t("show_all", order.length));
    const number = (k, name, kind, digits) => {
      const value = layer.weights(name, h, q)[k];
      return el("td", {}, el("button", { type: "button", class: "number", title: exact(value), "data-value": exact(value), "data-kind": kind, onclick: () => open({ kind, k }) }, decimal(value, digits)));
    };
    const scoreRow = (k) => {
      const bar = el("i", { class: "bar high" });
      bar.style.width = `${100 * weights[k]}%`;
      const cell = number(k, "weights", "weight", 4);
      cell.className = "weight";
      cell.prepend(bar);
      return el("tr", { class: weights[k] === most ? "chosen" : null }, el("th", { scope: "row" }, labels.keys[k]),
        el("td", { class: "tiny" }, strip(`${t("key_v")}, ${labels.keys[k]}`, layer.key(h, k), (d) => open({ kind: "key", k, d }), { tiny: true })),
        number(k, "scores", "score", 3), number(k, "scaled", "scaled", 3), number(k, "exps", "exp", 4), cell,
        el("td", { class: "tiny" }, strip(`${t("value")}, ${labels.keys[k]}`, layer.value(h, k), (d) => open({ kind: "value", k, d }), { tiny: true })));
    };
    const fill = (list) => {
      body.replaceChildren(...list.map(scoreRow));
      more.hidden = list.length === order.length;
    };
    fill(order.filter((k) => heavy.has(k)));
    const names = [t("piece"), t("key_v"), t("score"), t(layer.biased ? "scaled_b" : "scaled", layer.head_size), t("exp"), t("weight"), t("value")];
    return el("div", {}, el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": t("s_score") }, el("table", { class: "numbers scores" },
      el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, name)))), body)),
    more, layer.causal && q + 1 < layer.keys ? el("p", { class: "says small" }, t("masked")) : "");
  }

  function norms(layer, q, h) {
    const values = layer.headNorms(q);
    const largest = Math.max(...values);
    return el("table", { class: "numbers norms" }, el("caption", {}, t("head_norms")), el("tbody", {}, ...Array.from(values, (value, i) => {
      const bar = el("i", { class: "bar" });
      bar.style.width = `${(100 * value) / largest}%`;
      bar.style.background = headColor(i);
      return el("tr", { class: i === h ? "chosen" : null }, el("th", { scope: "row" }, `${t("head")} ${i + 1}`), el("td", { class: "weight" }, bar, el("span", { title: exact(value) }, decimal(value, 3))));
    })));
  }

  return { draw };
}
