"""Installs a real Home Assistant into a folder of its own, with all that its configuration loads.

Old versions run on this machine's Python. Newer ones need a newer Python than Debian's stable has,
so they get a small Debian of a later suite to live in (debootstrap, chroot), with its Python.
Nothing is installed system-wide but debootstrap itself.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

MIRROR = "http://deb.debian.org/debian"
SUITE = "forky"  # Debian's testing in 2026: Python 3.14
# The integrations that are tried, beside those that Home Assistant always loads.
INTEGRATIONS = ["mqtt", "api", "config", "sensor", "binary_sensor", "recorder", "hassio"]
# The last versions that run on Python 3.11; from here on a newer Python is needed.
# Imported without being named by a manifest.
UNNAMED = ["numpy"]
# An old version does not say that what came later is too new for it.
TOO_NEW = ["josepy<2"]
FIRST_FOR_NEWER_PYTHON = (2024, 4)

# Asks an installed Home Assistant what the integrations need that are loaded.
NEEDS = '''
import json, pathlib, sys
import homeassistant
from homeassistant import bootstrap
folder = pathlib.Path(homeassistant.__file__).parent
platforms = {file.stem for file in (folder / "components/mqtt").glob("*.py")}
todo = platforms | set(sys.argv[1:]) | set(bootstrap.CORE_INTEGRATIONS) | set(bootstrap.DEFAULT_INTEGRATIONS)
seen, needed = set(), set()
while todo:
    name = todo.pop()
    manifest = folder / "components" / name / "manifest.json"
    if name in seen or not manifest.exists():
        continue
    seen.add(name)
    manifest = json.loads(manifest.read_text())
    needed |= set(manifest.get("requirements", []))
    todo |= set(manifest.get("dependencies", []))
print("\\n".join(sorted(needed)))
'''


class Installed:
    """A Home Assistant that can be run."""

    def __init__(self, folder: pathlib.Path, root: pathlib.Path | None):
        self.folder = folder
        # The root of its own Debian; none when it lives in this one.
        self.root = root

    def inside(self, path: pathlib.Path) -> str:
        """A path as Home Assistant sees it."""
        return str(path) if self.root is None else "/" + str(path.relative_to(self.root))

    def command(self, *arguments: str) -> list[str]:
        """A command that runs where Home Assistant lives."""
        return [*arguments] if self.root is None else ["chroot", str(self.root), *arguments]

    @property
    def python(self) -> str:
        return self.inside(self.folder / "venv/bin/python")

    def version(self) -> str:
        asked = self.command(self.python, "-c", "from homeassistant.const import __version__ as v; print(v)")
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def is_new(version: str) -> bool:
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return version == "newest" or (int(numbers[1]), int(numbers[2])) >= FIRST_FOR_NEWER_PYTHON


def install(version: str, target: pathlib.Path) -> Installed:
    """Installs a version, or finds it installed."""
    folder = target / "home-assistant" / version
    done = folder / "installed"
    root = folder / "debian" if is_new(version) else None
    installed = Installed((root / "opt/home-assistant") if root else folder, root)
    if done.exists():
        return installed
    print(f"Installing Home Assistant {version} into {folder}; this takes some minutes once.", flush=True)
    if root is None:
        if sys.version_info[:2] != (3, 11):
            sys.exit(f"Home Assistant {version} wants Python 3.11, and this is {sys.version.split()[0]}.")
        folder.mkdir(parents=True, exist_ok=True)
        run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    else:
        make_debian(root, folder)
        installed.folder.mkdir(parents=True, exist_ok=True)
        run(installed.command("python3", "-m", "venv", installed.inside(installed.folder / "venv")), folder)
    wanted = "homeassistant" if version == "newest" else f"homeassistant=={version}"
    pip = installed.command(installed.python, "-m", "pip", "install", "-q", "--no-input")
    run([*pip, wanted], folder)
    asked = installed.command(installed.python, "-c", NEEDS, *INTEGRATIONS)
    needed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    (installed.folder / "needed.txt").write_text(needed)
    constraints = next(installed.folder.glob("venv/lib/*/site-packages/homeassistant/package_constraints.txt"))
    more = UNNAMED if root else [*UNNAMED, *TOO_NEW]
    run([*pip, *more, "-r", installed.inside(installed.folder / "needed.txt"), "-c", installed.inside(constraints)], folder)
    done.write_text(installed.version())
    return installed


def make_debian(root: pathlib.Path, folder: pathlib.Path) -> None:
    if os.geteuid() != 0:
        sys.exit("A newer Home Assistant lives in a Debian of its own, which only root can make.")
    if shutil.which("debootstrap") is None:
        run(["apt-get", "update", "-qq"], folder)
        run(["apt-get", "install", "-y", "-qq", "debootstrap"], folder)
    # Some packages of Home Assistant have no wheel for the newest Python, and are compiled.
    packages = "ca-certificates,python3,python3-venv,python3-dev,g++"
    script = "/usr/share/debootstrap/scripts/sid"  # for suites that are younger than debootstrap
    run(["debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(root), MIRROR, script], folder)
    # How this machine reaches its registries.
    for file in ("etc/resolv.conf", "etc/ssl/certs/ca-certificates.crt"):
        if (here := pathlib.Path("/") / file).exists():
            shutil.copyfile(here, root / file)


def run(command: list[str], folder: pathlib.Path) -> None:
    """Runs a command with its words in a log; ends everything when it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "install.log"
    with log.open("a") as words:
        words.write(f"$ {' '.join(command)}\n")
        words.flush()
        ended = subprocess.run(command, stdout=words, stderr=subprocess.STDOUT)
    if ended.returncode != 0:
        sys.exit(f"`{' '.join(command)[:200]}` failed; {log} says why.")
