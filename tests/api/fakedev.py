"""fakedev.py COMMAND…: becomes the command on a machine with two GPUs, as far as /dev tells: nodes of
other drivers stand for NVIDIA's. Needs root; nobody else sees them."""

import ctypes
import os
import stat
import subprocess
import sys
import tempfile

CLONE_NEWNS = 0x00020000
MEMORY = 1  # the driver of null, zero, …
NODES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9,
         "nvidia0": 5, "nvidia1": 5, "nvidiactl": 3, "nvidia-uvm": 3, "nvidia-caps/nvidia-cap1": 5}


def make(folder):
    os.makedirs(os.path.join(folder, "nvidia-caps"))
    for name, minor in NODES.items():
        path = os.path.join(folder, name)
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(MEMORY, minor))
        os.chmod(path, 0o666)
    os.mknod(os.path.join(folder, "tty"), 0o666 | stat.S_IFCHR, os.makedev(5, 0))
    for name in ("pts", "shm"):
        os.mkdir(os.path.join(folder, name))
        subprocess.run(["mount", "--rbind", "/dev/" + name, os.path.join(folder, name)], check=True)
    os.symlink("pts/ptmx", os.path.join(folder, "ptmx"))
    os.symlink("/proc/self/fd", os.path.join(folder, "fd"))


def main():
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        sys.exit("fakedev: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    folder = tempfile.mkdtemp()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
    make(folder)
    subprocess.run(["mount", "--move", folder, "/dev"], check=True)
    os.rmdir(folder)
    os.execvp(sys.argv[1], sys.argv[1:])


main()
