// sentence.js: the sentence of a page that is one file, and its translation. A server's page has translator.js in its place.
import { el } from "./dom.js";

/** on: {show(document, other)}; other: one to compare with. */
export function sentenceView(host, source, on) {
  const [document, other] = source.documents;

  function draw() {
    host.replaceChildren(el("p", { class: "given" }, document.source.text), el("p", { class: "translation" }, document.target.text));
  }

  return { draw, start: () => on.show(document, other), documentOf: null };
}
