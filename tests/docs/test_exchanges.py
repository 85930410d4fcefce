"""The page about ccxt says what the table `PROVEN` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from brokers.exchanges.library import VERSION
from brokers.exchanges.proof import LIMIT, MARKET, STOP, Proof
from brokers.exchanges.proven import PROVEN

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/brokers/ccxt.md").read_text(encoding="utf-8")
START, END = "<!-- exchanges -->\n", "<!-- /exchanges -->"
HEAD = (
    "| `exchange` | `market` | market | limit | stop | target | reduce-only | found by | id | sandbox |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def write_row(proof: Proof) -> str:
    """Return one line of the table of exchanges."""

    def say(is_so: bool) -> str:
        return "yes" if is_so else "no"

    looks = proof.stop_looks or proof.looks
    cells = (
        f"`{proof.exchange}`",
        f"`{proof.market}`",
        "yes" if proof.market_buys else "sells",
        *(say(kind in proof.kinds) for kind in (LIMIT, STOP, LIMIT)),
        "yes" if proof.reduces else "",
        "its id" if not any(each.is_list for each in looks) else "lists",
        proof.id_form,
        proof.sandbox or "no",
    )
    return f"| {' | '.join(cells)} |"


def write_table() -> str:
    """Return the table of exchanges."""
    return "\n".join((*HEAD, *map(write_row, PROVEN), ""))


def test_the_page_has_every_exchange_as_it_is_proven():
    """A cell on the page is one that a test stands behind."""
    print(write_table())  # noqa: T201 - what belongs there, for whoever meets the failure
    assert write_table() == PAGE.partition(START)[2].partition(END)[0]


@pytest.mark.parametrize("proof", PROVEN, ids=lambda proof: proof.name)
def test_the_page_says_why_a_kind_is_refused(proof):
    """What a row lacks has a reason that the refusal names."""
    missing = {kind for kind in (MARKET, LIMIT, STOP) if kind not in proof.kinds}
    missing |= set() if proof.market_buys else {MARKET}
    assert missing == set(proof.limits)


def test_the_page_names_the_version():
    """The one that the proofs hold for."""
    assert f"ccxt {VERSION}" in PAGE
