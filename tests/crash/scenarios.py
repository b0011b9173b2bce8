# SPDX-License-Identifier: Apache-2.0
"""What is interrupted. Each scenario is set up once, and then played again and
again on what the last play left."""

import base64
import os

from scene import HOOKED, REPO, ZERO, git, require


class Push:
    """A push of some kind; says what the refs may be afterwards."""

    repo = REPO
    atomic = False
    ends = ()
    from_start = False  # is losing power tried while it is set up, too?

    def set_up(self, scene):
        """Refs that pushes begin at: some loose, some packed."""
        commit, entries = scene.commit()
        commands = [(ZERO, commit, f"refs/heads/{name}")
                    for name in ("main", "packed", "other")]
        answers = scene.client.push(commands, entries, repo=self.repo)
        require(set(answers.values()) == {"ok"}, f"set-up: {answers}")
        git(scene.repo_dir(self.repo), "pack-refs", "--all")

    def commands(self, scene, refs):
        """[(old, new, ref)] and the entries of the pack."""
        raise NotImplementedError

    def prepare(self, scene):
        """What each play needs and nobody interrupts."""

    def act(self, scene):
        self.before = scene.refs(self.repo)
        self.asked, entries = self.commands(scene, dict(self.before))
        scene.faults.arm(*scene.fault)
        self.answers = scene.client.push(self.asked, entries, self.atomic,
                                         self.repo, self.ends)

    def acknowledged(self):
        return all(a == "ok" for a in self.answers.values())

    def verify(self, scene):
        now = scene.refs(self.repo)
        moved = set()
        for old, new, ref in self.asked:
            answer = self.answers[ref]
            value = now.get(ref, ZERO)
            require(value in (old, new), f"{ref} is {value}, neither side")
            if answer == "ok":
                require(value == new, f"{ref} was acknowledged and is lost")
            elif answer is not None:
                require(value == old, f"{ref} was refused ({answer}) and moved")
            moved.add(value == new)
        require(not self.atomic or len(moved) == 1,
                f"half of an atomic push: {now}")
        for ref, value in now.items():
            if ref not in [c[2] for c in self.asked]:
                require(self.before.get(ref) == value, f"{ref} changed")
        for ref in self.before:
            require(ref in now or ref in [c[2] for c in self.asked],
                    f"{ref} vanished")
        scene.check_repo(self.repo)


class FastForward(Push):
    name = "push"
    flushes = 5

    def commands(self, scene, refs):
        old = refs["refs/heads/main"]
        commit, entries = scene.commit(old)
        return [(old, commit, "refs/heads/main")], entries


class Create(Push):
    """A branch in directories that are not there yet."""

    name = "create"
    flushes = 7

    def commands(self, scene, refs):
        commit, entries = scene.commit(refs["refs/heads/main"])
        ref = f"refs/heads/topic/{scene.n}/new"
        return [(ZERO, commit, ref)], entries


class Forced(Push):
    name = "forced"
    flushes = 5

    def commands(self, scene, refs):
        old = refs["refs/heads/main"]
        commit, entries = scene.commit()
        return [(old, commit, "refs/heads/main")], entries


class Several(Push):
    """An update, a creation and a deletion, each on its own."""

    name = "several"
    flushes = 6

    def commands(self, scene, refs):
        old = refs["refs/heads/main"]
        commit, entries = scene.commit(old)
        made = sorted(r for r in refs if r.startswith("refs/heads/made-"))
        commands = [(old, commit, "refs/heads/main"),
                    (ZERO, commit, f"refs/heads/made-{scene.n}")]
        if made:
            commands.append((refs[made[0]], ZERO, made[0]))
        return commands, entries


class Atomic(Several):
    name = "atomic"
    flushes = 5
    atomic = True


class Delete(Push):
    """One that is loose and packed, one that is only loose."""

    name = "delete"
    flushes = 5

    def prepare(self, scene):
        commit, entries = scene.commit()
        now = scene.refs(self.repo)
        both = now.get("refs/heads/both", ZERO)
        if both == ZERO:
            scene.client.push([(ZERO, commit, "refs/heads/both")], entries)
            git(scene.repo_dir(), "pack-refs", "--all")
            both = commit
            commit, entries = scene.commit()
        loose = now.get("refs/heads/loose", ZERO)
        scene.client.push([(both, commit, "refs/heads/both"),
                           (loose, commit, "refs/heads/loose")], entries)

    def commands(self, scene, refs):
        return [(refs[r], ZERO, r)
                for r in ("refs/heads/both", "refs/heads/loose")], []


class Shallow(Push):
    """From a shallow clone: git fsck misses a parent unless the repository
    becomes shallow there, too."""

    name = "shallow"
    flushes = 7

    def set_up(self, scene):
        super().set_up(scene)
        git(scene.repo_dir(), "config", "receive.shallowUpdate", "true")

    def commands(self, scene, refs):
        commit, entries = scene.commit(os.urandom(20).hex())
        self.ends = (commit,)
        return [(refs["refs/heads/main"], commit, "refs/heads/main")], entries


class Hook(Push):
    """A push that somebody must be told of."""

    name = "hook"
    flushes = 7
    repo = HOOKED

    def commands(self, scene, refs):
        # Not the default branch, of which a start tells, too.
        old = refs["refs/heads/other"]
        commit, entries = scene.commit(old)
        return [(old, commit, "refs/heads/other")], entries

    def verify(self, scene):
        super().verify(scene)
        _, new, ref = self.asked[0]
        if scene.refs(self.repo).get(ref) == new:
            scene.check_heard(new)


class First(Hook):
    """The first push to a server that was never started before."""

    name = "first"
    flushes = 8
    from_start = True

    def set_up(self, scene):
        pass

    def commands(self, scene, refs):
        commit, entries = scene.commit()
        main, more = scene.commit()
        commands = [(ZERO, commit, f"refs/heads/first-{scene.n}")]
        if "refs/heads/main" not in refs:
            # Of the default branch a start tells, too.
            commands.append((ZERO, main, "refs/heads/main"))
            entries += more
        return commands, entries


class Admin:
    """A verb of the CLI that makes something with a name of its own."""

    repo = REPO
    from_start = False

    def set_up(self, scene):
        pass

    def prepare(self, scene):
        pass

    def words(self, scene, name):
        raise NotImplementedError

    def names(self, scene):
        raise NotImplementedError

    def act(self, scene):
        scene.n += 1
        self.made = f"{self.noun}-{scene.n}"
        self.before = self.names(scene)
        words = self.words(scene, self.made)
        scene.faults.arm(*scene.fault)
        self.answer = scene.make(*words)

    def acknowledged(self):
        return self.answer.returncode == 0

    def verify(self, scene):
        now = self.names(scene)
        if self.answer.returncode == 0:
            require(now == self.before | {self.made},
                    f"{self.made} was acknowledged and is lost: {now}")
        elif (self.answer.returncode == 1 and self.made in now and
              scene.fault[0] == "disk-full"):
            # What was written when the disk ran full cannot be unwritten; it
            # is completed by the same words, or by the next start.
            words = self.words(scene, self.made)
            again = scene.daemon.cli_run(*words)
            require(again.returncode == 0, f"not twice: {again.stderr}")
            require(self.names(scene) == self.before | {self.made},
                    f"{self.made} is half there")
        elif self.answer.returncode == 1:
            require(now == self.before,
                    f"{self.made} was refused and is there: "
                    f"{self.answer.stderr}")
        else:
            require(now - {self.made} == self.before, f"others went: {now}")


class RepoCreate(Admin):
    name = "repo-create"
    flushes = 15
    noun = "repo"

    def words(self, scene, name):
        return "repo", "create", name, "--public"

    def names(self, scene):
        return {r["name"] for r in scene.daemon.api("repo", "list")["repos"]}

    def verify(self, scene):
        super().verify(scene)
        directory = scene.repo_dir(self.made)
        require(directory.exists() == (self.made in self.names(scene)),
                f"state and disk differ about {self.made}")
        if directory.exists():
            scene.check_repo(self.made)


class KeyCreate(Admin):
    name = "key-create"
    flushes = 2
    noun = "key"

    def words(self, scene, name):
        # Nobody logs in with it.
        kind = b"ssh-ed25519"
        blob = (len(kind).to_bytes(4, "big") + kind +
                (32).to_bytes(4, "big") + os.urandom(32))
        file = scene.directory / "made.pub"
        file.write_bytes(kind + b" " + base64.b64encode(blob) + b"\n")
        return ("key", "create", name, "--public-key", file, "--write", REPO)

    def names(self, scene):
        return {k["name"] for k in scene.daemon.api("key", "list")["keys"]}


class Maintain(Push):
    """Several packs, loose objects and refs become one; a branch that was
    deleted waits, or goes."""

    name = "maintain"
    flushes = 12

    def set_up(self, scene):
        super().set_up(scene)
        scene.config.write_text("[server]\n\tmaintenance = false\n"
                                "[limits]\n\tmaintenance-grace = 0s\n")
        scene.restart()

    def prepare(self, scene):
        old = scene.refs(self.repo)["refs/heads/main"]
        new, entries = scene.commit(old)
        scene.client.push([(old, new, "refs/heads/main")], entries)
        gone, entries = scene.commit()
        scene.client.push([(ZERO, gone, "refs/heads/gone")], entries)
        scene.client.push([(gone, ZERO, "refs/heads/gone")], [])
        git(scene.repo_dir(), "tag", "-f", "-m", "t", "t", "main")
        self.answers, self.asked = {}, []

    def act(self, scene):
        self.before = scene.refs(self.repo)
        scene.faults.arm(*scene.fault)
        self.answer = scene.daemon.cli_run("repo", "maintain", self.repo)

    def acknowledged(self):
        return self.answer.returncode == 0

    def verify(self, scene):
        super().verify(scene)
        require(scene.refs(self.repo) == self.before, "refs changed")


ALL = [First, FastForward, Create, Forced, Several, Atomic, Delete, Shallow,
       Hook, Maintain, RepoCreate, KeyCreate]
