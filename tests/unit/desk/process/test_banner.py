"""The banner: what a person reads at the start."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from desk.config.load import load
from desk.process.banner import write_banner
from tests.support.fakes import make_facts

SECRET = "correct-horse-battery-8"


def say(file: Path | None, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the lines of the banner by their name."""
    lines = write_banner(load(file, environ or {}, {"paper": make_facts()}), "1.2.3")
    assert "1.2.3" in lines[0]
    assert not any(SECRET in line for line in lines)
    return {name: text for name, _, text in (line.strip().partition("  ") for line in lines[1:])}


def test_the_banner_says_which_file_it_goes_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A config.yaml that is not where it was thought to be is seen at once."""
    monkeypatch.chdir(tmp_path)
    assert say(None)["config"].strip() == "none found: defaults"
    (tmp_path / "config.yaml").write_text("")
    assert say(None)["config"].strip() == str(tmp_path / "config.yaml")


@pytest.mark.parametrize(
    ("config", "environ", "says"),
    [
        ("", {}, "none: anybody on this machine may send alerts, and through a proxy the whole"),
        ("", {"TRADINGVIEW_WEBHOOK_SECRET": SECRET}, "set: an alert without it is refused"),
        (
            f"strategies: {{trend: {{secret: {SECRET}}}, other: }}",
            {},
            "only for trend: anybody may send the alerts of other strategies",
        ),
    ],
)
def test_the_banner_says_who_may_send_alerts(
    tmp_path: Path, config: str, environ: Mapping[str, str], says: str
) -> None:
    """With a secret, without one, and where only a strategy has its own."""
    (tmp_path / "config.yaml").write_text(config)
    assert say(tmp_path / "config.yaml", environ)["secret"].strip().startswith(says)


def test_the_banner_shows_a_misspelt_variable(tmp_path: Path) -> None:
    """A secret under a wrong name is a warning, for without it the receiver is open."""
    (tmp_path / "config.yaml").write_text("")
    (tmp_path / ".env").write_text(f"TRADINGVIEW_WEBHOK_SECRET={SECRET}\n")
    (tmp_path / ".env").chmod(0o600)
    shown = say(tmp_path / "config.yaml")
    assert "did you mean TRADINGVIEW_WEBHOOK_SECRET?" in shown["warning"]
