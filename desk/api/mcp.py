"""Speak the Model Context Protocol with an assistant: one request, one answer, no session.

Both ways of speaking are understood: that of 2026-07-28, where each request says all about itself, and the
handshake before it (2024-11-05 to 2025-11-25). What the tools do is not known here.

Source: Model Context Protocol, "Streamable HTTP" and schema of 2026-07-28 and 2025-11-25.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MODERN = "2026-07-28"
HANDSHAKE = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""The newest first: it is offered to who asks for one that is not known here."""
PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
INTERNAL, HEADER_MISMATCH, UNKNOWN_VERSION = -32603, -32020, -32022
HTTP_OF = {UNKNOWN_METHOD: 404, INTERNAL: 200}
"""The HTTP status of an error; of the others 400."""
META = "io.modelcontextprotocol/"
VERSION, CAPABILITIES = f"{META}protocolVersion", f"{META}clientCapabilities"
NAME_HEADERS = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The methods of which `Mcp-Name` repeats a parameter."""
FRESH_MS = 300_000
"""How long a client may keep what does not change: the tools."""
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")


class ToolRefusal(Exception):
    """A tool could not do what was asked; the text is for the assistant to read."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing an assistant may ask for. `parameters` is a JSON schema's `properties`."""

    name: str
    about: str
    parameters: Mapping[str, Mapping[str, Any]]
    run: Callable[[Mapping[str, Any]], str]
    required: tuple[str, ...] = ()
    reads_only: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: the status, and a JSON object; None: no body."""

    http: int
    shape: dict[str, Any] | None = None


class _Wrong(Exception):
    """A request that is not answered by a result."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class McpServer:
    """Answer the requests of assistants with a set of tools. Safe to ask from many threads."""

    def __init__(self, version: str, about: str, tools: tuple[Tool, ...]) -> None:
        self._info = {"name": "tradingview-webhook-receiver", "version": version}
        self._about = about
        self._tools = {tool.name: tool for tool in tools}

    def answer(self, header: Callable[[str], str | None], body: bytes) -> Reply:
        """Return the answer to one POST; `header` gives a header of it by its name, or None."""
        number: object = None
        try:
            message = _read_message(body)
            number = _read_id(message)
            method, params = _read_method(message)
            if "id" not in message:
                return Reply(202)  # a notification: there is nothing here that one could change
            result = self._call(header, method, params)
        except _Wrong as wrong:
            return _write_error(number, wrong)
        return Reply(200, {"jsonrpc": "2.0", "id": number, "result": result})

    def _call(
        self, header: Callable[[str], str | None], method: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        is_modern = header("mcp-method") is not None or VERSION in _meta(params)
        if is_modern or header("mcp-protocol-version") == MODERN:
            _check_envelope(header, method, params)
            return self._call_modern(method, params)
        if method == "initialize":
            return self._greet(params)
        if method == "ping":
            return {}
        if method == "tools/list":
            return {"tools": self._list_tools()}
        if method == "tools/call":
            return self._use(params)
        raise _Wrong(UNKNOWN_METHOD, f"There is no method {method[:60]} here.")

    def _call_modern(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        done = {"resultType": "complete"}
        kept = {"ttlMs": FRESH_MS, "cacheScope": "private"}
        if method == "server/discover":
            known = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}}
            about = {"instructions": self._about, "_meta": {f"{META}serverInfo": self._info}}
            return {**done, **kept, **known, **about}
        if method == "tools/list":
            return {**done, **kept, "tools": self._list_tools()}
        if method == "tools/call":
            return {**done, **self._use(params)}
        raise _Wrong(UNKNOWN_METHOD, f"There is no method {method[:60]} here.")

    def _greet(self, params: dict[str, Any]) -> dict[str, Any]:
        asked = params.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in HANDSHAKE else HANDSHAKE[0],
            "capabilities": {"tools": {}},
            "serverInfo": self._info,
            "instructions": self._about,
        }

    def _list_tools(self) -> list[dict[str, Any]]:
        return [
            {
                "name": tool.name,
                "description": tool.about,
                "inputSchema": {
                    "type": "object",
                    "properties": dict(tool.parameters),
                    "required": list(tool.required),
                    "additionalProperties": False,
                },
                "annotations": {
                    "readOnlyHint": tool.reads_only,
                    "destructiveHint": False,
                    "openWorldHint": False,
                },
            }
            for tool in self._tools.values()
        ]

    def _use(self, params: dict[str, Any]) -> dict[str, Any]:
        tool = self._tools.get(params["name"]) if isinstance(params.get("name"), str) else None
        if tool is None:
            raise _Wrong(INVALID_PARAMS, f"There is no such tool. Tools: {', '.join(self._tools)}.")
        given = params.get("arguments") or {}
        if not isinstance(given, dict):
            raise _Wrong(INVALID_PARAMS, "arguments is an object.")
        try:
            text, is_wrong = tool.run(_check_arguments(tool, given)), False
        except ToolRefusal as refusal:
            text, is_wrong = str(refusal), True
        return {"content": [{"type": "text", "text": text}], "isError": is_wrong}


def _read_message(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise _Wrong(PARSE_ERROR, "The body is not JSON.") from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise _Wrong(INVALID_REQUEST, "Send one JSON-RPC 2.0 request.")
    return message


def _read_id(message: Mapping[str, Any]) -> object:
    number = message.get("id")
    is_one = isinstance(number, int | str) and not isinstance(number, bool)
    if "id" in message and not is_one:
        raise _Wrong(INVALID_REQUEST, "The id is a number or a text.")
    return number


def _read_method(message: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    method, params = message.get("method"), message.get("params", {})
    if not isinstance(method, str):
        raise _Wrong(INVALID_REQUEST, "The request has no method.")
    if not isinstance(params, dict):
        raise _Wrong(INVALID_PARAMS, "params is an object.")
    return method, params


def _check_arguments(tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call that are known and of their kind. Raises `ToolRefusal`."""
    if unknown := sorted(set(given) - set(tool.parameters)):
        known = ", ".join(tool.parameters) or "none"
        raise ToolRefusal(f"{tool.name} has no argument {unknown[0][:60]}. It takes: {known}.")
    found = {name: value for name, value in given.items() if value is not None}
    if missing := [name for name in tool.required if name not in found]:
        raise ToolRefusal(f"{tool.name} needs {missing[0]}.")
    for name, value in found.items():
        schema = tool.parameters[name]
        kind = {"string": str, "integer": int}[schema["type"]]
        if not isinstance(value, kind) or isinstance(value, bool):
            what = {"string": "a string", "integer": "an integer"}[schema["type"]]
            raise ToolRefusal(f"{name} is {what}.")
        if value not in schema.get("enum", (value,)):
            raise ToolRefusal(f"{name} is one of {', '.join(schema['enum'])}.")
        if isinstance(value, int):
            most = schema["maximum"]
            if not schema["minimum"] <= value <= most:
                raise ToolRefusal(f"{name} is a number from {schema['minimum']} to {most}.")
    return found


def _meta(params: Mapping[str, Any]) -> Mapping[str, Any]:
    found = params.get("_meta")
    return found if isinstance(found, dict) else {}


def _check_envelope(
    header: Callable[[str], str | None], method: str, params: Mapping[str, Any]
) -> None:
    """Refuse a request of 2026-07-28 that does not say all about itself, or says it in two ways."""
    meta = _meta(params)
    if missing := [name for name in (VERSION, CAPABILITIES) if name not in meta]:
        raise _Wrong(INVALID_PARAMS, f"params._meta has no {' and no '.join(missing)}.")
    version = meta[VERSION]
    if header("mcp-protocol-version") != version:
        raise _Wrong(HEADER_MISMATCH, "MCP-Protocol-Version is not the version in params._meta.")
    if header("mcp-method") != method:
        raise _Wrong(HEADER_MISMATCH, "Mcp-Method is not the method of the request.")
    named = params.get(NAME_HEADERS.get(method, ""))
    if named is not None and _decode(header("mcp-name")) != named:
        raise _Wrong(HEADER_MISMATCH, "Mcp-Name is not the name in params.")
    if version != MODERN:
        data = {"supported": [MODERN], "requested": version}
        raise _Wrong(UNKNOWN_VERSION, "This version of the protocol is not spoken here.", data)


def _decode(value: str | None) -> str | None:
    """Return a header's text; what no header can carry comes in base64."""
    found = _ENCODED.fullmatch(value or "")
    if found is None:
        return value
    try:
        return base64.b64decode(found[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _write_error(number: object, wrong: _Wrong) -> Reply:
    error: dict[str, Any] = {"code": wrong.code, "message": str(wrong)}
    if wrong.data is not None:
        error["data"] = wrong.data
    return Reply(HTTP_OF.get(wrong.code, 400), {"jsonrpc": "2.0", "id": number, "error": error})
