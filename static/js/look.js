// The page of all states: code gets its buttons as in a conversation. Nothing is followed and nothing can be sent.
import * as copy from "./copy.js";

document.documentElement.classList.add("js");
copy.listen();
for (const block of document.querySelectorAll(".block")) copy.dress(block);
document.addEventListener("submit", (event) => event.preventDefault());
