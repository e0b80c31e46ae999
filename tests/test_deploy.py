"""What stands in deploy/ calls commands that exist, and is of the form that its tools read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from spul.cli.main import app

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def documents(file: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each]


def pods(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    spec = document["spec"]
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if "template" in spec:
        yield spec["template"]["spec"]


def parsed(words: list[str]) -> dict[str, Any]:
    """What the command line makes of a call, without doing it."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    return dict(group.commands[words[0]].make_context(words[0], words[1:]).params)


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_manifests_hold_together(file: Path) -> None:
    found = documents(file)
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in found if each["kind"] == "Deployment"]
    for each in found:
        assert {"apiVersion", "kind", "metadata", "spec"} <= each.keys()
        if each["kind"] == "Service":
            assert each["spec"]["selector"] in labels
        for pod in pods(each):
            volumes = {volume["name"] for volume in pod["volumes"]}
            for container in pod["containers"]:
                assert {mount["name"] for mount in container["volumeMounts"]} == volumes
                if container["image"].startswith("spul:"):
                    assert pod["securityContext"]["runAsNonRoot"]
                    assert container["securityContext"]["readOnlyRootFilesystem"]


def test_servers_are_called_with_options_that_exist_and_end_in_time() -> None:
    (deployment,) = [each for each in documents(DEPLOY / "kubernetes" / "serve.yaml") if each["kind"] == "Deployment"]
    (pod,) = pods(deployment)
    options = parsed(pod["containers"][0]["args"])
    assert options["keys"] is not None
    assert options["grace"] + 5 < pod["terminationGracePeriodSeconds"]
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["spul"]
    options = parsed([word.replace("${RUN:?the directory of the run}", "run") for word in service["command"]])
    assert options["keys"] is not None
    assert options["grace"] < int(service["stop_grace_period"].removesuffix("s"))


def test_probes_are_called_with_options_that_exist() -> None:
    (job,) = documents(DEPLOY / "kubernetes" / "probe.yaml")
    (pod,) = pods(job)
    assert parsed(pod["containers"][0]["args"])["model"] == "people"
    (line,) = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["probe"]["command"]
    call = line.split("do ")[1].split(";")[0].replace("${RUN}", "run")
    assert parsed(shlex.split(call)[1:])["json_output"] is True


def test_the_image_takes_what_the_package_is_built_from() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert all((DEPLOY.parent / each).exists() for each in copied)
    assert "USER 65532:65532" in lines
