/** When what is chosen would start: asked a moment after the last change, or when the button is pressed. */
import { ask } from "./ask.js";
import { choiceOf, fill, isChanged } from "./form.js";
import { _ } from "./texts.js";

const PAUSE = 600; // milliseconds after the last change
const PATIENCE = 30_000; // milliseconds for an answer
const LATE = "late";

export function tellWhen(form) {
  const words = form.querySelector("#ch-when");
  const button = form.querySelector("#ch-ask");
  const sooner = form.querySelector("#ch-sooner");
  let timer = 0;
  let underWay = new AbortController();

  const named = (key) => form.querySelector(`[name="${CSS.escape(`${choiceOf(form).profile}:${key}`)}"]`);

  function show(answer) {
    words.textContent = answer.words;
    words.dataset.state = answer.state;
    for (const marked of form.querySelectorAll("[aria-invalid]")) marked.removeAttribute("aria-invalid");
    const refused = answer.field ? named(answer.field) : null;
    refused?.setAttribute("aria-invalid", "true");
    refused?.closest("details")?.setAttribute("open", "");
    const offers = answer.alternatives ?? [];
    sooner.hidden = offers.length === 0;
    sooner.querySelector("ul").replaceChildren(...offers.map(offered));
  }

  function offered(offer) {
    const item = document.createElement("li");
    const take = document.createElement("button");
    take.type = "button";
    take.className = "btn btn-outline-secondary btn-sm";
    take.textContent = offer.words;
    take.addEventListener("click", () => {
      fill(form, offer.fields);
      form.querySelector("#start").focus();
    });
    item.append(take);
    return item;
  }

  async function now() {
    clearTimeout(timer);
    underWay.abort();
    const mine = (underWay = new AbortController());
    const patience = setTimeout(() => mine.abort(LATE), PATIENCE);
    words.dataset.state = "asking";
    words.textContent = _("Asking the scheduler.");
    try {
      const answer = await ask(form, form.dataset.estimate, {
        method: "POST",
        body: choiceOf(form),
        signal: mine.signal,
      });
      if (mine.signal.aborted) return;
      show(answer);
      // Spread, so that those who were told to wait do not come back together.
      if (answer.state === "later") timer = setTimeout(now, (answer.retry + Math.random() * 3) * 1000);
    } catch {
      const isWanted = !mine.signal.aborted || mine.signal.reason === LATE;
      if (isWanted) show({ state: "unknown", words: _("When it would start cannot be told now.") });
    } finally {
      clearTimeout(patience);
    }
  }

  function soon() {
    clearTimeout(timer);
    underWay.abort();
    timer = setTimeout(now, PAUSE);
  }

  form.addEventListener("input", soon);
  form.addEventListener("change", soon);
  button.hidden = false;
  button.addEventListener("click", now);
  if (isChanged(form)) soon();
}
