"""Who is told is a list of addresses, and no address is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from brokers import BROKERS, list_facts
from desk.config.load import SettingsError, load
from desk.config.summary import describe

ADDRESS = "json://127.0.0.1:9/hook?-token=s3cret-t0ken"


def read(tmp_path: Path, text: str, **variables: str):
    """Return the settings of a config.yaml with this text."""
    file = tmp_path / "config.yaml"
    file.write_text(text)
    file.chmod(0o600)
    return load(file, variables, list_facts(BROKERS))


def test_an_entry_is_an_address_or_one_with_its_events(tmp_path):
    """One that names no events wants them all."""
    text = f"notify: ['{ADDRESS}', {{url: 'ntfy://topic', events: [halt]}}]"
    first, second = read(tmp_path, text).notify
    assert first.url.get_secret_value() == ADDRESS
    assert (first.wants("halt"), first.wants("trade")) == (True, True)
    assert (second.wants("halt"), second.wants("trade")) == (True, False)


def test_notify_urls_wins(tmp_path):
    """It holds addresses with spaces between."""
    found = read(tmp_path, "notify: ['ntfy://topic']", NOTIFY_URLS=f"{ADDRESS}  ntfy://other")
    assert [each.url.get_secret_value() for each in found.notify] == [ADDRESS, "ntfy://other"]


def test_no_address_is_shown(tmp_path):
    """Neither by a check nor in a print, and it counts as a secret wherever texts are masked."""
    settings = read(tmp_path, f"notify: ['{ADDRESS}']")
    assert "s3cret" not in "\n".join(describe(settings)) + repr(settings)
    assert ADDRESS in settings.known_secrets


@pytest.mark.parametrize(
    "text",
    [
        "notify: s3cret-without-a-scheme",
        "notify: [5]",
        "notify: {url: 'json://s3cret'}",
        "notify: [{url: 'json://s3cret', events: [nonsense]}]",
        "notify: [{url: 'json://s3cret', event: [halt]}]",
    ],
)
def test_what_cannot_be_read_is_told_without_quoting_it(tmp_path, text):
    """A mistake names the entry."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert "notify" in str(caught.value)
    assert "s3cret" not in str(caught.value)
