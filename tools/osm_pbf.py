"""Reads OpenStreetMap's PBF format and writes the roads of it as OSM XML, which is what netconvert reads.

Format: the OpenStreetMap wiki, "PBF Format". Only what a road network needs is kept: nodes, ways with a `highway` tag and
turn restrictions.
"""

import struct
import xml.sax.saxutils
import zlib

NANO = 1e-9


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data):
    """[(field number, value)] of one message; a value is an integer or bytes"""
    at, found = 0, []
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
        elif kind == 2:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        else:
            raise ValueError(f"wire type {kind} is not part of the format")
        found.append((key >> 3, value))
    return found


def _all(fields, number):
    return [v for n, v in fields if n == number]


def _one(fields, number, default=None):
    return next((v for n, v in fields if n == number), default)


def _packed(data):
    at, values = 0, []
    while at < len(data):
        value, at = _varint(data, at)
        values.append(value)
    return values


def _signed(value):
    """Undoes zigzag coding."""
    return (value >> 1) ^ -(value & 1)


def _running(data):
    """A delta-coded list of signed integers."""
    total, values = 0, []
    for delta in _packed(data):
        total += _signed(delta)
        values.append(total)
    return values


def _blocks(path):
    """The unpacked OSMData blocks of a file."""
    with open(path, "rb") as file:
        while size := file.read(4):
            header = _fields(file.read(struct.unpack(">I", size)[0]))
            blob = _fields(file.read(_one(header, 3)))
            if _one(header, 1) == b"OSMData":
                raw = _one(blob, 1)
                yield raw if raw is not None else zlib.decompress(_one(blob, 3))


class _Block:
    def __init__(self, data):
        fields = _fields(data)
        self.strings = [s.decode() for s in _all(_fields(_one(fields, 1)), 1)]
        self.granularity = _one(fields, 17, 100)
        self.lat_offset, self.lon_offset = _one(fields, 19, 0), _one(fields, 20, 0)
        self.groups = [_fields(g) for g in _all(fields, 2)]

    def tags(self, fields):
        keys, values = _packed(_one(fields, 2, b"")), _packed(_one(fields, 3, b""))
        return {self.strings[k]: self.strings[v] for k, v in zip(keys, values)}

    def dense_nodes(self, dense):
        """(id, lon, lat, tags) of the nodes of a DenseNodes message"""
        words = iter(_packed(_one(dense, 10, b"")))
        for name, lat, lon in zip(*(_running(_one(dense, n, b"")) for n in (1, 8, 9))):
            tags = {}
            while key := next(words, 0):
                tags[self.strings[key]] = self.strings[next(words)]
            yield name, *self._place(lon, lat), tags

    def _place(self, lon, lat):
        scale = lambda value, offset: NANO * (offset + self.granularity * value)
        return scale(lon, self.lon_offset), scale(lat, self.lat_offset)


def read_roads(path):
    """(nodes, ways, restrictions): {id: (lon, lat, tags)}, {id: (node ids, tags)}, {id: (members, tags)}"""
    nodes, ways, restrictions = {}, {}, {}
    for block in map(_Block, _blocks(path)):
        for group in block.groups:
            for dense in _all(group, 2):
                for name, lon, lat, tags in block.dense_nodes(_fields(dense)):
                    nodes[name] = lon, lat, tags
            for node in map(_fields, _all(group, 1)):
                place = block._place(_signed(_one(node, 9)), _signed(_one(node, 8)))
                nodes[_signed(_one(node, 1))] = *place, block.tags(node)
            for way in map(_fields, _all(group, 3)):
                tags = block.tags(way)
                if "highway" in tags:
                    ways[_one(way, 1)] = _running(_one(way, 8, b"")), tags
            for relation in map(_fields, _all(group, 4)):
                tags = block.tags(relation)
                if tags.get("type") == "restriction":
                    roles = [block.strings[r] for r in _packed(_one(relation, 8, b""))]
                    kinds = [("node", "way", "relation")[k] for k in _packed(_one(relation, 10, b""))]
                    restrictions[_one(relation, 1)] = list(zip(kinds, _running(_one(relation, 9, b"")), roles)), tags
    return nodes, ways, restrictions


def write_osm_xml(path, nodes, ways, restrictions):
    quote = xml.sax.saxutils.quoteattr
    used = {n for refs, _ in ways.values() for n in refs}
    with open(path, "w", encoding="utf-8") as out:

        def tags_and_close(tags, element):
            for key, value in tags.items():
                out.write(f"  <tag k={quote(key)} v={quote(value)}/>\n")
            out.write(f" </{element}>\n")

        out.write('<osm version="0.6" generator="osm_pbf.py">\n')
        for name, (lon, lat, tags) in nodes.items():
            if name in used:
                out.write(f' <node id="{name}" lat="{lat:.7f}" lon="{lon:.7f}">\n')
                tags_and_close(tags, "node")
        for name, (refs, tags) in ways.items():
            out.write(f' <way id="{name}">\n')
            out.writelines(f'  <nd ref="{n}"/>\n' for n in refs if n in nodes)
            tags_and_close(tags, "way")
        for name, (members, tags) in restrictions.items():
            out.write(f' <relation id="{name}">\n')
            out.writelines(f'  <member type="{k}" ref="{m}" role={quote(r)}/>\n' for k, m, r in members)
            tags_and_close(tags, "relation")
        out.write("</osm>\n")
