// layer.js: the numbers of one layer (src/show/layer_json.h) by name and place.
//
// Letters as there: q query token, k key token, h head, d number within a head, c channel.
import { unpack } from "./numbers.js";

export function openLayer(json) {
  const arrays = new Map();
  const { heads, kv_heads: groups, queries, keys, channels, head_size: size } = json;
  const array = (name) => {
    if (!arrays.has(name)) arrays.set(name, unpack(json.arrays[name]));
    return arrays.get(name);
  };
  const group = (h) => Math.floor(h / (heads / groups));
  const row = (name, q) => array(name).subarray(q * channels, (q + 1) * channels);
  const weights = (name, h, q) => array(name).subarray((h * queries + q) * keys, (h * queries + q + 1) * keys);
  return {
    ...json,
    array,
    row, // of [Q, C] or [K, C]
    weights, // scores, distance_bias, scaled, exps or weights: one number a key
    biased: json.arrays.distance_bias !== undefined, // distances are added to scores
    query: (h, q) => array("query").subarray((h * queries + q) * size, (h * queries + q + 1) * size),
    key: (h, k) => array("keys").subarray((group(h) * keys + k) * size, (group(h) * keys + k + 1) * size),
    queryBefore: (h, q) => array("query_before").subarray((h * queries + q) * size, (h * queries + q + 1) * size),
    keyBefore: (h, k) => array("keys_before").subarray((group(h) * keys + k) * size, (group(h) * keys + k + 1) * size),
    turns: (place) => array("turns").subarray(place * json.turned, (place + 1) * json.turned),
    value: (h, k) => array("values").subarray((group(h) * keys + k) * size, (group(h) * keys + k + 1) * size),
    output: (h, q) => row("joined", q).subarray(h * size, (h + 1) * size),
    headNorms: (q) => array("head_norms").subarray(q * heads, (q + 1) * heads),
    visible: (q) => (json.causal ? q + 1 : keys),
    group,
  };
}

/** The projections' weights: matrix(name) and bias(name), name query, key, value or output. */
export function openMatrices(json) {
  const known = new Map();
  const get = (key, packed) => {
    if (!known.has(key)) known.set(key, unpack(packed.data, packed.type));
    return known.get(key);
  };
  return {
    matrix: (name) => get(`${name}.weight`, json[name].weight),
    bias: (name) => get(`${name}.bias`, json[name].bias),
    gamma: () => get("gamma", json.gamma),
    beta: () => get("beta", json.beta),
  };
}
