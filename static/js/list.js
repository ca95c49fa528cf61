// The side list: further pages, rows that change, ways to a row's menu (rows.js, loaded when it is wanted). Knows no answers.
import { fragment, post } from "./net.js";
import { words } from "./words.js";

const list = document.getElementById("list");
const TITLE_MS = [1500, 3000, 6000, 12000];
const DOTS_MS = 6000;
let waiting = null;

const rowOf = (id) => list.querySelector(`.row[data-id="${id}"]`);

// Which row is open; an answer that the person now sees is no news any more.
function mark(current) {
  for (const row of list.querySelectorAll(".row")) {
    const here = row.dataset.id === current;
    if (here) row.setAttribute("aria-current", "page");
    else row.removeAttribute("aria-current");
    const dot = here && !document.hidden && row.querySelector(".new");
    if (!dot) continue;
    dot.remove();
    post(`${words.new}${current}/seen/`, {}).catch(() => {});
  }
}

export function titleOf(conversation) {
  return rowOf(conversation)?.firstElementChild.textContent || "";
}

// What comes after what is there; a heading that goes on is not said twice.
function append(rest) {
  const first = rest.querySelector("h2");
  const last = [...list.querySelectorAll("h2")].at(-1);
  if (first && last && first.textContent === last.textContent) {
    last.nextElementSibling.append(...first.nextElementSibling.children);
    first.nextElementSibling.remove();
    first.remove();
  }
  list.append(rest);
}

// The loaded rows that are older than the fresh first page: they stay. Null when the two do not meet.
function older(fresh) {
  const rows = [...fresh.querySelectorAll(".row")];
  const known = new Set(rows.map((row) => row.dataset.id));
  const old = [...list.querySelectorAll(".row")];
  if (!fresh.querySelector(".more") || !old.some((row) => known.has(row.dataset.id))) return null;
  const end = Number(rows.at(-1).dataset.at);
  const rest = new DocumentFragment();
  for (const row of old) {
    if (known.has(row.dataset.id) || Number(row.dataset.at) >= end) row.parentElement.remove();
  }
  for (const part of list.querySelectorAll("ul:empty, ul:not(:has(li))")) {
    part.previousElementSibling.remove();
    part.remove();
  }
  if (!list.querySelector(".row")) return null;
  fresh.querySelector(".more").remove();
  rest.append(...list.childNodes);
  return rest;
}

// The first page anew. Somebody who moves through the list by keyboard keeps the place.
export async function refresh(current) {
  const fresh = await fragment(words.list);
  if (list.querySelector(".rename, [aria-expanded=true]")) return;
  const active = document.activeElement;
  const focused = list.contains(active) && active.closest("li")?.querySelector(".row").dataset.id;
  const top = list.scrollTop;
  const rest = older(fresh);
  list.replaceChildren(fresh);
  if (rest) append(rest);
  list.scrollTop = top;
  mark(current);
  const row = focused && rowOf(focused);
  if (row) (active.matches(".act") ? row.nextElementSibling : row).focus({ preventScroll: true });
}

// Asks again while something in the list is about to change: a title to come, an answer being written elsewhere.
export function watch(current, onTitle, tries = 0) {
  clearTimeout(waiting);
  const row = rowOf(current());
  const untitled = row && "untitled" in row.dataset;
  const others = [...list.querySelectorAll(".row .run")].some((dot) => dot.parentElement !== row);
  if (!(untitled && tries < TITLE_MS.length) && !others) return;
  const delay = untitled && tries < TITLE_MS.length ? TITLE_MS[tries] : DOTS_MS;
  waiting = setTimeout(async () => {
    if (!document.hidden) await refresh(current()).then(() => onTitle(titleOf(current())), () => {});
    watch(current, onTitle, tries + 1);
  }, delay);
}

async function more(link) {
  link.setAttribute("aria-busy", "true");
  const focused = document.activeElement === link;
  const fresh = await fragment(link.dataset.more);
  const first = fresh.querySelector(".row");
  link.remove();
  append(fresh);
  if (focused) first?.focus();
}

// What is done with a row. A browser without popovers gets the page with the same forms.
async function act(verb, row) {
  try {
    const rows = await import("./rows.js");
    await rows[verb](row, refresh);
  } catch (error) {
    if (!row || error.status) throw error;
    location.href = row.nextElementSibling.href;
  }
}

function onKey(event) {
  const here = event.target.closest("li")?.querySelector(".row");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const verb = { F2: "rename", Delete: "remove" }[event.key];
  if (!here || !(step || verb) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (verb) return act(verb, here);
  const rows = [...list.querySelectorAll("li:not([hidden]) > .row")];
  rows[rows.indexOf(here) + step]?.focus();
}

export function listen() {
  const load = (link) => link.hasAttribute("aria-busy") || more(link).catch(() => link.removeAttribute("aria-busy"));
  list.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-more], a.act");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.matches(".act")) act("open", link.previousElementSibling);
    else load(link);
  });
  // A long press and the menu key open our menu; the right mouse button keeps the browser's ("open in a new tab").
  list.addEventListener("contextmenu", (event) => {
    const here = event.target.closest("li")?.querySelector(".row");
    if (!here || event.button === 2 || event.pointerType === "mouse") return;
    event.preventDefault();
    act("open", here);
  });
  list.addEventListener("keydown", onKey);
  list.addEventListener("scroll", () => {
    const link = list.querySelector("a[data-more]");
    if (link && list.scrollTop > 0 && list.scrollTop + list.clientHeight > list.scrollHeight - 200) load(link);
  }, { passive: true });
  // The page came with the offer to undo a delete.
  if (!document.getElementById("toast").hidden) act("offer");
}
