// matrix.js: a labelled matrix on a canvas, for any length. The canvas is painted once a matrix; what moves with
// the chosen row is a frame over it.
import { canvasContext, el } from "./dom.js";
import { percent } from "./numbers.js";
import { css, paintWeights, themeName, weightRgb } from "./palette.js";
import { t } from "./strings.js";

const LABELS = 64; // longer sides have no names, only what the pointer tells

/** pick(row): the user chose that row. draw(matrix, row) shows it. */
export function matrixView(host, pick) {
  const canvas = el("canvas", { role: "img" });
  const readout = el("p", { class: "readout", "aria-hidden": "true" });
  const frame = el("div", { class: "matrix-frame" });
  const scroller = el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": t("matrix") }, el("div", { class: "matrix" }, canvas, frame));
  host.replaceChildren(scroller, readout);
  let shown = null; // {matrix, named, left, top, cell}
  let painted = []; // what the canvas was painted of

  function measure(matrix) {
    const named = Math.max(matrix.rows.length, matrix.columns.length) <= LABELS;
    const context = canvas.getContext("2d");
    context.font = font();
    const widest = (list) => Math.min(120, Math.max(...list.map((text) => context.measureText(text).width)));
    const left = named ? widest(matrix.rows) + 14 : 2;
    const top = named ? widest(matrix.columns) + 12 : 2;
    const room = Math.max(200, host.clientWidth - left - 4);
    const cell = named ? Math.max(18, Math.min(34, Math.floor(room / matrix.columns.length)))
      : Math.max(1, Math.min(18, room / matrix.columns.length));
    return { named, left, top, cell };
  }

  function font() {
    return `13px ${getComputedStyle(host).fontFamily}`;
  }

  function draw(matrix, row, label) {
    const wanted = [matrix, label, themeName(), host.clientWidth, window.devicePixelRatio];
    if (wanted.some((value, i) => value !== painted[i])) paint(matrix, label);
    painted = wanted;
    frame.style.transform = `translateY(${shown.top + shown.cell * row - 1.5}px)`;
  }

  function paint(matrix, label) {
    const size = measure(matrix);
    const { named, left, top, cell } = size;
    const tail = named ? 24 : 0; // slanted names of the last columns need room
    const context = canvasContext(canvas, left + cell * matrix.columns.length + tail + 2, top + cell * matrix.rows.length + 2);
    const style = getComputedStyle(host);
    canvas.setAttribute("aria-label", label);
    if (cell >= 4) drawCells(context, matrix, size);
    else drawImage(context, matrix, size);
    if (named) drawNames(context, matrix, size, style);
    frame.style.left = `${left - 2}px`;
    frame.style.width = `${cell * matrix.columns.length + 3}px`;
    frame.style.height = `${Math.max(cell, 2) + 2}px`;
    shown = { matrix, ...size };
  }

  function drawCells(context, matrix, { left, top, cell }) {
    const gap = cell >= 10 ? 1 : 0;
    matrix.rows.forEach((_, r) => matrix.columns.forEach((__, c) => {
      if (matrix.causal && c > r) return;
      context.fillStyle = css(weightRgb(matrix.at(r, c)));
      context.fillRect(left + c * cell, top + r * cell, cell - gap, cell - gap);
    }));
  }

  /** One pixel a weight, then scaled: thousands of tokens take one call. */
  function drawImage(context, matrix, { left, top, cell }) {
    const image = new ImageData(matrix.columns.length, matrix.rows.length);
    paintWeights(image.data, matrix.data, 0.5);
    const small = el("canvas", { width: image.width, height: image.height });
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, left, top, cell * image.width, cell * image.height);
  }

  function drawNames(context, matrix, { left, top, cell }, style) {
    context.font = font();
    context.fillStyle = style.color;
    context.textBaseline = "middle";
    context.textAlign = "right";
    matrix.rows.forEach((text, r) => context.fillText(text, left - 7, top + cell * (r + 0.5), left - 10));
    context.textAlign = "left";
    matrix.columns.forEach((text, c) => {
      context.save();
      context.translate(left + cell * (c + 0.5), top - 6);
      context.rotate(-Math.PI / 2.6);
      context.fillText(text, 0, 0, top);
      context.restore();
    });
  }

  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - shown.left) / shown.cell);
    const row = Math.floor((event.clientY - box.top - shown.top) / shown.cell);
    const inside = row >= 0 && column >= 0 && row < shown.matrix.rows.length && column < shown.matrix.columns.length;
    return inside ? { row, column } : null;
  }

  canvas.onmousemove = (event) => {
    const at = cellAt(event);
    readout.textContent = at
      ? `${shown.matrix.rows[at.row]} \u2192 ${shown.matrix.columns[at.column]}: ${percent(shown.matrix.at(at.row, at.column))}` : "";
  };
  canvas.onmouseleave = () => { readout.textContent = ""; };
  canvas.onclick = (event) => {
    const at = cellAt(event);
    if (at) pick(at.row);
  };
  return { draw };
}

/** The whole matrix as a table; for a screen reader, or to copy. */
export function matrixTable(matrix, caption) {
  const head = el("tr", {}, el("td"), ...matrix.columns.map((text) => el("th", { scope: "col" }, text)));
  const rows = matrix.rows.map((text, r) => el("tr", {}, el("th", { scope: "row" }, text),
    ...matrix.columns.map((_, c) => el("td", {}, matrix.causal && c > r ? "\u2013" : percent(matrix.at(r, c))))));
  return el("table", {}, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, ...rows));
}
