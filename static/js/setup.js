// The administration's forms: says that a test is running, narrows lists while typing. Everything works without it.
function wait(form, button) {
  if (form.dataset.sent) return false;
  form.dataset.sent = "1";
  const line = document.createElement("span");
  line.className = "waiting num";
  line.setAttribute("role", "status");
  line.textContent = form.dataset.wait;
  (button?.parentElement ?? form).append(line);
  const began = Date.now();
  const clock = document.createElement("span");
  clock.setAttribute("aria-hidden", "true");
  line.append(clock);
  const tick = () => { clock.textContent = ` ${Math.round((Date.now() - began) / 1000)} s`; };
  tick();
  line.dataset.timer = setInterval(tick, 1000);
  return true;
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.wait && !wait(form, event.submitter)) event.preventDefault();
});

// A page that comes back from the browser's memory waits for nothing any more.
window.addEventListener("pageshow", () => {
  for (const line of document.querySelectorAll(".waiting")) {
    clearInterval(Number(line.dataset.timer));
    line.closest("form").removeAttribute("data-sent");
    line.remove();
  }
});

for (const box of document.querySelectorAll("[data-find]")) {
  const list = document.getElementById(box.dataset.find);
  const none = document.getElementById(`${box.dataset.find}-none`);
  if (!list) continue;
  box.addEventListener("input", () => {
    const wanted = box.value.trim().toLowerCase();
    let left = 0;
    for (const row of list.children) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      left += !row.hidden;
    }
    none.hidden = left > 0;
  });
}
