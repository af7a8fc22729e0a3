// source.js: where the numbers come from: the server that gave this page, or the page itself.
//
// Both give the same JSON. A document remembers what it was asked with, so that its layers are of the
// same model and the same words.

function embedded(id) {
  const block = document.getElementById(id);
  return block ? JSON.parse(block.textContent) : null;
}

async function ask(path, body) {
  const response = await fetch(path, body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

/** Calls event(name, data) for each event of the stream. */
async function readEvents(response, event) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    let end;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const find = (field) => lines.find((line) => line.startsWith(`${field}: `))?.slice(field.length + 2);
      event(find("event"), JSON.parse(find("data")));
    }
  }
}

function serverSource(models, settings) {
  const remembered = new WeakMap(); // document -> Map of promises
  const of = (doc, path, part, layer) => {
    if (!remembered.has(doc)) remembered.set(doc, new Map());
    const known = remembered.get(doc);
    const key = `${path} ${part} ${layer}`;
    if (!known.has(key)) known.set(key, ask(path, { ...doc.request, part, layer }));
    return known.get(key);
  };
  return {
    live: true,
    models,
    pictures: settings.pictures === true,
    needsKey: settings.keyRequired === true,
    async document(request) {
      const doc = await ask("attn/document", request);
      doc.request = { ...request, target: doc.target.text || undefined };
      return doc;
    },
    layer: (doc, part, layer) => of(doc, "attn/layer", part, layer),
    matrices: (doc, part, layer) => of(doc, "attn/matrices", part, layer),
    /** The translation, given piece by piece to progress(text) on its way. */
    async translate(request, progress) {
      const model = models.find((m) => m.model === request.model);
      const response = await fetch("translate", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ q: request.q, source: model.source, target: model.target, stream: true,
          api_key: request.api_key }),
      });
      if (!response.ok) throw new Error((await response.json()).error);
      let text = "";
      await readEvents(response, (name, data) => {
        if (name === "error") throw new Error(data.error);
        text = data.translatedText;
        progress(text);
      });
      return text;
    },
    async segment(bytes) {
      const response = await fetch("attn/segment", { method: "POST", body: bytes });
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
      return answer;
    },
    async attend(bytes, { x, y, layer, head }) {
      const response = await fetch(`attn/attend?x=${x}&y=${y}&layer=${layer}&head=${head}`,
        { method: "POST", body: bytes });
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
      return answer;
    },
  };
}

function embeddedSource(documents) {
  const parsed = new Map();
  const block = (id) => {
    if (!parsed.has(id)) parsed.set(id, embedded(id));
    return parsed.get(id);
  };
  return {
    live: false,
    models: [],
    pictures: false,
    documents,
    layer: async (doc, part, layer) => block(`layer-${documents.indexOf(doc)}-${part}-${layer}`),
    matrices: async (doc, part, layer) => block(`matrices-${part}-${layer}`),
  };
}

export async function openSource() {
  const first = embedded("document-0");
  if (first) {
    const second = embedded("document-1");
    return embeddedSource(second ? [first, second] : [first]);
  }
  const [list, settings] = await Promise.all([ask("attn/models"), ask("frontend/settings")]);
  return serverSource(list.models, settings);
}
