// The entry: builds the page's parts and ties them together. What each does stands in its own file.
import { Composer } from "./composer.js";
import * as copy from "./copy.js";
import * as draft from "./draft.js";
import * as drawer from "./drawer.js";
import { enter, onTouch } from "./keys.js";
import * as list from "./list.js";
import { insist, json, key, parsed, token } from "./net.js";
import * as scroll from "./scroll.js";
import { Thread } from "./thread.js";
import { words } from "./words.js";

const actions = document.getElementById("do");
const composerForm = document.getElementById("composer");
const stop = document.getElementById("stop");
const title = document.getElementById("title");
let shown = location.pathname;
let composer = null;
const keys = new Map();

const current = () => thread.conversation;

const thread = new Thread({
  running: () => composer.buttons(),
  side(row) { list.put(row, current()); },
  complete(untitled) {
    list.done(current(), untitled);
    composer.counted();
  },
  left(given) { composer.left(given); },
  ended(state, { title: text, url, whole }) {
    name(text);
    composer.turn(state);
    if (url && (whole || list.untitled(current()))) titled(current(), url);
    list.watch(current, name);
  },
  moved(version) { composerForm.elements.version.value = version; },
  trouble(part, on) { composer.trouble(part, on); },
  signedOut() { composer.signedOut(); },
});

function name(text) {
  if (!text) return;
  title.textContent = text;
  document.title = [text, words.organisation].filter(Boolean).join(" · ");
}

// Tells that the end was seen. The title that a model gives the conversation: the poll's address holds until it is there.
async function titled(conversation, url) {
  const looked = document.hidden ? "" : "&looked=1";
  const wait = list.untitled(conversation) ? 20 : 0;
  const { title: text } = await json(`${url}&title=1&wait=${wait}${looked}`).catch(() => ({}));
  if (text && list.untitled(conversation, text) && conversation === current()) name(text);
}

function refreshList() {
  list.refresh(current()).then(() => {
    name(list.titleOf(current()));
    list.watch(current, name);
  }, () => {});
}

function sent(accepted, edits) {
  if (location.pathname !== accepted.conversation_url) {
    history.pushState(null, "", accepted.conversation_url);
    shown = location.pathname;
  }
  thread.take(accepted, { edits });
  list.put(parsed(accepted.row), current());
  list.watch(current, name);
}

// The buttons of an answer. A press that is repeated before it was answered is the same press.
async function act(button) {
  const url = button.getAttribute("formaction");
  if (keys.has(url)) return;
  keys.set(url, key());
  button.setAttribute("aria-busy", "true");
  button.closest("details.pop")?.removeAttribute("open");
  try {
    const fields = { client_id: keys.get(url), ...(button.name === "model" ? { model: button.value } : {}) };
    const accepted = await insist(url, fields, { trouble: (on) => composer.trouble("action", on) });
    composer.say(null);
    if (button !== stop) sent(accepted, "");
    if (!button.isConnected) composer.rest();
  } catch (error) {
    composer.refusal(error);
    stop.disabled = false;
  } finally {
    keys.delete(url);
    button.removeAttribute("aria-busy");
  }
}

function listen() {
  actions.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter;
    if (!button) return;
    if (button === stop) {
      stop.disabled = true;
      composer.rest();
    }
    act(button);
  });
  // Whoever signed in again elsewhere has another token now; forms that the browser sends itself get it, too.
  document.addEventListener("submit", ({ target }) => {
    if (target.csrfmiddlewaretoken) target.csrfmiddlewaretoken.value = token();
  }, true);
  draft.listen(document.getElementById("sign-out"));
  addEventListener("popstate", () => { if (location.pathname !== shown) location.reload(); });
  document.addEventListener("visibilitychange", () => document.hidden || refreshList());
}

document.documentElement.classList.add("js");
composer = new Composer(thread, sent);
scroll.listen();
copy.listen((text) => composer.say(text));
drawer.listen();
list.listen();
if (onTouch) import("./touch.js").then((touch) => touch.listen(drawer));
composer.listen();
// The menu's code comes when it is opened, or at once for whoever has chosen to hear answers as they are written.
const menu = () => import("./writing.js");
document.getElementById("writing").addEventListener("toggle", menu, { once: true });
if (enter.aloud) menu();
listen();
thread.start();
list.watch(current, name);
import("./ways.js"); // what nobody needs in the first moment
