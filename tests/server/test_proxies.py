"""The configurations of nginx and Caddy in deploy, each before a real receiver.

Where a proxy is not installed its tests say that they are skipped.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.running import OWNER, SECRET, TOKEN, find_port, running
from tests.support.shipped import read_shipped

pytestmark = pytest.mark.slow
CERTIFICATE = Path(__file__).resolve().parents[1] / "certificates" / "localhost.pem"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
CADDY = shutil.which("caddy")
BUY = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}


@dataclass
class Proxy:
    """A proxy that runs: its ports, and the folder with everything it writes."""

    plain: int
    https: int
    folder: Path

    def ask(self, path, body=None, headers=None):
        """Send one request over HTTPS and return status and body."""
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(
            "localhost", self.https, timeout=10, context=context
        )
        try:
            connection.request("POST" if body else "GET", path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def logs(self):
        """Return whatever it wrote."""
        return "\n".join(each.read_text() for each in self.folder.glob("*.log"))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Run one receiver behind all of them."""
    with running(tmp_path_factory.mktemp("behind")) as found:
        yield found


@contextmanager
def run(command, proxy, environ=None):
    """Run a proxy until the block ends."""
    with (proxy.folder / "output.log").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environ)
        try:
            for _ in range(400):
                assert process.poll() is None, proxy.logs()
                try:
                    socket.create_connection(("127.0.0.1", proxy.https), 1).close()
                    break
                except OSError:
                    time.sleep(0.02)
            yield proxy
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def nginx(folder, port, connections=64, change=lambda text: text):
    """Run nginx with what is shipped; only places and ports are others, and what `change` makes of it."""
    if not NGINX:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx)")
    proxy = Proxy(find_port(), find_port(), folder)
    text = change(read_shipped("deploy/nginx.conf")).replace("your-domain.com", "localhost")
    text = re.sub(r"\n *listen \[::\].*", "", text)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{proxy.plain};")
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{proxy.https} ssl;")
    text = re.sub(r"/etc/letsencrypt/\S+\.pem", str(CERTIFICATE), text)
    text = text.replace("/var/log/nginx", str(folder)).replace(
        "127.0.0.1:8080", f"127.0.0.1:{port}"
    )
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off; {user} pid {folder}/pid; error_log {folder}/main.log;"
        f"events {{ worker_connections {connections}; }} http {{ access_log off; {temporary}\n{text}\n}}"
    )
    command = [
        NGINX,
        "-p",
        str(folder),
        "-c",
        str(folder / "nginx.conf"),
        "-e",
        f"{folder}/main.log",
    ]
    with run(command, proxy):
        yield proxy


@contextmanager
def caddy(folder, port):
    """Run Caddy with what is shipped, in the spelling of its version; only places and ports are others."""
    if not CADDY:
        pytest.skip("caddy is not installed (Debian: apt-get install caddy)")
    proxy = Proxy(find_port(), find_port(), folder)
    text = read_shipped("deploy/Caddyfile").replace(
        "your-domain.com", f"https://localhost:{proxy.https}"
    )
    version = subprocess.run([CADDY, "version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < (2, 7):
        old, new = re.search(r"sed -i 's/(.+?)/(.+?)/'", text).groups()
        text = "\n".join(
            line if line.lstrip().startswith("#") else line.replace(old, new)
            for line in text.split("\n")
        )
    text = text.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    site = f"https://localhost:{proxy.https} {{"
    text = text.replace(site, f"{site}\n\ttls {CERTIFICATE} {CERTIFICATE}\n\tbind 127.0.0.1", 1)
    options = "{\n\tadmin off\n\tauto_https off\n\tskip_install_trust\n\tlog default"
    assert text.count("{\n\tlog default") == 1
    (folder / "Caddyfile").write_text(text.replace("{\n\tlog default", options))
    environ = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    command = [CADDY, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with run(command, proxy, environ):
        yield proxy


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def proxy(request, tmp_path, server):
    """Run each proxy in front of the receiver."""
    with request.param(tmp_path, server.port) as found:
        yield found


def test_an_alert_comes_through_and_its_secret_stays_out_of_the_logs(proxy, server):
    """In the message or in the URL, taken or refused: nothing that a proxy writes has it."""
    body = json.dumps({**BUY, "secret": SECRET, "strategy": proxy.folder.name})
    assert proxy.ask("/webhook", body)[0] == 200
    again = json.dumps({**BUY, "strategy": f"{proxy.folder.name}-2"})
    assert proxy.ask(f"/webhook?secret={SECRET}", again)[0] == 200
    assert proxy.ask(f"/webhook/?auth_token={SECRET}", again)[0] == 404
    assert proxy.ask(f"/webhook?secret={SECRET}", "x" * 70_000)[0] in (413, 502)  # Caddy 2.6
    assert "/webhook" in proxy.logs()
    assert SECRET not in proxy.logs()


def test_the_hint_and_the_controls_know_the_address_outside(proxy):
    """https, the name and the port as the browser sees them."""
    answer = json.loads(proxy.ask("/history")[1])
    assert f"https://localhost:{proxy.https}/history" in answer["message"]
    token = "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()
    for origin, status in (
        (f"https://localhost:{proxy.https}", 200),
        ("https://evil.example", 403),
    ):
        headers = {"Authorization": token, "Origin": origin, "Content-Type": "application/json"}
        assert proxy.ask("/resume", "{}", headers)[0] == status


@pytest.mark.parametrize("kind", [nginx, caddy])
def test_a_dead_receiver_is_a_502_without_the_secret_in_a_log(tmp_path, kind):
    """TradingView sends the alert again; what the proxy notes of it holds no query."""
    with kind(tmp_path, find_port()) as found:
        assert found.ask(f"/webhook?secret={SECRET}", "x")[0] == 502
        assert SECRET not in found.logs()


@pytest.mark.parametrize(
    "path", ["/a%0d%0aSet-Cookie:%20x=1", "/a%0aX:%20y", "/%0d%0a%0d%0a<script>", "/a%3Fb"]
)
def test_no_path_splits_a_redirect(tmp_path, server, path):
    """The path goes back as it came, undecoded, and without its query."""
    with nginx(tmp_path, server.port) as found:
        with socket.create_connection(("127.0.0.1", found.plain), 5) as connection:
            request = f"GET {path}?secret={SECRET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            connection.sendall(request.encode())
            answer = b""
            while part := connection.recv(65536):
                answer += part
        head = answer.partition(b"\r\n\r\n")[0].decode()
        assert head.startswith("HTTP/1.1 301")
        assert f"Location: https://localhost{path}\r\n" in head + "\r\n"
        assert "\nSet-Cookie" not in head
        assert "\nX:" not in head
        assert SECRET not in answer.decode()
        assert SECRET not in found.logs()


def test_nginx_that_runs_out_of_connections_logs_no_secret(tmp_path, server):
    """It quotes the request at level alert then, the highest but one."""
    with nginx(tmp_path, server.port, connections=12) as found, ExitStack() as stack:
        seen = set()
        for _ in range(12):
            try:
                seen.add(found.ask(f"/webhook?secret={SECRET}", "x")[0])
            except OSError:
                break
            held = stack.enter_context(socket.create_connection(("127.0.0.1", found.plain), 5))
            held.sendall(b"GET / HTTP/1.1\r\nHost: local")  # half a request holds its connection
        assert 500 in seen, seen  # there was one for the client and none for the receiver
        assert SECRET not in found.logs()


def under_a_path(text):
    """Change the lines of nginx.conf that deploy/README.md shows."""
    [block] = re.findall(r"```nginx\n(.+?)```", read_shipped("deploy/README.md"), re.DOTALL)
    for line in block.strip("\n").split("\n"):
        name = line.strip(" {").rsplit(" ", 1)[0]
        last = [*re.finditer(rf"(?m)^ +{name} .*$", text)][-1]
        text = text[: last.start()] + line + text[last.end() :]
    return text


def test_under_a_path_of_its_own_everything_has_it(tmp_path, server):
    """Hints, the form, its cookie and the way home; alerts come in there, and nowhere else."""
    with nginx(tmp_path, server.port, change=under_a_path) as found:
        body = json.dumps({**BUY, "secret": SECRET, "strategy": "under-a-path"})
        assert found.ask("/desk/webhook", body)[0] == 200
        assert found.ask("/webhook", body)[0] == 404
        hint = json.loads(found.ask("/desk/history")[1])["message"]
        assert f"https://localhost:{found.https}/desk/history" in hint
        assert b'"/desk/static/page.css"' in found.ask("/desk/login")[1]


def test_no_client_gives_a_page_a_prefix(proxy):
    """What it claims is replaced by the proxy, as its address is."""
    claimed = {"X-Forwarded-Prefix": "/evil"}
    assert b"/evil" not in proxy.ask("/login", headers=claimed)[1]


def test_the_owner_reads_through_a_proxy(proxy):
    """With the token, and not without it, although the proxy runs on this machine."""
    assert proxy.ask("/positions")[0] == 401
    assert proxy.ask("/positions", headers=OWNER)[0] == 200
