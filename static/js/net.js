// Requests to our own server: JSON out, JSON or a fragment back. Decides nothing about what is shown.
import { words } from "./words.js";

export class Refusal extends Error {
  constructor(status, error = {}) {
    super(error.message || "");
    Object.assign(this, { status, code: error.code || "", notice: error.notice || "" });
    // A server that is starting or overloaded: the same request, with the same key, is worth repeating. A limit or maintenance is not.
    this.passing = (status >= 500 && this.code !== "maintenance") || status === 408 || (status === 429 && !this.notice);
  }
}

export function token() {
  const found = document.cookie.match(/(?:^|; )(?:__Host-csrf|csrftoken)=([^;]+)/);
  return found ? found[1] : document.querySelector("[name=csrfmiddlewaretoken]").value;
}

async function ask(url, Accept, options = {}) {
  const response = await fetch(url, { headers: { Accept }, signal: AbortSignal.timeout(20000), ...options });
  if (response.redirected) throw new Refusal(401);
  if (response.ok) return response;
  // A proxy's own page is no JSON.
  throw new Refusal(response.status, (await response.json().catch(() => ({}))).error);
}

async function once(url, fields) {
  const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token() };
  return (await ask(url, "", { method: "POST", headers, body: JSON.stringify(fields) })).json();
}

// A page that stood open for long may hold a token that is over: a fresh one, and the same request once more.
export async function post(url, fields) {
  try {
    return await once(url, fields);
  } catch (error) {
    if (error.code !== "csrf") throw error;
    await renew();
    return once(url, fields);
  }
}

// Asks who is signed in here now, and gives every form of the page the token that goes with it.
export async function renew() {
  const { person, csrf } = await json(words.token);
  if (person !== words.person) throw new Refusal(409, { code: "other_person", message: words.otherPerson });
  for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) field.value = csrf;
}

export async function json(url) {
  return (await ask(url, "application/json")).json();
}

export async function text(url) {
  return (await ask(url, "text/plain, text/html;q=.5", { signal: AbortSignal.timeout(3000) })).text();
}

// The elements of a fragment that the server rendered (and made safe).
export async function fragment(url) {
  return parsed(await (await ask(url, "text/html")).text());
}

export function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

// A key for one send. Without https there is no randomUUID.
export function key() {
  return crypto.randomUUID?.() || crypto.getRandomValues(new Uint8Array(16)).join("").slice(0, 40);
}

export function backoff(tries) {
  return Math.min(10000, 500 * 2 ** tries) * (0.5 + Math.random() / 2);
}

// Resolves after a while, or as soon as the network is back or the page is shown again.
export function pause(ms) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = () => { over.abort(); resolve(); };
    const { signal } = over;
    setTimeout(done, ms);
    addEventListener("online", done, { signal });
    document.addEventListener("visibilitychange", () => document.hidden || done(), { signal });
  });
}

// Posts until the server has answered. The key in `fields` makes a repeat the same request, so that it is done once.
export async function insist(url, fields, { wanted = () => true, trouble }) {
  for (let tries = 0; ; tries += 1) {
    try {
      const answer = await post(url, fields);
      trouble(false);
      return answer;
    } catch (error) {
      trouble(!(error instanceof Refusal) || error.passing);
      if (error instanceof Refusal && !(error.passing && tries < 5)) throw error;
      await pause(backoff(tries));
      if (!wanted()) return null;
    }
  }
}
