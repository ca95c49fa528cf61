// Signing in again without leaving the page: the real form in a dialog, or in another window whose end is noticed here.
import { parsed, renew } from "./net.js";
import { words } from "./words.js";

const LOOK_MS = 3000;
const dialog = document.getElementById("sign-in");
const place = dialog.querySelector("[data-place]");
const line = dialog.querySelector("[role=alert]");
let asking = null;

// A link that opens the dialog (which opens by itself `now`); `signedIn` is called once the same person is back.
export function wayIn(signedIn, { now }) {
  const link = document.createElement("a");
  link.href = `${words.login}?next=${encodeURIComponent(location.pathname)}`;
  link.textContent = words.signIn;
  const go = async () => {
    asking ||= ask().finally(() => { asking = null; });
    if (await asking) signedIn();
  };
  link.addEventListener("click", (event) => {
    event.preventDefault();
    go();
  });
  if (now) go();
  return link;
}

// Whether the same person is signed in again; false when the dialog was closed instead.
async function ask() {
  const over = new AbortController();
  const { signal } = over;
  const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { signal }));
  dialog.returnValue = "";
  line.textContent = "";
  place.replaceChildren();
  dialog.addEventListener("submit", send, { signal });
  window.addEventListener("focus", look, { signal });
  const timer = setInterval(() => document.hidden || look(), LOOK_MS);
  dialog.showModal();
  step();
  await closed;
  clearInterval(timer);
  over.abort();
  return dialog.returnValue === "in";
}

// What comes next: the password, or after it the code.
const step = () => fetch(words.login, { headers: { Accept: "text/html" } }).then(async (answer) => show(await answer.text()), () => {});

// The form out of a sign-in page, or what the page says instead of it.
function show(html) {
  const page = parsed(html);
  const field = page.querySelector("[name=password],[name=code]");
  const form = field?.form;
  if (!form) {
    line.textContent = page.querySelector(".card p")?.textContent || "";
    return;
  }
  place.replaceChildren(form);
  for (const said of page.querySelectorAll(".card > .note")) form.before(said);
  const { login } = form.elements;
  if (login) login.value ||= dialog.dataset.email;
  field.focus();
}

async function send(event) {
  const form = event.target;
  if (form.method === "dialog") return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  try {
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body, redirect: "manual" });
    // Where it leads does not matter: whether somebody is signed in now does.
    if (answer.type === "opaqueredirect") {
      await look();
      if (dialog.open) step();
    } else show(await answer.text());
  } catch {
    line.textContent = words.offline;
  }
}

async function look() {
  try {
    await renew();
    dialog.close("in");
  } catch (error) {
    if (error.code === "other_person") line.textContent = error.message;
  }
}
