"""Images made by hand: layers as lists of entries, written as an OCI layout."""

import ctypes.util
import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import tarfile

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def closure(programs):
    """Files that make the programs run: themselves, and the libraries the loader names."""
    files = set()
    for program in programs:
        files.add(os.path.realpath(shutil.which(program)))
        said = subprocess.run(["ldd", shutil.which(program)], capture_output=True, text=True, check=True)
        files.update(word for word in said.stdout.split() if word.startswith("/"))
    return files


def add_programs(tar, programs):
    """The programs, in /bin under their own names, and all that they need."""
    for file in sorted(closure(programs)):
        tar.add(os.path.realpath(file), arcname=file.lstrip("/"))
    for program in programs:
        target = os.path.realpath(shutil.which(program))
        if target != "/bin/" + program:
            link = tarfile.TarInfo("bin/" + program)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)


def layer(files=(), programs=(), folders=()):
    """A layer as tar. files: {path: text}; a name ".wh.x" in a path is a whiteout, as in OCI."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in folders:
            info = tarfile.TarInfo(path)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        add_programs(tar, programs)
        for path, text in dict(files).items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(text), 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def zstd(data):
    lib = ctypes.CDLL(ctypes.util.find_library("zstd"))
    lib.ZSTD_compressBound.restype = lib.ZSTD_compress.restype = ctypes.c_size_t
    room = lib.ZSTD_compressBound(ctypes.c_size_t(len(data)))
    out = ctypes.create_string_buffer(room)
    size = lib.ZSTD_compress(out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)), 3)
    assert size <= room
    return out.raw[:size]


COMPRESSIONS = {"": lambda data: data, "+gzip": gzip.compress, "+zstd": zstd}


def write_layout(folder, layers, config=None):
    """layers: [(tar, compression)], lowest first."""
    blobs = os.path.join(folder, "blobs", "sha256")
    os.makedirs(blobs)

    def add(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        with open(os.path.join(blobs, digest), "wb") as file:
            file.write(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": "sha256:" + digest, "size": len(data)}

    ids = ["sha256:" + hashlib.sha256(tar).hexdigest() for tar, _ in layers]
    about = {"architecture": MACHINES.get(platform.machine(), platform.machine()), "os": "linux",
             "config": config or {}, "rootfs": {"type": "layers", "diff_ids": ids}}
    manifest = {"schemaVersion": 2, "config": add(json.dumps(about).encode(), "config.v1+json"),
                "layers": [add(COMPRESSIONS[how](tar), "layer.v1.tar" + how) for tar, how in layers]}
    index = {"schemaVersion": 2, "manifests": [add(json.dumps(manifest).encode(), "manifest.v1+json")]}
    for name, content in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            json.dump(content, file)
    return folder
