// What the page's modules say, in the page's language. The page holds the translations of all that stands in a
// call of _() in a module here; in English there is nothing to translate.
const catalogue = document.getElementById("clusterhub-texts");
const translations = catalogue === null ? {} : JSON.parse(catalogue.textContent);

/** The message in the page's language, with its values in the place of {name}. */
export const _ = (message, values = {}) =>
  (translations[message] ?? message).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
