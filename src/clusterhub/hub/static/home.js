// The home page without reloading it: cards as they are now, times in the person's zone.

import { localize } from "./times.js";

const place = document.getElementById("clusterhub-home");
const again = 1000 * Number(place.dataset.refresh);
const CHANGING = 3000; // ms until the next look while something starts or ends

const isChanging = () =>
  [...place.querySelectorAll("[data-state]")].some(
    ({ dataset }) => !["running", "stopped", "suspended", "away", "queued"].includes(dataset.state),
  );

const look = async () => {
  const headers = { "X-XSRFToken": window.jhdata?.xsrf_token ?? "" };
  const answer = await fetch(window.location.pathname, { cache: "no-store", headers }).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("clusterhub-home");
  // What somebody is about to press stays under the finger.
  if (!fresh || place.contains(document.activeElement) || place.matches(":active")) return;
  localize(fresh);
  if (fresh.innerHTML !== place.innerHTML) place.replaceChildren(...fresh.childNodes);
};

const follow = async () => {
  if (!document.hidden) await look();
  setTimeout(follow, isChanging() ? CHANGING : again);
};

// A form that was sent is not sent twice; the page that follows says what came of it.
place.addEventListener("submit", ({ target }) => {
  for (const button of target.querySelectorAll("button")) button.disabled = true;
});
document.addEventListener("visibilitychange", () => document.hidden || look());
setTimeout(follow, isChanging() ? CHANGING : again);
window._jupyterhub_page_loaded = true;
