// numbers.js: packed arrays (src/show/numbers_json.h) to typed arrays, and numbers to text.

/** base64 of float32, or of the upper halves of floats ("bf16"), to a Float32Array. */
export function unpack(text, type = "f32") {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  if (type === "f32") return new Float32Array(bytes.buffer);
  const halves = new Uint16Array(bytes.buffer);
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  return new Float32Array(bits.buffer);
}

/** A number with so many decimals and a true minus sign; "-0.000" is "0.000". */
export function decimal(value, digits = 3) {
  const text = Math.abs(value) >= 1e6 ? value.toExponential(digits) : value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
}

export function percent(value) {
  return `${(100 * value).toFixed(1)}\u00a0%`;
}

/** All that a float32 holds, for titles and programs. */
export function exact(value) {
  return String(Number(value.toPrecision(9)));
}
