// strip.js: a vector as a strip of coloured cells, which the pointer and the arrow keys walk along.
import { canvasContext, el, onSight, onWidth } from "./dom.js";
import { decimal } from "./numbers.js";
import { css, signedRgb } from "./palette.js";
import { t } from "./strings.js";

const CELL = 9;
const HEIGHT = 22;

/**
 * A strip of `values` called `name`, opening a number with open(i). Options: mark, the cells [from, to) that
 * stand out; tiny, one line in a cell of a table.
 */
export function strip(name, values, open, { mark = null, tiny = false } = {}) {
  let chosen = 0;
  const canvas = el("canvas");
  const value = el("button", { type: "button", class: "number", onclick: () => open(chosen) });
  const track = el("div", {
    class: "strip", role: "slider", tabindex: "0", "aria-label": `${name}, ${t("strip_help")}`,
    "aria-valuemin": "1", "aria-valuemax": String(values.length),
  }, canvas);
  const whole = el("div", { class: "vector" }, el("span", { class: "vector-name" }, name), track, value);
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  let perRow = values.length;
  let size = null; // {cell, height, lines}, once the width is known
  let seen = false; // nothing is painted before it comes in sight
  let picked = false; // by the pointer or a key; until then no cell stands out

  function measure(width) {
    const room = Math.max(120, width);
    const fit = Math.floor(room / CELL);
    perRow = tiny || values.length <= fit ? values.length : fit >= 32 ? fit - (fit % 32) : fit;
    const lines = Math.ceil(values.length / perRow);
    const cell = Math.min(16, room / perRow);
    const height = lines > 1 ? 14 : tiny ? 18 : HEIGHT;
    size = { cell, height, lines };
    canvas.style.width = `${cell * perRow}px`;
    canvas.style.height = `${lines * (height + 2)}px`;
    paint();
  }

  function paint() {
    if (!seen || size === null) return;
    const { cell, height, lines } = size;
    const focused = document.activeElement === track;
    const context = canvasContext(canvas, cell * perRow, lines * (height + 2));
    values.forEach((v, i) => {
      const x = (i % perRow) * cell;
      const y = Math.floor(i / perRow) * (height + 2);
      const faint = mark && (i < mark[0] || i >= mark[1]);
      context.globalAlpha = faint ? 0.3 : 1;
      context.fillStyle = css(signedRgb(v, largest));
      context.fillRect(x, y, cell - (cell > 4 ? 1 : 0), height);
      context.globalAlpha = 1;
      if (i === chosen && (focused || picked)) {
        context.strokeStyle = getComputedStyle(track).color;
        context.lineWidth = 2;
        context.strokeRect(x, y + 1, Math.max(cell - 1, 3), height - 2);
      }
    });
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
    const column = Math.min(Math.floor((event.clientX - box.left) / size.cell), perRow - 1);
    return Math.max(0, column) + perRow * Math.max(0, Math.floor((event.clientY - box.top) / (size.height + 2)));
  }

  track.onmousemove = (event) => {
    const i = Math.min(indexAt(event), values.length - 1);
    track.title = `${i + 1}: ${decimal(values[i])}`;
  };
  track.onclick = (event) => {
    picked = true;
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
  track.onfocus = paint;
  track.onblur = paint;
  choose(chosen);
  onWidth(track, measure);
  onSight(track, () => {
    seen = true;
    paint();
  });
  return whole;
}
