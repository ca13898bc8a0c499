/** The start page's own modules; without them one chooses and starts all the same. */
import { offerLink } from "./copy.js";
import { keepFree } from "./free.js";
import { keepPresets } from "./presets.js";
import { tellWhen } from "./when.js";

const form = document.getElementById("spawn_form");
if (form?.querySelector("[name='profile']")) {
  keepFree(form);
  tellWhen(form);
  offerLink(form);
  keepPresets(form);
}
