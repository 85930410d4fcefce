"""Carry an operator's controls to the desk: halt, resume, flatten, and the word on an unknown order.

Who may use them is asked before; what they do is the desk's matter. Here the words of a request are read, and
what comes back is put into words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from desk.alerts.delivery import PendingReply
from desk.api.requests import ApiResponse, HttpRefusal
from desk.config.settings import Settings
from desk.engine.commands import Command, Wanted, find_to_flatten, say_next
from desk.engine.loop import Desk
from desk.formats import to_json

CONTROLS = {
    "halt": {"account", "strategy"},
    "resume": {"account", "strategy"},
    "flatten": {"account", "strategy", "symbol", "confirm"},
}
"""What each control may be told."""
NAMED_AT_MOST = 20
"""How many names a message lists."""


class Controls:
    """The controls of one receiver."""

    def __init__(
        self,
        settings: Settings,
        desk: Desk,
        await_reply: Callable[[PendingReply, bool], None],
    ) -> None:
        self.settings = settings
        self.desk = desk
        self._await = await_reply

    def use(self, name: str, options: Mapping[str, Any]) -> ApiResponse:
        """Do what a control is called by: halt, resume or flatten."""
        return self.flatten(options) if name == "flatten" else self.switch(name, options)

    def switch(self, name: str, options: Mapping[str, Any]) -> ApiResponse:
        """Halt or resume an account, a strategy or everything."""
        self._refuse_secrets(options)
        if len(options) > 1:
            raise HttpRefusal(422, "UNREADABLE", "Name an account or a strategy, not both.")
        scope = "all"
        for kind, value in options.items():
            found = self._find_account(value) if kind == "account" else value
            scope = f"{kind}:{found}"
        command = self._command(name, {"scope": scope})
        doubt = self._doubt_strategy(options.get("strategy")) if name == "halt" else ""
        said = command.said + doubt
        return ApiResponse(200, to_json({"success": True, "message": said}))

    def _doubt_strategy(self, name: str | None) -> str:
        """Warn of a strategy that nobody has heard of: it may be misspelt, and the one meant trades on."""
        known = dict.fromkeys(
            [*self.settings.strategies, *list(self.desk.state.shown.strategies), "default"]
        )
        if name is None or name in known:
            return ""
        with self.desk.store.reader() as reader:
            if reader.find_strategy(name) is not None:
                return ""
        some = list(known)[:NAMED_AT_MOST]
        more = f" and {len(known) - len(some)} more" if len(known) > len(some) else ""
        return f" But no strategy of that name is known; known: {', '.join(some)}{more}."

    def flatten(self, options: Mapping[str, Any]) -> ApiResponse:
        """Close the positions that a body names by account, strategy and symbol, once it was confirmed.

        Without any of these it means everything, as `/halt` and `/resume` do.
        """
        self._refuse_secrets(options)
        names = {name: options.get(name) for name in ("account", "strategy", "symbol")}
        if names["account"] is not None:
            names["account"] = self._find_account(names["account"])
        wanted = Wanted(**names)
        if options.get("confirm") is not True:
            books = find_to_flatten(self.desk.context, wanted, self.desk.state.shown.open_books())
            places = dict.fromkeys(
                f"{book.instrument.symbol} on {book.account}{' (paper)' if book.paper else ''}"
                for book in books
            )
            what = ", ".join(places) or "nothing, no strategy holds or works any of it"
            text = f'This would close: {what}. Send "confirm": true to do it. {say_next(wanted)}'
            raise HttpRefusal(422, "NOT_CONFIRMED", text)
        command = self._command("flatten", names)
        answer = command.reply.answers[0]
        return ApiResponse(answer.http, answer.text)

    def set_mode(self, strategy: str, options: Mapping[str, Any]) -> ApiResponse:
        """Let a strategy open on paper or on its own account, by hand."""
        self._refuse_secrets({**options, "strategy": strategy})
        if options.get("mode") not in ("paper", "live"):
            raise HttpRefusal(422, "UNREADABLE", 'Send {"mode": "paper"} or {"mode": "live"}.')
        if doubt := self._doubt_strategy(strategy):
            raise HttpRefusal(404, "NOT_FOUND", doubt.removeprefix(" But ").capitalize())
        command = self._command("mode", {"strategy": strategy, "mode": options["mode"]})
        return ApiResponse(200, to_json({"success": True, "message": command.said}))

    def cancel(self, client_id: str) -> ApiResponse:
        """End one order that an alert asked for, by hand."""
        return self._order_command("cancel", {"client_id": client_id})

    def resolve(self, client_id: str, options: Mapping[str, Any]) -> ApiResponse:
        """Settle an unknown order by hand."""
        if options.get("outcome") not in ("filled", "absent"):
            text = 'Say {"outcome": "filled", "quantity", "price"} or {"outcome": "absent"}.'
            raise HttpRefusal(422, "UNREADABLE", text)
        known = {name: _read_number(name, options.get(name)) for name in ("quantity", "price")}
        told = {**known, "outcome": options["outcome"], "client_id": client_id}
        return self._order_command("resolve", told)

    def _order_command(self, name: str, options: Mapping[str, Any]) -> ApiResponse:
        """Answer a command on one order: what was done, or why it was not. Raises `HttpRefusal`."""
        command = self._command(name, options)
        if command.refused:
            raise HttpRefusal(422, command.refused.code, command.refused.message)
        return ApiResponse(200, to_json({"success": True, "message": command.said}))

    def _refuse_secrets(self, options: Mapping[str, Any]) -> None:
        """Refuse a secret in a name's place: it would be shown wherever the name is."""
        if any(
            isinstance(each, str) and self.settings.is_telling(each) for each in options.values()
        ):
            raise HttpRefusal(422, "UNREADABLE", "A secret stands where a name belongs.")

    def _command(self, name: str, options: Mapping[str, Any]) -> Command:
        command = self.desk.command(name, options)
        self._await(command.reply, name != "flatten")
        return command

    def _find_account(self, name: str) -> str:
        found = self.settings.find_account(name)
        if found is None:
            known = ", ".join(self.settings.accounts)
            raise HttpRefusal(422, "NO_ACCOUNT", f"There is no such account. Configured: {known}.")
        return found


def _read_number(name: str, value: object) -> Decimal | None:
    """Return a positive number sent as text or number. Raises `HttpRefusal` where it is none."""
    if value is None:
        return None
    text = str(value) if isinstance(value, str | int | Decimal) else ""
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,10})?", text, re.ASCII) or Decimal(text) == 0:
        raise HttpRefusal(422, "UNREADABLE", f'{name} must be a positive number, like "0.1".')
    return Decimal(text)
