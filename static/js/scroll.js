// Follows the newest words unless the person has scrolled up; a round button brings her back. Knows nothing of answers.
const scroll = document.getElementById("scroll");
const thread = document.getElementById("thread");
const down = document.getElementById("down");
const downWords = document.getElementById("down-words");
const NEAR = 48;
let following = true;
let last = 0;

const distance = () => scroll.scrollHeight - scroll.clientHeight - scroll.scrollTop;

function show() {
  down.hidden = following || distance() < NEAR * 2;
  if (down.hidden) downWords.hidden = true;
  down.classList.toggle("quiet", downWords.hidden);
}

export function toBottom() {
  following = true;
  scroll.scrollTop = scroll.scrollHeight;
  last = scroll.scrollTop;
  show();
}

// Keeps what is read in place while `change` puts something above it.
export function keepPlace(change) {
  const before = scroll.scrollHeight - scroll.scrollTop;
  change();
  scroll.scrollTop = scroll.scrollHeight - before;
  last = scroll.scrollTop;
}

// New words have come while the person reads further up.
export function news() {
  if (following) return;
  downWords.hidden = false;
  show();
}

export function listen() {
  scroll.style.overflowAnchor = "none";
  downWords.hidden = true;
  scroll.addEventListener("scroll", () => {
    if (scroll.scrollTop < last - 1 && distance() > NEAR) following = false;
    if (distance() < NEAR) following = true;
    last = scroll.scrollTop;
    show();
  }, { passive: true });
  const sizes = new ResizeObserver(() => (following ? toBottom() : show()));
  sizes.observe(thread);
  sizes.observe(scroll);
  down.addEventListener("click", toBottom);
  if (!location.hash.startsWith("#m-")) toBottom();
}
