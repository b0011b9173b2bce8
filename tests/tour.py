# SPDX-License-Identifier: Apache-2.0
"""The tour of README.md; see tests/tour."""

import hmac
import pathlib
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent / "e2e"))
from daemon import ROOT, Daemon, Git, Receiver, make_key  # noqa: E402


def say(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}",
          flush=True)


def show(command):
    print(f"  $ {command}", flush=True)


def history(git, directory):
    """A repository to push: this project's own, or its files as one commit."""
    work = pathlib.Path(directory) / "project"
    inside = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"],
                            capture_output=True)
    if inside.returncode == 0:
        git("-c", "safe.directory=*", "clone", "-q", f"file://{ROOT}", work)
        git("checkout", "-q", "-B", "main", cwd=work)
        return work
    git("init", "-q", "-b", "main", work)
    for name in ("README.md", "meson.build", "LICENSE"):
        (work / name).write_bytes((ROOT / name).read_bytes())
    git("add", "-A", cwd=work)
    git("commit", "-q", "-m", "the project", cwd=work)
    return work


def check_signature(headers, body, secret):
    expected = "sha256=" + hmac.new(secret, body, "sha256").hexdigest()
    assert headers["X-Signature"] == expected, "the signature is wrong"


def tour(daemon, directory, receiver):
    say("1. A repository, a key, a hook")
    show("headwater repo create cluster --public")
    print(daemon.cli("repo", "create", "cluster", "--public"), end="")
    key = make_key(pathlib.Path(directory) / "id_ed25519", comment="you")
    show("headwater key create you --public-key id_ed25519.pub --write '**'")
    print(daemon.cli("key", "create", "you", "--public-key", f"{key}.pub",
                     "--write", "**"), end="")
    secret = b"a-shared-token"
    secret_file = pathlib.Path(directory) / "token"
    secret_file.write_bytes(secret)
    show("headwater hook create flux --repo cluster --url URL "
         "--secret-file token")
    print(daemon.cli("hook", "create", "flux", "--repo", "cluster", "--url",
                     receiver.url("/hook"), "--secret-file", secret_file),
          end="")

    git = Git(pathlib.Path(directory) / "client", daemon, key)
    work = history(git, directory)
    head = git("rev-parse", "HEAD", cwd=work).strip()

    say("2. Push with stock git over SSH")
    show(f"git push {daemon.ssh_url('cluster')} main")
    pushed = git.run("push", daemon.ssh_url("cluster"), "main", cwd=work)
    print(pushed.stderr, end="")
    assert pushed.returncode == 0

    say("3. The webhook has arrived, signed as Flux expects")
    path, headers, body = receiver.wait(lambda r: head.encode() in r[2])
    check_signature(headers, body, secret)
    print(f"  POST {path}\n  X-Signature: {headers['X-Signature']}\n"
          f"  {body.decode()[:200]}...")

    say("4. Clone it back, over SSH and over HTTP")
    for name, url in (("by-ssh", daemon.ssh_url("cluster")),
                      ("by-http", daemon.http_url("cluster"))):
        show(f"git clone {url}")
        git("clone", "-q", url, pathlib.Path(directory) / name)
        cloned = git("rev-parse", "HEAD",
                     cwd=pathlib.Path(directory) / name).strip()
        assert cloned == head, f"{cloned} is not {head}"
    assert daemon.fsck("cluster") == "", daemon.fsck("cluster")
    print(f"  both are at {head}; git fsck finds nothing wrong")
    return git


def main():
    ends = sys.argv[1:] == ["--end"]
    if sys.argv[1:] and not ends:
        sys.exit("usage: tests/tour [--end]")
    with tempfile.TemporaryDirectory(prefix="headwater-tour-") as directory:
        receiver = Receiver()
        daemon = Daemon(directory).start()
        try:
            say(f"headwaterd serves {daemon.data}")
            print("  " + "  ".join(f"{door} {address}" for door, address
                                   in daemon.addresses.items()))
            git = tour(daemon, directory, receiver)
            if ends:
                say("That was the tour.")
                return
            say("It stays up until Ctrl-C. Go on by hand:")
            print(f"  export HEADWATER_SOCKET={daemon.socket}\n"
                  f"  export PATH={ROOT}/build/admin:$PATH\n"
                  f"  export GIT_SSH_COMMAND="
                  f"'{git.environment()['GIT_SSH_COMMAND']}'\n"
                  f"  headwater status\n"
                  f"  git clone {daemon.ssh_url('cluster')}\n"
                  f"  git clone {daemon.http_url('cluster')}", flush=True)
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
        finally:
            daemon.stop()
            receiver.close()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    main()
