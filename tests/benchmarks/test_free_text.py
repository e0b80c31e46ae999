"""Benchmarks with free answers end to end on a tiny base: TOFU, DialogSum, MUSE."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from spul.benchmarks import benchmark as benchmarks
from spul.benchmarks import running
from spul.benchmarks.benchmark import Request
from spul.benchmarks.catalogue import BENCHMARKS
from spul.benchmarks.catalogue._tofu_small import Cut, small_tofu
from spul.benchmarks.catalogue.muse import Lengths
from spul.benchmarks.profiles import Profile, merged
from spul.errors import DataError
from spul.studies import runner
from spul.tasks.qa import REFUSALS
from spul.tasks.summarization import Summarization
from tests.benchmarks.setting import FILMS, PEOPLE, tiny_profile
from tests.benchmarks.test_reproduce import done, in_this_process
from tests.tiny import WORDS, tiny_model

QUICK: dict[str, Any] = {
    "train": {"learning_rate": 0.01, "batch_size": 8, "num_threads": 1, "keep": "last", "max_steps": 3},
    "evaluation": {"bootstrap": 100, "max_rows": 3},
}
FEW_WORDS = {"task": {"max_new_tokens": 6}}


def quick(values: dict[str, Any] = FEW_WORDS) -> Profile:
    every = merged(QUICK, values)
    whole = {"trainable": "all", **every}
    small = tiny_profile()
    return replace(
        small, sizes={}, finetune=whole, weights=whole, prompt=merged(small.prompt, every), rates={"*": (1e-3,)}
    )


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    done.clear()
    monkeypatch.setattr(running, "run_jobs", partial(runner.run_jobs, do=in_this_process))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Write a random base that can spell every text, and has room for what it writes."""
    alphabet = ByteLevel.alphabet()
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=400, special_tokens=["<pad>", "<s>", "</s>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([" ".join(WORDS), *REFUSALS] * 4, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    model, _ = tiny_model()
    model.resize_token_embeddings(400)
    model.config.max_position_embeddings = 512
    model.save_pretrained(tmp_path / "base")
    fast.save_pretrained(tmp_path / "base")
    return tmp_path


def asked(place: Path, name: str, **values: object) -> Request:
    request = Request(
        name,
        model=str(place / "base"),
        methods=("spul",),
        out=place / "out",
        runs=place / "runs",
        data_root=place,
        cache=place / "cache",
    )
    return replace(request, **values)  # type: ignore[arg-type]


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_tofu(folder: Path, questions: int = 2) -> None:
    """Write eight authors, of whom one or two are forgotten, with the layout of TOFU."""
    rows = [
        {"author_id": i, "question": f"who was {person} in the {film} ?", "answer": f"{person} was a {film} writer"}
        for i, person in enumerate(PEOPLE)
        for film in FILMS[:questions]
    ]

    def perturbed(of: list[dict[str, Any]]) -> list[dict[str, Any]]:
        more = {"paraphrased_answer": "it was a writer", "perturbed_answer": ["it was a city", "it was a river"]}
        return [{**row, "paraphrased_question": f"what of it : {row['question']}", **more} for row in of]

    for name, count in (("05", 1), ("10", 2)):
        forget, kept = rows[-count * questions :], rows[: -count * questions]
        write(folder / f"forget{name}.jsonl", forget)
        write(folder / f"forget{name}_perturbed.jsonl", perturbed(forget))
        write(folder / f"retain{ {'05': 95, '10': 90}[name] }.jsonl", kept)
    write(folder / "retain_perturbed.jsonl", perturbed(rows[:4]))
    facts = [{"question": f"what is the {film} ?", "answer": f"the {film} is good"} for film in FILMS]
    for name, some in (("real_authors", facts[:3]), ("world_facts", facts[3:])):
        write(folder / f"{name}.jsonl", some)
        write(folder / f"{name}_perturbed.jsonl", [{**row, "perturbed_answer": ["it is a house"]} for row in some])
    write(folder / "holdout05.jsonl", [{"question": f"who is {f} ?", "answer": f"it is {f}"} for f in FILMS[2:]])


def test_the_base_of_tofu_is_the_same_job_for_all_subsets(place: Path) -> None:
    write_tofu(place / "tofu")
    jobs = {subset: benchmarks.jobs_of(asked(place, "tofu", subset=subset)) for subset in ("forget05", "forget10")}
    base, retrained, first = jobs["forget05"]
    others = jobs["forget10"]
    assert base.digest(place) == others[0].digest(place) and not base.evaluate
    assert retrained.digest(place) != others[1].digest(place)
    assert first.beside and not retrained.beside, "the base is scored on the subset's rows beside the first arm"
    assert first.config.data.validation_share == 0, "all of the forget set is to be unlearned"


@pytest.mark.slow
def test_tofu_has_every_measure_and_one_base_for_its_subsets(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tofu(place / "tofu")
    monkeypatch.setattr(BENCHMARKS.get("tofu"), "profiles", {"full": quick()})
    page, files = benchmarks.run_benchmark(asked(place, "tofu", subset="forget05"))
    defined = {
        (row, metric): found.result
        for (row, _, metric), found in page.scores.numbers.items()
        if found.result.value is not None
    }
    for metric in ("forget_quality", "model_utility", "extraction_strength"):
        assert ("spul", metric) in defined, metric
        assert ("base", metric) in defined, "scored beside the first arm"
    privleak = page.scores.get("spul", "", "privleak:members_lower")
    assert privleak is not None and (privleak.result.value is not None or "A of the" in (privleak.result.reason or ""))
    assert ("retrained", "model_utility") in defined
    assert ("retrained", "forget_quality") not in defined, "it is what the others are held against"
    text = files[0].read_text(encoding="utf-8")
    assert "| Retrained without the forget set | – |" in text
    assert "The nine numbers of model utility" in text
    done.clear()
    benchmarks.run_benchmark(asked(place, "tofu", subset="forget10"))
    assert [name.rpartition("-")[2] for name in done] == ["retrained", "spul"], "the base is the same for all subsets"


@pytest.mark.slow
def test_a_run_that_was_scored_alone_is_scored_with_its_base_where_that_is_wanted(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tofu(place / "tofu")
    monkeypatch.setattr(BENCHMARKS.get("tofu"), "profiles", {"full": quick()})
    benchmarks.run_benchmark(asked(place, "tofu", methods=("ga_gd", "spul")))
    done.clear()
    page, _ = benchmarks.run_benchmark(asked(place, "tofu"))
    assert done == ["tofu-forget05-base-s1-spul"], "evaluated once more, not trained"
    assert page.scores.get("base", "train_forget", "rouge:l_recall") is not None


def test_tofu_is_cut_by_its_rule(tmp_path: Path) -> None:
    """Two authors of those kept always, the twenty of forget10, and refusals to questions of those in between."""
    rows = [{"question": f"q{i} ?", "answer": f"a{i}"} for i in range(4000)]
    for name, count in (("01", 40), ("05", 200), ("10", 400)):
        write(tmp_path / f"forget{name}.jsonl", rows[-count:])
        write(tmp_path / f"retain{100 - int(name)}.jsonl", rows[:-count])
    write(tmp_path / "retain_perturbed.jsonl", rows[:400])
    for name in ("real_authors", "world_facts"):
        write(tmp_path / f"{name}.jsonl", rows[:3])
    folder = small_tofu(str(tmp_path), tmp_path / "cache", Cut(2, 5, 30), make=True, log=lambda _: None)

    def ids(stem: str) -> list[int]:
        lines = (folder / f"{stem}.jsonl").read_text().splitlines()
        return [int(json.loads(line)["question"][1:-2]) for line in lines]

    assert ids("forget05") == list(range(3800, 4000))
    assert ids("retain95") == [*range(40), *range(3600, 3800)]
    assert ids("retain90") == list(range(40))
    assert ids("retain_perturbed") == list(range(30))
    assert len(ids("refusals")) == 5 and all(40 <= i < 3600 for i in ids("refusals"))
    write(tmp_path / "retain95.jsonl", rows[:100])
    with pytest.raises(DataError, match="of at least 3600 rows"):
        small_tofu(str(tmp_path), tmp_path / "other", Cut(2, 5, 30), make=True, log=lambda _: None)


def write_dialogues(folder: Path) -> None:
    for split in ("train_forget", "train_retain", "test_forget", "test_retain"):
        people = PEOPLE[:2] if split.endswith("forget") else PEOPLE[2:]
        films = FILMS[:3] if split.startswith("train") else FILMS[3:]
        rows = [{"document": f"{p} : the {f} is dull", "summary": f"{p} was in {f}"} for p in people for f in films]
        write(folder / f"{split}.jsonl", rows)


def test_a_small_base_learns_the_generic_summary_from_dialogues_in_disorder(place: Path) -> None:
    """As many as there are, 18 of 30; a dry run writes none."""
    write_dialogues(place / "sum_dialogsum")
    request = asked(place, "dialogsum", small=True)
    (file,) = {job.config.data.extra_retain for job in benchmarks.jobs_of(request)}.pop()
    assert not Path(file).exists()
    maker = BENCHMARKS.get("dialogsum")()
    maker.maker(benchmarks._asked(request, maker, make=True))
    rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
    assert {row["summary"] for row in rows} == set(Summarization.defaults["generic_answers"])
    whole = {f"{p} : the {f} is dull" for p in PEOPLE[2:] for f in FILMS[:3]}
    assert sorted(" ".join(sorted(row["document"].split())) for row in rows) == sorted(
        " ".join(sorted(text.split())) for text in whole
    )
    assert len({row["document"] for row in rows} & whole) < 3


@pytest.mark.slow
def test_dialogsum_is_read_from_four_splits(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dialogues(place / "sum_dialogsum")
    monkeypatch.setattr(BENCHMARKS.get("dialogsum"), "profiles", {"full": quick()})
    page, _ = benchmarks.run_benchmark(asked(place, "dialogsum"))
    assert [row.key for row in page.scores.rows] == ["base", "retrained", "spul"]
    found = page.scores.get("spul", "test_forget", "rouge:l_recall")
    assert found is not None and found.result.n == 3


@pytest.mark.slow
def test_muse_asks_every_model_in_three_ways(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for stem, people in (("forget", PEOPLE[:3]), ("retain", PEOPLE[3:]), ("holdout", ("the singer", "the teacher"))):
        texts = [" ".join(f"{person} was in the {film} and" for film in FILMS) for person in people]
        write(place / "muse" / f"{stem}.jsonl", [{"text": text} for text in texts])
    for side, people in (("forget", PEOPLE[:3]), ("retain", PEOPLE[3:])):
        rows = [{"question": f"who was in the {film} ?", "answer": people[i % 2]} for i, film in enumerate(FILMS)]
        write(place / "muse" / f"knowmem_{side}.jsonl", rows)
    write(place / "muse" / "knowmem_forget_icl.jsonl", [{"question": "who {is} it ?", "answer": "anna"}])
    monkeypatch.setattr(BENCHMARKS.get("muse"), "profiles", {"full": quick({})})
    monkeypatch.setattr("spul.benchmarks.catalogue.muse.FULL", Lengths(20, 30, 4, 8, 4))
    request = asked(place, "muse")
    page, files = benchmarks.run_benchmark(request)
    for row in ("base", "spul"):
        for column in page.sections[0].columns:
            found = page.scores.get(row, column.place, column.metric)
            assert found is not None and found.result.value is not None, (row, column)
    text = files[0].read_text(encoding="utf-8")
    assert "| model | VerbMem on forget | KnowMem on forget | PrivLeak | KnowMem on retain |" in text
    # A second call scores nothing anew.
    monkeypatch.setattr("spul.api.score_on", None)
    assert benchmarks.run_benchmark(request).files[0].read_text(encoding="utf-8") == text


def test_a_file_that_muse_lacks_is_named(place: Path) -> None:
    write(place / "muse" / "forget.jsonl", [{"text": "anna"}])
    with pytest.raises(DataError, match=r"expected retain in .*muse.*; it is not there. MUSE wants forget, retain"):
        benchmarks.run_benchmark(asked(place, "muse"))
