#!/usr/bin/env python3
"""Lists the elements and attributes of SUMO's XML schemas that TessDS's coverage tables have to hold.

usage: xsd_names.py [XSD_FOLDER] > tests/data/xsd_names.txt

XSD_FOLDER is $SUMO_HOME/data/xsd by default. One line for each name: "PARENT/CHILD" for an element within another one,
"ELEMENT@ATTRIBUTE" for an attribute; sorted. Elements of the same name count as one.
"""
import os
import pathlib
import sys
import xml.etree.ElementTree as ET

XS = '{http://www.w3.org/2001/XMLSchema}'
ROOTS = (('net_file.xsd', 'net'), ('routes_file.xsd', 'routes'), ('additional_file.xsd', 'additional'), ('taz_file.xsd', 'tazs'))


def load(path, types, roots, seen):
    if path in seen:
        return
    seen.add(path)
    schema = ET.parse(path).getroot()
    for child in schema:
        if child.tag == XS + 'include':
            load(path.parent / child.get('schemaLocation'), types, roots, seen)
        elif child.tag == XS + 'complexType':
            types[child.get('name')] = child
        elif child.tag == XS + 'element':
            roots[child.get('name')] = child


def parts(node, types):
    """Attributes and child elements of a complex type, those of its base included."""
    for child in node:
        if child.tag == XS + 'attribute':
            yield 'attribute', child
        elif child.tag == XS + 'element':
            yield 'element', child
        elif child.tag == XS + 'extension':
            if child.get('base') in types:
                yield from parts(types[child.get('base')], types)
            yield from parts(child, types)
        elif child.tag in (XS + 'sequence', XS + 'choice', XS + 'all', XS + 'complexContent', XS + 'simpleContent'):
            yield from parts(child, types)


def walk(element, types, names, seen):
    name = element.get('name')
    kind = types.get(element.get('type'))
    if kind is None:
        kind = element.find(XS + 'complexType')
    if kind is None or (name, id(kind)) in seen:
        return
    seen.add((name, id(kind)))
    for what, part in parts(kind, types):
        if what == 'attribute':
            names.add(f"{name}@{part.get('name')}")
        elif not part.get('name').endswith('Configuration'):  # the record of the tool that wrote the file
            names.add(f"{name}/{part.get('name')}")
            walk(part, types, names, seen)


def main():
    default = os.path.join(os.environ.get('SUMO_HOME', '.'), 'data', 'xsd')
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default)
    names = set()
    for file, root in ROOTS:
        types, roots = {}, {}
        load(folder / file, types, roots, set())
        walk(roots[root], types, names, set())
    print('\n'.join(sorted(names)))


if __name__ == '__main__':
    main()
