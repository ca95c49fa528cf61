// A part of the page that waits for something ([data-again]) is fetched again every two seconds until it waits no more.
const EVERY_MS = 2000;

async function look() {
  const part = document.querySelector("[data-again]");
  if (!part) return;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(part.id);
    if (answer.ok && fresh) {
      part.replaceChildren(...fresh.childNodes);
      part.toggleAttribute("data-again", fresh.hasAttribute("data-again"));
    }
  } catch {
    // The next look may find a connection.
  }
  setTimeout(look, EVERY_MS);
}

setTimeout(look, EVERY_MS);
