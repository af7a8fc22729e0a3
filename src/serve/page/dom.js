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

/** A model's code of a language as the attribute lang takes it; null when browsers would not know it. */
export function languageTag(code) {
  const tag = code.replace("_", "-");
  try {
    return new Intl.DisplayNames(["en"], { type: "language", fallback: "none" }).of(tag) ? tag : null;
  } catch { // no code at all
    return null;
  }
}

/** Hands the user a file. */
export function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export function savePicture(name, canvas) {
  canvas.toBlob((blob) => { if (blob) save(name, "image/png", blob); });
}

/** Above so many words, what is out of the way of the eye is drawn only when the user rests for REST milliseconds. */
export const MANY = 128;
export const REST = 150;

/** Sets what has changed alone: a browser lays out again even for the same text. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

const widths = new WeakMap(); // element -> {width, redraw}
const sizes = new ResizeObserver((entries) => entries.forEach(({ target, contentRect }) => {
  const known = widths.get(target);
  if (!target.isConnected) sizes.unobserve(target);
  else if (contentRect.width > 0 && contentRect.width !== known.width) {
    const first = known.width === null;
    known.width = contentRect.width;
    known.redraw(known.width, first);
  }
}));

/** Calls redraw(width, first) with the element's width and whenever it changes; its height may follow from the
 * drawing. One observer tells all widths at once: to ask for each would be a layout each. */
export function onWidth(element, redraw) {
  widths.set(element, { width: null, redraw });
  sizes.observe(element);
}

const waiting = new WeakMap(); // element -> function
const sights = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
  if (!isIntersecting && target.isConnected) return;
  sights.unobserve(target);
  if (isIntersecting) waiting.get(target)();
}), { rootMargin: "300px" });

/** Calls seen() once, when the element comes near the window. */
export function onSight(element, seen) {
  waiting.set(element, seen);
  sights.observe(element);
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
  const stop = (place) => items.forEach((item, i) => setAttribute(item, "tabindex", i === place ? "0" : "-1"));
  stop(selected);
  group.onkeydown = (event) => {
    const at = items.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perRow || 1, ArrowUp: -(perRow || 1) }[event.key];
    let next = step === undefined ? -1 : at + step;
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = items.length - 1;
    if (at < 0 || next < 0 || next >= items.length) return;
    event.preventDefault();
    stop(next);
    items[next].focus();
    choose(next);
  };
}
