"""What the demo model says to a person: a short tour in the asker's language. Pure text, no settings read."""

import re

MODEL = "demo"
_WIDE = "\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef"
_PIECE = re.compile(rf"\s*(?:[{_WIDE}]{{1,2}}|[^\s{_WIDE}]{{1,12}})|\s+")
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-!|~$&])")
_LABEL = re.compile(r"^\s*(?:question|user|问题|用户)\s*[:：]\s*", re.IGNORECASE)

ENGLISH = """\
**No model is connected yet.** This answer comes from the built-in simulator, so that you can look around. \
To connect a real model, an administrator opens **Administration** and pastes a key there; or sets `OPENAI_API_KEY` \
(and `OPENAI_BASE_URL`, if the provider is not OpenAI) in the file `.env` and starts again.

You asked:

> {quote}

## A short tour

Answers appear while they are written. You may reload the page, open it twice or lose the network: nothing is lost.

| You want to | Do this |
| --- | --- |
| stop an answer | press **Stop the answer** (the square), or Esc |
| go on with one that was cut | press **Continue** under it |
| get another answer | press **Regenerate** (the round arrow) |

Code keeps its shape:

```python
def greet(name: str) -> str:
    return f"Hello, {{name}}!"

print(greet("colleague"))
```

A formula inside a line, $e^{{i\\pi}} + 1 = 0$, and one of its own:

$$
\\int_0^1 x^2 \\, dx = \\frac{{1}}{{3}}
$$

Three things to try:

1. Ask in another language.
2. Send a second question in this conversation.
3. Close the page in mid-answer and come back.
"""

CHINESE = """\
**尚未接入任何模型**。这段回答来自内置的模拟器，方便你先熟悉界面。\
要接入真正的模型，请管理员打开**管理**，粘贴密钥；也可以在 `.env` 文件里设置 `OPENAI_API_KEY`\
（如果服务商不是 OpenAI，还要设置 `OPENAI_BASE_URL`），然后重新启动。

你的问题是：

> {quote}

## 快速浏览

回答边写边显示。你可以刷新页面、在两个窗口里打开，断网一会儿也没关系：内容都不会丢失。

| 你想 | 这样做 |
| --- | --- |
| 停止回答 | 点击**停止回答**（方块），或按 Esc |
| 接着写没写完的回答 | 点击回答下方的**继续写** |
| 换一个回答 | 点击**重新回答**（圆箭头） |

代码会保持原样：

```python
def greet(name: str) -> str:
    return f"你好，{{name}}！"

print(greet("同事"))
```

行内公式 $e^{{i\\pi}} + 1 = 0$，以及独立成行的公式：

$$
\\int_0^1 x^2 \\, dx = \\frac{{1}}{{3}}
$$

可以试试这三件事：

1. 换一种语言提问。
2. 在这个对话里再问一个问题。
3. 在回答途中关闭页面，然后再回来。
"""


def is_chinese(text: str) -> bool:
    """Whether at least half of the letters are Chinese characters (one such character weighs as two letters)."""
    wide = sum("\u3400" <= char <= "\u9fff" for char in text)
    narrow = sum(char.isalpha() for char in text) - wide
    return wide > 0 and wide * 2 >= narrow


def answer(question: str) -> str:
    """The tour, with the words of the question quoted so that none of them acts as Markdown."""
    words = " ".join(question.split())
    short = words if len(words) <= 200 else words[:199] + "…"
    quote = _SPECIAL.sub(r"\\\1", short) or "…"
    return (CHINESE if is_chinese(question) else ENGLISH).format(quote=quote)


def title(question: str) -> str:
    """The first words of the question's first line: 6 words, or 14 characters of Chinese."""
    lines = [line for line in _LABEL.sub("", question).splitlines() if line.strip()]
    first = " ".join(lines[0].split()) if lines else ""
    if is_chinese(first):
        return first[:14].rstrip("，。？！；：、")
    return " ".join(first.split()[:6])[:60].rstrip(".,;:!?") or "…"


def split(text: str) -> list[str]:
    """Pieces of about the size of a model's tokens, which add up to the text again."""
    return _PIECE.findall(text)
