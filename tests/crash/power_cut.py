"""What a disk may hold when the power fails, from the trace that disk_trace.c made.

What was synced is there. Of the writes after that, each sector may have come or not; a file's end
may have come without what is before it; names of a folder come in order, as journals keep them.
"""

import os
import struct

HEAD = struct.Struct("<cQQI")


class File:
    """Operations on a file's content or, for a folder, on its names."""

    def __init__(self):
        self.ops, self.durable, self.syncs = [], 0, []

    def begin_sync(self):
        self.syncs.append(len(self.ops))

    def end_sync(self):
        self.durable = max(self.durable, self.syncs.pop(0))  # the oldest: never too much


class Trace:
    def __init__(self, path, folder):
        with open(path, "rb") as file:
            self.raw = file.read()
        self.folder = folder
        self.folders = {os.stat(where).st_ino: where for where, _, _ in os.walk(folder)}

    def records(self, end):
        at = 0
        while at + HEAD.size <= end:
            op, inode, where, size = HEAD.unpack_from(self.raw, at)
            at += HEAD.size + size
            if at > end:
                return
            yield op, inode, where, self.raw[at - size:at]

    def replay(self, end):
        """Files by inode, and folders by path, as they are at a moment."""
        files, folders = {}, {}
        for op, inode, where, data in self.records(end):
            if op in (b"C", b"R", b"U"):
                paths = data.decode().split("\0")
                made = files.setdefault(inode, File()) if op == b"C" else None
                if op == b"C":
                    made = files[inode] = File()  # an inode's number may come again
                folder = folders.setdefault(os.path.dirname(paths[0]), File())
                folder.ops.append((op, paths, made))
                continue
            # Only files are written; a folder may have the number of a file that is gone.
            place = self.folders.get(inode) if op in (b"B", b"E") else None
            target = (folders.setdefault(place, File()) if place
                      else files.setdefault(inode, File()))
            if op == b"B":
                target.begin_sync()
            elif op == b"E":
                target.end_sync()
            else:
                target.ops.append((op, where, data))
        return folders

    def disk(self, end, chance, into):
        """Writes a disk that may be found after a power cut at this place of the trace."""
        luck = chance.choice((0.0, 0.5, 0.5, 0.9, 1.0))
        names = {}
        for folder in self.replay(end).values():
            loose = len(folder.ops) - folder.durable
            for op in folder.ops[:folder.durable + round(loose * chance.random() * luck)]:
                rename(names, *op)
        for where in self.folders.values():
            os.makedirs(into + where[len(self.folder):], exist_ok=True)
        for path, file in names.items():
            with open(into + path[len(self.folder):], "wb") as out:
                for op in file.ops[:file.durable]:
                    apply(out, *op)
                for op in file.ops[file.durable:]:
                    tear(out, *op, chance, luck)


def rename(names, op, paths, made):
    if op == b"C":
        names[paths[0]] = made
    elif op == b"U":
        names.pop(paths[0], None)
    elif paths[0] in names:
        names[paths[1]] = names.pop(paths[0])


def apply(out, op, where, data):
    if op == b"T":
        out.truncate(where)
    else:
        out.seek(where)
        out.write(data)


def tear(out, op, where, data, chance, luck):
    if op == b"T":
        if chance.random() < luck:
            out.truncate(where)
        return
    sector = 512 if len(data) <= 1 << 16 else 4096
    at = 0
    while at < len(data):
        size = min(sector - (where + at) % sector, len(data) - at)
        if chance.random() < luck:
            apply(out, b"W", where + at, data[at:at + size])
        at += size
