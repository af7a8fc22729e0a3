// strip.js: a vector as a strip of coloured cells, which the pointer and the arrow keys walk along.
import { canvasContext, el } from "./dom.js";
import { decimal } from "./numbers.js";
import { css, signedRgb } from "./palette.js";
import { t } from "./strings.js";

const CELL = 9;
const HEIGHT = 22;

/**
 * A strip of `values` called `name`, opening a number with open(i). Options: split, a line after every so
 * many cells; mark, the cells [from, to) that stand out; at, the number first chosen.
 */
export function strip(name, values, open, { split = 0, mark = null, at = 0 } = {}) {
  let chosen = Math.min(at, values.length - 1);
  const canvas = el("canvas");
  const value = el("button", { type: "button", class: "number", onclick: () => open(chosen) });
  const track = el("div", {
    class: "strip", role: "slider", tabindex: "0", "aria-label": `${name}, ${t("strip_help")}`,
    "aria-valuemin": "1", "aria-valuemax": String(values.length),
  }, canvas);
  const whole = el("div", { class: "vector" }, el("span", { class: "vector-name" }, name), track, value);
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  let perRow = values.length;

  function paint() {
    const room = Math.max(120, track.clientWidth || 500);
    const rows = Math.ceil((values.length * CELL) / room);
    perRow = Math.ceil(values.length / rows);
    if (split > 0 && rows > 1 && perRow < values.length) perRow = Math.max(split, Math.floor(room / CELL / split) * split) || perRow;
    const lines = Math.ceil(values.length / perRow);
    const cell = Math.min(16, room / perRow);
    const height = lines > 1 ? 14 : HEIGHT;
    const context = canvasContext(canvas, cell * perRow, lines * (height + 2));
    const ink = getComputedStyle(track);
    values.forEach((v, i) => {
      const x = (i % perRow) * cell;
      const y = Math.floor(i / perRow) * (height + 2);
      const faint = mark && (i < mark[0] || i >= mark[1]);
      context.globalAlpha = faint ? 0.3 : 1;
      context.fillStyle = css(signedRgb(v, largest));
      context.fillRect(x, y, cell - (cell > 4 ? 1 : 0), height);
      context.globalAlpha = 1;
      if (i === chosen) {
        context.strokeStyle = ink.color;
        context.lineWidth = 2;
        context.strokeRect(x, y + 1, Math.max(cell - 1, 3), height - 2);
      }
    });
    canvas.dataset.cell = String(cell);
    canvas.dataset.line = String(height + 2);
  }

  function choose(i) {
    chosen = Math.min(Math.max(i, 0), values.length - 1);
    const text = decimal(values[chosen]);
    track.setAttribute("aria-valuenow", String(chosen + 1));
    track.setAttribute("aria-valuetext", `${t("number_of", chosen + 1, values.length)}: ${text}`);
    value.replaceChildren(el("small", {}, `${chosen + 1}`), text);
    value.setAttribute("aria-label", t("open", `${name} ${chosen + 1}: ${text}`));
    paint();
  }

  function indexAt(event) {
    const box = canvas.getBoundingClientRect();
    const column = Math.min(Math.floor((event.clientX - box.left) / Number(canvas.dataset.cell)), perRow - 1);
    return Math.max(0, column) + perRow * Math.max(0, Math.floor((event.clientY - box.top) / Number(canvas.dataset.line)));
  }

  track.onmousemove = (event) => {
    const i = Math.min(indexAt(event), values.length - 1);
    track.title = `${i + 1}: ${decimal(values[i])}`;
  };
  track.onclick = (event) => {
    choose(indexAt(event));
    open(chosen);
  };
  track.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow < values.length ? perRow : -1, ArrowUp: perRow < values.length ? -perRow : 1,
      PageDown: 16, PageUp: -16, Home: -values.length, End: values.length }[event.key];
    if (event.key === "Enter" || event.key === " ") open(chosen);
    else if (step === undefined) return;
    else choose(chosen + step);
    event.preventDefault();
  };
  choose(chosen);
  new ResizeObserver(paint).observe(track);
  return whole;
}
