// strings.js: every text of the page, in the language that the user reads. Each language is a module of its own.
import { ENGLISH } from "./text_en.js";
import { CHINESE } from "./text_zh.js";

/** By the first part of a language's code: its own name, the whole code, its texts. A text that is missing is English. */
const LANGUAGES = {
  en: { name: "English", code: "en", texts: ENGLISH },
  zh: { name: "中文", code: "zh-Hans", texts: CHINESE },
};

let language = "en";

export function setLanguage(name) {
  const first = name.split("-")[0].toLowerCase();
  language = first in LANGUAGES ? first : "en";
  document.documentElement.lang = LANGUAGES[language].code;
}

/** The key of the one in use. */
export function languageName() {
  return language;
}

/** The one that a button offers: {name, code, key}. */
export function nextLanguage() {
  const keys = Object.keys(LANGUAGES);
  const key = keys[(keys.indexOf(language) + 1) % keys.length];
  return { key, ...LANGUAGES[key] };
}

/** The text of a key, {0}, {1} ... being replaced. */
export function t(key, ...values) {
  return (LANGUAGES[language].texts[key] ?? ENGLISH[key]).replace(/\{(\d)\}/g, (_, i) => values[i]);
}
