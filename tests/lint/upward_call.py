#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An upward call does not link.

For every floor: a program that calls a function of that floor links with the
libraries up to it, and does not with those below it. Both must hold, or the
second proves nothing.

    upward_call.py SOURCE FUNCTION=LIBRARY... -- COMPILER... ARGUMENTS LIBRARY...

The floors go from the ground up, each a function and the library that defines
it; behind the word ARGUMENTS stand the libraries of others.
"""

import subprocess
import sys
import tempfile
from pathlib import Path


def link(command, source, function, libraries):
    """Compile and link; the linker's complaint, None where it had none."""
    # Top floor first, so that every library finds what it needs below.
    libraries = list(reversed(libraries))
    with tempfile.TemporaryDirectory() as scratch:
        program = str(Path(scratch, "program"))
        at = command.index("ARGUMENTS")
        result = subprocess.run(
            [*command[:at], f"-DFUNCTION={function}", "-o", program, source,
             *libraries, *command[at + 1 :]],
            capture_output=True, text=True, check=False,
        )
    return result.stderr if result.returncode else None


def problems(source, floors, command):
    """What should not be, one sentence each."""
    libraries = [library for _, library in floors]
    for i, (function, library) in enumerate(floors):
        complaint = link(command, source, function, libraries[: i + 1])
        if complaint is not None:
            yield f"{function} does not link on its own floor:\n{complaint}"
            continue
        complaint = link(command, source, function, libraries[:i])
        if complaint is None:
            yield f"{function} of {library} links from the floor below"
        elif "undefined" not in complaint or function not in complaint:
            yield f"{function} fails for another reason:\n{complaint}"


def main():
    """Read the command line, print, set the exit status."""
    split = sys.argv.index("--")
    source, *floors = sys.argv[1:split]
    floors = [floor.split("=", 1) for floor in floors]
    if len(floors) < 2:
        sys.exit("there is no way up from a single floor")
    found = list(problems(source, floors, sys.argv[split + 1 :]))
    print("\n".join(found) or f"{len(floors)} floors, no way up")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
