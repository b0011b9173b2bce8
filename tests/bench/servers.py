# SPDX-License-Identifier: Apache-2.0
"""The servers that are compared: stock git behind sshd and nginx, Headwater.

Both serve the bare repositories of a directory each, on loopback, and log as
they do by default, to files. A server is started for one row and ended after
it.
"""

import getpass
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

from meter import Meter

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_S = 10
HTTP_BACKEND = "/usr/lib/git-core/git-http-backend"


class Unable(Exception):
    """A row that cannot be measured here, and why."""


def find(program):
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not path:
        raise Unable(f"{program} is not installed (tests/packages bench)")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, what, patience=START_S):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise Unable(f"waited {patience} s for {what}")
        time.sleep(0.002)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Server:
    """What rows see of either."""

    name = ""
    ssh_port = 0
    http_port = 0

    def __init__(self, directory, key):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.key = key
        self.meter = None
        self.n_processes = 0

    def spawn(self, command, **settings):
        log = open(self.directory / "log", "ab")
        settings.setdefault("stderr", log)
        process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log,
            preexec_fn=self.meter.join, start_new_session=True, **settings)
        log.close()
        return self.meter.add(process)

    def __enter__(self):
        self.meter = Meter(self.name)
        try:
            self.start()
            self.meter.settle(1000)
            self.n_processes = len(self.meter.pids())
        except BaseException:
            self.meter.end()
            raise
        return self

    def __exit__(self, *_):
        self.meter.end()

    def settle(self):
        return self.meter.settle(self.n_processes)


SSHD = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {key}.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
AcceptEnv GIT_PROTOCOL
SetEnv HOME={home}
MaxStartups 1000:30:1000
"""

# One worker: two cores at most are shared with the client.
NGINX = """\
daemon off;
{user}
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
events {{ worker_connections 512; }}
http {{
    access_log {directory}/access.log;
    keepalive_requests 100000;
    client_max_body_size 0;
    client_body_temp_path {directory}/body;
    fastcgi_temp_path {directory}/fastcgi;
    proxy_temp_path {directory}/proxy;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            fastcgi_pass unix:{directory}/fcgi.sock;
            fastcgi_buffering off;
            fastcgi_param SCRIPT_FILENAME {backend};
            fastcgi_param GIT_PROJECT_ROOT {repos};
            fastcgi_param GIT_HTTP_EXPORT_ALL 1;
            fastcgi_param GIT_PROTOCOL $http_git_protocol;
            fastcgi_param PATH_INFO $uri;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param CONTENT_TYPE $content_type;
            fastcgi_param CONTENT_LENGTH $content_length;
            fastcgi_param REMOTE_ADDR $remote_addr;
        }}
    }}
}}
"""


class Stock(Server):
    """git upload-pack and receive-pack by sshd, http-backend by nginx."""

    name = "stock"
    fcgi_children = 34

    def __init__(self, directory, key, doors=("ssh", "http")):
        super().__init__(directory, key)
        self.doors = doors
        self.repos = self.directory / "repos"
        self.home = self.directory / "home"
        self.repos.mkdir(exist_ok=True)
        self.home.mkdir(exist_ok=True)
        (self.home / ".gitconfig").write_text("[safe]\n\tdirectory = *\n")

    def start(self):
        if "ssh" in self.doors:
            self.start_sshd()
        if "http" in self.doors:
            self.start_nginx()

    def start_sshd(self):
        sshd = find("sshd")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        host_key = self.directory / "host_key"
        if not host_key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                            "-f", host_key], check=True, timeout=START_S)
        self.ssh_port = free_port()
        config = self.directory / "sshd_config"
        config.write_text(SSHD.format(
            port=self.ssh_port, directory=self.directory, key=self.key,
            home=self.home))
        self.spawn([sshd, "-D", "-e", "-f", config])
        wait_for(lambda: answers(self.ssh_port), "sshd")

    def start_nginx(self):
        nginx, fcgiwrap = find("nginx"), find("fcgiwrap")
        self.http_port = free_port()
        config = self.directory / "nginx.conf"
        config.write_text(NGINX.format(
            user="user root;" if os.getuid() == 0 else "",
            directory=self.directory, port=self.http_port,
            repos=self.repos, backend=HTTP_BACKEND))
        fcgi = self.directory / "fcgi.sock"
        fcgi.unlink(missing_ok=True)
        self.spawn([fcgiwrap, "-c", str(self.fcgi_children), "-s",
                    f"unix:{fcgi}"], env={**os.environ, "HOME": str(self.home)})
        wait_for(fcgi.exists, "fcgiwrap")
        self.spawn([nginx, "-c", config, "-e", self.directory / "nginx.log"])
        wait_for(lambda: answers(self.http_port), "nginx")

    def place(self, name, source, link=True):
        """Serve a copy of a bare repository under a name."""
        copy_repo(source, self.repos / f"{name}.git", link)

    def path(self, name):
        return self.repos / f"{name}.git"

    def command(self, service, name):
        return f"git-{service} '{self.path(name)}'"


class Headwater(Server):
    name = "headwater"

    def __init__(self, directory, key, build):
        super().__init__(directory, key)
        self.data = self.directory / "data"
        self.program = build / "server" / "app" / "headwaterd"
        self.admin = build / "admin" / "headwater"
        self.data.mkdir(mode=0o700, exist_ok=True)
        self.cli("key", "create", "bench", "--public-key", f"{key}.pub",
                 "--write", "**")

    def cli(self, *words):
        subprocess.run([self.admin, "--data", self.data, *words], check=True,
                       stdout=subprocess.DEVNULL, timeout=START_S)

    def start(self):
        log = self.directory / "log"
        log.write_bytes(b"")
        process = self.spawn(
            [self.program, "serve", "--data", self.data,
             "--ssh=127.0.0.1:0", "--http=127.0.0.1:0",
             "--probe=127.0.0.1:0"])
        wait_for(lambda: b"event=ready" in log.read_bytes()
                 or process.poll() is not None, "headwaterd")
        text = log.read_bytes()
        if b"event=ready" not in text:
            raise Unable(f"headwaterd did not start: {text.decode()}")
        line = text[text.index(b"event=ready"):]
        for door, port in re.findall(rb"\b(ssh|http)=\S+:(\d+)", line):
            setattr(self, f"{door.decode()}_port", int(port))

    def place(self, name, source, link=True):
        copy_repo(source, self.path(name), link)
        self.cli("repo", "create", name, "--public")

    def path(self, name):
        return self.data / "repos" / f"{name}.git"

    def command(self, service, name):
        return f"git-{service} '{name}.git'"


def copy_repo(source, target, link):
    """A copy; packs, which nobody changes, may be links."""
    def copy(a, b):
        if link and "/pack/" in str(a):
            os.link(a, b)
        else:
            shutil.copy2(a, b)

    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, target, copy_function=copy)
    for directory, _, files in os.walk(target):
        os.chmod(directory, 0o700)
        for file in files:
            path = os.path.join(directory, file)
            os.chmod(path, os.stat(path).st_mode & 0o700)


def user():
    return getpass.getuser()
