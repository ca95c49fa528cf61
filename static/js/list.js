// The side list: further pages, rows that change, ways to a row's menu (rows.js, loaded when it is wanted). Knows no answers.
import { post } from "./net.js";
import { words } from "./words.js";

const list = document.getElementById("list");
const DOTS_MS = 6000;
let waiting = null;
let acts = null;

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

// Whether a model is about to give it a title; `title`: it has.
export function untitled(conversation, title = "") {
  const row = rowOf(conversation);
  if (!row || !("untitled" in row.dataset)) return false;
  if (title) {
    row.firstElementChild.textContent = title;
    row.title = row.title.replace(/^.*(?= · )/, title);
    delete row.dataset.untitled;
  }
  return true;
}

// Its answer has ended and is looked at: nothing runs, nothing is news; perhaps a title comes.
export function done(conversation, titleComes) {
  const row = rowOf(conversation);
  row?.querySelector(".run")?.remove();
  if (row && titleComes) row.dataset.untitled = "";
}

// A row that has changed, or is new, from its own fragment (heading and row): it stands at the top of its day.
export function put(fresh, current) {
  const row = fresh.querySelector("li");
  const old = rowOf(current);
  if (!row || old?.nextElementSibling.matches("[aria-expanded=true]") || list.querySelector(".rename")) return;
  const focused = old?.parentElement.contains(document.activeElement);
  old?.parentElement.remove();
  const first = list.querySelector("h2");
  if (first?.textContent === fresh.querySelector("h2").textContent) first.nextElementSibling.prepend(row);
  else list.prepend(...fresh.children);
  for (const part of list.querySelectorAll("ul:empty, ul:not(:has(li)), .none")) {
    if (part.matches("ul")) part.previousElementSibling.remove();
    part.remove();
  }
  mark(current);
  if (focused) rowOf(current).focus({ preventScroll: true });
}

// The code for the list anew, and for further pages, comes when it is wanted.
const renewal = () => import("./renew.js");
const own = { mark, rowOf };
export const refresh = async (current) => (await renewal()).refresh(current, own);

// Asks again while something in the list is about to change: a title to come, an answer being written elsewhere.
export function watch(current, onTitle, tries = 1) {
  clearTimeout(waiting);
  const changing = () => untitled(current())
    || [...list.querySelectorAll(".row .run")].some((dot) => dot.parentElement !== rowOf(current()));
  if (changing()) waiting = setTimeout(async () => {
    if (!document.hidden && changing()) await refresh(current()).then(() => onTitle(titleOf(current())), () => {});
    watch(current, onTitle, tries + 1);
  }, DOTS_MS * tries);
}

// What is done with a row; once its code is there, at once: the next key is the menu's. A browser without popovers gets the page with
// the same forms.
async function act(verb, row) {
  try {
    acts ??= await import("./rows.js");
    await acts[verb](row, refresh);
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
  // Marked before anything is waited for: a press and the scrolling that it causes are one wish.
  const load = (link) => {
    if (link.hasAttribute("aria-busy")) return;
    link.setAttribute("aria-busy", "true");
    renewal().then((it) => it.more(link)).catch(() => link.removeAttribute("aria-busy"));
  };
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
