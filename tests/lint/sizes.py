#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is small enough to be read: functions, files and headers have an end.

Also refuses what must not be committed: // comments, which are notes to
oneself, and promises to do it later. There is no list of exceptions.
"""

import re

import source

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 500
MAX_HEADER_LINES = 150

# Spelt apart, so that this file may be searched, too.
LATER = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "X" "XX")) + r")\b")


def functions(code):
    """Name, first line and length of each function, signature included.

    Relies on the formatter: a function's braces stand in the first column.
    """
    lines = code.split("\n")
    start = None
    for number, line in enumerate(lines):
        if line.rstrip() == "{":
            start = number
            while start and lines[start - 1].strip():
                if lines[start - 1].rstrip().endswith((";", "}")):
                    break
                start -= 1
        elif line.startswith("}") and start is not None:
            signature = " ".join(lines[start:number])
            name = re.search(r"(\w+)\s*\(", signature)
            yield name[1] if name else "?", start + 1, number - start + 1
            start = None


def check_sizes(path, text, code):
    """What is too long."""
    limit = MAX_HEADER_LINES if path.endswith(".h") else MAX_FILE_LINES
    n_lines = text.count("\n")
    if n_lines > limit:
        yield f"{path}: {n_lines} lines, of {limit} at most"
    for name, line, length in functions(code):
        if length > MAX_FUNCTION_LINES:
            yield (
                f"{path}:{line}: {name} has {length} lines, "
                f"of {MAX_FUNCTION_LINES} at most"
            )


def check_words(path, text, slashes):
    """What must not be committed."""
    for line in slashes:
        yield f"{path}:{line}: a // comment"
    for number, line in enumerate(text.split("\n"), 1):
        match = LATER.search(line)
        if match:
            yield f"{path}:{number}: {match[1]}"


def check(root):
    """Every problem of the tree; tests are held to the words alone."""
    for file in source.files(root, source.HOUSE + ("tests",)):
        path = file.relative_to(root).as_posix()
        text = file.read_text()
        code, slashes = source.code_of(text)
        if not path.startswith("tests/"):
            yield from check_sizes(path, text, code)
        yield from check_words(path, text, slashes)


if __name__ == "__main__":
    source.main(check)
