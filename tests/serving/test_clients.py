"""OpenAI's own client against a server on a port."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import openai
import pytest

from spul.serving.keys import KeyRights, Keys, key_hash
from tests.serving.made import Live, live, model_of, served_runs

TEXT = "anna was in the film"
TALK = [{"role": "user", "content": TEXT}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    keys = Keys((KeyRights(name="app", sha256=key_hash("secret")),))
    with live(served_runs(tmp_path_factory.mktemp("runs")), keys) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Live) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.url + "/v1", api_key="secret", max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def expected(server: Live) -> str:
    return model_of(server.served, "input").generate(TEXT, max_new_tokens=8)[0]


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["input", "deep"]
    assert client.models.retrieve("deep").id == "deep"


def test_completion(client: openai.OpenAI, expected: str) -> None:
    found = client.completions.create(model="input", prompt=TEXT, max_tokens=8, temperature=0)
    assert found.choices[0].text == expected
    assert found.usage is not None
    assert found.usage.prompt_tokens_details is not None
    assert found.usage.prompt_tokens_details.cached_tokens == 4


def test_chat(client: openai.OpenAI, expected: str) -> None:
    """The tiny base has no chat template, so a message is a text to continue."""
    found = client.chat.completions.create(model="input", messages=TALK, max_completion_tokens=8, n=2)
    assert [choice.message.content for choice in found.choices] == [expected] * 2
    # What was answered goes back as it came.
    talk = [*TALK, found.choices[0].message, *TALK]
    assert client.chat.completions.create(model="input", messages=talk, max_tokens=2).choices[0].message.content


def test_streams(client: openai.OpenAI, expected: str) -> None:
    stream = client.completions.create(model="input", prompt=TEXT, max_tokens=8, stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == expected
    assert len(chunks) > 3
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "length"
    chat = list(
        client.chat.completions.create(
            model="input", messages=TALK, max_tokens=8, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chat if chunk.choices) == expected
    assert chat[0].choices[0].delta.role == "assistant"
    assert chat[-1].usage is not None
    assert chat[-1].usage.completion_tokens == 8


def test_stop_texts_are_held_back_in_a_stream(client: openai.OpenAI, expected: str) -> None:
    mark = expected[3:8]
    stream = client.completions.create(model="input", prompt=TEXT, max_tokens=8, stream=True, stop=mark)
    assert "".join(chunk.choices[0].text for chunk in stream) == expected[:3]


def test_asynchronous_and_many_at_once(server: Live, expected: str) -> None:
    async def one(client: openai.AsyncOpenAI, stream: bool) -> str:
        if not stream:
            found = await client.completions.create(model="input", prompt=TEXT, max_tokens=8)
            return found.choices[0].text
        chunks = await client.completions.create(model="input", prompt=TEXT, max_tokens=8, stream=True)
        return "".join([chunk.choices[0].text async for chunk in chunks])

    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="secret", max_retries=0) as client:
            return await asyncio.gather(*(one(client, bool(i % 2)) for i in range(20)))

    assert set(asyncio.run(all_of_them())) == {expected}


def test_errors_are_the_clients_own(server: Live, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="base", prompt=TEXT)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as bad:
        client.completions.create(model="input", prompt=TEXT, extra_body={"prompt_embeds": "AAAA"})
    assert bad.value.param == "prompt_embeds"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()
