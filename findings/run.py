"""Run findings: each in a folder of its own, with exactly the packages that it names.

    python findings/run.py                  all of them
    python findings/run.py pynecore_ticker  this one

Ends with 1 where a library no longer does what the finding says.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
METADATA = re.compile(r"^# /// script\n((?:#.*\n)+?)# ///$", re.MULTILINE)


def read_packages(script: Path) -> list[str]:
    """Return the packages that a script names in its head (the form of PEP 723)."""
    found = METADATA.search(script.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{script.name} does not say which packages it needs")
    packages = tomllib.loads(re.sub(r"^# ?", "", found[1], flags=re.MULTILINE))["dependencies"]
    if any("==" not in package for package in packages):
        raise SystemExit(f"{script.name}: each package needs its exact version")
    return list(packages)


def run(script: Path) -> bool:
    """Install what a script needs into a new folder and run it there; say whether it still holds."""
    with tempfile.TemporaryDirectory() as folder:
        packages = str(Path(folder) / "packages")
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", packages]
        subprocess.run([*install, *read_packages(script)], check=True)
        done = subprocess.run(
            [sys.executable, str(script)],
            cwd=folder,
            env={"PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"},
            check=False,
        )
    print(f"{script.stem}: {'holds' if done.returncode == 0 else 'CHANGED'}", flush=True)
    return done.returncode == 0


def main() -> None:
    """Run the findings that are named, or all."""
    everything = {path.stem: path for path in sorted(HERE.glob("*.py")) if path.name != "run.py"}
    names = [Path(name).stem for name in sys.argv[1:]] or list(everything)
    unknown = [name for name in names if name not in everything]
    if unknown:
        raise SystemExit(f"no finding {', '.join(unknown)}; there are {', '.join(everything)}")
    held = [run(everything[name]) for name in names]
    raise SystemExit(not all(held))


if __name__ == "__main__":
    main()
