#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The lints see what they are there for."""

import tempfile
import unittest
from pathlib import Path

import documents
import floors
import sizes


class Tree(unittest.TestCase):
    """Each case has a small tree of its own."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name)
        for floor, folder in floors.FOLDERS.items():
            self.put(f"{folder}/{floor}.h", "#pragma once\n")

    def put(self, path, text):
        """Write one file of the tree."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def found(self, lint, path, text):
        """What the lint says of the tree with that file alone in it."""
        self.put(path, text)
        problems = list(lint.check(self.root))
        (self.root / path).unlink()
        return problems


class Floors(Tree):
    """floors.py"""

    def include(self, path, name):
        """What is said of one include."""
        return self.found(floors, path, f"/* x */\n#include {name}\n")

    def test_takes_what_is_below_and_beside(self):
        for path, name in (
            ("server/git/a.c", '"base/base.h"'),
            ("server/git/a.c", '"git/git.h"'),
            ("server/net/a.c", '"hooks/hooks.h"'),
            ("admin/a.c", '"net/net.h"'),
            ("server/base/a.c", "<stdio.h>"),
        ):
            with self.subTest(name):
                self.assertEqual(self.include(path, name), [])

    def test_refuses_what_is_above(self):
        self.assertEqual(
            self.include("server/git/a.c", '"store/store.h"'),
            ['server/git/a.c:2: "store/store.h" is above: '
             "git must not know store"],
        )
        self.assertEqual(len(self.include("hooks/a.h", '"net/net.h"')), 1)

    def test_refuses_the_other_program(self):
        self.assertEqual(len(self.include("admin/a.c", '"app/app.h"')), 1)
        self.assertEqual(len(self.include("server/app/a.c", '"admin/admin.h"')),
                         1)

    def test_refuses_ways_round(self):
        for name in ('"../store/store.h"', '"base/../../store/store.h"',
                     '"store.h"', '"store/none.h"', "STORE", '"git2.h"',
                     "<store/store.h>", "<base/base.h>"):
            with self.subTest(name):
                self.assertEqual(len(self.include("server/base/a.c", name)), 1)

    def test_refuses_an_include_with_odd_spacing(self):
        found = self.found(floors, "server/base/a.c",
                           '  #  include\t"git/git.h"\n')
        self.assertEqual(len(found), 1)

    def test_refuses_a_file_on_no_floor(self):
        found = self.found(floors, "server/a.c", '#include "base/base.h"\n')
        self.assertEqual(len(found), 1)

    def test_keeps_libraries_at_their_doors(self):
        for name, inside, outside in (
            ("<libssh/server.h>", "server/net/sshd_session.c",
             "server/net/httpd.c"),
            ("<microhttpd.h>", "server/net/httpd_exchange.h", "server/net/httpd_git.c"),
            ("<curl/curl.h>", "hooks/delivery.c", "hooks/outbox.c"),
            ("<curl/curl.h>", "admin/client.c", "admin/main.c"),
            ("<git2.h>", "server/store/repo.c", "server/base/a.c"),
            ("<git2/sys/odb_backend.h>", "server/git/a.c", "hooks/a.c"),
        ):
            with self.subTest(name):
                self.assertEqual(self.include(inside, name), [])
                self.assertEqual(len(self.include(outside, name)), 1)


class Sizes(Tree):
    """sizes.py"""

    @staticmethod
    def function(n_lines):
        """A function of so many lines."""
        body = "\tx();\n" * (n_lines - 3)
        return "static int a(void)\n{\n" + body + "}\n"

    def test_takes_a_function_of_sixty_lines(self):
        self.assertEqual(
            self.found(sizes, "hooks/a.c", self.function(60)), [])

    def test_refuses_a_function_of_sixty_one(self):
        self.assertEqual(
            self.found(sizes, "hooks/a.c", "int x;\n" + self.function(61)),
            ["hooks/a.c:2: a has 61 lines, of 60 at most"])

    def test_counts_from_the_signature_and_not_from_its_comment(self):
        text = "/*\n * Why.\n */\n" + self.function(60)
        self.assertEqual(self.found(sizes, "hooks/a.c", text), [])

    def test_sees_a_function_after_odd_strings(self):
        text = 'char x[] = "{\\"/*";\nchar y = \'"\';\n' + self.function(61)
        self.assertEqual(len(self.found(sizes, "hooks/a.c", text)), 1)

    def test_refuses_long_files_and_headers(self):
        for path, n_lines in (("hooks/a.c", 500), ("hooks/a.h", 150)):
            with self.subTest(path):
                self.assertEqual(
                    self.found(sizes, path, "\n" * n_lines), [])
                self.assertEqual(
                    len(self.found(sizes, path, "\n" * (n_lines + 1))), 1)

    def test_refuses_notes_to_oneself(self):
        for text in ("int x; // why\n", "/* TO" + "DO: more */\n",
                     "/* FIX" + "ME */\n", "/* X" + "XX */\n"):
            with self.subTest(text):
                self.assertEqual(len(self.found(sizes, "tests/a.c", text)), 1)

    def test_takes_slashes_in_strings_and_comments(self):
        text = 'char a[] = "http://x"; /* see http://x */\nint b = \'"\';\n'
        self.assertEqual(self.found(sizes, "hooks/a.c", text), [])


class Documents(Tree):
    """documents.py"""

    def readmes(self, text):
        """What is said of the paths of one README, the others empty."""
        for document in documents.READMES:
            self.put(document, "")
        self.put("README.md", text)
        return list(documents.check_paths(self.root))

    def test_takes_paths_that_lead_somewhere(self):
        self.assertEqual(
            self.readmes("`server/git/git.h`, `server/git/git`, `server/`, "
                         "[it](server/git/git.h), [far](https://a.example)"),
            [],
        )

    def test_sees_a_path_that_leads_nowhere(self):
        self.assertEqual(
            self.readmes("a\n`server/git/gone.h`"),
            ["README.md:2: there is no server/git/gone.h"],
        )

    def test_sees_a_link_that_leads_nowhere(self):
        self.assertEqual(
            self.readmes("[it](gone.md)"),
            ["README.md:1: there is no gone.md"],
        )

    def test_names_what_either_side_lacks(self):
        self.assertEqual(
            list(documents.difference({"a", "b"}, {"b", "c"}, "D", "W")),
            ["D: 'a' is missing, which W has", "D: 'c' is not in W"],
        )

    def test_reads_options_of_the_daemon_and_the_manual_alike(self):
        printed = "[server]\n\t; where\n\t; tls-key = \n[limits]\n" \
                  "\t; how\n\t; sessions = 2000\n"
        manual = ".Ss Section server\n.It Cm tls-key = Ar path\n" \
                 ".It Ar size\n.Ss Section limits\n" \
                 ".It Cm sessions = Ar number\n"
        wanted = ["server.tls-key", "limits.sessions"]
        self.assertEqual(list(documents.options_printed(printed)), wanted)
        self.assertEqual(list(documents.options_of_manual(manual)), wanted)

    def test_reads_limits_of_the_daemon_and_the_readme_alike(self):
        printed = "[server]\n\t; a = 1\n[limits]\n\t; how\n\t; sessions = 2\n"
        readme = "\n## Limits\n\nText.\n\n    sessions       2\n\n## Next\n" \
                 "    no   3\n"
        wanted = [("sessions", "2")]
        self.assertEqual(documents.limits_printed(printed), wanted)
        self.assertEqual(documents.limits_of_readme(readme), wanted)

    def test_reads_the_table_of_objects(self):
        table = "static const struct state_option key_options[] = {\n" \
                '\t{ "public-key", OPTION_PUBLIC_KEY, false, NULL,\n' \
                '\t  "the line" },\n};\n'
        self.assertEqual(
            list(documents.options_of_schema(table)), ["key.public-key"]
        )

    def test_reads_verbs_of_the_program_and_the_manual_alike(self):
        usage = "usage: headwater VERB\n\n  sync                call\n" \
                "  repo create         make\n"
        manual = ".It Ic sync Ar repo\n.Fl -no-option\n" \
                 ".It Xo Ic repo create Ar name\n.Op Fl -public\n.Xc\n" \
                 ".Fl -told-of\n.It Ic repo delete Ar name Fl -yes\n"
        self.assertEqual(
            list(documents.verbs_of_help(usage)), ["sync", "repo create"]
        )
        self.assertEqual(
            documents.verbs_of_manual(manual),
            {"sync": set(), "repo create": {"-public"},
             "repo delete": {"-yes"}},
        )

    def test_reads_routes_of_the_table_and_openapi_alike(self):
        table = '#define ROUTE(text) \\\n\t{ text }\n' \
                '#define OBJECTS(plural, kind) \\\n' \
                '\tROUTE("GET /v1/" plural, X), \\\n' \
                '\tROUTE("PUT /v1/" plural "/{name}", X)\n' \
                '\tROUTE("GET /v1/status", X),\n\tOBJECTS("keys", KEY),\n'
        api = "paths:\n  /v1/status:\n    get:\n  /v1/keys:\n    get:\n" \
              "  /v1/keys/{name}:\n    parameters:\n    put:\n" \
              "components:\n  /v1/no:\n    get:\n"
        wanted = ["GET /v1/keys", "GET /v1/status", "PUT /v1/keys/{name}"]
        self.assertEqual(sorted(documents.routes_of_table(table)), wanted)
        self.assertEqual(sorted(documents.routes_of_openapi(api)), wanted)


if __name__ == "__main__":
    unittest.main()
