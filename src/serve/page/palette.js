// palette.js: the colours of src/show/palette.c. Heads: Okabe and Ito's, for any colour vision. Weights:
// one blue of even lightness, so that it reads in grey too. Signed numbers: blue below 0, orange above.

const WEIGHTS = {
  light: ["F3F7FA", "C3E2FB", "96C9F5", "6FAEE9", "4F92D6", "3676BE", "265A9F", "1C417D", "152C58"],
  dark: ["181E28", "1C3451", "1D4D7A", "20689F", "2D86C0", "4AA5DA", "73C3EE", "A3DFFB", "DAF7FF"],
};
const HEADS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442"];
const INK = { light: "#1B1F24", dark: "#E8ECF1" };
const SIGNED = {
  light: { low: [0, 114, 178], zero: [244, 245, 247], high: [213, 94, 0] },
  dark: { low: [86, 180, 233], zero: [29, 36, 46], high: [240, 140, 40] },
};

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
let dark = prefersDark.matches; // asking anew for each colour would take longer than the colours
prefersDark.addEventListener("change", () => { dark = prefersDark.matches; });
let chosen = null; // by the user; else the system's

export function themeName() {
  return chosen ?? (dark ? "dark" : "light");
}

export function setTheme(name) {
  chosen = name;
  document.documentElement.dataset.theme = name;
}

/** Calls changed() when the system's theme changes. */
export function onTheme(changed) {
  prefersDark.addEventListener("change", changed);
}

const parsed = Object.fromEntries(Object.entries(WEIGHTS).map(([theme, list]) =>
  [theme, list.map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)))]));

function mix(a, b, t) {
  return a.map((from, i) => Math.round(from + (b[i] - from) * t));
}

/** [red, green, blue] of a share from 0 to 1. */
export function weightRgb(share, theme = themeName()) {
  const steps = parsed[theme];
  const at = Math.min(Math.max(share, 0), 1) * (steps.length - 1);
  const step = Math.min(Math.floor(at), steps.length - 2);
  return mix(steps[step], steps[step + 1], at - step);
}

/** Writes the colours of all `weights`, raised to `power`, to `pixels`: four bytes each, red, green, blue, opaque. */
export function paintWeights(pixels, weights, power, theme = themeName()) {
  const steps = parsed[theme];
  for (let i = 0; i < weights.length; i++) {
    const at = Math.min(Math.max(weights[i] ** power, 0), 1) * (steps.length - 1);
    const step = Math.min(Math.floor(at), steps.length - 2);
    const [from, to] = [steps[step], steps[step + 1]];
    for (let c = 0; c < 3; c++) pixels[4 * i + c] = Math.round(from[c] + (to[c] - from[c]) * (at - step));
    pixels[4 * i + 3] = 255;
  }
}

const HEAT = [[6, 18, 74], [46, 62, 122], [104, 104, 128], [164, 150, 110], [222, 196, 72], [255, 240, 150]];

/** The colours of a map over a picture (src/image/heat.c); share from 0 to 1. */
export function heatRgb(share) {
  const at = Math.min(Math.max(share, 0), 1) * (HEAT.length - 1);
  const step = Math.min(Math.floor(at), HEAT.length - 2);
  return mix(HEAT[step], HEAT[step + 1], at - step);
}

export function css(rgb) {
  return `rgb(${rgb[0]} ${rgb[1]} ${rgb[2]})`;
}

/** Text that stands out from the colour: the darker or lighter ink with more contrast. */
export function inkOn(rgb) {
  const [r, g, b] = rgb.map((v) => {
    const s = v / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.19 ? "#12171F" : "#FFFFFF";
}

export function headColor(head, theme = themeName()) {
  const i = head % (HEADS.length + 1);
  return i < HEADS.length ? HEADS[i] : INK[theme];
}

/** [red, green, blue] of a number between -largest and largest. */
export function signedRgb(value, largest, theme = themeName()) {
  const { low, zero, high } = SIGNED[theme];
  const t = largest > 0 ? Math.min(Math.abs(value) / largest, 1) ** 0.7 : 0;
  return mix(zero, value < 0 ? low : high, t);
}
