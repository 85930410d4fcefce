"""What is in deploy holds together: the image has all the program needs, systemd understands the unit.

Where systemd's tools are missing their tests say that they are skipped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.support.shipped import read_shipped

LARGEST_EXPOSURE = 3.0
"""Of ten, as `systemd-analyze security` counts what a unit may do; an unguarded one has 9.6."""


def test_the_image_holds_what_the_wheel_holds():
    """Nothing that the program reads is left out: once the page was."""
    wheel = tomllib.loads(read_shipped("pyproject.toml"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    copied = " ".join(re.findall(r"^COPY (.+)$", read_shipped("deploy/Dockerfile"), re.MULTILINE))
    for name in (*wheel["packages"], *wheel["force-include"]):
        assert name in copied.split(), name


def test_the_lock_names_every_package_that_is_required():
    """In a version that requirements.txt allows, with the hashes of its files."""
    lock = read_shipped("requirements.lock")
    locked = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;]+)", lock, re.MULTILINE))
    assert lock.count("--hash=sha256:") > len(locked)
    for line in read_shipped("requirements.txt").split("\n"):
        if not line.strip() or line.startswith(("#", "pytest")):
            continue
        needed = Requirement(line.partition("#")[0])
        assert needed.specifier.contains(locked[needed.name.lower()]), line


@pytest.fixture
def unit(tmp_path):
    """Give the unit, with a program that is there."""
    tool = shutil.which("systemd-analyze")
    if not tool:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    text = read_shipped("deploy/webhook.service")
    program = "/opt/webhook/.venv/bin/gunicorn"
    assert f"ExecStart={program}\n" in text
    path = tmp_path / "webhook.service"
    path.write_text(text.replace(program, shutil.which("true")))
    return tool, path


def test_systemd_understands_every_line_of_the_unit(unit):
    """An unknown key would be left out with a warning, and with it what it guards."""
    tool, path = unit
    found = subprocess.run([tool, "verify", str(path)], capture_output=True, text=True, check=False)
    assert "webhook.service" not in found.stderr, found.stderr


def test_the_unit_may_do_little(unit):
    """Its sandbox, as systemd itself counts it."""
    tool, path = unit
    command = [tool, "security", "--offline=true", "--no-pager", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    exposure = re.search(r"exposure level for webhook.service: ([0-9.]+)", found.stdout)
    assert exposure, found.stderr
    assert float(exposure[1]) < LARGEST_EXPOSURE
