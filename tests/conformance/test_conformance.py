#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The parts of the conformance run that a mistake could hide in."""

import importlib.machinery
import importlib.util
import pathlib
import subprocess
import tempfile
import unittest

import bed
import git_tree
import shadow

HERE = pathlib.Path(__file__).resolve().parent


def load_run():
    loader = importlib.machinery.SourceFileLoader("run", str(HERE / "run"))
    spec = importlib.util.spec_from_loader("run", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


run = load_run()


class Tap(unittest.TestCase):
    def test_every_kind_of_line(self):
        text = """ok 1 - clone
not ok 2 - push with # in it
#	git push
ok 3 # skip needs root (missing ROOT)
not ok 4 - known # TODO known breakage
ok 5 - gone # SKIP all of it
1..5
"""
        self.assertEqual(bed.parse_tap(text), {
            1: ("pass", "clone"), 2: ("fail", "push with # in it"),
            3: ("skip", "needs root"), 4: ("fail", "known"),
            5: ("skip", "gone")})


class Verdicts(unittest.TestCase):
    row = run.Row("t1-x", 1, "core", "clone")

    def judged(self, ours, excused=None, stock=("pass", "clone")):
        verdicts = run.judge([self.row], {1: ours} if ours else {},
                             excused or {}, lambda: {1: stock})
        return [v.result for v in verdicts]

    def test_what_counts(self):
        why = {("t1-x", 1): "we mean it"}
        self.assertEqual(self.judged(("pass", "clone")), ["pass"])
        self.assertEqual(self.judged(("fail", "clone")), ["fail"])
        self.assertEqual(self.judged(None), ["fail"])
        self.assertEqual(self.judged(("skip", "clone")), ["fail"])
        self.assertEqual(self.judged(("pass", "another")), ["fail"])
        self.assertEqual(self.judged(("fail", "clone"), why), ["excused"])
        self.assertEqual(self.judged(("pass", "clone"), why), ["stale"])
        self.assertEqual(
            self.judged(("fail", "clone"), stock=("fail", "clone")), ["same"])

    def test_tables(self):
        rows = run.rows_of(set())
        self.assertGreater(sum(map(len, rows.values())), 1000)
        self.assertLessEqual(set(run.QUICK), set(rows))
        for protocol in (0, 1, 2):
            for script, number in run.by_design(protocol):
                self.assertIn(number, [r.number for r in rows[script]])


class Sources(unittest.TestCase):
    def test_both_formats(self):
        self.assertEqual(
            git_tree.as_source_entry(
                "a.list", "# deb no\ndeb [signed-by=k] http://h/d s main\n"
                "deb-src http://h/d s main\n"),
            "deb-src [signed-by=k] http://h/d s main\n"
            "deb-src http://h/d s main\n")
        self.assertEqual(
            git_tree.as_source_entry("a.sources", "Types: deb\nURIs: u\n"),
            "Types: deb-src\nURIs: u\n")


class Shadow(unittest.TestCase):
    """A tree whose programs say who they are and what they hear."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = pathlib.Path(place.name)
        tree = self.root / "tree"
        (tree / "t/helper").mkdir(parents=True)
        (tree / "bin-wrappers").mkdir()
        (tree / "git-daemon").write_text("real\n")
        tell = '#!/bin/sh\necho "{} $*"\n'
        for name in ("git", "git-upload-pack", "t/helper/test-tool"):
            shadow.write_script(tree / name, tell.format(name))
        shadow.write_script(
            tree / "bin-wrappers/git", "#!/bin/sh\n"
            f"GIT_EXEC_PATH='{tree}'\nexec \"$GIT_EXEC_PATH/git\" \"$@\"\n")
        shadow.write_script(
            self.root / "server", '#!/bin/sh\necho "ours $* in $(basename '
            '"$PWD")" $GIT_PROTOCOL "$GIT_CONFIG_COUNT $GIT_CONFIG_KEY_0='
            '$GIT_CONFIG_VALUE_0"\n')
        self.shadow = self.root / "shadow"
        shadow.make_shadow(tree, self.shadow, [str(self.root / "server")])

    def say(self, program, *arguments):
        return subprocess.run([self.shadow / program, *arguments], text=True,
                              cwd=self.root, check=True,
                              capture_output=True).stdout.strip()

    def test_who_answers(self):
        here = self.root.name
        self.assertEqual(self.say("git-upload-pack", "--strict", "."),
                         f"ours upload-pack --strict . in {here}  =")
        self.assertEqual(self.say("git", "receive-pack", "."),
                         f"ours receive-pack . in {here}  =")
        self.assertEqual(
            self.say("bin-wrappers/git", "-C", "tree", "-c",
                     "a.b=c d", "receive-pack", "."),
            "ours receive-pack . in tree 1 a.b=c d")
        self.assertEqual(self.say("git", "clone", "--upload-pack", "x"),
                         "git clone --upload-pack x")
        self.assertEqual(
            self.say("t/helper/test-tool", "-C", "tree", "serve-v2",
                     "--stateless-rpc"),
            "ours upload-pack --stateless-rpc . in tree version=2  =")
        self.assertEqual(self.say("t/helper/test-tool", "date"),
                         "t/helper/test-tool date")
        self.assertEqual((self.shadow / "git-daemon").read_text(), "real\n")


if __name__ == "__main__":
    unittest.main()
