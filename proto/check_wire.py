#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the .proto files beside this script with a page of facts about the API.

Usage: check_wire.py FACTS_PAGE

Both sides are turned into one line a fact (a call, a field, an enum value...), and every line that
only one side has is printed. Exits with 0 if there is none, 1 if there are some, 2 if the page
cannot be read, and 77 (skipped) if there is no protoc.

The page has a section a file, "## path · package name", with lines of these forms:

  service pfs_v2.API                                  (full name)
    rpc ListRepo(ListRepoRequest) -> stream RepoInfo
  message RepoInfo.Details                            (below the package, nested with dots)
    1 size_bytes: int64                               (repeated T, map<K, V>; then any of:
                                                       oneof NAME, optional, deprecated, json=NAME)
  enum RepoPage.Ordering: PROJECT_REPO=0, OTHER=1
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True      # leave no __pycache__ in the source tree
import descriptor_set               # noqa: E402

PROTO_DIR = pathlib.Path(__file__).resolve().parent
WELL_KNOWN_DIR = "/usr/include"
SKIPPED = 77

SECTION = re.compile(r"## (\S+) · package (\S+)$")
SERVICE = re.compile(r"service (\S+)$")
RPC = re.compile(r"  rpc (\w+)\((stream )?(\S+)\) -> (stream )?(\S+)$")
MESSAGE = re.compile(r"message (\S+)$")
ENUM = re.compile(r"enum (\S+): (.+)$")
ENUM_VALUE = re.compile(r"(\w+)=(-?\d+)$")
FIELD = re.compile(r"  (\d+) (\w+): (repeated )?(map<\w+, [\w.]+>|[\w.]+)((?: .+)?)$")
MAP = re.compile(r"map<(\w+), (\S+)>$")


class PageError(Exception):
    pass


def lower_camel(name):
    return re.sub(r"_+(.?)", lambda match: match[1].upper(), name)


def file_fact(path, package, syntax):
    return f"file {path}: package {package}, {syntax}"


def rpc_fact(service, name, streams_in, request, streams_out, response):
    return (f"rpc {service}/{name}: {'stream ' if streams_in else ''}{request}"
            f" -> {'stream ' if streams_out else ''}{response}")


def field_fact(message, number, name, repeated, kind, extras, json_name):
    label = "repeated " if repeated else ""
    extras = "".join(f" {extra}" for extra in extras)
    return f"field {message}.{name} = {number}: {label}{kind}{extras} json={json_name}"


class Page:
    """The facts of a page. Type names are completed once all names of the page are known."""

    def __init__(self, text):
        self.facts = set()
        self.packages = {}          # path -> package
        self._names = set()
        self._later = []            # functions that yield facts
        self._section = self._parent = None
        for number, line in enumerate(text.splitlines(), 1):
            try:
                self._line(line.rstrip())
            except PageError as error:
                raise PageError(f"line {number}: {error}") from None
        for make in self._later:
            self._add(make())

    def _add(self, fact):
        if fact in self.facts:
            raise PageError(f"said twice: {fact}")
        self.facts.add(fact)

    def _type(self, package, name):
        """A name without package belongs to the package of its section."""
        if match := MAP.match(name):
            return f"map<{match[1]}, {self._type(package, match[2])}>"
        if f"{package}.{name}" in self._names:
            return f"{package}.{name}"
        scalar = name in descriptor_set.SCALARS.values()
        if scalar or name in self._names or name.startswith("google.protobuf."):
            return name
        raise PageError(f"unknown type '{name}' in package {package}")

    def _line(self, line):
        if line.startswith("## "):
            match = SECTION.match(line)
            if not match:
                raise PageError("not a section of a file")
            self._section, self._parent = match.groups(), None
            self.packages[match[1]] = match[2]
            self._add(file_fact(match[1], match[2], "proto3"))
        elif self._section and line:
            path, package = self._section
            if match := SERVICE.match(line):
                self._parent = match[1]
                self._add(f"service {match[1]} in {path}")
            elif match := MESSAGE.match(line):
                self._parent = f"{package}.{match[1]}"
                self._names.add(self._parent)
                self._add(f"message {self._parent} in {path}")
            elif match := ENUM.match(line):
                self._enum(path, f"{package}.{match[1]}", match[2])
            elif match := RPC.match(line):
                self._rpc(package, self._parent, *match.groups())
            elif match := FIELD.match(line):
                self._field(package, self._parent, *match.groups())
            else:
                raise PageError(f"cannot make sense of '{line}'")

    def _enum(self, path, name, values):
        self._parent = None
        self._names.add(name)
        self._add(f"enum {name} in {path}")
        for value in values.split(", "):
            match = ENUM_VALUE.match(value)
            if not match:
                raise PageError(f"cannot make sense of '{value}'")
            self._add(f"value {name}.{match[1]} = {match[2]}")

    def _rpc(self, package, service, name, streams_in, request, streams_out, response):
        self._later.append(lambda: rpc_fact(
            service, name, streams_in, self._type(package, request), streams_out,
            self._type(package, response)))

    def _field(self, package, message, number, name, repeated, kind, tail):
        extras, json_name, words = [], lower_camel(name), tail.split()
        while words:
            word = words.pop(0)
            if word == "oneof" and words:
                extras.append(f"oneof {words.pop(0)}")
            elif word in ("optional", "deprecated"):
                extras.append(word)
            elif word.startswith("json="):
                json_name = word.removeprefix("json=")
            else:
                raise PageError(f"cannot make sense of '{word}'")
        self._later.append(lambda: field_fact(
            message, number, name, repeated, self._type(package, kind), sorted(extras),
            json_name))


def our_facts(files):
    for file in files:
        yield file_fact(file.path, file.package, file.syntax)
        for message in file.messages:
            if message.is_map_entry:
                continue
            yield f"message {message.full_name} in {file.path}"
            for each in message.fields:
                extras = [f"oneof {each.oneof}"] if each.oneof else []
                extras += ["optional"] if each.optional else []
                extras += ["deprecated"] if each.deprecated else []
                yield field_fact(message.full_name, each.number, each.name, each.repeated,
                                 each.type, sorted(extras), each.json_name)
        for enum in file.enums:
            yield f"enum {enum.full_name} in {file.path}"
            yield from (f"value {enum.full_name}.{name} = {value}" for name, value in enum.values)
        for service in file.services:
            yield f"service {service.full_name} in {file.path}"
            for each in service.methods:
                yield rpc_fact(service.full_name, each.name, each.client_streaming, each.input,
                               each.server_streaming, each.output)


def our_files(protoc):
    """All files below this folder, compiled, without their imports from elsewhere."""
    paths = sorted(str(path.relative_to(PROTO_DIR)) for path in PROTO_DIR.rglob("*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".desc") as out:
        subprocess.run([protoc, f"--proto_path={PROTO_DIR}", f"--proto_path={WELL_KNOWN_DIR}",
                        f"--descriptor_set_out={out.name}", *paths], check=True)
        return descriptor_set.parse(pathlib.Path(out.name).read_bytes())


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    protoc = shutil.which("protoc") or shutil.which("protoc-c")
    if not protoc:
        print("skipped: no protoc")
        return SKIPPED
    try:
        page = Page(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    except (OSError, PageError) as error:
        print(f"could not read facts page '{sys.argv[1]}': {error}", file=sys.stderr)
        return 2

    # A file of a package that is not on the page at all is our own business.
    files = our_files(protoc)
    packages = set(page.packages.values())
    ours = list(our_facts(f for f in files if f.package in packages))
    differences = [f"only on the page: {fact}" for fact in sorted(page.facts - set(ours))]
    differences += [f"only in ours: {fact}" for fact in sorted(set(ours) - page.facts)]
    for difference in differences:
        print(difference)
    print(f"{len(page.facts)} facts on the page, {len(ours)} in ours, "
          f"{len(differences)} differences; not compared: "
          + (", ".join(f.path for f in files if f.package not in packages) or "nothing"))
    return 1 if differences or not page.facts else 0


if __name__ == "__main__":
    sys.exit(main())
