#!/usr/bin/env python3
"""Draws a run as SVG: the road network coloured by how fast traffic moved, with the run's main figures beside it.

    tools/picture.py NET EDGEDATA [--summary FILE] [--tripinfo FILE] [--title TEXT] [-o docs/picture.svg]

All inputs may be gzipped. `make picture` draws the bundled example.
"""

import argparse
import html
import pathlib
import statistics
import xml.etree.ElementTree as ET

import common

HEIGHT, MARGIN, PANEL = 960, 36, 360
BACKGROUND, GROUND, UNUSED, INK, FAINT = "#0d1117", "#161b22", "#30363d", "#e6edf3", "#8b949e"

# Mean speed over speed limit, and its colour: from a standstill to free flow.
SCALE = [(0.0, "#b2182b"), (0.25, "#ef6548"), (0.5, "#fdc35c"), (0.75, "#8fd694"), (1.0, "#2dd4bf")]


def colour(share):
    share = min(max(share, 0.0), 1.0)
    for (low, a), (high, b) in zip(SCALE, SCALE[1:]):
        if share <= high:
            part = (share - low) / (high - low)
            mix = [round(int(a[i : i + 2], 16) * (1 - part) + int(b[i : i + 2], 16) * part) for i in (1, 3, 5)]
            return "#" + "".join(f"{c:02x}" for c in mix)
    return SCALE[-1][1]


class Lane:
    def __init__(self, element, edge, inside_junction):
        self.edge, self.inside_junction = edge, inside_junction
        self.limit = float(element.get("speed"))
        self.width = float(element.get("width", 3.2))
        self.shape = points(element.get("shape"))


def points(text):
    return [tuple(map(float, p.split(",")[:2])) for p in text.split()]


def read_net(path):
    """(lanes, junction outlines); walking areas, crossings and footways are left out"""
    lanes, outlines = [], []
    with common.open_input(path) as file:
        root = ET.parse(file).getroot()
    for e in root.iter("edge"):
        if e.get("function") in (None, "internal"):
            for lane in e.iter("lane"):
                if lane.get("allow") not in ("pedestrian", "bicycle"):
                    lanes.append(Lane(lane, e.get("id"), e.get("function") == "internal"))
    for j in root.iter("junction"):
        if j.get("type") != "internal" and len(points(j.get("shape") or "")) > 2:
            outlines.append(points(j.get("shape")))
    return lanes, outlines


def read_speeds(path):
    """{edge: mean speed in m/s over all intervals}"""
    sums = {}
    with common.open_input(path) as file:
        for _, e in ET.iterparse(file):
            if e.tag == "edge" and e.get("speed") is not None and float(e.get("sampledSeconds", 0)) > 0:
                weight = float(e.get("sampledSeconds"))
                speed, total = sums.get(e.get("id"), (0.0, 0.0))
                sums[e.get("id")] = speed + float(e.get("speed")) * weight, total + weight
    return {k: s / w for k, (s, w) in sums.items()}


def read_summary(path):
    """[(time, vehicles on the road)]"""
    with common.open_input(path) as file:
        return [(float(e.get("time")), int(e.get("running"))) for _, e in ET.iterparse(file) if e.tag == "step"]


def read_trips(path):
    """[(label, value)] of the finished trips"""
    with common.open_input(path) as file:
        trips = [e.attrib for _, e in ET.iterparse(file) if e.tag == "tripinfo"]
    mean = lambda key: statistics.fmean(float(t[key]) for t in trips)
    minutes = lambda seconds: f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    speed = sum(float(t["routeLength"]) for t in trips) / sum(float(t["duration"]) for t in trips) * 3.6
    return [
        ("trips", f"{len(trips):,}"),
        ("mean length", f"{mean('routeLength') / 1000:.2f} km"),
        ("mean duration", minutes(mean("duration"))),
        ("of it lost", minutes(mean("timeLoss"))),
        ("mean speed", f"{speed:.1f} km/h"),
    ]


class Canvas:
    def __init__(self, lanes):
        xs, ys = zip(*(p for lane in lanes for p in lane.shape))
        self.left, self.top = min(xs), max(ys)
        self.scale = (HEIGHT - 2 * MARGIN) / (max(ys) - min(ys))
        self.map_width = (max(xs) - min(xs)) * self.scale
        self.parts = []

    def place(self, shape):
        to_x, to_y = (lambda x: (x - self.left) * self.scale + MARGIN), (lambda y: (self.top - y) * self.scale + MARGIN)
        return " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in shape)

    def lane(self, lane, stroke, opacity=1.0):
        width = max(lane.width * self.scale * 0.92, 0.8)
        fade = f' stroke-opacity="{opacity:g}"' if opacity < 1 else ""
        self.parts.append(f'<polyline points="{self.place(lane.shape)}" stroke="{stroke}" stroke-width="{width:.1f}"{fade}/>')

    def text(self, x, y, words, size=15, fill=INK, anchor="start", weight="400"):
        self.parts.append(
            f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" font-weight="{weight}">'
            f"{html.escape(words)}</text>"
        )


def draw_map(canvas, lanes, outlines, speeds):
    canvas.parts.append('<g fill="none" stroke-linecap="round" stroke-linejoin="round">')
    canvas.parts += [f'<polygon points="{canvas.place(o)}" fill="{UNUSED}"/>' for o in outlines]
    for lane in lanes:
        if not lane.inside_junction and lane.edge not in speeds:
            canvas.lane(lane, UNUSED)
    for lane in sorted((n for n in lanes if n.edge in speeds), key=lambda n: n.inside_junction):
        canvas.lane(lane, colour(speeds[lane.edge] / lane.limit), 0.35 if lane.inside_junction else 1.0)
    canvas.parts.append("</g>")


def draw_panel(canvas, x, title, figures, curve):
    y = MARGIN + 30
    for n, line in enumerate(title.split("|")):
        if n == 0:
            canvas.text(x, y, line, 26, weight="600")
        else:
            canvas.text(x, y, line, fill=FAINT)
        y += 28
    y += 30
    for label, value in figures:
        canvas.text(x, y, label, fill=FAINT)
        canvas.text(x + PANEL - MARGIN, y, value, anchor="end", weight="600")
        y += 30
    if curve:
        y += 30
        canvas.text(x, y, "vehicles on the road", fill=FAINT)
        canvas.text(x + PANEL - MARGIN, y, f"at most {max(n for _, n in curve):,}", fill=FAINT, anchor="end")
        draw_curve(canvas, x, y + 16, PANEL - MARGIN, 150, curve)
    draw_legend(canvas, x, HEIGHT - MARGIN - 60)


def draw_curve(canvas, x, y, width, height, curve):
    start, end = curve[0][0], curve[-1][0]
    top = max(n for _, n in curve) or 1
    step = max(len(curve) // width, 1)
    line = [(x + (t - start) / (end - start) * width, y + height * (1 - n / top)) for t, n in curve[::step]]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in line)
    area = f"{x:.1f},{y + height:.1f} {path} {x + width:.1f},{y + height:.1f}"
    canvas.parts.append(f'<polygon points="{area}" fill="#2dd4bf" fill-opacity="0.18"/>')
    canvas.parts.append(f'<polyline points="{path}" fill="none" stroke="#2dd4bf" stroke-width="1.6"/>')
    canvas.parts.append(f'<line x1="{x:.1f}" x2="{x + width:.1f}" y1="{y + height:.1f}" y2="{y + height:.1f}" stroke="{FAINT}"/>')
    for at, words, anchor in ((x, f"{start / 60:.0f} min", "start"), (x + width, f"{end / 60:.0f} min", "end")):
        canvas.text(at, y + height + 18, words, 12, FAINT, anchor)


def draw_legend(canvas, x, y):
    width = PANEL - MARGIN
    stops = "".join(f'<stop offset="{share}" stop-color="{c}"/>' for share, c in SCALE)
    canvas.parts.append(f'<defs><linearGradient id="scale">{stops}</linearGradient></defs>')
    canvas.text(x, y, "mean speed, in parts of the speed limit", fill=FAINT)
    canvas.parts.append(f'<rect x="{x:.0f}" y="{y + 14:.0f}" width="{width}" height="12" rx="6" fill="url(#scale)"/>')
    for share, words, anchor in ((0, "standing", "start"), (0.5, "half", "middle"), (1, "free", "end")):
        canvas.text(x + share * width, y + 46, words, 13, FAINT, anchor)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("net")
    p.add_argument("edgedata")
    p.add_argument("--summary", help="adds the curve of vehicles on the road")
    p.add_argument("--tripinfo", help="adds the means over the trips")
    p.add_argument("--title", default="", help="first line in large letters; | begins a new line")
    p.add_argument("--credit", default="", help="a line of small print, such as the source of the map")
    p.add_argument("-o", "--output", type=pathlib.Path, default=common.DOCS / "picture.svg")
    a = p.parse_args()

    lanes, outlines = read_net(a.net)
    canvas = Canvas(lanes)
    draw_map(canvas, lanes, outlines, read_speeds(a.edgedata))
    panel_x = canvas.map_width + 2.5 * MARGIN
    draw_panel(canvas, panel_x, a.title, read_trips(a.tripinfo) if a.tripinfo else [], read_summary(a.summary) if a.summary else [])
    if a.credit:
        canvas.text(panel_x, HEIGHT - 10, a.credit, 11, FAINT)
    width = panel_x + PANEL
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {HEIGHT}" width="{width:.0f}" height="{HEIGHT}"'
        ' font-family="system-ui, -apple-system, Segoe UI, Roboto, sans-serif">',
        f'<rect width="100%" height="100%" fill="{BACKGROUND}"/>',
        f'<rect x="{MARGIN / 2:.0f}" y="{MARGIN / 2:.0f}" width="{canvas.map_width + MARGIN:.0f}" height="{HEIGHT - MARGIN}"'
        f' rx="14" fill="{GROUND}"/>',
        *canvas.parts,
        "</svg>",
    ]
    common.replace_file(a.output, "\n".join(svg) + "\n")
    print(f"wrote {a.output}, {a.output.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
