"""Write a client id the way an exchange takes it, and read it back.

Exchanges differ in what a client id may be: a UUID, letters and digits, hexadecimal, a fixed start. Ours is
`tv-` and 27 hexadecimal digits, so that each of their forms can hold it and nothing need be remembered.
"""

from __future__ import annotations

import re

from brokers.protocol import UNSUPPORTED, BrokerRefused

_OURS = re.compile(r"tv-([0-9a-f]{27})", re.ASCII)
_FILL = "00000"
_BORN_DIGITS = 11
"""Of the 27, those that are a time in milliseconds."""
_FORMS = {
    "plain": re.compile(r"()([0-9a-f]{27})", re.ASCII),
    "gate": re.compile(r"(t-)([0-9a-f]{27})", re.ASCII),
    "0x": re.compile(rf"(0x)([0-9a-f]{{27}}){_FILL}", re.ASCII),
}
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def write_client_id(client_id: str, form: str) -> str:
    """Return our id in an exchange's form. Raises `BrokerRefused` for one that no form can hold."""
    ours = _OURS.fullmatch(client_id)
    if ours is None:
        text = f"The order's name {client_id} cannot be written the way this exchange takes it."
        raise BrokerRefused(text, UNSUPPORTED)
    digits = ours[1]
    if form == "uuid":
        whole = digits + _FILL
        parts = (whole[:8], whole[8:12], whole[12:16], whole[16:20], whole[20:])
        return "-".join(parts)
    return {"plain": digits, "gate": f"t-{digits}", "0x": f"0x{digits}{_FILL}"}[form]


def read_client_id(told: str, form: str) -> str:
    """Return our id of what an exchange tells; what somebody else named stays as it is."""
    if form == "uuid":
        digits = told.replace("-", "") if _UUID.fullmatch(told) else ""
        return f"tv-{digits[:27]}" if digits.endswith(_FILL) else told
    found = _FORMS[form].fullmatch(told)
    return f"tv-{found[2]}" if found else told


def read_birth(client_id: str) -> int:
    """Return when what caused an order came, in milliseconds; zero where the id does not tell."""
    ours = _OURS.fullmatch(client_id)
    return int(ours[1][:_BORN_DIGITS], 16) if ours else 0
