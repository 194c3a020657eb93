# SPDX-License-Identifier: Apache-2.0
"""Reads the output of `protoc --descriptor_set_out` with nothing but the standard library.

Only what the build and the checks need is decoded: files, messages, fields, enums and services.
Types of fields are given as texts: "int32", "pfs_v2.Repo", "map<string, bytes>".
"""

import dataclasses
from dataclasses import dataclass, field

SCALARS = {
    1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 6: "fixed64", 7: "fixed32",
    8: "bool", 9: "string", 12: "bytes", 13: "uint32", 15: "sfixed32", 16: "sfixed64",
    17: "sint32", 18: "sint64",
}
LABEL_REPEATED = 3


@dataclass
class Field:
    name: str
    number: int
    type: str
    repeated: bool
    optional: bool          # written with `optional`, so that presence is tracked
    oneof: str              # "" if in none
    deprecated: bool
    json_name: str


@dataclass
class Message:
    full_name: str
    fields: list[Field]
    is_map_entry: bool


@dataclass
class Enum:
    full_name: str
    values: list[tuple[str, int]]


@dataclass
class Method:
    name: str
    input: str
    output: str
    client_streaming: bool
    server_streaming: bool


@dataclass
class Service:
    full_name: str
    methods: list[Method]


@dataclass
class File:
    path: str
    package: str
    syntax: str
    messages: list[Message] = field(default_factory=list)   # nested ones too, after their parent
    enums: list[Enum] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


class _Raw:
    """One encoded message: the values of each field number, in order of appearance."""

    def __init__(self, data):
        self._values = {}
        at = 0
        while at < len(data):
            key, at = _varint(data, at)
            wire_type = key & 7
            if wire_type == 0:
                value, at = _varint(data, at)
            elif wire_type in (1, 5):
                size = 8 if wire_type == 1 else 4
                value, at = data[at:at + size], at + size
            elif wire_type == 2:
                size, at = _varint(data, at)
                value, at = data[at:at + size], at + size
                if len(value) != size:
                    raise ValueError("descriptor set is cut short")
            else:
                raise ValueError(f"descriptor set has wire type {wire_type}")
            self._values.setdefault(key >> 3, []).append(value)

    def num(self, number):
        return self._values.get(number, [0])[-1]

    def text(self, number):
        return self._values.get(number, [b""])[-1].decode()

    def one(self, number):
        return _Raw(b"".join(self._values.get(number, [])))

    def each(self, number):
        return [_Raw(value) for value in self._values.get(number, [])]


def _int32(value):
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _enum(raw, scope):
    values = [(value.text(1), _int32(value.num(2))) for value in raw.each(2)]
    return Enum(f"{scope}{raw.text(1)}", values)


def _field(raw, oneofs):
    options = raw.one(8)
    optional = bool(raw.num(17))
    in_oneof = bool(raw._values.get(9)) and not optional
    return Field(
        name=raw.text(1),
        number=raw.num(3),
        type=SCALARS.get(raw.num(5)) or raw.text(6).removeprefix("."),
        repeated=raw.num(4) == LABEL_REPEATED,
        optional=optional,
        oneof=oneofs[raw.num(9)] if in_oneof else "",
        deprecated=bool(options.num(3)),
        json_name=raw.text(10),
    )


def _message(raw, scope, out):
    full_name = f"{scope}{raw.text(1)}"
    oneofs = [oneof.text(1) for oneof in raw.each(8)]
    fields = [_field(each, oneofs) for each in raw.each(2)]
    out.messages.append(Message(full_name, fields, bool(raw.one(7).num(7))))
    for each in raw.each(3):
        _message(each, full_name + ".", out)
    for each in raw.each(4):
        out.enums.append(_enum(each, full_name + "."))


def _service(raw, scope):
    methods = [
        Method(each.text(1), each.text(2).removeprefix("."), each.text(3).removeprefix("."),
               bool(each.num(5)), bool(each.num(6)))
        for each in raw.each(2)
    ]
    return Service(f"{scope}{raw.text(1)}", methods)


def _resolve_maps(files):
    """Writes map fields as maps. Their entry types stay in the list of messages."""
    entries = {m.full_name: m for f in files for m in f.messages if m.is_map_entry}
    for message in (m for f in files for m in f.messages):
        for index, each in enumerate(message.fields):
            if each.type in entries:
                key, value = (f.type for f in entries[each.type].fields)
                message.fields[index] = dataclasses.replace(
                    each, type=f"map<{key}, {value}>", repeated=False)


def parse(data):
    """Returns the files of an encoded google.protobuf.FileDescriptorSet, as a list of File."""
    files = []
    for raw in _Raw(data).each(1):
        out = File(raw.text(1), raw.text(2), raw.text(12) or "proto2")
        scope = f"{out.package}." if out.package else ""
        for each in raw.each(4):
            _message(each, scope, out)
        out.enums += [_enum(each, scope) for each in raw.each(5)]
        out.services += [_service(each, scope) for each in raw.each(6)]
        files.append(out)
    _resolve_maps(files)
    return files
