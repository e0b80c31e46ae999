"""The documentation names what is there, links to what exists, and its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from spul.cli.list import Kind, entries
from spul.cli.main import app
from tests.training.setting import config_of, write_setting

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "configs").glob("*.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]

LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`spul ([a-z]+(?:-[a-z]+)*(?: [a-z]+)?)")
SHELL = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"^spul ([a-z]+(?:-[a-z]+)*(?: [a-z]+)?)", re.MULTILINE)
ELSEWHERE = re.compile(r"(?<![\w.])/(?:work|tmp|root|home)/")


def commands() -> set[str]:
    """Every command as one writes it, groups included."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    found = set(group.commands)
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            found |= {f"{name} {child}" for child in command.commands}
    return found


def test_every_command_has_its_part_of_the_page() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert {line.removeprefix("## spul ") for line in page.splitlines() if line.startswith("## spul ")} == commands()


@pytest.mark.parametrize("kind", list(Kind))
def test_everything_registered_is_on_the_page(kind: Kind) -> None:
    page = (ROOT / "docs" / "components.md").read_text(encoding="utf-8")
    part = page.partition(f"## {kind.value.capitalize()}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) == [entry["name"] for entry in entries(kind)]


@pytest.mark.parametrize("kind", [Kind.methods, Kind.objectives, Kind.prompts, Kind.tasks])
def test_what_comes_from_papers_names_them(kind: Kind) -> None:
    page = (ROOT / "docs" / "paper_index.md").read_text(encoding="utf-8")
    for entry in entries(kind):
        assert f"### {entry['name']}\n" in page or f"| `{entry['name']}` |" in page, entry["name"]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith(("https://", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_commands_that_are_named_exist(page: Path) -> None:
    known = commands()
    text = page.read_text(encoding="utf-8")
    for words in [*INLINE.findall(text), *CALL.findall("\n".join(SHELL.findall(text)))]:
        assert words in known or words.split()[0] in known, words


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_no_path_of_one_machine(page: Path) -> None:
    assert not ELSEWHERE.search(page.read_text(encoding="utf-8"))


def test_readme_does_not_promise_to_erase() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"[^.\n]*\berase\w*", text) == ["- A soft prompt **suppresses; it does not erase"]


@pytest.mark.parametrize("number", range(len(BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8")))))
def test_python_of_the_readme_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(write_setting(tmp_path))
    (tmp_path / "run.yaml").write_text(config.to_yaml(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    block = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))[number]
    exec(compile(block, "README.md", "exec"), {})
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "report.html").exists()
