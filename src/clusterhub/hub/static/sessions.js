// The operators' table without reloading it: sorts, filters, and follows what happens.

import { _ } from "./texts.js";
import { moment } from "./times.js";

const AGAIN = 5000; // ms between two looks while the page is in sight
const SOON = 1000; // ms until the first: what was just stopped may still be in what the server wrote
const table = document.getElementById("clusterhub-sessions");
const body = table.tBodies[0];
const filter = document.getElementById("clusterhub-filter");
const show = document.getElementById("clusterhub-show");
const template = document.getElementById("clusterhub-row");
let order = table.dataset.order;
let sessions = null; // until the first answer it is as the server has written it

/** Numbers by size and texts by the alphabet; what is not known comes last, whichever the direction. */
const compare = (name, descending) => (one, other) => {
  const [first, second] = [one.keys[name], other.keys[name]];
  if (first === null || second === null) return (first === null) - (second === null);
  const result = typeof first === "number" ? first - second : first.localeCompare(second);
  return descending ? -result : result;
};

const isShown = ({ words, job, server }) => {
  const text = [...Object.values(words), job ?? "", server].join(" ").toLocaleLowerCase();
  return show.value.toLocaleLowerCase().split(/\s+/).every((word) => text.includes(word));
};

const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

const rowOf = (session) => {
  const row = template.content.firstElementChild.cloneNode(true);
  const server = session.server ? `/${encodeURIComponent(session.server)}` : "";
  const person = encodeURIComponent(session.person);
  const [stop, message] = row.querySelectorAll("a");
  stop.href = `${stop.dataset.href}${person}${server}?back=sessions`;
  message.href = `${message.dataset.href}${person}`;
  write(stop.querySelector("span"), ` ${session.words.person}`);
  write(message.querySelector("span"), ` ${session.person}`);
  return row;
};

/** Rows stay the same elements, so that the focus stays where it is. */
const draw = () => {
  const name = order.replace(/^-/, "");
  const shown = sessions.filter(isShown).sort(compare("person", false)).sort(compare(name, order.startsWith("-")));
  const rows = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  const wanted = shown.map((session) => {
    const id = `${session.person}/${session.server}`;
    const row = rows.get(id) ?? rowOf(session);
    row.dataset.id = id;
    for (const cell of row.querySelectorAll("[data-column]")) {
      const column = cell.dataset.column;
      const began = column === "since" ? session.keys.since : null;
      write(cell, began === null ? session.words[column] : moment(new Date(1000 * began)));
    }
    return row;
  });
  const kept = new Set(wanted);
  for (const row of [...body.rows]) if (!kept.has(row)) row.remove();
  wanted.forEach((row, place) => {
    if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
  });
  const count = _("{shown} of {all} sessions", { shown: shown.length, all: sessions.length });
  write(document.getElementById("clusterhub-count"), count);
  document.getElementById("clusterhub-nobody").hidden = sessions.length > 0;
  for (const button of table.tHead.querySelectorAll("button")) {
    const head = button.closest("th");
    const direction = { [button.dataset.name]: "ascending", [`-${button.dataset.name}`]: "descending" }[order];
    if (direction) head.setAttribute("aria-sort", direction);
    else head.removeAttribute("aria-sort");
  }
};

const look = async () => {
  const headers = { "X-XSRFToken": window.jhdata?.xsrf_token ?? "" };
  const answer = await fetch(table.dataset.source, { cache: "no-store", headers }).catch(() => null);
  if (!answer?.ok) return; // what is shown goes on to be shown
  ({ sessions } = await answer.json());
  draw();
};

const remember = () => {
  const address = new URL(window.location);
  address.search = new URLSearchParams({ show: show.value, sort: order });
  window.history.replaceState(null, "", address);
};

table.tHead.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  event.preventDefault();
  order = order === button.dataset.name ? `-${order}` : button.dataset.name;
  remember();
  await (sessions === null ? look() : draw());
});
filter.addEventListener("submit", (event) => event.preventDefault());
show.addEventListener("input", async () => {
  remember();
  await (sessions === null ? look() : draw());
});

const follow = async () => {
  if (!document.hidden) await look();
  setTimeout(follow, AGAIN);
};
setTimeout(follow, SOON);
window._jupyterhub_page_loaded = true;
