"""Who carries out "Try it" of the page on performance sees the demotion, its message and the way back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.docs.test_pages import PAGES, blocks
from tests.support.running import TOKEN, await_true, find_port, running

pytest.importorskip("apprise")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_a_loser_falls_back_to_paper_and_returns_as_the_page_says(tmp_path):
    """One message each, with the rule; and `/strategies` says why."""
    section = PAGES["docs/performance.md"].partition("## Try it\n")[2]
    config, listener, losing, winning = (each.text for each in blocks(section))
    port = find_port()
    (tmp_path / "config.yaml").write_text(config.replace("9010", str(port)))
    (tmp_path / "config.yaml").chmod(0o600)
    script = listener.removeprefix("python3 -c '").rstrip().removesuffix("'")
    shown = tmp_path / "shown"
    with shown.open("w") as out:
        command = [sys.executable, "-c", script.replace("9010", str(port))]
        screen = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
    try:
        with running(tmp_path, environ={"ADMIN_TOKEN": TOKEN}) as server:
            for typed, event, mode in (
                (losing, "demotion", "paper"),
                (winning, "promotion", "live"),
            ):
                lines = typed.replace(":8080/", f":{server.port}/")
                done = subprocess.run(
                    ["sh", "-ec", lines],
                    env={"ADMIN_TOKEN": TOKEN, "PATH": "/usr/bin:/bin"},
                    capture_output=True,
                    text=True,
                    check=True,
                )
                last = json.loads(done.stdout[done.stdout.index('{"strategies"') :])
                [row] = [each for each in last["strategies"] if each["name"] == "loser"]
                assert row["mode"] == mode, row["reason"]
                await_true(
                    lambda event=event: (
                        f"{event}: loser" in shown.read_text()
                        or (f'"{event}"' in shown.read_text())
                    )
                )
        told = shown.read_text()
        assert told.count("loser opens on paper from now on, because") == 1
        assert told.count("loser opens on its own account from now on, because") == 1
    finally:
        screen.terminate()
        screen.wait()
