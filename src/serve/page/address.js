// address.js: what is shown, in the part of the address that no server is sent: a copy of it shows the same.

/** {from, to, text, sentence, tab, part, layer, head, word}, as far as the address says. */
export function readAddress() {
  const found = {};
  new URLSearchParams(location.hash.slice(1)).forEach((value, name) => { found[name] = value; });
  return found;
}

/** Changes some of it; null leaves a name out. */
export function writeAddress(change) {
  if (location.protocol === "file:") return; // a page that was saved shows one thing
  const all = Object.entries({ ...readAddress(), ...change }).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const hash = new URLSearchParams(all.map(([name, value]) => [name, String(value)])).toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
}
