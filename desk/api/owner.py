"""Know the owner: by the admin token, or by the session of a browser that has logged in with it.

A browser sends what it knows also when another site's page asks it to. So a control is taken from our page
alone, and from programs that show the token themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from desk.api.gate import Gate, is_basic
from desk.api.requests import Caller, HttpRefusal
from desk.api.sessions import Sessions, read_name, write_cookie
from desk.config.load import is_loopback
from desk.config.settings import Settings

FOREIGN_PAGE = (
    "Controls are not taken from another site's page, nor from a browser that does not say whose page "
    'asks. From a terminal: curl -H "Authorization: Bearer $ADMIN_TOKEN" …'
)
NO_ASSISTANT = "This is off. Set MCP_TOKEN in .env to a long text of its own, and restart."
ADMIN, ASSISTANT = "ADMIN_TOKEN", "MCP_TOKEN"
TRIED_AT = "/webhook/validate"
FORWARDED = ("proto", "host", "port")
log = logging.getLogger("server")


class Owner:
    """Tell the owner from everybody else. Safe to ask from many threads."""

    def __init__(
        self,
        settings: Settings,
        gate: Gate,
        sessions: Sessions,
        turn_away: Callable[[str, HttpRefusal], HttpRefusal],
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._sessions = sessions
        self._turn_away = turn_away

    @property
    def has_token(self) -> bool:
        """Whether there is a token to log in with."""
        return self._settings.admin_token is not None

    # --- who may read and control ----------------------------------------------------------------

    def is_owner(self, caller: Caller) -> bool:
        """Whether a request shows the token or a session. Raises `HttpRefusal` (429) after many guesses."""
        if self.has_session(caller):
            return True
        offered = caller.headers.get("authorization")
        if self._gate.is_admin(offered):
            return True
        if self._gate.is_guess(offered):
            self._count_guess(caller)
        return False

    def has_session(self, caller: Caller) -> bool:
        """Whether a browser has logged in, at this scheme and host."""
        name = read_name(caller.headers.get("cookie"))
        return name is not None and self._sessions.is_open(name, self.find_origin(caller))

    def require_reader(self, caller: Caller) -> None:
        """Let in who may read: the owner, or in development someone at this machine.

        The host is asked too: a name that was pointed at this machine must not read (DNS rebinding).
        """
        is_here = self._gate.is_local_reader(caller.peer, caller.headers.keys())
        if not self.is_owner(caller) and not (is_here and is_loopback(_host_name(caller.host))):
            self._demand_token(caller)

    def require_admin(self, caller: Caller, *, takes_forms: bool = False) -> None:
        """Let in the owner alone, and no page of another site that borrows the owner's browser.

        With a session a control is JSON, which no form can send; `takes_forms` for what controls nothing.
        """
        offered = caller.headers.get("authorization")
        if self._gate.is_admin(offered):
            is_ours = self._is_own_page(caller)
        elif self.has_session(caller):
            kind = (caller.headers.get("content-type") or "").partition(";")[0].strip().lower()
            is_safe = caller.is_reading or takes_forms or kind == "application/json"
            is_ours = is_safe and self._is_page_itself(caller)
        else:
            if self._gate.is_guess(offered):
                self._count_guess(caller)
            self._demand_token(caller)
            return
        if not is_ours:
            raise HttpRefusal(403, "UNAUTHORIZED", FOREIGN_PAGE)

    def is_trying(self, caller: Caller) -> bool:
        """Whether our own page, with a session, tries a message: it knows no secret to put into it."""
        return caller.path == TRIED_AT and self.has_session(caller) and self._is_page_itself(caller)

    def require_metrics(self, caller: Caller) -> None:
        """Let in who may read, and who shows METRICS_TOKEN. Raises `HttpRefusal`."""
        if not self._gate.is_metrics(caller.headers.get("authorization")):
            self.require_reader(caller)

    def require_assistant(self, caller: Caller) -> None:
        """Let in the assistant that shows MCP_TOKEN, from a program or a page of this address.

        Raises `HttpRefusal`: 404 without such a token, 403 to another site's page, 421 without a host that is
        ours to answer for, 401, and 429 after many guesses.
        """
        if self._settings.mcp.token is None:
            raise HttpRefusal(404, "NOT_FOUND", NO_ASSISTANT)
        if not self.find_origin(caller):
            raise HttpRefusal(421, "UNREADABLE", "The request names no host.")
        if self._is_foreign(caller):
            raise HttpRefusal(403, "UNAUTHORIZED", FOREIGN_PAGE)
        offered = caller.headers.get("authorization")
        if not self._gate.is_assistant(offered):
            if offered is not None:
                self._count_guess(caller, ASSISTANT)
            raise HttpRefusal(
                401, "UNAUTHORIZED", "Send the header Authorization: Bearer MCP_TOKEN."
            )

    # --- logging in and out ----------------------------------------------------------------------

    def log_in(self, caller: Caller, token: str) -> str | None:
        """Open a session with the right token and return its cookie; None where the token is wrong.

        Raises `HttpRefusal`: 403 to another site's page, 429 after too many guesses.
        """
        origin = self.find_origin(caller)
        if not origin or self._is_foreign(caller):
            raise HttpRefusal(403, "UNAUTHORIZED", "Log in from the page of this receiver itself.")
        if self._gate.is_admin(f"Bearer {token}"):
            return write_cookie(self._sessions.begin(origin), origin, self.find_prefix(caller))
        if self.has_token and token:
            self._count_guess(caller)
        return None

    def log_out(self, caller: Caller) -> str:
        """End the session at the server; return the cookie that takes the browser's back."""
        if self._is_foreign(caller):
            raise HttpRefusal(403, "UNAUTHORIZED", FOREIGN_PAGE)
        self._sessions.end(read_name(caller.headers.get("cookie")))
        return write_cookie("", self.find_origin(caller), self.find_prefix(caller))

    def _count_guess(self, caller: Caller, offered: str = ADMIN) -> None:
        address = self._address(caller)
        wait = self._gate.count_guess(address)
        if self._gate.must_tell(address):
            log.warning("many_refused_credentials", extra={"address": address})
        if wait is not None:
            text = f"Too many wrong tokens from this address. Try again in {wait} s."
            raise self._turn_away(address, HttpRefusal(429, "RATE_LIMITED", text, wait))
        log.warning("turned_away", extra={"address": address, "text": f"a wrong {offered}"})

    # --- where a request comes from --------------------------------------------------------------

    def find_origin(self, caller: Caller) -> str:
        """Return the scheme, host and port by which the caller knows us; empty where it named none."""
        forwarded = {name: caller.headers.get(f"x-forwarded-{name}") for name in FORWARDED}
        return self._gate.find_origin(caller.peer, caller.host, forwarded)

    def find_prefix(self, caller: Caller) -> str:
        """Return the path under which a proxy of ours shows us, like `/desk`; empty at the root."""
        return self._gate.find_prefix(caller.peer, caller.headers.get("x-forwarded-prefix"))

    def find_base(self, caller: Caller) -> str:
        """Return the address before our paths as the caller sees it, where a proxy of ours tells it."""
        told = [caller.headers.get(f"x-forwarded-{name}") for name in (*FORWARDED, "prefix")]
        return self.find_origin(caller) + self.find_prefix(caller) if any(told) else ""

    def _is_own_page(self, caller: Caller) -> bool:
        """Whether a request comes from a page of ours or from no page at all.

        Over plain HTTP a browser sends no Sec-Fetch-Site, so its Origin is asked; where it sends
        neither, a log-in that the browser repeats by itself (Basic) proves nothing.
        """
        site, origin = caller.headers.get("sec-fetch-site"), caller.headers.get("origin")
        if site is not None:
            return site in ("same-origin", "none")
        if origin is not None:
            return self._is_here(caller, origin)
        return not is_basic(caller.headers.get("authorization"))

    def _is_page_itself(self, caller: Caller) -> bool:
        """Whether a request says that a page of ours sent it, and says nothing else."""
        site, origin = caller.headers.get("sec-fetch-site"), caller.headers.get("origin")
        is_told = site is not None or origin is not None
        return is_told and not self._is_foreign(caller) and site in (None, "same-origin")

    def _is_foreign(self, caller: Caller) -> bool:
        """Whether a request says that another site's page sent it."""
        site, origin = caller.headers.get("sec-fetch-site"), caller.headers.get("origin")
        return site not in (None, "same-origin", "none") or (
            origin is not None and not self._is_here(caller, origin)
        )

    def _is_here(self, caller: Caller, origin: str) -> bool:
        here = self.find_origin(caller)
        return bool(here) and _plain_origin(origin) == here

    def _address(self, caller: Caller) -> str:
        return self._gate.client_address(caller.peer, caller.headers.get("x-forwarded-for"))

    def _demand_token(self, caller: Caller) -> None:
        where = "in .env" if self.has_token else "which make run writes to .env"
        here = self.find_origin(caller) or f"http://127.0.0.1:{self._settings.webhook.port}"
        url = here + self.find_prefix(caller) + caller.path
        post = "" if caller.is_reading else " -X POST"
        curl = f'curl{post} -H "Authorization: Bearer $ADMIN_TOKEN" {url}'
        raise HttpRefusal(401, "UNAUTHORIZED", f"This needs ADMIN_TOKEN, {where}: {curl}")


def _plain_origin(origin: str) -> str:
    """Return an Origin header in lower case and without the port that goes without saying."""
    origin = origin.strip().lower()
    port = {"http": ":80", "https": ":443"}.get(origin.partition(":")[0], "")
    return origin.removesuffix(port) if port else origin


def _host_name(host: str) -> str:
    """Return a Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
