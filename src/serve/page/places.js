// places.js: where the sentences of a text stand in its translation, and its words.

/** The text as a list of {text, start, word}: words, and what is between them. */
export function wordsIn(text) {
  let start = 0;
  return text.split(/(\s+)/).filter((piece) => piece !== "").map((piece) => {
    const at = start;
    start += piece.length;
    return { text: piece, start: at, word: piece.trim() !== "" };
  });
}

/**
 * For each sentence {text, ways, start, end}: what it became, ways to say it, and its place in the translation. made: a list of
 * {text, alternatives}, each sentence translated by itself, in order. One that is not found, because the text around it
 * changed how it is written, has what lies between its neighbours.
 */
export function placesOf(translation, made) {
  let from = 0;
  const places = made.map(({ text, alternatives }) => {
    const start = translation.indexOf(text, from);
    if (start >= 0) from = start + text.length;
    return { text, ways: [...new Set([text, ...alternatives])], start, end: start < 0 ? -1 : from };
  });
  places.forEach((place, i) => {
    if (place.start >= 0) return;
    const next = places.slice(i + 1).find((one) => one.start >= 0);
    place.start = i > 0 ? places[i - 1].end : 0;
    place.end = next ? next.start : translation.length;
  });
  return places;
}

const bare = (word) => word.toLowerCase().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");

/** The number of the word of a sentence ({word, mark} each) that was clicked: the same word, else the one in its place. */
export function wordAt(words, { text, share }) {
  const place = (i) => Math.abs(i / Math.max(1, words.length) - share);
  const all = words.map((_, i) => i).filter((i) => !words[i].mark);
  const same = all.filter((i) => bare(words[i].word) === bare(text));
  const near = (a, b) => place(a) - place(b);
  return (same.length > 0 ? same : all).sort(near)[0] ?? 0;
}

/** Whether a file that was read as text is none. */
export function lostText(text) {
  return text.includes("\0") || text.includes("\ufffd");
}
