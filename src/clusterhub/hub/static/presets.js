/** Choices under names: kept, renamed and deleted. To use one is a link, which needs no script. */
import { ask } from "./ask.js";
import { choiceOf } from "./form.js";
import { _ } from "./texts.js";

export function keepPresets(form) {
  const list = form.querySelector(".ch-presets");
  const name = form.querySelector("#ch-preset-name");
  const said = form.querySelector("#ch-saved");
  form.classList.add("ch-js");

  async function send(method, body, words) {
    try {
      const { html } = await ask(form, form.dataset.presets, { method, body });
      list.innerHTML = html; // of the hub's own template, which escapes the names
      said.textContent = words;
    } catch (error) {
      said.textContent = error.message;
    }
  }

  async function save() {
    await send("PUT", { name: name.value, choice: choiceOf(form) }, _("Saved."));
    name.focus();
  }
  form.querySelector("#ch-save button").addEventListener("click", save);
  name.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // it would start the session
    save();
  });
  // What is typed there is no part of the choice.
  for (const kind of ["input", "change"]) name.addEventListener(kind, (event) => event.stopPropagation());

  list.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const next = new URL(window.location.href).searchParams.get("next");
    if (link !== null && next !== null) {
      link.search = new URLSearchParams([...new URLSearchParams(link.search), ["next", next]]).toString();
    }
    const button = event.target.closest("button");
    if (button === null) return;
    const preset = button.closest("[data-preset]").dataset.preset;
    if (button.dataset.do === "rename") {
      const newName = window.prompt(_("Its new name"), preset);
      if (newName !== null) send("PATCH", { name: preset, new_name: newName }, _("Renamed."));
    } else if (window.confirm(_("Delete the preset {name}?", { name: preset }))) {
      send("DELETE", { name: preset }, _("Deleted."));
    }
  });
}
