// words.js: two rows of words with lines between them: what the chosen word of the first looks at.
import { arrowKeys, el, svg } from "./dom.js";
import { matrixOf } from "./attention.js";
import { percent } from "./numbers.js";
import { css, headColor, inkOn, weightRgb } from "./palette.js";
import { t } from "./strings.js";

const LEAST_LINE = 0.01; // lighter lines are not drawn

/**
 * A view in `host`. pick(row): the user chose that row. draw(document, choice, row) shows it, choice as
 * attention.js has it and with lines "one" or "all" heads.
 */
export function wordsView(host, pick) {
  const queries = el("ol", { class: "chips", role: "radiogroup" });
  const keys = el("ol", { class: "chips keys", tabindex: "0" });
  const lines = svg("svg", { class: "lines", "aria-hidden": "true" });
  const above = el("p", { class: "lead" });
  const below = el("p", { class: "lead" });
  const stage = el("div", { class: "stage" }, lines, above, queries, below, keys);
  host.replaceChildren(stage);
  let shown = null; // {document, choice, row, matrix, chips, targets}

  function chip(text, i) {
    return el("li", { role: "none" }, el("button", {
      type: "button", class: "chip", role: "radio", "aria-checked": "false",
      onclick: () => pick(i), onmouseenter: () => preview(i), onmouseleave: () => preview(shown.row),
    }, text));
  }

  function draw(document, choice, row) {
    const matrix = matrixOf(document, choice);
    const same = shown && shown.document === document && shown.choice.part === choice.part
      && shown.choice.words === choice.words && queries.childElementCount === matrix.rows.length;
    if (!same) {
      queries.replaceChildren(...matrix.rows.map(chip));
      keys.replaceChildren(...matrix.columns.map((text) =>
        el("li", { class: "chip key" }, el("span", {}, text), el("small"))));
    }
    above.textContent = t(choice.part === "cross" ? "looks_cross" : "looks");
    below.textContent = t("at");
    queries.setAttribute("aria-label", above.textContent);
    keys.setAttribute("aria-label", below.textContent);
    shown = { document, choice, row, matrix, chips: [...queries.querySelectorAll("button")], targets: [...keys.children] };
    arrowKeys(queries, shown.chips, row, pick);
    preview(row);
  }

  /** Shows a row for as long as the pointer is on its word. */
  function preview(row) {
    const { matrix, chips, targets } = shown;
    chips.forEach((button, i) => button.setAttribute("aria-checked", String(i === row)));
    targets.forEach((target, k) => {
      const weight = matrix.at(row, k);
      const hidden = matrix.causal && k > row;
      const rgb = weightRgb(weight);
      target.style.background = hidden ? "" : css(rgb);
      target.style.color = hidden ? "" : inkOn(rgb);
      target.classList.toggle("hidden-key", hidden);
      target.lastChild.textContent = hidden ? "\u2013" : percent(weight);
    });
    drawLines(row);
  }

  /** The matrices to draw lines of, with their colours. */
  function sheets() {
    const { document, choice, matrix } = shown;
    const single = choice.layer === "rollout" || choice.head !== "mean";
    if (single || choice.lines !== "all") {
      return [{ matrix, color: choice.head === "mean" || choice.layer === "rollout" ? "var(--accent)" : headColor(choice.head) }];
    }
    return Array.from({ length: document.parts[choice.part].heads }, (_, head) =>
      ({ matrix: matrixOf(document, { ...choice, head }), color: headColor(head) }));
  }

  function drawLines(row) {
    const box = stage.getBoundingClientRect();
    const from = shown.chips[row].getBoundingClientRect();
    lines.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
    const x0 = from.left + from.width / 2 - box.left;
    const y0 = from.bottom - box.top;
    const all = sheets();
    const paths = [];
    all.forEach(({ matrix, color }, s) => {
      const shift = (s - (all.length - 1) / 2) * 4;
      shown.targets.forEach((target, k) => {
        const weight = matrix.at(row, k);
        if (weight < LEAST_LINE) return;
        const to = target.getBoundingClientRect();
        const x1 = to.left + to.width / 2 - box.left + shift;
        const y1 = to.top - box.top;
        const bend = Math.max(24, (y1 - y0) / 2);
        const path = svg("path", { d: `M${x0} ${y0}C${x0} ${y0 + bend} ${x1} ${y1 - bend} ${x1} ${y1}`, class: "line" });
        path.style.stroke = color;
        path.style.strokeWidth = 1 + 9 * weight;
        path.style.opacity = 0.25 + 0.65 * Math.sqrt(weight);
        paths.push(path);
      });
    });
    lines.replaceChildren(...paths);
  }

  new ResizeObserver(() => shown && shown.chips.length > 0 && drawLines(shown.row)).observe(stage);
  return { draw };
}

/** The chosen row as a table. */
export function rowTable(matrix, row, unit) {
  const body = matrix.columns.map((text, k) =>
    el("tr", {}, el("th", { scope: "row" }, text), el("td", {}, matrix.causal && k > row ? "\u2013" : percent(matrix.at(row, k)))));
  return el("table", {}, el("caption", {}, t("row_says", `\u201c${matrix.rows[row]}\u201d`)),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, unit), el("th", { scope: "col" }, t("weight")))), el("tbody", {}, ...body));
}
