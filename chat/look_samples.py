"""What stands on the page of all states (chat.look): captions and sample texts in both languages. Words only, shown to developers only."""

# ruff: noqa: E501  # tables, code and formulas stand as a model writes them

from __future__ import annotations

Pair = tuple[str, str]

QUESTION: Pair = (
    "Sum up the third quarter's sales by department, and say what looks wrong.",
    "把第三季度的销售按部门汇总，并说说哪里不对劲。",
)
LONG_QUESTION: Pair = (
    "Write a cloud function that checks a JWT and then calls the model.\n\n"
    "- Python 3.11\n- no framework\n- https://functions.example.com/a/very/long/address/that/has/to/break/somewhere?when=it&is=too&long=true",
    "写一个云函数示例，用 JWT 鉴权后调用模型。\n\n"
    "- Python 3.11\n- 不用框架\n- https://functions.example.com/a/very/long/address/that/has/to/break/somewhere?when=it&is=too&long=true",
)
PARTIAL: Pair = (
    "The gateway gives up on the backend after 60 seconds, because models answer slowly; longer jobs are handed in and fetched later,",
    "网关把后端超时设为 60 秒，因为模型回答较慢；更长的任务改为异步提交，",
)
THOUGHTS: Pair = (
    "The person wants a sum by department and a judgement.\nFirst add up, then compare with the quarter before; the east looks odd.",
    "用户想要按部门汇总，并给出判断。\n先加总，再和上一季度比较；华东看起来不正常。",
)
TABLE: Pair = (
    "The three departments come to **¥4,286,000**, 6.2% more than the quarter before. **Note:** nearly all growth in the east is one order "
    "(contract A-1107); without it sales fell.\n\n"
    "| Department | Sales | Change | Orders |\n| --- | ---: | ---: | ---: |\n"
    "| East | 2,010,000 | +18.4% | 41 |\n| South | 1,356,000 | −2.1% | 57 |\n| Abroad | 920,000 | +0.9% | 12 |\n\n"
    "## Check two things first\n\n- Does A-1107 belong to the fourth quarter (shipped on 8 October)?\n"
    "- Returns in the south rose from 3% to 5%, with two dealers only.",
    "三个部门合计 **¥4,286,000**，环比增长 6.2%。**注意：**华东的增长几乎全部来自一笔订单（合同号 A-1107），去掉它之后是下降的。\n\n"
    "| 部门 | 销售额 | 环比 | 订单数 |\n| --- | ---: | ---: | ---: |\n"
    "| 华东 | 2,010,000 | +18.4% | 41 |\n| 华南 | 1,356,000 | −2.1% | 57 |\n| 海外 | 920,000 | +0.9% | 12 |\n\n"
    "## 建议先核对两件事\n\n- A-1107 是否应计入第四季度（发货日期为 10 月 8 日）。\n- 华南退货率从 3% 升到 5%，集中在两家经销商。",
)
CODE: Pair = (
    "The gateway checks, the function works:\n\n",
    "鉴权放在网关，函数只管业务：\n\n",
)
CODE_BLOCK = '''```python
import json
from urllib.request import Request, urlopen


def handler(event: dict, context: object) -> dict:
    """Answers one question; the gateway has checked the token before."""
    question = json.loads(event["body"])["question"]
    request = Request("https://models.example.com/v1/chat/completions", data=json.dumps({"model": "quick", "messages": [{"role": "user", "content": question}]}).encode())
    request.add_header("Authorization", f"Bearer {context.get_secret('MODEL_KEY')}")  # never in the code
    with urlopen(request, timeout=60) as answer:
        return {"statusCode": 200, "body": answer.read().decode()}
```
'''
FORMULA: Pair = (
    "The area is $\\int_0^1 x^2\\,dx = \\frac13$, and in general\n\n$$\n\\int_0^1 x^n\\,dx = \\frac{1}{n+1}, \\qquad \\sum_{k=1}^{n} k = \\frac{n(n+1)}{2}\n$$\n\n"
    "A formula that nobody can read stays as it is: $x^{$. It costs $5 or $10.",
    "面积是 $\\int_0^1 x^2\\,dx = \\frac13$，一般地\n\n$$\n\\int_0^1 x^n\\,dx = \\frac{1}{n+1}, \\qquad \\sum_{k=1}^{n} k = \\frac{n(n+1)}{2}\n$$\n\n"
    "读不懂的公式保持原样：$x^{$。价格是 $5 或 $10。",
)
CHINESE = (
    "**注意：**请先确认《采购合同》第 4 条里的“不可抗力”条款，*再*签字。~~旧版（2023）~~已作废，见 https://example.com/合同。\n\n"
    "> 甲方应在收到货物后 7 日内完成验收；\n> 逾期视为合格。\n\n"
    "1. 用 FunctionGraph 部署，冷启动约 800 ms；\n2. 把 `MODEL_KEY` 放进密钥管理；\n   - [x] 开发环境\n   - [ ] 生产环境\n\n"
    "床前明月光，\n疑是地上霜。"
)
NEXT: Pair = ("And now as one page for the customer.", "再写成一页，给客户看。")
TYPED: Pair = ("Turn the plan above into a one-page summary", "帮我把上面的方案写成一页说明")
TOMORROW: Pair = ("tomorrow at 00:00 (Beijing time)", "明天 00:00（北京时间）")
QUICK: Pair = ("Quick", "快速")
BALANCED: Pair = ("General · balanced", "通用 · 均衡")

CAPTIONS: dict[str, Pair] = {
    "questions": ("Questions", "问题"),
    "instead": ("Another provider answered", "由另一家服务商回答"),
    "queued": ("Queued", "排队"),
    "queued_alone": ("Queued, nothing known", "排队，暂无信息"),
    "busy": ("Busy", "服务商繁忙"),
    "silent": ("No answer yet, trying again", "没有回应，自动重试"),
    "held": ("Allowance held by other answers", "额度被其他回答占用"),
    "restarting": ("Service restarting", "服务重启"),
    "broken": ("Provider broken", "服务商不可用"),
    "thinking": ("Thinking", "思考"),
    "thinking_aloud": ("Thinking, with thoughts", "思考，带过程"),
    "streaming": ("Streaming", "正在回答"),
    "done": ("Done: table", "完成：表格"),
    "code": ("Done: code, with thoughts", "完成：代码和思考过程"),
    "formula": ("Done: formula", "完成：公式"),
    "chinese": ("Done: Chinese", "完成：中文"),
    "other_model": ("Another model", "换了模型"),
    "stopped": ("Stopped", "已停止"),
    "stopped_early": ("Stopped before the first word", "首字之前停止"),
    "interrupted": ("Interrupted", "中断"),
    "length": ("Cut by length", "达到长度上限"),
    "filtered": ("Filtered by the provider", "被服务商过滤"),
    "nothing": ("An empty answer", "空回答"),
    "limit": ("Limit reached", "达到上限"),
    "failed": ("Failed", "失败"),
    "memory": ("Memory", "记忆"),
    "composer": ("Composer", "输入框"),
}
