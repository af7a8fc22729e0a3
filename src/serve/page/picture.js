// picture.js: a picture, its segmentation, and beside it what a pixel of it attends to.
import { canvasContext, el, savePicture } from "./dom.js";
import { percent } from "./numbers.js";
import { heatRgb } from "./palette.js";
import { t } from "./strings.js";

const CIRCLE = "#FFFFFF"; // around the pixel, over a darker one

/** kept: an object in which the picture outlives this view. fail(error): something went wrong and the user should know. */
export function pictureView(host, source, kept, fail) {
  const file = el("input", { type: "file", id: "picture-file", accept: "image/*", onchange: () => file.files[0] && open(file.files[0]) });
  const drop = el("div", { class: "drop" }, el("label", { for: "picture-file" }, t("drop")), file);
  const masked = el("canvas", { class: "picture", tabindex: "0", role: "img", "aria-label": t("picture_says") });
  const heat = el("canvas", { class: "picture-heat", role: "img", "aria-label": t("attention") });
  const layer = el("select", { id: "picture-layer", onchange: () => attend() });
  const head = el("select", { id: "picture-head", onchange: () => attend() });
  const opacity = el("input", { type: "range", id: "picture-mask", min: "0", max: "1", step: "0.05", value: "0.45", oninput: () => paint() });
  const readout = el("p", { role: "status" });
  const legend = el("p", { class: "legend says small" });
  const classes = el("div", {});
  const stage = el("div", { class: "picture-stage", hidden: true }, el("p", { class: "says" }, t("picture_says")),
    el("p", { class: "line" }, el("label", { for: "picture-layer" }, t("layer")), layer, el("label", { for: "picture-head" }, t("head")), head,
      el("label", { for: "picture-mask" }, t("opacity")), opacity),
    el("div", { class: "pictures" },
      el("div", {}, masked, el("p", { class: "line" }, el("button", { type: "button", onclick: () => savePicture("segmentation.png", masked) }, t("save_picture")))),
      el("div", {}, heat, legend, el("p", { class: "line" }, el("button", { type: "button", onclick: () => savePicture("attention.png", heat) }, t("save_picture"))))),
    readout, classes);
  host.replaceChildren(drop, stage);

  drop.ondragover = (event) => event.preventDefault();
  drop.ondrop = (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  };

  const decode = (url) => new Promise((resolve, reject) => {
    const picture = new Image();
    picture.onload = () => resolve(picture);
    picture.onerror = () => reject(new Error(t("choose_picture")));
    picture.src = url;
  });

  async function open(chosen) {
    try {
      const bytes = await chosen.arrayBuffer();
      const url = URL.createObjectURL(chosen);
      const image = await decode(url);
      URL.revokeObjectURL(url);
      const facts = await source.segment(bytes);
      Object.assign(kept, { bytes, image, facts, mask: await decode(facts.mask), seen: null, layer: 0, head: "mean",
        pixel: { x: Math.floor(facts.width / 2), y: Math.floor(facts.height / 2) } });
      layer.replaceChildren();
      list();
      paint();
      await attend();
    } catch (error) {
      file.value = ""; // the same may be chosen again
      fail(error);
    }
  }

  function list() {
    const { facts } = kept;
    const all = facts.width * facts.height;
    stage.hidden = false;
    classes.replaceChildren(el("table", { class: "numbers" }, el("caption", {}, t("segmentation")),
      el("thead", {}, el("tr", {}, ...[t("class_name"), t("pixels"), t("share")].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, ...facts.classes.filter((one) => one.pixels > 0).map((one) => {
        const dot = el("i", { class: "dot square" });
        dot.style.background = one.color;
        return el("tr", {}, el("th", { scope: "row" }, dot, one.name), el("td", {}, String(one.pixels)), el("td", {}, percent(one.pixels / all)));
      }))));
  }

  /** Layer 0 is the last; the mean of its heads, until something is chosen. */
  async function attend() {
    if (!kept.pixel) return;
    try {
      if (layer.options.length > 0) Object.assign(kept, { layer: layer.value, head: head.value });
      kept.seen = await source.attend(kept.bytes, { ...kept.pixel, layer: kept.layer, head: kept.head });
      offer();
      paint();
    } catch (error) {
      fail(error);
    }
  }

  function offer() {
    const { seen } = kept;
    if (layer.options.length > 0) return;
    layer.replaceChildren(...Array.from({ length: seen.layers }, (_, i) => el("option", { value: String(i + 1) }, String(i + 1))));
    layer.value = String(Number(kept.layer) || seen.layers);
    head.replaceChildren(el("option", { value: "mean" }, t("mean")), ...Array.from({ length: seen.heads }, (_, i) => el("option", { value: String(i + 1) }, String(i + 1))));
    head.value = String(kept.head);
  }

  /* ---- painting ---- */

  /** The picture on a canvas of its own size, or up to twice that where there is room. */
  function begin(canvas) {
    const { facts, image } = kept;
    const room = canvas.parentElement.clientWidth || facts.width;
    const scale = Math.min(2, Math.max(1, room / facts.width));
    const context = canvasContext(canvas, facts.width * scale, facts.height * scale);
    context.drawImage(image, 0, 0, facts.width * scale, facts.height * scale);
    return { context, scale };
  }

  function mark({ context, scale }) {
    for (const [color, width] of [["#000000", 5], [CIRCLE, 2]]) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.beginPath();
      context.arc((kept.pixel.x + 0.5) * scale, (kept.pixel.y + 0.5) * scale, 7, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  function paint() {
    if (!kept.image) return;
    const { facts, mask, pixel, seen } = kept;
    const left = begin(masked);
    left.context.imageSmoothingEnabled = false;
    left.context.globalAlpha = Number(opacity.value);
    left.context.drawImage(mask, 0, 0, facts.width * left.scale, facts.height * left.scale);
    left.context.globalAlpha = 1;
    mark(left);
    readout.textContent = t("pixel_at", pixel.x, pixel.y);
    if (!seen) return;
    const right = begin(heat);
    warm(right);
    mark(right);
    drawLegend(Math.max(...seen.weights));
  }

  /** As `attn attend` draws: the picture in grey, under the colours of the weights. */
  function warm({ context, scale }) {
    const { facts, seen } = kept;
    const largest = Math.max(...seen.weights) || 1;
    const cells = new ImageData(seen.columns, seen.rows);
    seen.weights.forEach((weight, i) => {
      const share = weight / largest;
      cells.data.set([...heatRgb(share), Math.round(255 * (0.45 + 0.45 * share))], 4 * i);
    });
    const small = el("canvas", { width: cells.width, height: cells.height });
    small.getContext("2d").putImageData(cells, 0, 0);
    context.globalCompositeOperation = "saturation"; // grey has none
    context.fillStyle = "#808080";
    context.fillRect(0, 0, facts.width * scale, facts.height * scale);
    context.globalCompositeOperation = "source-over";
    context.imageSmoothingEnabled = true;
    context.drawImage(small, 0, 0, facts.width * scale, facts.height * scale);
  }

  function drawLegend(largest) {
    const bar = el("canvas", { "aria-hidden": "true" });
    const context = canvasContext(bar, 180, 12);
    for (let x = 0; x < 180; x++) {
      context.fillStyle = `rgb(${heatRgb(x / 179).join(" ")})`;
      context.fillRect(x, 0, 1, 12);
    }
    legend.replaceChildren("0", bar, percent(largest), el("span", { class: "unseen" }, t("legend", percent(largest))));
  }

  /* ---- choosing ---- */

  function go(x, y) {
    const { facts } = kept;
    kept.pixel = { x: Math.min(Math.max(x, 0), facts.width - 1), y: Math.min(Math.max(y, 0), facts.height - 1) };
    attend();
  }

  [masked, heat].forEach((canvas) => {
    canvas.onclick = (event) => {
      const box = canvas.getBoundingClientRect();
      go(Math.floor(((event.clientX - box.left) / box.width) * kept.facts.width), Math.floor(((event.clientY - box.top) / box.height) * kept.facts.height));
    };
  });
  masked.onkeydown = (event) => {
    const step = { ArrowRight: [8, 0], ArrowLeft: [-8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
    if (!step || !kept.pixel) return;
    event.preventDefault();
    go(kept.pixel.x + step[0], kept.pixel.y + step[1]);
  };
  if (kept.image) {
    list();
    if (kept.seen) offer();
  }
  return { draw: paint, open };
}
