# SPDX-License-Identifier: Apache-2.0
"""The HTTP door with TLS, and certificates that change."""

import shutil
import ssl
import socket
import subprocess

import pytest

from daemon import wait_for

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"),
                                   reason="openssl makes the certificates")


def make_certificate(directory, name):
    """A self-signed one, `name`.crt and `name`.key."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
         f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
         directory / f"{name}.key", "-out", directory / f"{name}.crt"],
        check=True, capture_output=True)
    return directory / f"{name}.crt", directory / f"{name}.key"


def shown(port):
    """The certificate the door shows, as PEM."""
    return ssl.get_server_certificate(("127.0.0.1", port))


@pytest.fixture
def door(make_daemon, tmp_path):
    first = make_certificate(tmp_path, "first")
    shutil.copy(first[0], tmp_path / "tls.crt")
    shutil.copy(first[1], tmp_path / "tls.key")
    config = tmp_path / "tls.conf"
    config.write_text(f"[server]\n\ttls-cert = {tmp_path}/tls.crt\n"
                      f"\ttls-key = {tmp_path}/tls.key\n"
                      '[repo "open"]\n\tpublic = true\n')
    return make_daemon(config=config, options=["--https=127.0.0.1:0"])


@needs_openssl
def test_clones_over_tls(door, tmp_path):
    subprocess.run(
        ["git", "-c", f"http.sslCAInfo={tmp_path}/tls.crt", "ls-remote",
         f"https://127.0.0.1:{door.port('https')}/open"], check=True,
        capture_output=True, env={"PATH": "/usr/bin:/bin", "HOME": "/"})


@needs_openssl
def test_takes_a_new_certificate_and_keeps_the_old_one_where_it_is_bad(
        door, tmp_path):
    port = door.port("https")
    assert shown(port) == (tmp_path / "first.crt").read_text()
    second = make_certificate(tmp_path, "second")
    shutil.copy(second[1], tmp_path / "tls.key")
    assert shown(port) == (tmp_path / "first.crt").read_text()
    shutil.copy(second[0], tmp_path / "tls.crt")
    wait_for(lambda: shown(port) == second[0].read_text(), "the new one")
    (tmp_path / "tls.crt").write_text("nonsense")
    assert shown(port) == second[0].read_text()
    assert "http.certificate" in door.log()


@needs_openssl
@pytest.mark.parametrize("version,ciphers", [
    (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0"),
    (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
    (ssl.TLSVersion.TLSv1_2, "AES256-SHA:AES128-SHA256:@SECLEVEL=0"),
    (ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256")])
def test_refuses_old_tls(door, version, ciphers):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(ciphers)
    with socket.create_connection(("127.0.0.1", door.port("https")),
                                  timeout=10) as raw:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(raw)
