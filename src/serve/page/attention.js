// attention.js: a document of attention (src/show/document_json.c, packed) as matrices with labels.
// Nothing is computed here: every array comes from the program.
import { unpack } from "./numbers.js";

export const PARTS = ["encoder", "decoder", "cross"];

function listOf(document, name) {
  return name.split(".").reduce((object, key) => object[key], document);
}

/** "\u2581it" is shown as it is written in the tokenizer; words without the mark. */
function labels(list, words) {
  return words ? list.words.map((word) => word.word) : list.tokens;
}

const unpacked = new WeakMap(); // part -> name -> Float32Array

function array(part, group, name) {
  if (!unpacked.has(part)) unpacked.set(part, new Map());
  const known = unpacked.get(part);
  const key = `${group}.${name}`;
  if (!known.has(key)) known.set(key, unpack(group === "words" ? part.words[name] : part[name]));
  return known.get(key);
}

const matrices = new WeakMap(); // part -> "group layer head" -> matrix

/**
 * The matrix of a choice {part, layer, head, words}: layer "rollout" or a number, head "mean" or a number.
 * Gives {rows, columns, data, at(row, column), causal}, rows and columns being lists of texts. The same choice
 * of the same document gives the same object.
 */
export function matrixOf(document, choice) {
  const part = document.parts[choice.part];
  if (!matrices.has(part)) matrices.set(part, new Map());
  const known = matrices.get(part);
  const key = `${choice.words} ${choice.layer} ${choice.layer === "rollout" ? "" : choice.head}`;
  if (!known.has(key)) known.set(key, makeMatrix(document, part, choice));
  return known.get(key);
}

function makeMatrix(document, part, choice) {
  const group = choice.words ? "words" : "tokens";
  const rows = labels(listOf(document, part.queries), choice.words);
  const columns = labels(listOf(document, part.keys), choice.words);
  const size = rows.length * columns.length;
  let data;
  if (choice.layer === "rollout") data = array(part, group, "rollout");
  else if (choice.head === "mean") {
    data = array(part, group, "mean").subarray(choice.layer * size, (choice.layer + 1) * size);
  } else {
    const i = choice.layer * part.heads + choice.head;
    data = array(part, group, "weights").subarray(i * size, (i + 1) * size);
  }
  return { rows, columns, data, at: (r, c) => data[r * columns.length + c], causal: choice.part === "decoder" };
}

/** The words of both sides of a part, each with its first piece and their number. */
export function wordsOf(document, name) {
  const part = document.parts[name];
  return { rows: listOf(document, part.queries).words, columns: listOf(document, part.keys).words };
}

export function measures(document, name) {
  const part = document.parts[name];
  return {
    entropy: array(part, "tokens", "entropy"),
    distance: part.distance === null ? null : array(part, "tokens", "distance"),
  };
}

/** The first token of a row of words, or the row itself. */
export function tokenOf(document, partName, words, row) {
  const list = listOf(document, document.parts[partName].queries);
  return words ? list.words[row].first : row;
}

/** The row that a token is in. */
export function rowOf(document, partName, words, token) {
  const list = listOf(document, document.parts[partName].queries);
  if (!words) return Math.min(token, list.tokens.length - 1);
  return Math.max(0, list.words.findIndex((word) => token >= word.first && token < word.first + word.count));
}

export function tokensOf(document, partName, side) {
  return listOf(document, document.parts[partName][side]).tokens;
}
