// source.js: where the numbers come from: the server that gave this page, or the page itself.
//
// Both give the same JSON. A document remembers what it was asked with, so that its layers are of the
// same model and the same words. A server's key is kept for as long as the tab is open.

function embedded(id) {
  const block = document.getElementById(id);
  return block ? JSON.parse(block.textContent) : null;
}

const KEY = "attn.api_key";

function storedKey() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch { // the user's settings forbid it: the key is kept in memory alone
    return "";
  }
}

function storeKey(key) {
  try {
    if (key) sessionStorage.setItem(KEY, key);
    else sessionStorage.removeItem(KEY);
  } catch {
    // as above
  }
}

/** A Response, of which an error was made an exception. */
async function checked(response) {
  if (!response.ok) throw new Error((await response.json()).error);
  return response;
}

async function ask(path, body, signal) {
  return (await checked(await fetch(path, body === undefined ? {} : { ...post(body), signal }))).json();
}

function post(body) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
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

/** languages: what /languages says, with the languages that are reached through a third one. */
function serverSource(models, settings, languages) {
  let key = storedKey();
  const withKey = (request) => (key ? { ...request, api_key: key } : request);
  /** The body is the picture and the address ends up in logs, so the key goes into the header, which takes bytes alone. */
  const askPicture = async (path, bytes) => (await checked(await fetch(path, {
    method: "POST", body: bytes, headers: key ? { Authorization: `Bearer ${String.fromCharCode(...new TextEncoder().encode(key))}` } : {},
  }))).json();
  const remembered = new WeakMap(); // document -> Map of promises
  const of = (doc, path, part, layer) => {
    if (!remembered.has(doc)) remembered.set(doc, new Map());
    const known = remembered.get(doc);
    const name = `${path} ${part} ${layer}`;
    if (!known.has(name)) {
      const answer = ask(path, withKey({ ...doc.request, part, layer }));
      known.set(name, answer);
      answer.catch(() => known.delete(name)); // to be asked for again, perhaps with another key
    }
    return known.get(name);
  };
  /** By which model, if it is one. */
  const wayOf = (request) => {
    const model = models.find((m) => m.model === request.model);
    return model ? { model: model.model, source: model.source, target: model.target } : { source: request.source, target: request.target };
  };
  return {
    live: true,
    models,
    languages,
    pictures: settings.pictures === true,
    needsKey: settings.keyRequired === true,
    get key() { return key; },
    set key(value) {
      key = value.trim();
      storeKey(key);
    },
    async document(request, signal) {
      const doc = await ask("attn/document", withKey(request), signal);
      doc.request = request; // the same search gives the same ids again
      return doc;
    },
    layer: (doc, part, layer) => of(doc, "attn/layer", part, layer),
    matrices: (doc, part, layer) => of(doc, "attn/matrices", part, layer),
    /** The translation before and after heads of a layer are silenced or made to look elsewhere (src/serve/look.h). */
    intervene: (doc, change) => ask("attn/intervene", withKey({ ...doc.request, ...change })),
    /** What `attn probe` counted of the document's model, or null. */
    probe: (doc) => models.find((m) => m.model === (doc.request.model ?? 0))?.probe ?? null,
    /** The translation, given piece by piece to progress(text) on its way. request: {q} and {model}, or {source, target}. */
    async translate(request, progress, signal) {
      const response = await checked(await fetch("translate", { ...post(withKey({ q: request.q, ...wayOf(request), stream: true })), signal }));
      let text = "";
      await readEvents(response, (name, data) => {
        if (name === "error") throw new Error(data.error);
        text = data.translatedText;
        progress(text);
      });
      return text;
    },
    characterLimit: settings.charLimit,
    /** The code of the likeliest language that is served, or null. */
    async detect(text, signal) {
      const found = await ask("detect", withKey({ q: text }), signal);
      return found.find(({ language }) => models.some((m) => m.source === language))?.language ?? null;
    },
    /** Each of the texts by itself, with other translations: [{text, alternatives}]. */
    async alternatives(request, texts) {
      const made = await ask("translate", withKey({ q: texts, ...wayOf(request), alternatives: 3 }));
      return made.translatedText.map((text, i) => ({ text, alternatives: made.alternatives[i] }));
    },
    fileKinds: settings.filesTranslation ? settings.supportedFilesFormat : [],
    takesFile: (name) => settings.filesTranslation === true && settings.supportedFilesFormat.some((ending) => name.toLowerCase().endsWith(ending)),
    /** Gives the address of the file translated. */
    async translateFile(file, from, to) {
      const form = new FormData();
      form.append("file", file);
      form.append("source", from);
      form.append("target", to);
      if (key) form.append("api_key", key);
      const made = await (await checked(await fetch("translate_file", { method: "POST", body: form }))).json();
      return new URL(made.translatedFileUrl, location.href).pathname;
    },
    segment: (bytes) => askPicture("attn/segment", bytes),
    attend: (bytes, { x, y, layer, head }) => askPicture(`attn/attend?x=${x}&y=${y}&layer=${layer}&head=${head}`, bytes),
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
    probe: () => null,
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
  const [list, settings, languages] = await Promise.all([ask("attn/models"), ask("frontend/settings"), ask("languages")]);
  return serverSource(list.models, settings, languages);
}
