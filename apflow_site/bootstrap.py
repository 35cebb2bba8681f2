"""Prepares `.venv` from requirements.lock and restarts there, so `python3 manage.py up` works on a fresh machine.

Standard library only, and it parses and runs on Python 3.8: an old system Python may be what starts it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys

try:
    import fcntl
except ImportError:  # Windows: two first starts at the same moment are not kept apart there
    fcntl = None  # type: ignore[assignment,unused-ignore]

MINIMUM = (3, 12)
NAMES = ("3.13", "3.14", "3.12")  # in order of preference
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WINDOWS = os.name == "nt"
CHECK = "import sys; sys.exit(sys.version_info[:2] < (%d, %d))" % MINIMUM
CHECK_WITH_PIP = "import ensurepip, venv; " + CHECK
WHERE = "import sys; print(sys.executable)"
REMEDY = """No Python %d.%d or newer was found that can make a virtual environment.
Install one and run this again, for example:
  Debian, Ubuntu:  apt install python3 python3-venv   (if its python3 is %d.%d or newer)
  any system:      uv (it brings a Python of its own), pyenv, or the installer of python.org""" % (MINIMUM + MINIMUM)


def bootstrap(manage_py: str) -> None:
    """Returns inside a virtual environment, or with APFLOW_BOOTSTRAP=0; otherwise goes on in `.venv` and never returns.

    Effects: makes or renews `.venv` when it does not fit requirements.lock. Exits with 1 when that fails.
    """
    if sys.prefix != getattr(sys, "base_prefix", sys.prefix) or os.environ.get("APFLOW_BOOTSTRAP") == "0":
        return
    venv = Venv(ROOT)
    try:
        venv.ensure()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted: the next start begins anew.")
    except (OSError, subprocess.SubprocessError) as error:
        sys.exit("Could not prepare .venv: %s\nMend the cause shown above and run this again." % error)
    os.environ.pop("__PYVENV_LAUNCHER__", None)  # set by Python on macOS; the new one would believe it is the old one
    command = [venv.python, os.path.abspath(manage_py), *sys.argv[1:]]
    if WINDOWS:
        sys.exit(subprocess.call(command))
    os.execv(venv.python, command)


class Venv:
    """The folder `.venv` under *root*. Its stamp, written last, names the lock it was made from: no stamp, no trust."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.inherited: tuple[int, ...] = ()  # an installer that outlives us keeps the lock
        self.lock = os.path.join(root, "requirements.lock")
        self.path = os.path.join(root, ".venv")
        self.stamp = os.path.join(self.path, ".apflow-lock")
        self.python = os.path.join(self.path, *(("Scripts", "python.exe") if WINDOWS else ("bin", "python")))

    def ensure(self) -> None:
        """`.venv` fits the lock; of two processes at once one makes it for both. Raises OSError, SubprocessError."""
        if self.is_ready():
            return
        with open(self.lock, "rb") as lock:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self.inherited = (lock.fileno(),)
            if not self.is_ready():
                self._prepare()

    def is_ready(self) -> bool:
        return os.path.exists(self.python) and self._stamped() == self._digest()

    def _digest(self) -> str:
        with open(self.lock, "rb") as lock:
            return hashlib.sha256(lock.read()).hexdigest()

    def _stamped(self) -> str | None:
        try:
            with open(self.stamp) as stamp:
                return stamp.read()
        except OSError:
            return None

    def _prepare(self) -> None:
        digest = self._digest()
        uv = find_uv()
        if os.path.exists(self.python) and self._stamped():  # whole, only older: install over it
            print("requirements.lock has changed: renewing .venv ...", file=sys.stderr)
            os.remove(self.stamp)
        else:
            self._create(uv)
        if uv:
            self._run(uv, "pip", "install", "-q", "--require-hashes", "--python", self.python, "-r", self.lock)
        else:
            pip = ("-m", "pip", "install", "-qq", "--disable-pip-version-check", "--require-hashes", "-r", self.lock)
            self._run(self.python, *pip)
        with open(self.stamp, "w") as stamp:
            stamp.write(digest)

    def _create(self, uv: str | None) -> None:
        python = find_python(need_pip=not uv)
        if python is None and uv is None:
            sys.exit(REMEDY)
        how = "uv" if uv else "pip (uv would be faster, but is not installed)"
        print("Preparing .venv from requirements.lock by %s, on the first start only ..." % how, file=sys.stderr)
        shutil.rmtree(self.path, ignore_errors=True)
        if uv:
            self._run(uv, "venv", "-q", "--no-project", "--clear", "--seed", "--python", python or NAMES[0], self.path)
        elif python:
            self._run(python, "-m", "venv", self.path)

    def _run(self, *command: str) -> None:
        subprocess.check_call(command, cwd=self.root, pass_fds=self.inherited)


def find_uv() -> str | None:
    """Path of a uv that runs (a pyenv shim may exist and not), or None."""
    uv = shutil.which("uv")
    return uv if uv and works([uv, "--version"]) else None


def find_python(need_pip: bool = True, candidates: list[list[str]] | None = None) -> str | None:
    """Path of the first of *candidates* that is new enough (and can make a virtual environment), or None."""
    for command in candidates_here() if candidates is None else candidates:
        if works([*command, "-c", CHECK_WITH_PIP if need_pip else CHECK]):
            return subprocess.check_output([*command, "-c", WHERE], universal_newlines=True).strip()
    return None


def candidates_here() -> list[list[str]]:
    """Commands that may start a Python: this one, those on PATH, then those of pyenv, mise and asdf off PATH."""
    found = [[sys.executable]] + [["python" + name] for name in NAMES]
    if WINDOWS:
        found += [["py", "-" + name] for name in NAMES]
    home = os.path.expanduser("~")
    pyenv = os.environ.get("PYENV_ROOT") or os.path.join(home, ".pyenv")
    for folder in (
        os.path.join(pyenv, "versions"),
        os.path.join(home, ".local", "share", "mise", "installs", "python"),
        os.path.join(home, ".asdf", "installs", "python"),
    ):
        found += [[os.path.join(folder, version, "bin", "python")] for version in versions_in(folder)]
    return found


def versions_in(folder: str) -> list[str]:
    """Names such as 3.13.1 under *folder*, the preferred first."""
    try:
        present = sorted(os.listdir(folder), key=numbers, reverse=True)
    except OSError:
        return []
    return [version for name in NAMES for version in present if version == name or version.startswith(name + ".")]


def numbers(version: str) -> list[int]:
    """Sort key: 3.13.10 comes after 3.13.9."""
    return [int(part) if part.isdigit() else -1 for part in version.split(".")]


def works(command: list[str]) -> bool:
    """Whether *command* ends with 0 within 20 seconds."""
    quiet = subprocess.DEVNULL
    try:
        return subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=20).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
