// What is being written. The words stay in this browser until they are sent or their person signs out; the key they
// will be sent under and the question that waits stay in this tab, so that a repeat after a lost connection or a reload
// is the same send. All under the person's id: nobody else who signs in here sees it.
import { key } from "./net.js";
import { words } from "./words.js";

const PREFIX = "draft:";
const SIGNED_OUT = "signed-out";

// A browser may forbid storing, or be full: then there is no draft after a reload, and nothing else is lost.
function attempt(what) {
  try { return what(); } catch { return undefined; }
}

function put(store, name, value) {
  attempt(() => (value ? store.setItem(name, value) : store.removeItem(name)));
}

export class Draft {
  constructor(conversation) { this.move(conversation); }

  move(conversation) {
    this.name = `${PREFIX}${words.person}:${conversation || "new"}`;
    this.kept = null;
  }

  // { text, next, key, sentText, url }, each only where there is one.
  read() {
    const rest = attempt(() => JSON.parse(sessionStorage.getItem(this.name))) || {};
    const text = attempt(() => localStorage.getItem(this.name));
    return { ...this.kept, ...rest, ...(text ? { text } : {}) };
  }

  write(change) {
    const { text = "", ...rest } = { ...this.read(), ...change };
    this.kept = { text, ...rest };
    put(localStorage, this.name, text);
    put(sessionStorage, this.name, text || rest.next ? JSON.stringify(rest) : "");
  }

  // The key of exactly these words in this place: other words are another send.
  keyFor(text, url) {
    const kept = this.read();
    if (kept.key && kept.sentText === text && kept.url === url) return kept.key;
    const made = key();
    this.write({ key: made, sentText: text, url });
    return made;
  }

  clear() {
    this.kept = null;
    for (const store of [localStorage, sessionStorage]) put(store, this.name, "");
  }
}

function forget(stays = () => false) {
  for (const store of [localStorage, sessionStorage]) {
    for (const name of attempt(() => Object.keys(store)) || []) {
      if (name.startsWith(PREFIX) && !stays(name)) put(store, name, "");
    }
  }
}

// Signing out leaves no words behind, in no tab; and what another person left here goes as well.
export function listen(form) {
  forget((name) => name.startsWith(`${PREFIX}${words.person}:`));
  form.addEventListener("submit", () => {
    forget();
    put(localStorage, SIGNED_OUT, String(Date.now()));
  });
  addEventListener("storage", (event) => { if (event.key === SIGNED_OUT) forget(); });
}
