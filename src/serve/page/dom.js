// dom.js: making elements. Text only ever becomes text, never markup.

/** el("button", { class: "x", onclick: f, "aria-label": "y" }, "text", child, ...) */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Calls redraw() when the element's width changes; its height may follow from the drawing. */
export function onWidth(element, redraw) {
  let width = null;
  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    const first = width === null;
    width = element.clientWidth;
    if (!first || width > 0) redraw();
  }).observe(element);
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(name, attributes = {}) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** A canvas's context, sharp on any screen; sizes in CSS pixels. */
export function canvasContext(canvas, width, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

/**
 * One stop of the Tab key for a group of things, arrow keys within it. `count` a row: where up and down
 * lead in a grid, 0 for a line. choose(i) is called as the focus moves.
 */
export function arrowKeys(group, items, selected, choose, perRow = 0) {
  items.forEach((item, i) => { item.tabIndex = i === selected ? 0 : -1; });
  group.onkeydown = (event) => {
    const at = items.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow || 1, ArrowUp: -(perRow || 1) }[event.key];
    let next = step === undefined ? -1 : at + step;
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = items.length - 1;
    if (at < 0 || next < 0 || next >= items.length) return;
    event.preventDefault();
    items.forEach((item, i) => { item.tabIndex = i === next ? 0 : -1; });
    items[next].focus();
    choose(next);
  };
}
