# SPDX-License-Identifier: Apache-2.0
"""Fetches drawn at random: what arrives is what stock git's own upload-pack
sends, in every protocol version, from repositories in every state.

HEADWATER_FETCHES asks for another number than the usual one,
HEADWATER_FETCH_SEED for those of an earlier run (said where something differs).
"""

import os
import random
import shutil

import pytest

from daemon import HEADWATERD, PATIENCE
from fetched import Answer, Client, Request, shallow_of
from tangle import STATES, git, make_origin

# From each state; fewer where sanitizers make a program's start slow.
FETCHES = int(os.environ.get("HEADWATER_FETCHES", 30 if PATIENCE < 60 else 8))
SEED = int(os.environ.get("HEADWATER_FETCH_SEED",
                          random.SystemRandom().randrange(1 << 32)))
OURS = [str(HEADWATERD), "stdio", "upload-pack"]
STOCK = ["git", "upload-pack"]
FILTERS = ["blob:none", "blob:limit=100", "blob:limit=1k", "tree:0", "tree:1",
           "tree:2", "tree:3", "object:type=blob", "object:type=tree",
           "object:type=commit", "object:type=tag",
           "combine:tree:2+blob:limit=500"]
UNKNOWN = "2" * 40


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The origin, its states, and clients that have parts of it."""
    directory = tmp_path_factory.mktemp("tangle")
    chance = random.Random(SEED)
    origin = str(directory / "origin.git")
    make_origin(chance, origin)
    commits = git("-C", origin, "rev-list", "--all").decode().split()
    clients = [Client(str(directory / "empty"))]
    for i, depth in enumerate((None, None, 1, 2, 4)):
        clients.append(Client(str(directory / f"client{i}"), origin,
                              chance.sample(commits, 1 + i % 3), depth))
    repos = {name: make(origin, str(directory / f"{name}.git"))
             for name, make in STATES.items()}
    repos["origin"] = origin
    own = [clients[0]] + [
        Client(str(directory / f"cut{i}"), repos["shallow"], ["HEAD"], depth)
        for i, depth in enumerate((None, 2))]
    return repos, {name: own if name == "shallow" else clients
                   for name in repos}


class Draw:
    """One fetch after the other."""

    def __init__(self, repo, clients, chance):
        self.chance, self.clients = chance, clients
        lines = git("-C", repo, "for-each-ref", "--format=%(objectname)")
        self.tips = lines.decode().split()
        self.commits = git("-C", repo, "rev-list", "--all").decode().split()
        objects = git("-C", repo, "rev-list", "--all", "--objects",
                      "--filter=object:type=tree", "--no-object-names")
        self.trees = objects.decode().split()
        self.refs = git("-C", repo, "for-each-ref",
                        "--format=%(refname)").decode().split()

    def wants(self, has_filter):
        """Where git meets a tree both by name and on its way, its filter judges
        it or not as the order falls: then trees are wanted alone."""
        chance = self.chance
        if chance.random() < 0.1:
            return [chance.choice(self.trees)]
        kinds = [self.commits if has_filter else self.tips] * 5
        kinds += [self.commits] * 4 + ([] if has_filter else [self.trees])
        return list(dict.fromkeys(
            chance.choice(chance.choice(kinds))
            for _ in range(chance.choice((1, 1, 2, 4)))))

    def haves(self, client):
        chance = self.chance
        if not client.commits or chance.random() < 0.2:
            return []
        n = chance.choice((1, 2, len(client.commits)))
        haves = chance.sample(client.commits, min(n, len(client.commits)))
        return haves + [UNKNOWN] * chance.randrange(2)

    def deepen(self, client):
        """Lines, and whether they count from what the client has."""
        chance = self.chance
        kind = chance.randrange(10)
        if kind < 4:
            return [f"deepen {chance.choice((1, 1, 2, 3, 6, 2147483647))}"], False
        if kind == 4:
            date = 1500000000 + 3600 * chance.randrange(75)
            return [f"deepen-since {date}"], False
        if kind == 5:
            return [f"deepen-not {chance.choice(self.refs)}"], False
        if kind == 6 and client.shallow:
            return [f"deepen {1 + chance.randrange(3)}"], True
        return [], False

    def fetch(self):
        chance = self.chance
        client = chance.choice(self.clients)
        words = [w for w in ("thin-pack", "ofs-delta", "include-tag",
                             "no-progress") if chance.random() < 0.5]
        words += chance.choice(([], [], ["multi_ack"], ["multi_ack_detailed"]))
        deepen, is_relative = self.deepen(client)
        spec = chance.choice(FILTERS) if chance.random() < 0.3 else None
        request = Request(
            chance.choice((0, 1, 2, 2)), self.wants(spec), self.haves(client),
            client.shallow, deepen, is_relative, spec, words)
        return client, request


def kinds(repo, ids):
    """Some of these objects, with their types."""
    return git("-C", repo, "cat-file",
               "--batch-check=%(objecttype) %(objectname)",
               data=b"\n".join(ids[:5]) + b"\n").decode().split("\n")


def both(repo, client, request, scratch):
    """What each of two combined filters admits. Git's combination forgets a blob
    that one of them refused where it was met first."""
    spec = request.filter_spec
    sets = []
    for part in spec.removeprefix("combine:").split("+"):
        request.filter_spec = part
        sets.append(client.take(Answer(STOCK, request, repo), request,
                                scratch / part))
    request.filter_spec = spec
    return set.intersection(*sets)


def compare(repo, client, request, scratch):
    """True where there was a pack."""
    ours = Answer(OURS, request, repo)
    stock = Answer(STOCK, request, repo)
    if ours.error or stock.error:
        assert ours.error and stock.error, (
            f"ours: {ours.error}, stock: {stock.error}")
        return False
    # Git forgets where a shallow repository itself ends, if history is cut by
    # date or ref; what it sends cannot be completed then.
    own = {s.encode() for s in shallow_of(repo)}
    assert not (ours.shallow ^ stock.shallow) - own, (
        f"shallow {ours.shallow}, stock: {stock.shallow}")
    assert ours.unshallow == stock.unshallow
    got = client.take(ours, request, scratch / "ours")
    try:
        expected = client.take(stock, request, scratch / "stock")
    except AssertionError:
        assert own
        return False
    # Nothing that git would not send, but what the client has anyway; and all
    # of it, but what the client has.
    more = got - expected
    if more - client.objects and (request.filter_spec or "").startswith("combine:"):
        more -= both(repo, client, request, scratch)
    for what, ids in (("more than git sends", more),
                      ("less than git sends", expected - got)):
        ids = sorted(ids - client.objects)
        assert not ids, f"{what}: {kinds(repo, ids)}"
    return True


@pytest.mark.parametrize("state", ["origin", *STATES])
def test_sends_what_git_sends(place, state, tmp_path):
    repos, clients = place
    chance = random.Random(f"{SEED} {state}")
    draw = Draw(repos[state], clients[state], chance)
    n_packs = 0
    for i in range(FETCHES):
        client, request = draw.fetch()
        scratch = tmp_path / str(i)
        scratch.mkdir()
        try:
            n_packs += compare(repos[state], client, request, scratch)
        except AssertionError as e:
            raise AssertionError(
                f"HEADWATER_FETCH_SEED={SEED}, {repos[state]}, fetch {i}, "
                f"client {client.path}: {e}\n{request}") from e
        shutil.rmtree(scratch)
    assert n_packs > FETCHES // 3
