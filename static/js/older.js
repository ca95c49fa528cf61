// Older windows of a long conversation: fetched when the person comes near their link, without moving what is read.
import { fragment } from "./net.js";
import { keepPlace } from "./scroll.js";

const root = document.getElementById("thread");
const scroll = document.getElementById("scroll");
const link = () => root.querySelector("a[data-older]");

// The turns of an older window stand in a box of their own. Once it has been drawn the browser knows how high it is (two
// frames later) and need not lay it out again until it comes near: a chat of thousands of turns stays as quick as a new one.
function boxed(fresh) {
  const box = document.createElement("div");
  box.className = "window";
  box.append(...[...fresh.childNodes].filter((node) => !node.matches?.("[data-older]")));
  fresh.append(box);
  return () => requestAnimationFrame(() => requestAnimationFrame(() => box.classList.add("still")));
}

// `adopt` makes the answers of a window known to the page. Whether there is a new link to watch.
async function load(pressed, adopt) {
  if (pressed.hasAttribute("aria-busy")) return false;
  pressed.setAttribute("aria-busy", "true");
  try {
    const fresh = await fragment(pressed.dataset.older);
    fresh.querySelector(".newest")?.remove();
    const focused = document.activeElement === pressed;
    const turn = fresh.querySelector("[data-id]");
    const rest = boxed(fresh);
    keepPlace(() => pressed.replaceWith(fresh));
    rest();
    adopt();
    if (focused && turn) {
      turn.tabIndex = -1;
      turn.focus({ preventScroll: true });
    }
    return true;
  } catch {
    pressed.removeAttribute("aria-busy");
    return false;
  }
}

// Returns what is to be called when another link may have come.
export function listen(adopt) {
  const go = (pressed) => load(pressed, adopt).then((more) => more && watch());
  const near = (entries) => entries.some((entry) => entry.isIntersecting) && go(entries[0].target);
  const watcher = new IntersectionObserver(near, { root: scroll, rootMargin: "300px" });
  function watch() {
    watcher.disconnect();
    if (link() && !("older" in root.dataset)) watcher.observe(link());
  }
  root.addEventListener("click", (event) => {
    const pressed = event.target.closest("a[data-older]");
    if (!pressed) return;
    event.preventDefault();
    go(pressed);
  });
  watch();
  return watch;
}
