// words.js: two rows of words with lines between them: what the chosen word of the first looks at. So that going
// from word to word is quick among hundreds of them, only what differs is touched, at once where it is in sight
// and elsewhere once the user rests.
import { arrowKeys, el, MANY, REST, setAttribute, setText, svg } from "./dom.js";
import { matrixOf } from "./attention.js";
import { percent } from "./numbers.js";
import { css, headColor, inkOn, themeName, weightRgb } from "./palette.js";
import { t } from "./strings.js";

const LEAST_LINE = 0.01; // lighter lines are not drawn

/** A share as it is shown; a place that may not be seen has none. */
function share(matrix, row, k) {
  return matrix.causal && k > row ? "\u2013" : percent(matrix.at(row, k));
}

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
  let chips = []; // buttons of the words that look
  let targets = []; // {chip, share, look}: the words looked at, and what stands there
  let of = []; // what those were made for
  let shown = null; // {document, choice, row, matrix}
  let marked = null; // the chip that is marked
  let row = 0; // the one shown: what was chosen, or what the pointer is on
  let rest = 0; // the timer of what is out of sight

  function chip(text, i) {
    return el("button", {
      type: "button", class: "chip", role: "radio", "aria-checked": "false",
      onclick: () => pick(i), onmouseenter: () => preview(i), onmouseleave: () => preview(shown.row),
    }, text);
  }

  function target(text) {
    const share = el("small");
    return { chip: el("li", { class: "chip key" }, el("span", {}, text), share), share, look: "" };
  }

  function fill(choice, matrix) {
    chips = matrix.rows.map(chip);
    targets = matrix.columns.map(target);
    marked = null;
    queries.replaceChildren(...chips.map((button) => el("li", { role: "none" }, button)));
    keys.replaceChildren(...targets.map((one) => one.chip));
    keys.classList.toggle("many", targets.length > MANY); // a transition would restyle all of them in every frame
    above.textContent = t(choice.part === "cross" ? "looks_cross" : "looks");
    below.textContent = t("at");
    queries.setAttribute("aria-label", above.textContent);
    keys.setAttribute("aria-label", below.textContent);
  }

  function draw(document, choice, chosen) {
    const matrix = matrixOf(document, choice);
    const wanted = [document, choice.part, choice.words];
    if (wanted.some((value, i) => value !== of[i])) fill(choice, matrix);
    of = wanted;
    shown = { document, choice, row: chosen, matrix };
    arrowKeys(queries, chips, chosen, pick);
    preview(chosen);
  }

  /** Shows a row for as long as the pointer is on its word. */
  function preview(wanted) {
    row = wanted;
    if (marked !== chips[row]) {
      marked?.setAttribute("aria-checked", "false");
      marked = chips[row];
      marked.setAttribute("aria-checked", "true");
    }
    const [from, to] = inSight();
    weigh(from, to);
    clearTimeout(rest);
    if (to - from < targets.length) rest = setTimeout(() => weigh(0, targets.length), REST);
    drawLines();
  }

  /** The weights on the words looked at, of those in [from, to). */
  function weigh(from, to) {
    const { matrix } = shown;
    const theme = themeName();
    targets.slice(from, to).forEach((one, i) => {
      const k = from + i;
      const hidden = matrix.causal && k > row;
      const rgb = hidden ? null : weightRgb(matrix.at(row, k), theme);
      const look = hidden ? "hidden" : css(rgb);
      setText(one.share, share(matrix, row, k));
      if (one.look === look) return;
      one.look = look;
      one.chip.style.background = hidden ? "" : look;
      one.chip.style.color = hidden ? "" : inkOn(rgb);
      one.chip.classList.toggle("hidden-key", hidden);
    });
  }

  /** [from, to) of the words looked at that are in sight in their list, which scrolls when they are many. */
  function inSight() {
    const list = keys.getBoundingClientRect();
    if (list.height === 0 || keys.scrollHeight <= keys.clientHeight) return [0, targets.length];
    const first = (test) => {
      let [low, high] = [0, targets.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (test(targets[middle].chip.getBoundingClientRect())) high = middle;
        else low = middle + 1;
      }
      return low;
    };
    return [first((word) => word.bottom > list.top + 1), first((word) => word.top >= list.bottom - 1)];
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

  function drawLines() {
    const box = stage.getBoundingClientRect();
    const list = queries.getBoundingClientRect();
    const word = chips[row].getBoundingClientRect();
    const paths = [];
    if (word.bottom > list.top + 1 && word.top < list.bottom - 1) {
      const [from, to] = inSight();
      const all = sheets();
      all.forEach(({ matrix, color }, s) => {
        const shift = (s - (all.length - 1) / 2) * 4;
        for (let k = from; k < to; k++) {
          const weight = matrix.at(row, k);
          if (weight >= LEAST_LINE) paths.push(line(box, word, targets[k].chip.getBoundingClientRect(), shift, weight, color));
        }
      });
    }
    setAttribute(lines, "viewBox", `0 0 ${box.width} ${box.height}`);
    if (paths.length > 0 || lines.childElementCount > 0) lines.replaceChildren(...paths);
  }

  function line(box, from, to, shift, weight, color) {
    const x0 = from.left + from.width / 2 - box.left;
    const y0 = from.bottom - box.top;
    const x1 = to.left + to.width / 2 - box.left + shift;
    const y1 = to.top - box.top;
    const bend = Math.max(24, (y1 - y0) / 2);
    const path = svg("path", { d: `M${x0} ${y0}C${x0} ${y0 + bend} ${x1} ${y1 - bend} ${x1} ${y1}`, class: "line" });
    path.style.stroke = color;
    path.style.strokeWidth = 1 + 9 * weight;
    path.style.opacity = 0.25 + 0.65 * Math.sqrt(weight);
    return path;
  }

  /** After a change of size, or a list was scrolled. */
  function again() {
    if (!shown || chips.length === 0) return;
    weigh(...inSight());
    drawLines();
  }

  new ResizeObserver(again).observe(stage);
  queries.onscroll = again;
  keys.onscroll = again;
  return { draw };
}

/** The chosen row as a table in `host`, a <details>, for who opens it. draw(matrix, row, unit) shows it. */
export function rowTable(host) {
  const body = el("tbody");
  const caption = el("caption");
  const head = el("th", { scope: "col" });
  let cells = [];
  let of = null; // the texts that the rows were made of
  let shown = null;
  let rest = 0; // the timer of a long table
  host.append(el("div", { id: "row-table" }, el("table", {}, caption,
    el("thead", {}, el("tr", {}, head, el("th", { scope: "col" }, t("weight")))), body)));
  host.ontoggle = () => shown && fill(shown);

  function fill({ matrix }) {
    if (!host.open) return;
    clearTimeout(rest);
    if (of === matrix.columns && cells.length > MANY) rest = setTimeout(write, REST);
    else write();
  }

  function write() {
    const { matrix, row, unit } = shown;
    if (of !== matrix.columns) {
      cells = matrix.columns.map(() => el("td"));
      body.replaceChildren(...matrix.columns.map((text, k) => el("tr", {}, el("th", { scope: "row" }, text), cells[k])));
      of = matrix.columns;
    }
    setText(caption, t("row_says", `\u201c${matrix.rows[row]}\u201d`));
    setText(head, unit);
    cells.forEach((cell, k) => setText(cell, share(matrix, row, k)));
  }

  return {
    draw(matrix, row, unit) {
      shown = { matrix, row, unit };
      fill(shown);
    },
  };
}
