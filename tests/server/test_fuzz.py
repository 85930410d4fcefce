from __future__ import annotations

import random
import sys

import pytest

from tests.games.drills.noise import Judge, Noise
from tests.support.running import OWNER, SECRET, receivers, running

CONFIG = """
webhook: {rate_limit: 1000000/minute}
risk: {max_orders_per_minute: null, max_orders_per_day: null, max_repeats: null}
accounts: {paper_simulator: {broker: paper, cash: 1000000000000}}
"""


@pytest.fixture
def judge(tmp_path):
    """Judge a receiver without limits in the way."""
    with receivers(tmp_path) as start:
        yield Judge(start(CONFIG))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_request_is_a_fault_or_moves_what_it_did_not_ask_for(judge, seed):
    """Any route, verb, header, query and body: no 5xx, no traceback, no secret, no fill nobody asked for."""
    noise = Noise(seed)
    for number in range(1200):
        if number % 100 == 0:
            judge.receiver.control("/resume")
        judge.deliver(noise.make())
    figures = judge.close()
    assert figures["alerts that traded"] > 50
    assert {200, 400, 401, 404, 405, 422} <= set(judge.statuses)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs gunicorn")
def test_no_bytes_on_a_socket_are_a_fault(tmp_path):
    """Requests with bytes changed at random, sent raw: answered below 500 or 501, 505 by gunicorn."""
    chance, noise = random.Random(1), Noise(1)
    (tmp_path / "config.yaml").write_text(CONFIG)
    with running(tmp_path) as server:
        for _ in range(400):
            request = noise.make()
            target = request.path + (f"?{request.query}" if request.query else "")
            head = [f"{request.method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
            head += [
                f"{name}: {value}" for name, value in request.headers.items() if name != "Host"
            ]
            head.append(f"Content-Length: {len(request.body)}")
            raw = bytearray("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + request.body)
            for _ in range(chance.randrange(4)):
                raw[chance.randrange(min(len(raw), 400))] = chance.randrange(256)
            answer = server.raw(bytes(raw))
            status = int(answer.split(b" ", 2)[1]) if answer else 0
            assert status < 500 or status in (501, 505), (status, bytes(raw))
            assert b"Traceback" not in answer
            assert SECRET.encode() not in answer, bytes(raw)
        assert server.request("GET", "/history", headers=OWNER)[0] == 200
        assert server.terminate() == 0
    log = (tmp_path / "webhook_alerts.log").read_text()
    for text in (log, server.said()):
        assert SECRET not in text
        assert "Traceback" not in text
        assert "_fault" not in text
