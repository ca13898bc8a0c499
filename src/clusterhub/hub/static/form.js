/** The form as a choice, and a choice put into the form; no field is known by its name. */

const PROFILE = "profile";

/** What the form says: the profile, and the values of its fields that are not empty, by their keys. */
export function choiceOf(form) {
  const data = new FormData(form);
  const profile = data.get(PROFILE);
  const choice = profile === null ? {} : { [PROFILE]: profile };
  for (const [name, value] of data) {
    const own = name.startsWith(`${profile}:`);
    if (own && typeof value === "string" && value !== "") {
      const key = name.slice(`${profile}:`.length);
      choice[key] = key in choice ? [choice[key], value].flat() : value;
    }
  }
  return choice;
}

/** Whether somebody has changed the form already, before this ran or before they came back to the page. */
export function isChanged(form) {
  return [...form.elements].some((field) => {
    if (field.type === "radio" || field.type === "checkbox") return field.checked !== field.defaultChecked;
    return "defaultValue" in field && field.name !== "" && field.value !== field.defaultValue;
  });
}

/** Sets fields, as pairs of name and value, and tells whoever listens to the form. */
export function fill(form, fields) {
  for (const [name, value] of fields) {
    for (const field of form.querySelectorAll(`[name="${CSS.escape(name)}"]`)) {
      if (field.type === "radio" || field.type === "checkbox") {
        field.checked = field.value === value;
      } else {
        field.value = value;
      }
    }
  }
  form.dispatchEvent(new Event("change", { bubbles: true }));
}

/** The address of the page with this choice in it, which fills the form in and starts nothing. */
export function linkOf(form) {
  const link = new URL(form.dataset.link, window.location.href);
  const next = new URL(window.location.href).searchParams.get("next");
  for (const [key, values] of Object.entries(choiceOf(form))) {
    for (const value of [values].flat()) link.searchParams.append(key, value);
  }
  if (next !== null) link.searchParams.set("next", next);
  return link.href;
}
