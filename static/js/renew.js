// The side list anew and its further pages: loaded when one of them is wanted. What list.js does with rows it brings along.
import { fragment } from "./net.js";
import { words } from "./words.js";

const list = document.getElementById("list");

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

// The first page anew. Somebody who moves through the list by keyboard keeps the place.
export async function refresh(current, { mark, rowOf }) {
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

export async function more(link) {
  const focused = document.activeElement === link;
  const fresh = await fragment(link.dataset.more);
  const first = fresh.querySelector(".row");
  if (!link.isConnected) return; // the list is another one by now
  link.remove();
  append(fresh);
  if (focused) first?.focus();
}
