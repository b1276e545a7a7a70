"""The description as containers, which cannot be run here, held to what is in the checkout."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import fields
from fnmatch import fnmatch

import yaml

from fieldops import cli
from fieldops.settings import CHECKOUT, Settings

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
IGNORED = (CHECKOUT / ".dockerignore").read_text().split()
STEPS = [
    re.sub(r"\\\n\s*", "", step).split(maxsplit=1)
    for step in re.findall(r"^[A-Z](?:.*\\\n)*.*", DOCKERFILE, re.MULTILINE)
]
HEALTHCHECK_COMMAND = re.compile(r"CMD (\[.*\])")
NOT_SETTINGS = {"PATH", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PORT"}


def steps(name: str) -> list[str]:
    """Give what follows each instruction of a name."""
    return [step[1] for step in STEPS if step[0] == name]


def test_what_is_copied_is_there_and_not_ignored() -> None:
    """Also what the stage before has made."""
    for step in steps("COPY"):
        words = [word for word in step.split() if not word.startswith("--")]
        if "--from=browser" in step:
            assert "/app/fieldops/static/vendor" in words
            continue
        for source in words[:-1]:
            assert (CHECKOUT / source).exists(), source
            assert f"!{source}" in IGNORED, source
            assert not any(fnmatch(source, rule) for rule in IGNORED[1:]), source


def test_the_image_is_built_from_locks_alone() -> None:
    """By the same script as everywhere, and with hashes."""
    runs = " ".join(steps("RUN"))
    assert "pip install --no-cache-dir --require-hashes -r requirements.lock" in runs
    assert "./run vendor" in runs
    assert " vendor)" in (CHECKOUT / "run").read_text()


def test_its_python_is_one_the_project_supports() -> None:
    """And so is its Node."""
    python = next(step for step in steps("FROM") if step.startswith("python:"))
    lowest = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["requires-python"]
    version = [int(number) for number in python.removeprefix("python:").split("-")[0].split(".")]
    assert version >= [int(number) for number in lowest.removeprefix(">=").split(".")]
    node = next(step for step in steps("FROM") if step.startswith("node:"))
    assert int(node.removeprefix("node:").split("-")[0]) >= 20


def test_it_does_not_run_as_root() -> None:
    """The last word on users comes before the command."""
    names = [step[0] for step in STEPS]
    assert steps("USER") == ["fieldops"]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "useradd --system" in " ".join(steps("RUN"))


def test_its_command_is_one_of_fieldops() -> None:
    """Entry point and command together are a command line that works."""
    (entry,), (command,) = steps("ENTRYPOINT"), steps("CMD")
    line = [*json.loads(entry), *json.loads(command), "--help"]
    assert json.loads(command)[0] in cli.fieldops.commands
    done = subprocess.run(
        [sys.executable, *line[1:]], cwd=CHECKOUT, capture_output=True, check=True
    )
    assert b"--cert" in done.stdout


def test_every_python_in_it_is_python() -> None:
    """A slip in a one-liner would otherwise show only in the container."""
    (check,) = (HEALTHCHECK_COMMAND.search(step) for step in steps("HEALTHCHECK"))
    assert check is not None
    sources = [json.loads(check[1])[2]]
    for step in steps("RUN"):
        words = shlex.split(step)
        sources += [words[at + 1] for at, word in enumerate(words) if word == "-c"]
    assert len(sources) == 2
    for source in sources:
        compile(source, "Dockerfile", "exec")


def test_every_variable_is_read_by_the_settings() -> None:
    """A name that nobody reads would silently do nothing."""
    known = {f"FIELDOPS_{field.name.upper()}" for field in fields(Settings)} | NOT_SETTINGS
    assert set(COMPOSE["services"]["fieldops"]["environment"]) <= known
    assert {pair.split("=")[0] for step in steps("ENV") for pair in step.split()} <= known


def test_the_services_fit_together() -> None:
    """Names, ports, volumes and the time to stop."""
    services = COMPOSE["services"]
    address = services["fieldops"]["environment"]["FIELDOPS_DATABASE_URL"]
    assert "@database/fieldops" in address
    assert set(services["fieldops"]["depends_on"]) == {"database"}
    assert services["fieldops"]["ports"] == ["127.0.0.1:${PORT:-8000}:8000"]
    assert steps("EXPOSE") == ["8000"]
    volumes = [volume for service in services.values() for volume in service["volumes"]]
    assert {volume.split(":")[0] for volume in volumes} == set(COMPOSE["volumes"])
    assert f"home:{steps('VOLUME')[0]}" in volumes
    assert COMPOSE["services"]["database"]["environment"]["POSTGRES_DB"] == "fieldops"
