// picture.js: a picture, its segmentation, and what a pixel of it attends to.
import { canvasContext, el } from "./dom.js";
import { percent } from "./numbers.js";
import { weightRgb } from "./palette.js";
import { t } from "./strings.js";

/** fail(error): something went wrong and the user should know. */
export function pictureView(host, source, fail) {
  const file = el("input", { type: "file", id: "picture-file", accept: "image/png,image/jpeg", onchange: () => file.files[0] && take(file.files[0]) });
  const drop = el("div", { class: "drop" }, el("label", { for: "picture-file" }, t("drop")), file);
  const canvas = el("canvas", { class: "picture", tabindex: "0", role: "img", "aria-label": t("picture_says") });
  const layer = el("select", { id: "picture-layer", onchange: () => attend() });
  const head = el("select", { id: "picture-head", onchange: () => attend() });
  const opacity = el("input", { type: "range", id: "picture-mask", min: "0", max: "1", step: "0.05", value: "0.45", oninput: () => paint() });
  const readout = el("p", { role: "status" });
  const classes = el("div", {});
  const stage = el("div", { class: "picture-stage", hidden: true }, el("p", { class: "says" }, t("picture_says")),
    el("p", { class: "line" }, el("label", { for: "picture-layer" }, t("layer")), layer, el("label", { for: "picture-head" }, t("head")), head,
      el("label", { for: "picture-mask" }, t("opacity")), opacity), canvas, readout, classes);
  host.replaceChildren(drop, stage);
  let bytes = null;
  let image = null;
  let mask = null;
  let facts = null; // of the segmentation
  let seen = null; // the answer of attend
  let pixel = null;

  drop.ondragover = (event) => event.preventDefault();
  drop.ondrop = (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  };

  const decode = (url) => new Promise((resolve, reject) => {
    const picture = new Image();
    picture.onload = () => resolve(picture);
    picture.onerror = () => reject(new Error(t("choose_picture")));
    picture.src = url;
  });

  async function take(chosen) {
    try {
      bytes = await chosen.arrayBuffer();
      const url = URL.createObjectURL(chosen);
      image = await decode(url);
      URL.revokeObjectURL(url);
      facts = await source.segment(bytes);
      mask = await decode(facts.mask);
      seen = null;
      stage.hidden = false;
      pixel = { x: Math.floor(facts.width / 2), y: Math.floor(facts.height / 2) };
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
    const all = facts.width * facts.height;
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
    if (!pixel) return;
    try {
      const first = layer.options.length === 0;
      seen = await source.attend(bytes, { ...pixel, layer: first ? 0 : layer.value, head: first ? "mean" : head.value });
      if (first) {
        layer.replaceChildren(...Array.from({ length: seen.layers }, (_, i) => el("option", { value: String(i + 1) }, String(i + 1))));
        layer.value = String(seen.layers);
        head.replaceChildren(el("option", { value: "mean" }, t("mean")), ...Array.from({ length: seen.heads }, (_, i) => el("option", { value: String(i + 1) }, String(i + 1))));
      }
      paint();
    } catch (error) {
      fail(error);
    }
  }

  function paint() {
    if (!image) return;
    const scale = Math.min(2, Math.max(1, (host.clientWidth || facts.width) / facts.width));
    const context = canvasContext(canvas, facts.width * scale, facts.height * scale);
    context.drawImage(image, 0, 0, facts.width * scale, facts.height * scale);
    context.imageSmoothingEnabled = false;
    context.globalAlpha = Number(opacity.value);
    context.drawImage(mask, 0, 0, facts.width * scale, facts.height * scale);
    context.globalAlpha = 1;
    if (seen) heat(context, scale);
    if (pixel) {
      context.strokeStyle = "#D55E00";
      context.lineWidth = 3;
      context.strokeRect(pixel.x * scale - 5, pixel.y * scale - 5, 10, 10);
      readout.textContent = t("pixel_at", pixel.x, pixel.y);
    }
  }

  function heat(context, scale) {
    const largest = Math.max(...seen.weights);
    const cells = new ImageData(seen.columns, seen.rows);
    seen.weights.forEach((weight, i) => {
      const share = largest > 0 ? weight / largest : 0;
      cells.data.set([...weightRgb(share, "light"), Math.round(220 * Math.sqrt(share))], 4 * i);
    });
    const small = el("canvas", { width: cells.width, height: cells.height });
    small.getContext("2d").putImageData(cells, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(small, 0, 0, facts.width * scale, facts.height * scale);
  }

  function go(x, y) {
    pixel = { x: Math.min(Math.max(x, 0), facts.width - 1), y: Math.min(Math.max(y, 0), facts.height - 1) };
    attend();
  }

  canvas.onclick = (event) => {
    const box = canvas.getBoundingClientRect();
    go(Math.floor(((event.clientX - box.left) / box.width) * facts.width), Math.floor(((event.clientY - box.top) / box.height) * facts.height));
  };
  canvas.onkeydown = (event) => {
    const step = { ArrowRight: [8, 0], ArrowLeft: [-8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
    if (!step || !pixel) return;
    event.preventDefault();
    go(pixel.x + step[0], pixel.y + step[1]);
  };
  return { draw: paint };
}
