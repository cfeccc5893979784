"""A Dockerfile as its stages and instructions, and what its `.dockerignore` leaves of the build context."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
DOCKERFILE = CHECKOUT / "deploy" / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """One instruction: its keyword in capitals, its flags (`--from=build`), and the rest as it is written."""

    keyword: str
    flags: dict[str, str]
    rest: str

    @property
    def exec_form(self) -> list[str] | None:
        """The arguments if they are a JSON array, None if they are text for a shell."""
        text = self.rest.removeprefix("CMD ") if self.keyword == "HEALTHCHECK" else self.rest
        if not text.startswith("["):
            return None
        arguments: list[str] = json.loads(text)
        return arguments


@dataclass
class Stage:
    """A build stage: what it is made from, with arguments filled in, and its instructions in order."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, keyword: str) -> list[Instruction]:
        """Return the instructions of one kind."""
        return [instruction for instruction in self.instructions if instruction.keyword == keyword]

    def environment(self) -> dict[str, str]:
        """Return the variables that the stage itself sets."""
        return dict(pair for env in self.all("ENV") for pair in re.findall(r"(\w+)=(\S+)", env.rest))


def read_stages(path: Path = DOCKERFILE) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by name."""
    stages: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    for instruction in _instructions(path.read_text(encoding="utf-8")):
        if instruction.keyword == "ARG" and not stages:
            name, _, default = instruction.rest.partition("=")
            arguments[name] = default
        elif instruction.keyword == "FROM":
            base, _, name = re.split(r"\s+", instruction.rest)
            base = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], base)
            stages[name] = Stage(name, base)
        else:
            list(stages.values())[-1].instructions.append(instruction)
    return stages


def final_environment(name: str) -> dict[str, str]:
    """Return the variables of an image: those of the stage and of the stages it is made from."""
    stages = read_stages()
    stage = stages[name]
    inherited = final_environment(stage.base) if stage.base in stages else {}
    return {**inherited, **stage.environment()}


def context_files(checkout: Path = CHECKOUT) -> Iterator[Path]:
    """Yield the files of the checkout that `.dockerignore` lets into the build context, relative to it."""
    lines = (checkout / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    for root in sorted({rule.removeprefix("!").split("/")[0] for rule in rules if rule.startswith("!")}):
        if (checkout / root).is_file():
            yield Path(root)
        for directory, names, files in os.walk(checkout / root):
            # Not entered by a builder either; there are tens of thousands of files.
            names[:] = sorted(set(names) - {"node_modules"})
            paths = [Path(directory, file).relative_to(checkout) for file in sorted(files)]
            yield from (path for path in paths if not _is_ignored(path, rules))


def _is_ignored(path: Path, rules: list[str]) -> bool:
    # The last rule that matches the path or a directory above it decides.
    ignored = False
    for rule in rules:
        pattern = re.escape(rule.removeprefix("!")).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
        if re.fullmatch(f"{pattern}(?:/.*)?", path.as_posix()):
            ignored = not rule.startswith("!")
    return ignored


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            keyword, rest = line.strip().split(maxsplit=1)
            flags = {}
            while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
                flags[match[1]] = match[2]
                rest = rest[match.end() :]
            yield Instruction(keyword.upper(), flags, rest.strip())
