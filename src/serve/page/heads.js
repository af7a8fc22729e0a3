// heads.js: all heads at a glance, which is also where layer and head are chosen: a row a layer, a column
// a head and their mean, rollout below; under each its entropy and distance.
import { matrixOf, measures, PARTS } from "./attention.js";
import { arrowKeys, canvasContext, el } from "./dom.js";
import { decimal, percent } from "./numbers.js";
import { headColor, themeName, weightRgb } from "./palette.js";
import { languageName, t } from "./strings.js";

const THUMB = { most: 60, least: 28 }; // pixels

/** change(part of the choice): the user chose something. probeOf(document): what `attn probe` counted of its model, or
 * null. draw(document, choice) shows it. */
export function headsView(host, change, probeOf) {
  function segmented(name, options, selected, choose) {
    const buttons = options.map(([value, label, title]) => el("button", {
      type: "button", role: "radio", "aria-checked": String(value === selected), title, onclick: () => choose(value),
    }, label));
    const group = el("div", { class: "segmented", role: "radiogroup", "aria-label": name }, ...buttons);
    arrowKeys(group, buttons, options.findIndex(([value]) => value === selected), (i) => choose(options[i][0]));
    return group;
  }

  /** The count of a head (or "mean") of raw weights, of a probe of that part. */
  function cellOf(probe, part, layer, head) {
    if (probe?.part !== part) return null;
    const cells = probe.probes.find((one) => one.method === "weights")?.cells ?? [];
    return cells.find((cell) => cell.layer === layer + 1 && cell.head === (head === "mean" ? null : head + 1)) ?? null;
  }

  function countedText(cell) {
    return t("counted", percent(cell.accuracy), percent(cell.low), percent(cell.high), cell.count, percent(cell.chance));
  }

  /** What stands under the heads: what is counted, and of what, or how to count. */
  function saysOf(document, part) {
    const probe = probeOf(document);
    const cell = cellOf(probe, part, 0, 0);
    return cell ? t("counted_says", probe.set.split("/").pop(), cell.count, percent(cell.chance)) : t("measures_say");
  }

  let drawn = null; // what the grid that stands there shows
  let group = null;

  function draw(document, choice) {
    const wanted = [document, choice.part, choice.words, themeName(), languageName(), host.clientWidth];
    if (drawn === null || wanted.some((value, i) => value !== drawn[i])) drawAll(document, choice);
    drawn = wanted;
    mark(choice);
  }

  /** The chosen cell, among those that stand there. */
  function mark(choice) {
    const cells = [...group.querySelectorAll("[role=radio]")];
    const selected = Math.max(0, cells.findIndex((cell) =>
      cell.dataset.layer === String(choice.layer) && (choice.layer === "rollout" || cell.dataset.head === String(choice.head))));
    cells.forEach((cell, i) => cell.setAttribute("aria-checked", String(i === selected)));
    arrowKeys(group, cells, selected, (i) => cells[i].click(), Number(group.dataset.columns));
  }

  function drawAll(document, choice) {
    const focused = host.contains(window.document.activeElement) ? window.document.activeElement.dataset.focus : null;
    const part = document.parts[choice.part];
    host.replaceChildren(
      segmented(t("part"), PARTS.filter((p) => document.parts[p].layers > 0).map((p) => [p, t(p), t(`${p}_says`)]), choice.part, (p) => change({ part: p })),
      el("p", { class: "says" }, t(`${choice.part}_says`)),
      segmented(t("units"), [[true, t("words"), t("words_rule")], [false, t("pieces")]], choice.words, (words) => change({ words })),
      choice.words ? el("p", { class: "says small" }, t("words_rule")) : "",
      el("h2", {}, t("heads")), grid(document, part, choice), el("p", { class: "says small" }, saysOf(document, choice.part)), table(document, part, choice));
    host.querySelectorAll("button").forEach((button, i) => { button.dataset.focus = String(i); });
    if (focused) host.querySelector(`[data-focus="${focused}"]`)?.focus();
  }

  function grid(document, part, choice) {
    const { entropy, distance } = measures(document, choice.part);
    const columns = [...Array(part.heads).keys(), "mean"];
    const room = Math.floor(((host.clientWidth || 370) - 26) / columns.length) - 11;
    const size = Math.max(THUMB.least, Math.min(THUMB.most, room));
    const head = el("div", { class: "grid-row grid-names", "aria-hidden": "true" }, el("span"), ...columns.map((h) => {
      const dot = el("i", { class: "dot" });
      dot.style.background = h === "mean" ? "var(--accent)" : headColor(h);
      const name = el("span", {}, dot, h === "mean" ? t("mean") : `${h + 1}`);
      name.style.flexBasis = `${size + 8}px`;
      return name;
    }));
    const rows = Array.from({ length: part.layers }, (_, layer) => el("div", { class: "grid-row" },
      el("span", { class: "grid-name", "aria-hidden": "true" }, `${layer + 1}`), ...columns.map((h) => {
        const i = layer * part.heads + h;
        const counted = cellOf(probeOf(document), choice.part, layer, h);
        const facts = h === "mean" ? [] : [t("entropy_unit", decimal(entropy[i], 2)), distance ? t("distance_unit", decimal(distance[i], 1)) : ""];
        const name = h === "mean" ? t("here_mean", layer + 1, part.layers, part.heads)
          : `${t("here", layer + 1, part.layers, h + 1, part.heads)}; ${facts.filter(Boolean).join(", ")}`;
        const full = counted ? `${name}; ${countedText(counted)}` : name;
        return thumb(size, document, { ...choice, layer, head: h }, full, counted ? [percent(counted.accuracy)] : facts, () => change({ layer, head: h }));
      })));
    const rollout = el("button", {
      type: "button", class: "rollout", role: "radio", "data-layer": "rollout", title: t("rollout_says"),
      onclick: () => change({ layer: "rollout", head: "mean" }),
    }, t("rollout"));
    group = el("div", { class: "grid", role: "radiogroup", "aria-label": t("heads"), "data-columns": String(columns.length) }, head, ...rows, rollout);
    return group;
  }

  function thumb(size, document, choice, name, facts, choose) {
    const canvas = el("canvas", { "aria-hidden": "true" });
    const context = canvasContext(canvas, size, size);
    const matrix = matrixOf(document, choice);
    const width = size / matrix.columns.length;
    const height = size / matrix.rows.length;
    const step = Math.max(1, Math.floor(1 / Math.max(width, height))); // more weights than pixels: some of them
    for (let r = 0; r < matrix.rows.length; r += step) {
      for (let c = 0; c < matrix.columns.length; c += step) {
        const [red, green, blue] = weightRgb(matrix.at(r, c) ** 0.7);
        context.fillStyle = `rgb(${red} ${green} ${blue})`;
        context.fillRect(c * width, r * height, width * step + 0.5, height * step + 0.5);
      }
    }
    return el("button", { type: "button", class: "thumb", role: "radio", "data-layer": String(choice.layer), "data-head": String(choice.head), "aria-label": name, title: name, onclick: choose },
      canvas, el("small", { "aria-hidden": "true" }, size < 44 ? "" : facts.map((fact) => fact.split(" ")[0]).filter(Boolean).join(" \u00b7 ") || "\u00a0"));
  }

  function table(document, part, choice) {
    const { entropy, distance } = measures(document, choice.part);
    const probe = probeOf(document);
    const counts = cellOf(probe, choice.part, 0, 0) ? (i) => cellOf(probe, choice.part, Math.floor(i / part.heads), i % part.heads) : null;
    const rows = Array.from({ length: part.layers * part.heads }, (_, i) => el("tr", {},
      el("th", { scope: "row" }, `${Math.floor(i / part.heads) + 1}`), el("td", {}, `${i % part.heads + 1}`),
      el("td", {}, decimal(entropy[i], 3)), distance ? el("td", {}, decimal(distance[i], 2)) : "",
      counts ? el("td", {}, countedText(counts(i))) : ""));
    return el("details", {}, el("summary", {}, t("as_table")), el("table", {}, el("caption", {}, t("heads_table")),
      el("thead", {}, el("tr", {}, ...["layer", "head", "entropy", ...(distance ? ["distance"] : []), ...(counts ? ["counted_head"] : [])].map((key) => el("th", { scope: "col" }, t(key))))),
      el("tbody", {}, ...rows)));
  }

  return { draw };
}
