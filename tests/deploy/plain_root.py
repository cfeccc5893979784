"""A root directory of its own with this machine's interpreter and system libraries, in which image steps are run.

It stands in for the base image: the interpreter is at `/usr/local` as in the Python images, the rest of `/usr` is this
machine's, read-only, and of `/etc` there is a copy of what names and certificates need. Needs Linux, root, `unshare`,
`setpriv` and `nsenter`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.deploy.dockerfile import CHECKOUT, Stage

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    # An interpreter that was built for another place finds its own library here.
    "LD_LIBRARY_PATH": "/usr/local/lib",
}
_ETC = ("ssl", "resolv.conf", "hosts", "nsswitch.conf", "passwd", "group", "ld.so.cache", "pip.conf")
# What package installation needs to know of this machine.
_INSTALLER_VARIABLES = ("PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def missing_means() -> str | None:
    """Return what keeps this machine from making such a root, None if nothing does."""
    if not sys.platform.startswith("linux"):
        return "a plain root for the image's steps needs Linux"
    if os.geteuid() != 0:
        return "a plain root for the image's steps needs the rights of root"
    lacking = [tool for tool in ("unshare", "setpriv", "nsenter", "chroot", "ip") if shutil.which(tool) is None]
    if lacking:
        return f"a plain root for the image's steps needs {', '.join(lacking)}"
    trial = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False)
    return None if trial.returncode == 0 else "a plain root for the image's steps needs namespaces of its own"


class PlainRoot:
    """A directory that processes take for the whole file system."""

    def __init__(self, directory: Path, version: str) -> None:
        self.directory = directory
        self._interpreter = _interpreter(version)
        directory.chmod(0o755)
        for name in ("usr", "etc", "proc", "dev", "tmp", "run", "srv", "opt", "root"):
            (directory / name).mkdir()
        for name in _ETC:
            if Path("/etc", name).is_dir():
                shutil.copytree(f"/etc/{name}", directory / "etc" / name, symlinks=True)
            elif Path("/etc", name).is_file():
                shutil.copy2(f"/etc/{name}", directory / "etc" / name)
        for name in ("bin", "sbin", "lib", "lib32", "lib64"):
            if Path("/", name).is_symlink():
                (directory / name).symlink_to(Path("/", name).readlink())

    def path(self, inside: str) -> Path:
        """Return where a path of the root is outside of it."""
        return self.directory / inside.lstrip("/")

    def build(self, stage: Stage, context: Iterable[Path]) -> None:
        """Run a stage's instructions as a builder would; the stage copies from the build context alone."""
        files = list(context)
        workdir = "/"
        environment: dict[str, str] = {}
        for instruction in stage.instructions:
            if instruction.keyword == "WORKDIR":
                workdir = instruction.rest
                self.path(workdir).mkdir(parents=True, exist_ok=True)
            elif instruction.keyword == "ENV":
                environment |= stage.environment()
            elif instruction.keyword == "COPY":
                *sources, target = instruction.rest.split()
                for source in sources:
                    self.copy(Path(source), files, os.path.normpath(f"{workdir}/{target}"))
            elif instruction.keyword == "RUN":
                self.install(f"cd {shlex.quote(workdir)} && {instruction.rest}", environment)
            else:
                raise NotImplementedError(instruction.keyword)

    def install(self, script: str, environment: Mapping[str, str]) -> None:
        """Run shell commands as root, with the network and what installing packages needs to know of it."""
        machine = {name: os.environ[name] for name in _INSTALLER_VARIABLES if name in os.environ}
        subprocess.run(self.command(["sh", "-ec", script], {**machine, **environment}), check=True)

    def copy(self, source: Path, files: Iterable[Path], target: str) -> None:
        """Copy what is at `source` among the `files` of the checkout into the directory `target`."""
        below = [file for file in files if file == source or source in file.parents]
        assert below, f"nothing to copy at {source}"
        for file in below:
            place = self.path(target) / (file.name if file == source else file.relative_to(source))
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / file, place)

    def command(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        user: str | None = None,
        bind: Mapping[Path, str] | None = None,
    ) -> list[str]:
        """Return the command that runs `arguments` in the root; as another `user` ("uid:gid") as a container would.

        A user has the root read-only, no capabilities, no way to gain any, and a network of its own without any way
        out. `bind` are directories of the machine to be seen at paths of the root, read-only.
        """
        mounts = ["set -e"]
        for source, target in {Path("/usr"): "/usr", self._interpreter: "/usr/local"}.items():
            mounts += _read_only(source, self.path(target))
        for source, target in (bind or {}).items():
            mounts += _read_only(source, self.path(target))
        mounts += [f"mount --rbind /{name} {self.path(name)}" for name in ("proc", "dev")]
        flags = []
        entered = ["chroot", str(self.directory), *as_user(user)]
        if user is not None:
            flags = ["--net"]
            mounts += [*_read_only(self.directory, self.directory), "ip link set lo up"]
        variables = [f"{name}={value}" for name, value in {**ENVIRONMENT, **environment}.items()]
        script = "\n".join([*mounts, f"exec {shlex.join([*entered, 'env', '-i', *variables, *arguments])}"])
        return ["unshare", "--mount", "--propagation", "private", *flags, "sh", "-c", script]


def as_user(user: str | None) -> list[str]:
    """Return the words that make a command run as "uid:gid" with no capability, now or ever."""
    if user is None:
        return []
    uid, gid = user.split(":")
    lose = ["--clear-groups", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    return ["setpriv", "--reuid", uid, "--regid", gid, *lose]


def _read_only(source: Path, target: Path) -> list[str]:
    recursive = "--rbind" if source == target else "--bind"
    return [f"mount {recursive} {source} {target}", f"mount -o remount,bind,ro {target}"]


def _interpreter(version: str) -> Path:
    """Return the prefix of an interpreter of this version, or of the one that runs the tests where there is none."""
    found = (
        subprocess.run(
            [f"python{version}", "-c", "import sys; print(sys.base_prefix)"],
            capture_output=True,
            text=True,
            check=False,
        )
        if shutil.which(f"python{version}")
        else None
    )
    return Path(found.stdout.strip() if found is not None and found.returncode == 0 else sys.base_prefix)
