// trace.js: where a number comes from. Each kind of number is one function that gives what it is made of:
// {name, formula, value, products | terms | note, links}; the panel draws that. The products shown are of two
// numbers shown; every other number is the program's.
import { el } from "./dom.js";
import { decimal, exact } from "./numbers.js";
import { t } from "./strings.js";

const FIRST = 16; // products shown before one asks for more

/** What numbers are made of, in one layer: `at` says which, {kind, q, h, k, d, c}. */
function describe(at, layer, matrices, labels) {
  const { q, h, k, d, c } = at;
  const size = layer.head_size;
  const queryWord = labels.queries[q];
  const keyWord = labels.keys[k];
  const projection = (name, label, word, row, x, kind) => ({
    name: `${label}[${d + 1}] \u00b7 ${word}`,
    formula: `${label}[${d + 1}] = \u03a3 W[${d + 1}, c] \u00b7 x[c] + b`,
    heads: ["c", "W", "x"],
    products: Array.from(x, (value, i) => ({ label: `${i + 1}`, a: matrices.matrix(name)[row * layer.channels + i], b: value, to: { ...at, kind, c: i } })),
    bias: matrices.bias(name)[row],
  });
  // Number d of a query or key that its place has turned: of two numbers of what the projection gave.
  const rotated = (kind, name, place, before, value) => {
    const pairs = layer.turned / 2;
    const pair = layer.adjacent ? Math.floor(d / 2) : d % pairs;
    const [a, b] = layer.adjacent ? [2 * pair, 2 * pair + 1] : [pair, pairs + pair];
    const turns = layer.turns(place);
    return {
      name, formula: d === a ? "a \u00b7 cos \u2212 b \u00b7 sin" : "b \u00b7 cos + a \u00b7 sin", value, note: t("t_turned"),
      terms: [["a", before[a], { ...at, kind, d: a }], ["b", before[b], { ...at, kind, d: b }], ["cos", turns[pair]], ["sin", turns[pairs + pair]]],
    };
  };
  const normed = (name, x, xTo) => ({
    name,
    formula: "(a \u2212 mean) / deviation \u00b7 \u03b3 + \u03b2",
    terms: [["a", x, xTo], ["mean", layer.array("mean")[q]], ["deviation", layer.array("deviation")[q]],
      ["\u03b3", matrices.gamma()[c]], ["\u03b2", matrices.beta()[c]]],
  });
  switch (at.kind) {
    case "score": return {
      name: `q \u00b7 k, ${queryWord} \u00b7 ${keyWord}`, formula: "s = \u03a3 q[d] \u00b7 k[d]", value: layer.weights("scores", h, q)[k],
      heads: ["d", "q", "k"],
      products: Array.from(layer.query(h, q), (value, i) => ({ label: `${i + 1}`, a: value, b: layer.key(h, k)[i],
        aTo: { ...at, kind: "query", d: i }, to: { ...at, kind: "key", d: i } })),
    };
    case "scaled": return {
      name: `${t(layer.biased ? "scaled_b" : "scaled", size)}, ${keyWord}`, value: layer.weights("scaled", h, q)[k],
      formula: layer.biased ? `s / \u221a${size} + b = s / ${decimal(layer.root, 2)} + b` : `s / \u221a${size} = s / ${decimal(layer.root, 2)}`,
      terms: [["s", layer.weights("scores", h, q)[k], { ...at, kind: "score" }], [`\u221a${size}`, layer.root],
        ...(layer.biased ? [["b", layer.weights("distance_bias", h, q)[k], { ...at, kind: "bias" }]] : [])],
    };
    case "bias": return { name: `b, ${keyWord}`, formula: "", value: layer.weights("distance_bias", h, q)[k], note: t("t_bias", k - q) };
    case "exp": {
      const scaled = layer.weights("scaled", h, q).subarray(0, layer.visible(q));
      const largest = scaled.indexOf(Math.max(...scaled));
      const score = layer.biased ? "s/\u221ad + b" : "s/\u221ad";
      return {
        name: `${t("exp")}, ${keyWord}`, formula: `e^(${score} \u2212 m)`, value: layer.weights("exps", h, q)[k],
        terms: [[score, scaled[k], { ...at, kind: "scaled" }], [`m, ${t("t_largest")}: ${labels.keys[largest]}`, scaled[largest], { ...at, kind: "scaled", k: largest }]],
      };
    }
    case "weight": return {
      name: `${t("weight")}, ${keyWord}`, formula: "e^(\u2026) / \u03a3 e^(\u2026)", value: layer.weights("weights", h, q)[k],
      terms: Array.from(layer.weights("exps", h, q).subarray(0, layer.visible(q)), (value, i) =>
        [labels.keys[i], value, { ...at, kind: "exp", k: i }, i === k]),
    };
    case "query":
      if (d < layer.turned) return rotated("query_before", `q[${d + 1}] \u00b7 ${queryWord}`, q, layer.queryBefore(h, q), layer.query(h, q)[d]);
      return { ...projection("query", "q", queryWord, h * size + d, layer.row("input", q), "input"), value: layer.query(h, q)[d] };
    case "query_before": return { ...projection("query", "q\u2080", queryWord, h * size + d, layer.row("input", q), "input"), value: layer.queryBefore(h, q)[d] };
    case "key_before": return { ...projection("key", "k\u2080", keyWord, layer.group(h) * size + d, layer.row("memory", k), "memory"), value: layer.keyBefore(h, k)[d] };
    case "key":
      if (d < layer.turned) return rotated("key_before", `k[${d + 1}] \u00b7 ${keyWord}`, k, layer.keyBefore(h, k), layer.key(h, k)[d]);
      return { ...projection("key", "k", keyWord, layer.group(h) * size + d, layer.row("memory", k), "memory"), value: layer.key(h, k)[d] };
    case "value": return { ...projection("value", "v", keyWord, layer.group(h) * size + d, layer.row("memory", k), "memory"), value: layer.value(h, k)[d] };
    case "output": return {
      name: `${t("output")}[${d + 1}]`, formula: `output[${d + 1}] = \u03a3 weight \u00b7 v[${d + 1}]`, value: layer.output(h, q)[d],
      heads: [t("piece"), t("weight"), `v[${d + 1}]`],
      products: Array.from(layer.weights("weights", h, q).subarray(0, layer.visible(q)), (value, i) => ({ label: labels.keys[i], a: value,
        b: layer.value(h, i)[d], aTo: { ...at, kind: "weight", k: i }, to: { ...at, kind: "value", k: i } })),
    };
    case "joined": return describe({ ...at, kind: "output", h: Math.floor(c / size), d: c % size }, layer, matrices, labels);
    case "projected": return {
      name: `${t("projected")}[${c + 1}]`, formula: `\u03a3 W_o[${c + 1}, i] \u00b7 joined[i] + b_o`, value: layer.row("projected", q)[c],
      heads: ["i", "W_o", t("joined")],
      products: Array.from(layer.row("joined", q), (value, i) => ({ label: `${i + 1}`, a: matrices.matrix("output")[c * layer.channels + i], b: value,
        to: { ...at, kind: "joined", c: i } })),
      bias: matrices.bias("output")[c],
    };
    case "result": {
      const r = layer.row("residual", q)[c];
      const p = layer.row("projected", q)[c];
      const two = [["r", r, { ...at, kind: "residual" }], [t("projected"), p, { ...at, kind: "projected" }]];
      if (!layer.norm_last) return { name: `${t("result")}[${c + 1}]`, formula: "r + projected", value: layer.row("result", q)[c], terms: two };
      return { name: `${t("result")}[${c + 1}]`, formula: "(r + projected \u2212 mean) / deviation \u00b7 \u03b3 + \u03b2", value: layer.row("result", q)[c],
        terms: [...two, ["mean", layer.array("mean")[q]], ["deviation", layer.array("deviation")[q]], ["\u03b3", matrices.gamma()[c]], ["\u03b2", matrices.beta()[c]]] };
    }
    case "input": {
      const value = layer.row("input", q)[c];
      const from = { ...at, kind: "residual" };
      return layer.norm_last ? { name: `x[${c + 1}] \u00b7 ${queryWord}`, formula: "x = r", value, terms: [["r", layer.row("residual", q)[c], from]] }
        : { ...normed(`x[${c + 1}] \u00b7 ${queryWord}`, layer.row("residual", q)[c], from), value };
    }
    case "memory":
      if (layer.part !== "cross") return describe({ ...at, kind: "input", q: k }, layer, matrices, labels);
      return { name: `${t("memory")}[${c + 1}] \u00b7 ${keyWord}`, formula: "", value: layer.row("memory", k)[c], note: t("t_encoder") };
    case "residual": {
      const value = layer.row("residual", q)[c];
      const name = `r[${c + 1}] \u00b7 ${queryWord}`;
      if (layer.part === "cross" && layer.recurrent) return { name, formula: "", value, note: t("t_recurrent") };
      if (layer.part === "cross") {
        return { name, formula: "", value, note: t("t_self"), link: [t("see_self"), { ...at, kind: "result" }, "decoder", layer.layer] };
      }
      if (layer.layer === 0 && layer.embedding_norm) {
        return { name, formula: "r = norm(x\u2080)", value, note: t("t_embedding_norm"), terms: [["x\u2080", layer.row("embedding", q)[c], { ...at, kind: "embedding" }]] };
      }
      if (layer.layer === 0) return { name, formula: "r = x\u2080", value, note: t("t_first"), terms: [["x\u2080", layer.row("embedding", q)[c], { ...at, kind: "embedding" }]] };
      return { name, formula: "", value, note: t("t_below", layer.layer),
        link: [t("see_below", layer.layer), { ...at, kind: "result" }, layer.part === "decoder" ? "cross" : "encoder", layer.layer - 1] };
    }
    case "embedding": return {
      name: `x\u2080[${c + 1}] \u00b7 ${queryWord}`, formula: "x\u2080 = \u221aC \u00b7 E + position", value: layer.row("embedding", q)[c],
      terms: [[`\u221a${layer.channels}`, layer.scale], ["E", layer.row("table", q)[c], { ...at, kind: "table" }], [t("position"), layer.row("position", q)[c], { ...at, kind: "position" }]],
    };
    case "position": return { name: `${t("position")} ${q + 1} [${c + 1}]`, formula: "", value: layer.row("position", q)[c], note: t(layer.rotary ? "t_rotary" : layer.relative ? "t_relative" : "t_position") };
    default: return { name: `E[${queryWord}, ${c + 1}]`, formula: "", value: layer.row("table", q)[c], note: t("t_table") };
  }
}

/**
 * The panel. load(part, layer) gives a promise of {layer, matrices, labels}; jump(part, layer) is told when
 * the trace leads to another layer.
 */
export function traceView(host, load, jump) {
  let path = []; // of {part, layer, at}

  function clear() {
    path = [];
    host.classList.remove("open");
    host.replaceChildren(el("h2", {}, t("trace")), el("p", { class: "says small" }, t("trace_hint")));
  }

  async function open(part, layer, at, keep = true) {
    path = keep ? [...path, { part, layer, at }] : path;
    const { layer: numbers, matrices, labels } = await load(part, layer);
    draw(describe(at, numbers, matrices, labels), numbers, part);
  }

  function number(value, to, part, layer, digits = 4) {
    const text = decimal(value, digits);
    if (!to) return el("span", { title: exact(value), "data-value": exact(value) }, text);
    return el("button", { type: "button", class: "number", title: exact(value), "data-value": exact(value), onclick: () => open(part, layer, to) }, text);
  }

  function draw(what, layer, part) {
    const back = el("button", { type: "button", class: "back", onclick: () => {
      path = path.slice(0, -1);
      const last = path.at(-1);
      jump(last.part, last.layer);
      open(last.part, last.layer, last.at, false);
    } }, `\u2190 ${t("back")}`);
    const close = el("button", { type: "button", class: "close", "aria-label": t("close"), onclick: clear }, "\u00d7");
    const to = (value, at) => number(value, at, part, layer.layer);
    host.classList.add("open");
    host.replaceChildren(el("h2", {}, t("trace")), close, path.length > 1 ? back : "",
      el("p", { class: "trace-name" }, what.name, " = ", el("strong", { "data-value": exact(what.value) }, decimal(what.value, 4))),
      what.formula ? el("p", { class: "formula" }, what.formula) : "",
      what.note ? el("p", { class: "says" }, what.note) : "",
      what.terms ? termTable(what, to) : "", what.products ? productTable(what, to) : "",
      what.link ? el("button", { type: "button", onclick: () => {
        jump(what.link[2], what.link[3]);
        open(what.link[2], what.link[3], what.link[1]);
      } }, what.link[0]) : "");
  }

  function termTable(what, to) {
    return el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": what.name }, el("table", { class: "numbers" }, el("tbody", {}, ...what.terms.map(([name, value, at, chosen]) =>
      el("tr", { class: chosen ? "chosen" : null }, el("th", { scope: "row" }, name), el("td", {}, to(value, at)))))));
  }

  function productTable(what, to) {
    const [label, a, b] = what.heads;
    const rows = what.products.map((p) => ({ ...p, product: p.a * p.b }));
    const body = el("tbody");
    const order = el("button", { type: "button" });
    const more = el("button", { type: "button" }, t("show_all", rows.length));
    let largest = rows.length > FIRST;
    let all = !largest;
    const fill = () => {
      const sorted = largest ? [...rows].sort((x, y) => Math.abs(y.product) - Math.abs(x.product)) : rows;
      const some = all ? sorted : sorted.slice(0, FIRST);
      const widest = Math.max(...rows.map((row) => Math.abs(row.product)));
      body.replaceChildren(...some.map((row) => el("tr", {}, el("th", { scope: "row" }, row.label), el("td", {}, to(row.a, row.aTo)),
        el("td", {}, to(row.b, row.to)), productCell(row.product, widest))));
      order.textContent = t(largest ? "in_order" : "largest_first");
      more.hidden = all;
    };
    order.onclick = () => { largest = !largest; fill(); };
    more.onclick = () => { all = true; fill(); };
    fill();
    return el("div", {}, el("p", { class: "tools" }, rows.length > FIRST ? order : "", more),
      el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": what.name }, el("table", { class: "numbers products" },
        el("thead", {}, el("tr", {}, ...[label, a, b, `${a} \u00b7 ${b}`].map((text) => el("th", { scope: "col" }, text)))), body,
        el("tfoot", {}, what.bias === undefined ? "" : el("tr", {}, el("th", { scope: "row", colspan: "3" }, t("bias")), el("td", {}, to(what.bias))),
          el("tr", {}, el("th", { scope: "row", colspan: "3" }, t("sum")), el("td", {}, el("strong", {}, to(what.value))))))));
  }

  /** A product with a bar from the middle, to the left when it is negative. */
  function productCell(value, widest) {
    const bar = el("i", { class: value < 0 ? "bar low" : "bar high" });
    bar.style.width = `${(50 * Math.abs(value)) / (widest || 1)}%`;
    return el("td", { class: "product" }, bar, el("span", { "data-value": exact(value) }, decimal(value, 4)));
  }

  clear();
  return { clear, open: (part, layer, at) => { path = []; return open(part, layer, at); } };
}
