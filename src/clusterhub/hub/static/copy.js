/** The link with what the form has, to be sent to somebody or kept. */
import { linkOf } from "./form.js";
import { _ } from "./texts.js";

export function offerLink(form) {
  const button = form.querySelector("#ch-copy");
  const shown = form.querySelector("#ch-link");
  const said = form.querySelector("#ch-copied");
  button.hidden = false;
  button.addEventListener("click", async () => {
    // Shown as well: a page that came over plain HTTP may not write to the clipboard.
    shown.value = linkOf(form);
    shown.hidden = false;
    shown.select();
    try {
      await navigator.clipboard.writeText(shown.value);
      said.textContent = _("Copied.");
    } catch {
      said.textContent = _("Copy the link above.");
    }
  });
}
