"""Show the pages under the names they have in the repository, so that a link is right in both.

A hook of `make docs` (mkdocs): besides docs/ the site holds README.md and whatever else a page leads to.
A link to a file that does not exist ends the build.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace what stands in docs/ by README, the pages, and the files they link to."""
    root = Path(config.config_file_path).parent
    found: dict[str, None] = {}
    waiting = ["README.md"]
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith("..") or not (root / name).is_file():
            continue
        found[name] = None
        if name.endswith(".md"):
            folder = PurePosixPath(name).parent
            text = (root / name).read_text(encoding="utf-8")
            waiting += [normpath(f"{folder}/{target}") for target in LINK.findall(text)]
    pages = [str(path.relative_to(root)) for path in sorted((root / "docs").rglob("*.md"))]
    theirs = [file for file in files if file.src_dir != config.docs_dir]
    ours = [
        File(name, str(root), config.site_dir, config.use_directory_urls)
        for name in [*found, *(page for page in pages if page not in found)]
    ]
    return Files([*theirs, *ours])
