# SPDX-License-Identifier: Apache-2.0
"""C sources as the lints see them: which there are, and what is code in them."""

import re
import sys
from pathlib import Path

# Where the house is; tests are C, too, but no floor.
HOUSE = ("server", "hooks", "admin")

TOKEN = re.compile(
    r"""(?P<block>/\*.*?\*/)
      | (?P<line>//[^\n]*)
      | (?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""",
    re.DOTALL | re.VERBOSE,
)


def files(root, folders, suffixes=(".c", ".h")):
    """Every source below the folders, in a fixed order."""
    for folder in folders:
        for path in sorted(Path(root, folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path


def blank(text):
    """Spaces for everything but the line breaks."""
    return re.sub(r"[^\n]", " ", text)


def code_of(text):
    """The text with comments and string contents blanked, lines kept.

    Returns the code and the numbers of the lines that hold a // comment.
    """
    slashes = []

    def replace(match):
        if match.lastgroup == "line":
            slashes.append(text.count("\n", 0, match.start()) + 1)
        if match.lastgroup == "text":
            quote = match[0][0]
            return quote + blank(match[0][1:-1]) + quote
        return blank(match[0])

    return TOKEN.sub(replace, text), slashes


def report(problems):
    """Print what was found; the exit status of a lint."""
    problems = list(problems)
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems" if problems else "clean")
    return 1 if problems else 0


def main(check):
    """Run `check(root)` on the tree that the command line names."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} ROOT")
    sys.exit(report(check(Path(sys.argv[1]))))
