// What a person does with a row of the side list: its menu, rename in place, delete and undo. Loaded when it is wanted first.
import { say } from "./announce.js";
import { post } from "./net.js";
import { words } from "./words.js";

const list = document.getElementById("list");
const menu = document.getElementById("row-menu");
const items = [...menu.children];
const toast = document.getElementById("toast");
const TOAST_MS = 10000;
let refresh = null;
let leaving = null;
let chosen = null;
let gone = null;

const change = (row, verb, fields = {}) => post(`${words.new}${row.dataset.id}/${verb}/`, fields);
const rowOf = (id) => list.querySelector(`.row[data-id="${id}"]`);

export function open(row, anew) {
  refresh = anew;
  chosen = row;
  menu.showPopover();
  const at = row.nextElementSibling.getBoundingClientRect();
  const below = at.bottom + menu.offsetHeight < innerHeight;
  menu.style.left = `${Math.min(at.left, innerWidth - menu.offsetWidth - 8)}px`;
  menu.style.top = `${below ? at.bottom : at.top - menu.offsetHeight}px`;
  row.nextElementSibling.setAttribute("aria-expanded", "true");
  menu.firstElementChild.focus();
}

function tell(text, canUndo = false) {
  toast.querySelector("span").textContent = text;
  toast.querySelector("form").hidden = !canUndo;
  toast.hidden = false;
  say(text);
  clearTimeout(leaving);
  leaving = setTimeout(leave, TOAST_MS);
}

// The offer goes by itself, but not while somebody is at it.
function leave() {
  if (toast.matches(":hover, :focus-within")) leaving = setTimeout(leave, 1000);
  else toast.hidden = true;
}

const failed = (error) => tell(error.message || words.failed);

export function rename(row) {
  const old = row.firstElementChild.textContent;
  const input = Object.assign(document.createElement("input"), { className: "rename", value: old, maxLength: 200 });
  input.setAttribute("aria-label", menu.dataset.label);
  let over = false;
  const end = async (save, back) => {
    if (over) return;
    over = true;
    try {
      if (save && input.value.trim() && input.value !== old) shown(row, await change(row, "rename", { title: input.value }));
    } catch (error) {
      over = false;
      return failed(error);
    }
    row.hidden = row.nextElementSibling.hidden = false;
    input.remove();
    if (back) row.focus();
  };
  input.addEventListener("keydown", (event) => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      end(event.key === "Enter", true);
    }
    event.stopPropagation();
  });
  input.addEventListener("blur", () => end(true, false));
  row.hidden = row.nextElementSibling.hidden = true;
  row.parentElement.prepend(input);
  input.select();
  input.focus();
}

function shown(row, { title }) {
  row.firstElementChild.textContent = row.title = title;
  delete row.dataset.untitled;
  if (!row.hasAttribute("aria-current")) return;
  document.getElementById("title").textContent = title;
  document.title = [title, words.organisation].filter(Boolean).join(" · ");
}

async function move(row) {
  const { title, url } = await change(row, "delete");
  if (row.hasAttribute("aria-current")) {
    location.replace(url);
    return;
  }
  const rows = [...list.querySelectorAll("li:not([hidden]) > .row")];
  const place = rows.indexOf(row);
  gone = row;
  row.parentElement.hidden = true;
  (rows[place + 1] || rows[place - 1] || document.getElementById("new")).focus();
  tell(toast.dataset.gone.replace("{title}", () => title || row.firstElementChild.textContent), true);
}

// To the bin. It can be undone, so nobody is asked.
export function remove(row, anew) {
  refresh = anew;
  return move(row).catch(failed);
}

async function undo() {
  await change(gone, "restore");
  toast.hidden = true;
  gone.parentElement.hidden = false;
  const current = list.querySelector("[aria-current]")?.dataset.id;
  await refresh(current).catch(() => {});
  rowOf(gone.dataset.id)?.focus();
}

// The page came with the offer: there the form leads back to the conversation by itself.
export function offer() {
  history.replaceState(null, "", words.new);
  tell(toast.firstElementChild.textContent, true);
}

function listen() {
  menu.addEventListener("click", (event) => {
    const row = chosen;
    const button = event.target.closest("[data-do]");
    if (!button) return;
    menu.hidePopover();
    if (button.dataset.do === "rename") rename(row);
    else remove(row, refresh);
  });
  menu.addEventListener("toggle", (event) => {
    if (event.newState === "open") return;
    chosen?.nextElementSibling.removeAttribute("aria-expanded");
    chosen = null;
  });
  menu.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
    else if (event.key === "Escape" || event.key === "Tab") {
      const row = chosen;
      menu.hidePopover();
      row.nextElementSibling.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  toast.addEventListener("submit", (event) => {
    if (!gone) return;
    event.preventDefault();
    undo().catch(failed);
  });
}

listen();
