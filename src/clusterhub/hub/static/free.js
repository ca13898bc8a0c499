/** What is free for each profile, anew every half minute while somebody looks at the page. */
import { ask } from "./ask.js";

const EVERY = 30_000;
const SPREAD = 5_000; // a class that opened the page together need not ask together

export function keepFree(form) {
  let timer = 0;
  let askedAt = Date.now();

  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, EVERY + Math.random() * SPREAD);
  };

  async function refresh() {
    if (document.hidden) return; // `visibilitychange` goes on
    askedAt = Date.now();
    try {
      const { profiles } = await ask(form, form.dataset.free);
      for (const place of form.querySelectorAll("[data-profile]")) {
        // The hub's own template made it, and escaped what it is made of.
        const html = profiles[place.dataset.profile]?.html ?? "";
        if (place.dataset.html !== html) place.innerHTML = place.dataset.html = html;
      }
    } catch (error) {
      if (error.status === 403) return; // logged out
    }
    later();
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) Date.now() - askedAt > EVERY ? refresh() : later();
  });
  later();
}
