"""Make docs/api.md from the description that the server gives: `python -m tests.docs.api_page`."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from desk.api.openapi import write_openapi
from desk.api.schemas import SHAPES
from desk.process.version import VERSION

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
TITLES = {"alerts": "Alerts", "read": "Reading", "control": "Controls", "page": "The page"}
WIDTH = 110
HEAD = """<!-- server: with a secret -->
# Routes and shapes

What `GET /openapi.json` says, as a page. [Answers and codes](answers.md) tells what the words mean. Money and
quantities are texts, so that no reader rounds them.
"""


def write_page() -> str:
    """Return the page."""
    shape = write_openapi(VERSION)
    parts = [HEAD]
    for group, title in TITLES.items():
        parts.append(f"\n## {title}\n")
        for path, methods in shape["paths"].items():
            for method, route in methods.items():
                if route["tags"] == [group]:
                    parts.append(_write_route(method.upper(), path, route))
    parts.append("\n## Shapes\n\nEach field stands in every answer; `?` means: or null.\n")
    for name, text in SHAPES.items():
        lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
        parts.append("\n".join([f"\n### {name}\n", "```text", *lines, "```\n"]))
    return "".join(parts)


def _write_route(method: str, path: str, route: dict[str, Any]) -> str:
    who = [name for each in route.get("security", []) for name in each]
    token = {"owner": "`ADMIN_TOKEN`", "assistant": "`MCP_TOKEN`", "alert": "the secret"}
    lines = [f"\n### `{method} {path}`\n\n{route['summary']}"]
    if who:
        lines.append(f" Needs {token[who[0]]}.")
    places = [each["name"] for each in route.get("parameters", []) if each["in"] == "query"]
    if places:
        lines.append(f" May be asked with {', '.join(f'`{name}`' for name in places)}.")
    lines.append("\n\n| answer | shape |\n|---|---|\n")
    for status, answer in route["responses"].items():
        lines.append(f"| {status} | {_name(answer)} |\n")
    return "".join(lines)


def _name(answer: dict[str, Any]) -> str:
    names: list[str] = []
    for kind, content in answer.get("content", {}).items():
        schema = content["schema"]
        refs = [each["$ref"] for each in schema.get("anyOf", [schema]) if "$ref" in each]
        names += [f"[{ref.rpartition('/')[2]}](#{ref.rpartition('/')[2].lower()})" for ref in refs]
        names += [] if refs else [f"`{kind}`"]
    return " or ".join(names) or "nothing"


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
