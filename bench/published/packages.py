"""Gets what the benchmark needs from elsewhere: the Python environment, weights in wheels, Debian packages. All of it stays in build/."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / "build/venv"
PYTHON = ENVIRONMENT / "bin/python"

# pip installs these without dependencies, so the list is complete; scripts/setup.sh brings PyTorch and NumPy.
VERSIONS = {
    "ase": "3.29.0",
    "flatbuffers": "25.12.19",
    "ml-dtypes": "0.6.0",
    "onnx": "1.23.2",
    "onnx2torch": "1.5.15",
    "onnxruntime": "1.32.0",
    "opencv-python-headless": "5.0.0.93",
    "packaging": "26.4",
    "pillow": "13.0.0",
    "protobuf": "7.36.2",
    "scipy": "1.17.1",
    "torchvision": "0.28.0",
}
ONNX_RUNTIME = ("onnx", "ml-dtypes", "protobuf", "onnxruntime", "flatbuffers", "packaging")
ONNX_TO_TORCH = (*ONNX_RUNTIME, "onnx2torch", "torchvision", "pillow")

PIP = ("-m", "pip", "--disable-pip-version-check", "--retries", "1", "--timeout", "30", "-q")


class Unavailable(RuntimeError):
    """This machine cannot get a package: a reason to leave a network out, not a failure of the benchmark."""


def enter_environment() -> None:
    """Continues in build/venv; makes it if it does not exist."""
    if Path(sys.prefix).resolve() == ENVIRONMENT.resolve():
        return
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import torch"], check=False, capture_output=True).returncode:
        if subprocess.run([ROOT / "scripts/setup.sh", "--no-build"], check=False).returncode:
            raise Unavailable("scripts/setup.sh could not make build/venv with PyTorch; it said why")
        if not PYTHON.exists():
            raise Unavailable("expected PyTorch in build/venv, where scripts/setup.sh puts it unless ACTSWAP_LIBTORCH or CMAKE_PREFIX_PATH is set")
    os.execv(PYTHON, [PYTHON, *sys.argv])


def install(names: tuple) -> None:
    """Installs Python packages, at the versions above."""
    wanted = [f"{name}=={VERSIONS[name]}" for name in names]
    if not wanted:
        return
    pip(["install", "--no-deps", *wanted], ", ".join(wanted))


def wheel(name: str, version: str, cache: Path) -> Path:
    """@returns the folder of an unpacked wheel, which is not installed"""
    folder = cache / f"{name}-{version}"
    if folder.is_dir():
        return folder
    download = cache / f"{name}-{version}.download"
    pip(["download", "--no-deps", "--only-binary", ":all:", "-d", str(download), f"{name}=={version}"], f"{name}=={version}")
    unfinished = cache / f"{name}-{version}.tmp"
    shutil.rmtree(unfinished, ignore_errors=True)
    with zipfile.ZipFile(next(download.glob("*.whl"))) as archive:
        archive.extractall(unfinished)
    unfinished.rename(folder)
    shutil.rmtree(download)
    return folder


def pip(arguments: list, what: str) -> None:
    done = subprocess.run([sys.executable, *PIP, *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unavailable(f"pip could not fetch {what}: {reason}")


def debian(names: tuple) -> None:
    """Installs missing Debian packages, if this machine allows it."""
    missing = [name for name in names if not is_installed(name)]
    if not missing:
        return
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    command = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise Unavailable(f"these Debian packages are missing, and {error.filename} is not here to install them: {' '.join(missing)}") from error
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Unavailable(f"apt-get could not install {' '.join(missing)}: {reason}")


def is_installed(name: str) -> bool:
    if not shutil.which("dpkg-query"):
        return False
    done = subprocess.run(["dpkg-query", "-W", "-f=${Status}", name], check=False, capture_output=True, text=True)
    return done.stdout == "install ok installed"
