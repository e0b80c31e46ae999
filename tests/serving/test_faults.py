"""What goes wrong is answered with the right status, in OpenAI's form, and the server goes on behind its prompts."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from spul.serving.keys import KeyRights, Keys, key_hash
from spul.serving.rows import Row
from tests.serving.made import Live, live, model_of, served_runs

TEXT = "anna was in the film"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(served_runs(tmp_path_factory.mktemp("runs")), max_body=2**21) as running:
        yield running


@pytest.fixture(autouse=True)
def _lives_on(server: Live) -> Iterator[None]:
    """After every fault the next request is answered, and behind its prompt."""
    yield
    assert server.get("/health").status_code == 200
    own = model_of(server.served, "input").generate(TEXT, max_new_tokens=6)[0]
    assert server.complete(TEXT)["choices"][0]["text"] == own
    assert own != model_of(server.served, "base").generate(TEXT, max_new_tokens=6)[0]


def body(**more: object) -> dict[str, object]:
    return {"model": "input", "prompt": "a", **more}


@pytest.mark.parametrize(
    ("content", "status", "param"),
    [
        (b"{bad", 400, None),
        (b"", 400, None),
        (b"[]", 400, None),
        (b'{"model": "input", "prompt": "\xff\xfe"}', 400, None),
        (b'{"model": "input", "prompt": "\\ud800"}', 400, "prompt"),
        (b'{"model": "input", "prompt": "a", "temperature": NaN}', 400, "temperature"),
        (json.dumps(body(model="other")).encode(), 404, "model"),
        (json.dumps(body(max_tokens=-1)).encode(), 400, "max_tokens"),
        (json.dumps(body(max_tokens=10**9)).encode(), 400, "max_tokens"),
        (json.dumps(body(max_tokens="6")).encode(), 400, "max_tokens"),
        (json.dumps(body(n=0)).encode(), 400, "n"),
        (json.dumps(body(n=9)).encode(), 400, "n"),
        (json.dumps(body(temperature=2.1)).encode(), 400, "temperature"),
        (json.dumps(body(top_p=0)).encode(), 400, "top_p"),
        (json.dumps(body(stop=["a"] * 17)).encode(), 400, "stop"),
        (json.dumps(body(stop="")).encode(), 400, "stop"),
        (json.dumps(body(prompt="")).encode(), 400, "prompt"),
        (json.dumps(body(prompt=[])).encode(), 400, "prompt"),
        (json.dumps(body(prompt=["a"] * 65)).encode(), 400, "prompt"),
        (json.dumps(body(prompt="film " * 200)).encode(), 400, None),
        (json.dumps(body(prompt="x" * 1_000_000)).encode(), 400, "prompt"),
        (json.dumps(body(prompt="x" * 3_000_000)).encode(), 413, None),
    ],
    ids=lambda value: value[:60].decode("latin-1") if isinstance(value, bytes) else str(value),
)
def test_a_request_that_will_not_do(server: Live, content: bytes, status: int, param: str | None) -> None:
    answer = server.post("/v1/completions", content=content, headers=JSON)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"]
    assert len(answer.text) < 500, "what came is not sent back"


def test_a_body_without_an_end_is_cut_off(server: Live) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'{"model": "input", "prompt": "'
        for _ in range(64):
            yield b"x" * 65536

    answer = server.post("/v1/completions", content=chunks(), headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["error"]["message"] == "the request is too large"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "tool", "content": "a"}, "messages"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}, "messages"),
        ({"role": "user"}, "messages"),
        ({"role": "user", "content": ""}, None),
    ],
)
def test_a_talk_that_will_not_do(server: Live, message: dict[str, object], param: str | None) -> None:
    asked = {"model": "input", "messages": [message]}
    answer = server.post("/v1/chat/completions", asked)
    # An empty message is one token here, the beginning of a text: it is answered.
    assert answer.status_code == (400 if param else 200)
    if param:
        assert answer.json()["error"]["param"] == param
    for more in ({"tools": [{"type": "function"}]}, {"response_format": {"type": "json_object"}}, {"top_logprobs": 2}):
        assert server.post("/v1/chat/completions", {**asked, **more}).status_code == 400


def test_a_path_and_a_method_that_are_not_there(server: Live) -> None:
    for answer, status in ((server.get("/v1/embeddings"), 404), (server.get("/v1/completions"), 405)):
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == "invalid_request_error"


def settled(server: Live) -> bool:
    """Whether nothing is being written any more, within a few seconds."""
    for _ in range(100):
        if "spul_rows_running 0.0" in server.get("/metrics").text:
            return True
        time.sleep(0.05)
    return False


def test_a_client_that_leaves_in_mid_stream_is_let_go(server: Live) -> None:
    before = len(server.log())
    asked = {"model": "input", "prompt": TEXT, "max_tokens": 100, "stream": True, "n": 4, "temperature": 1.0}
    for _ in range(3):
        with server.client.stream("POST", server.url + "/v1/completions", json=asked) as answer:
            next(answer.iter_lines())
    assert settled(server)
    gone = [row for row in server.log()[before:] if row.get("error") == "client_closed"]
    assert len(gone) == 3
    assert all(row["completion_tokens"] < 400 for row in gone)


def test_a_client_that_leaves_before_its_answer_is_let_go(server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    from spul.serving import asking

    monkeypatch.setattr(asking, "PRESENCE_SECONDS", 0.005)
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    content = json.dumps(body(prompt=TEXT, max_tokens=100, n=8, temperature=1.5)).encode()
    before = len(server.log())
    with socket.create_connection(address) as raw:
        head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n"
        raw.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + content)
        time.sleep(0.02)
    for _ in range(200):
        if len(server.log()) > before:
            break
        time.sleep(0.02)
    (row,) = [row for row in server.log()[before:] if row["path"] == "/v1/completions"]
    assert settled(server)
    assert (row["status"], row["error"]) == (499, "client_closed")


def test_bytes_that_are_no_http(server: Live) -> None:
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    for junk in (b"\x00\xff\x16\x03 nonsense\r\n\r\n", b"POST /v1/completions HTTP/1.1\r\nContent-Length: -5\r\n\r\n"):
        with socket.create_connection(address, timeout=10) as raw:
            raw.sendall(junk)
            assert raw.recv(1000).startswith(b"HTTP/1.1 400")


def test_a_model_that_fails_answers_500_and_the_next_one_is_answered(
    server: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, forward = server.served.base, server.served.base.forward
    calls = {"n": 0}

    def failing(*args: object, **options: object) -> object:
        calls["n"] += 1
        if calls["n"] == 3:
            raise RuntimeError("out of memory near " + TEXT)
        return forward(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(base, "forward", failing)
        answer = server.post("/v1/completions", body(prompt=TEXT))
    assert answer.status_code == 500
    assert answer.json()["error"] == {
        "message": "the answer could not be computed",
        "type": "server_error",
        "param": None,
        "code": "internal_error",
    }

    def infinite(*args: object, **options: object) -> object:
        out = forward(*args, **options)
        out.logits.fill_(torch.inf)
        return out

    with monkeypatch.context() as patch:
        patch.setattr(base, "forward", infinite)
        assert server.post("/v1/completions", body()).status_code == 500
        streamed = server.post("/v1/completions", body(stream=True))
    assert streamed.status_code == 200
    (event,) = streamed.text.strip().split("\n\n")
    assert json.loads(event.removeprefix("data: "))["error"]["code"] == "internal_error"
    assert TEXT not in server.stream.getvalue()


def test_a_row_that_fails_by_itself_leaves_those_beside_it_alone(server: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(row: Row, logits: torch.Tensor) -> int:
        raise RuntimeError("no token can be drawn")

    monkeypatch.setattr(Row, "choose", failing)
    asked = [body(prompt=TEXT, max_tokens=40, temperature=float(i % 2)) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: server.post("/v1/completions", each), asked))
    assert [answer.status_code for answer in answers] == [200, 500] * 4
    own = model_of(server.served, "input").generate(TEXT, max_new_tokens=40)[0]
    assert {answer.json()["choices"][0]["text"] for answer in answers[::2]} == {own}


def test_too_much_at_once_is_refused_and_says_when_to_come_back(server: Live) -> None:
    with live(server.served, max_batch=1, max_queue=2) as small:
        asked = {"model": "input", "prompt": TEXT, "max_tokens": 60}
        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: small.post("/v1/completions", asked), range(12)))
        codes = [answer.status_code for answer in answers]
        assert set(codes) == {200, 429}
        refused = answers[codes.index(429)]
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["code"] == "overloaded"
        texts = {answer.json()["choices"][0]["text"] for answer in answers if answer.status_code == 200}
        assert texts == set(model_of(server.served, "input").generate(TEXT, max_new_tokens=60))


def test_an_answer_that_takes_too_long_is_given_up(server: Live) -> None:
    with live(server.served, timeout=0.02) as hasty:
        asked = {"model": "input", "prompt": TEXT, "max_tokens": 100, "n": 8, "temperature": 1.5}
        answer = hasty.post("/v1/completions", asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout")
        streamed = hasty.post("/v1/completions", {**asked, "stream": True}).text
        assert '"code": "timeout"' in streamed
        assert "[DONE]" not in streamed
        assert settled(hasty)


def test_an_allowance_per_minute_is_kept(server: Live) -> None:
    few = KeyRights(name="few", sha256=key_hash("few"), requests_per_minute=2)
    short = KeyRights(name="short", sha256=key_hash("short"), tokens_per_minute=60)
    with live(server.served, Keys((few, short))) as counted:
        codes = [counted.post("/v1/completions", body(), key="few").status_code for _ in range(3)]
        assert codes == [200, 200, 429]
        # 4 virtual tokens, 2 of the text, 30 new ones: what is not written is given back.
        asked = body(max_tokens=30, stop=counted.complete("a", key="short", max_tokens=1)["choices"][0]["text"])
        answers = [counted.post("/v1/completions", asked, key="short") for _ in range(6)]
        codes = [answer.status_code for answer in answers]
        assert codes[:2] == [200, 200], "most of what was counted in advance came back"
        assert codes[-1] == 429
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].json()["error"]["code"] == "rate_limit_exceeded"


def test_a_stop_lets_what_is_written_end(tmp_path: Path) -> None:
    served = served_runs(tmp_path)
    with ThreadPoolExecutor(1) as pool, live(served) as server:
        asked = {"model": "input", "prompt": TEXT, "max_tokens": 80}
        answer = pool.submit(server.post, "/v1/completions", asked)
        while "spul_rows_running 1.0" not in server.get("/metrics").text and not answer.done():
            time.sleep(0.001)
        server.shutdown()
        assert (
            answer.result().json()["choices"][0]["text"]
            == model_of(served, "input").generate(TEXT, max_new_tokens=80)[0]
        )
    assert server.log()[-1]["event"] == "stopped"
