// docs.js: what the server answers, from its own description (/spec), for people.
import { el } from "./dom.js";

/** A JSON body's fields stand in its schema; else each parameter is one. */
function fieldsOf(parameters) {
  const body = parameters.find((one) => one.in === "body" && one.schema.properties);
  if (!body) return parameters.map(({ name, type, required, description }) => ({ name, type: type ?? "file", required, description }));
  return Object.entries(body.schema.properties).map(([name, { type, description }]) =>
    ({ name, type, description, required: body.schema.required.includes(name) }));
}

function table(fields) {
  return el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, ...["Parameter", "Type", "Needed", "Meaning"].map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, ...fields.map((one) => el("tr", {}, el("th", { scope: "row" }, el("code", {}, one.name)), el("td", {}, one.type),
      el("td", {}, one.required ? "yes" : ""), el("td", { class: "meaning" }, one.description))))));
}

function section(path, method, { summary, parameters, responses }) {
  const fields = fieldsOf(parameters);
  return el("section", { class: "route" }, el("h2", {}, el("code", {}, `${method.toUpperCase()} ${path}`)), el("p", {}, `${summary}.`),
    fields.length > 0 ? table(fields) : "", el("p", { class: "says" }, `Answer: ${responses["200"].description}.`));
}

async function start() {
  const spec = await (await fetch("spec")).json();
  document.getElementById("routes").replaceChildren(...Object.entries(spec.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => section(path, method, operation))));
}

start().catch((error) => {
  document.getElementById("status").textContent = error.message;
});
