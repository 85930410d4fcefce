"""Serve the page: the form to log in, the page itself, and the way out. It knows no web framework.

The page is one document without data: what it shows it reads from the same routes as everybody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from desk.api.owner import Owner
from desk.api.requests import Caller, HttpRefusal

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a browser may load for the page: our own files, and nothing that stands in a text."""
PAGE_HEADERS = (
    ("Content-Security-Policy", POLICY),
    # With no-referrer a form would say `Origin: null`, which could be anybody's.
    ("Referrer-Policy", "same-origin"),
)
Form = Mapping[str, str]
WRONG_TOKEN = "That is not the ADMIN_TOKEN. It stands in .env; make run writes one on first use."
NO_TOKEN = "No ADMIN_TOKEN is set, so nobody can log in. make run writes one to .env; then restart."
FOREIGN = "Open this page itself and log in there: the form came from another address."


@dataclass(frozen=True, slots=True)
class View:
    """What a browser is shown: a template with its values, or another address."""

    http: int
    template: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = PAGE_HEADERS


class Page:
    """The page of one receiver."""

    def __init__(self, owner: Owner, version: str) -> None:
        self._owner = owner
        self._version = version
        self.answers = {
            ("GET", "/"): self.show,
            ("GET", "/dashboard"): self.show,
            ("GET", "/login"): self.show,
            ("POST", "/login"): self.log_in,
            ("POST", "/logout"): self.log_out,
        }
        """Who answers what: each is given the caller and the form that was sent."""

    def show(self, caller: Caller, _form: Form) -> View:
        """Return the page to its owner, and to everybody else the form to log in."""
        try:
            if not self._owner.is_owner(caller):
                return self._show_form(caller, 200, "" if self._owner.has_token else NO_TOKEN)
        except HttpRefusal as refusal:
            return self._refuse(caller, refusal)
        prefix = self._owner.find_prefix(caller)
        values = {"prefix": prefix, "base": self._owner.find_base(caller), "version": self._version}
        return View(200, "dashboard.html", values)

    def log_in(self, caller: Caller, form: Form) -> View:
        """Answer the form: on with a session, or the form again with what is wrong."""
        try:
            cookie = self._owner.log_in(caller, form.get("token", ""))
        except HttpRefusal as refusal:
            return self._refuse(caller, refusal)
        if cookie is None:
            return self._show_form(caller, 401, WRONG_TOKEN if self._owner.has_token else NO_TOKEN)
        return self._lead_home(caller, cookie)

    def log_out(self, caller: Caller, _form: Form) -> View:
        """End the session and lead to the form. Raises `HttpRefusal` for another site's page."""
        return self._lead_home(caller, self._owner.log_out(caller))

    def _lead_home(self, caller: Caller, cookie: str) -> View:
        home = f"{self._owner.find_prefix(caller)}/"
        return View(303, headers=(*PAGE_HEADERS, ("Location", home), ("Set-Cookie", cookie)))

    def _refuse(self, caller: Caller, refusal: HttpRefusal) -> View:
        wait = (("Retry-After", str(refusal.retry_after)),) if refusal.retry_after else ()
        return self._show_form(
            caller, refusal.http, FOREIGN if refusal.http == 403 else str(refusal), wait
        )

    def _show_form(
        self, caller: Caller, http: int, problem: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> View:
        values = {"prefix": self._owner.find_prefix(caller), "problem": problem}
        return View(http, "login.html", values, (*PAGE_HEADERS, *headers))
