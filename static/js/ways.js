// The model picker's small manners, the switch of its modes, and the keyboard map. All work by themselves; this file only opens,
// closes and names.
const choose = document.getElementById("choose");
const keys = document.getElementById("keys");
const modes = document.querySelectorAll(".modes");

function listenChoose() {
  choose.addEventListener("change", (event) => {
    document.getElementById("chosen").textContent = event.target.dataset.name;
    for (const each of modes) each.hidden = each.dataset.of !== event.target.value;
  });
  const close = () => {
    choose.open = false;
    choose.firstElementChild.focus();
  };
  // Enter in a radio button would send the question.
  choose.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("input")) return;
    event.preventDefault();
    close();
  });
  // Arrow keys click too, without a pointer: they only move.
  choose.addEventListener("click", (event) => {
    if (event.target === choose) choose.open = false;
    else if (event.detail && event.target.closest(".model")) setTimeout(close);
  });
  choose.addEventListener("toggle", () => choose.open && choose.querySelector("input:checked")?.focus());
}

if (choose) listenChoose();
// Enter in this switch would send the question: it leads back to it.
for (const each of modes) {
  each.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    document.getElementById("text").focus();
  });
}
document.getElementById("show-keys").addEventListener("click", () => keys.showModal());
keys.addEventListener("click", (event) => { if (event.target === keys) keys.close(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "?" || event.ctrlKey || event.metaKey || event.target.matches("input, textarea, select")) return;
  event.preventDefault();
  if (!document.querySelector("dialog[open]")) keys.showModal();
});
