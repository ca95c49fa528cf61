"""Services that are often connected: name, address, what their key looks like and where it comes from. Data only.

Addresses are proposals that a person can edit; what a service really understands is found out by the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_stubs_ext import StrOrPromise

PLACEHOLDER = "YOUR-RESOURCE"
"""Stands in an address where a name of the customer belongs."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One service. `lists_models` is False where its list does not say which models this customer may use."""

    slug: str
    name: str
    base_url: str
    line: StrOrPromise
    key_url: str = ""
    key_looks: StrOrPromise = ""
    key_needed: bool = True
    check: StrOrPromise = ""
    lists_models: bool = True
    dialect: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key_host(self) -> str:
        """The host of the page that gives keys out, to be shown as a link."""
        return self.key_url.removeprefix("https://").partition("/")[0]


PRESETS: tuple[Preset, ...] = (
    Preset(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        _("GPT models, paid by use"),
        "https://platform.openai.com/api-keys",
        _("It begins with sk-. The account needs credit; a ChatGPT subscription is something else."),
    ),
    Preset(
        "azure",
        "Azure OpenAI",
        f"https://{PLACEHOLDER}.openai.azure.com/openai/v1",
        _("OpenAI's models in Microsoft's cloud"),
        "https://portal.azure.com/",
        _("32 or 84 letters and digits, in the portal under “Keys and Endpoint” of your resource."),
        check=_("Put the name of your resource into the address. Models are called as you called their deployments."),
        lists_models=False,
        dialect={"max_tokens_field": "max_completion_tokens"},
    ),
    Preset(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com",
        _("DeepSeek's own service"),
        "https://platform.deepseek.com/api_keys",
        _("It begins with sk-. The account needs credit."),
    ),
    Preset(
        "qwen",
        "Qwen (DashScope)",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        _("Qwen models in Alibaba's cloud"),
        "https://bailian.console.aliyun.com/",
        _("It begins with sk-."),
        check=_("Each region has its own address and its own keys: Singapore is dashscope-intl.aliyuncs.com."),
    ),
    Preset(
        "zhipu",
        "Zhipu (GLM)",
        "https://open.bigmodel.cn/api/paas/v4",
        _("GLM models by Zhipu"),
        "https://bigmodel.cn/usercenter/proj-mgmt/apikeys",
        _("Letters and digits with one dot in the middle."),
        check=_("Outside China the address is https://api.z.ai/api/paas/v4, with keys of its own."),
    ),
    Preset(
        "moonshot",
        "Moonshot (Kimi)",
        "https://api.moonshot.cn/v1",
        _("Kimi models by Moonshot"),
        "https://platform.moonshot.cn/console/api-keys",
        _("It begins with sk-."),
        check=_("Outside China the address is https://api.moonshot.ai/v1, with keys of its own."),
    ),
    Preset(
        "siliconflow",
        "SiliconFlow",
        "https://api.siliconflow.cn/v1",
        _("Many open models from one place"),
        "https://cloud.siliconflow.cn/account/ak",
        _("It begins with sk-."),
        check=_("Outside China the address is https://api.siliconflow.com/v1, with keys of its own."),
    ),
    Preset(
        "ollama",
        "Ollama",
        "http://localhost:11434/v1",
        _("Models on your own machine"),
        key_needed=False,
        check=_("If Ollama runs on another machine, put its name in place of localhost."),
    ),
    Preset(
        "vllm",
        "vLLM",
        "http://localhost:8000/v1",
        _("Models on your own server"),
        key_looks=_("Only if the server was started with --api-key."),
        key_needed=False,
        check=_("Put the server's name and port into the address: this is only where vLLM listens by itself."),
    ),
    Preset(
        "other",
        "",
        "",
        _("Anything that speaks OpenAI's language"),
        key_needed=False,
        check=_("The address goes up to and with /v1 (or what your provider has in its place)."),
    ),
)


def preset_for(slug: str) -> Preset | None:
    """The preset of this name."""
    return next((preset for preset in PRESETS if preset.slug == slug), None)
