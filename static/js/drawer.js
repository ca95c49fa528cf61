// The side list as a drawer on small screens, menus that close by Esc, and the dialog of an answer's details.
import { fragment } from "./net.js";

const side = document.getElementById("side");
const main = document.getElementById("main");
const menu = document.getElementById("menu");
const scrim = document.getElementById("scrim");
const dialog = document.getElementById("details");

// An open drawer is a step in the browser's history, so that the back button closes it.
function open(on, { back = true } = {}) {
  if (on === side.classList.contains("open")) return;
  if (on) history.pushState({ drawer: true }, "");
  else if (back && history.state?.drawer) history.back();
  side.classList.toggle("open", on);
  scrim.hidden = !on;
  main.inert = on;
  menu.setAttribute("aria-expanded", String(on));
  (on ? side.querySelector("a, button:not([hidden])") : menu).focus();
}

// Whether any was open.
function closeMenus(except) {
  let closed = false;
  for (const each of document.querySelectorAll("details.me[open], details.pop[open]")) {
    if (each === except) continue;
    if (each.contains(document.activeElement)) each.querySelector("summary").focus();
    each.open = false;
    closed = true;
  }
  return closed;
}

async function showDetails(link) {
  dialog.replaceChildren(await fragment(`${link.href}?part=details`));
  dialog.showModal();
}

// A row that is pressed in the drawer takes the drawer's place in the history.
function leave(event) {
  const link = event.target.closest("a[href]");
  if (!link || !history.state?.drawer || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  location.replace(link.href);
}

export const close = () => open(false);

export function listen() {
  side.addEventListener("click", leave);
  addEventListener("popstate", () => open(!!history.state?.drawer, { back: false }));
  addEventListener("pageshow", (event) => event.persisted && open(false));
  if (history.state?.drawer) history.replaceState(null, "");
  menu.addEventListener("click", (event) => {
    event.preventDefault();
    open(true);
  });
  document.getElementById("shut").addEventListener("click", () => open(false));
  scrim.addEventListener("click", () => open(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented) {
      const closed = closeMenus() || side.classList.contains("open");
      open(false);
      // Whoever listens after us leaves this press alone.
      if (closed || document.querySelector("dialog[open]")) event.stopImmediatePropagation();
    }
    if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.code === "KeyO") {
      event.preventDefault();
      document.getElementById("new").click();
    }
  });
  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest?.("details.me, details.pop"));
    const link = event.target.closest?.("a[data-details]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    showDetails(link).catch(() => { location.href = link.href; });
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
