// The page of a session that starts, or cannot be visited for a while. All that it shows comes from the hub with
// the page and then event by event, so it may be loaded again at any time.
import { Telling } from "./telling.js";
import { _ } from "./texts.js";
import { ahead, length, localize, moment } from "./times.js";

const element = (id) => document.getElementById(id);
const page = element("clusterhub-session");
const { progressUrl, stopUrl, homeUrl, wasThere } = page.dataset;
const xsrf = page.dataset.xsrf || window.jhdata?.xsrf_token || "";
const AGAIN = 3000;

const events = new EventSource(progressUrl);
const telling = new Telling(element("clusterhub-tell"), element("clusterhub-tell-refused"), page.dataset.key);
let startedAt = Date.now() - 1000 * Number(page.dataset.elapsed || 0);
let listIsOld = true;

/** Changes a text only where it is another one: screen readers read out whatever changes in a live region. */
const say = (place, text) => {
  if (place.textContent !== text) {
    place.textContent = text;
  }
};

const show = (row, text) => {
  element(row).hidden = !text;
  say(element(`${row}-words`), text);
};

const showElapsed = () => say(element("clusterhub-elapsed"), length((Date.now() - startedAt) / 1000));

const showExpected = (event) => {
  if (event.clusterhub_expected === null) {
    show("clusterhub-expected", event.clusterhub_competes ? _("not known yet") : "");
    return;
  }
  const date = new Date(1000 * event.clusterhub_expected);
  const time = document.createElement("time");
  time.dateTime = date.toISOString();
  time.textContent = moment(date);
  element("clusterhub-expected").hidden = false;
  element("clusterhub-expected-words").replaceChildren(time, ` (${ahead(event.clusterhub_expected_in)})`);
};

const showLog = (lines) => {
  const log = element("clusterhub-log");
  const text = lines.join("\n");
  element("clusterhub-log-part").hidden = !text;
  if (log.textContent !== text) {
    log.textContent = text;
    log.scrollTop = log.scrollHeight;
  }
};

// What comes next about the same, such as a new position in the queue, takes the former line's place.
const addToList = (event, since, text) => {
  const list = element("progress-log");
  const former = list.lastElementChild;
  const same = event.clusterhub_topic && former?.dataset.topic === event.clusterhub_topic;
  const line = same ? former : document.createElement("li");
  line.className = "progress-log-event";
  line.dataset.topic = event.clusterhub_topic ?? "";
  const time = document.createElement("time");
  time.dateTime = since.toISOString();
  time.textContent = moment(since, true);
  line.replaceChildren(time, ` ${text}`);
  if (!same) list.append(line);
};

const head = (text) => {
  say(element("clusterhub-heading"), text);
  document.title = text;
};

const load = async () => {
  const answer = await fetch(window.location, { cache: "no-store", headers: { "X-XSRFToken": xsrf } }).catch(() => null);
  return { answer, found: answer && new DOMParser().parseFromString(await answer.text(), "text/html") };
};

// The browser gives a stream up that is refused, as it is while the hub is away or restores its sessions.
const reloadWhenAnswered = async () => {
  const { answer } = await load();
  if (answer?.ok) {
    window.location.reload();
  } else {
    setTimeout(reloadWhenAnswered, AGAIN);
  }
};

/** The page of the ending has what can be done now. It is put in here, below it what happened so far. */
const showEnding = async () => {
  const { answer, found } = await load();
  const ending = found?.getElementById("clusterhub-ending");
  if (ending) {
    page.replaceChildren(...document.importNode(ending, true).childNodes);
    localize(page);
    document.title = found.title;
    page.querySelector("h1").focus();
  } else if (wasThere && answer?.ok && found.getElementById("clusterhub-session")) {
    // It begins anew by itself, after a requeue.
    window.location.reload();
  } else {
    setTimeout(showEnding, AGAIN);
  }
};

element("clusterhub-stop").addEventListener("submit", async (submission) => {
  submission.preventDefault();
  const button = element("stop-server-btn");
  button.disabled = true;
  events.close();
  say(element("progress-message"), _("Stopping."));
  const answer = await fetch(stopUrl, { method: "DELETE", headers: { "X-XSRFToken": xsrf } }).catch(() => null);
  if (answer?.ok) {
    telling.forget();
    window.location = homeUrl;
  } else {
    say(element("progress-message"), _("It could not be stopped. Try again."));
    button.disabled = false;
  }
});

events.onopen = () => {
  listIsOld = true;
};

events.onerror = () => {
  if (events.readyState === EventSource.CLOSED) {
    setTimeout(reloadWhenAnswered, AGAIN);
  }
};

const finish = async (event) => {
  events.close();
  clearInterval(counting);
  if (event.ready) {
    head(_("Your session is ready"));
    await telling.tell(_("Your session is ready"), _("It opens in its tab."));
    window.location.reload();
    return;
  }
  // The hub escapes what is not its own before it writes html_message.
  element("progress-message").innerHTML = event.html_message ?? "";
  element("progress-message").className = "alert alert-danger";
  element("clusterhub-doing").hidden = true;
  head(wasThere ? _("Your session has ended") : _("Your session did not start"));
  telling.tell(document.title, event.message.replace(/^Spawn failed: /, ""));
  setTimeout(showEnding, wasThere ? AGAIN : 0);
};

events.onmessage = async (message) => {
  const event = JSON.parse(message.data);
  if (event.heading !== undefined) {
    head(event.heading);
  }
  if (event.progress !== undefined) {
    element("progress-bar").style.width = `${event.progress}%`;
    element("progress-bar").parentElement.setAttribute("aria-valuenow", event.progress);
  }
  if (event.ready || event.failed) {
    await finish(event);
  } else if (event.clusterhub_topic !== undefined) {
    if (listIsOld) {
      // The stream begins with all that the page has shown already.
      element("progress-log").replaceChildren();
      listIsOld = false;
    }
    startedAt = Date.now() - 1000 * event.clusterhub_elapsed;
    say(element("progress-message"), event.clusterhub_words);
    show("clusterhub-position", event.clusterhub_position);
    showExpected(event);
    showLog(event.clusterhub_log);
    addToList(event, new Date(1000 * event.clusterhub_since), event.clusterhub_words);
  } else if (wasThere && event.message) {
    say(element("progress-message"), event.message);
  }
};

localize(page.parentElement);
showElapsed();
const counting = setInterval(showElapsed, 1000);
window._jupyterhub_page_loaded = true;
