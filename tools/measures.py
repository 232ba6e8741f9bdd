"""What a run's outputs say, and how far two runs lie apart.

Every figure is taken against SUMO's mean over several seeds, with SUMO's own seed-to-seed spread as the yardstick: an
error of 1.0 means "as close to SUMO as another seed of SUMO".
"""

import math
import statistics
import xml.etree.ElementTree as ET

MEANS = ("duration", "timeLoss", "waitingTime", "routeLength", "departDelay")

# An edge counts for GEH when SUMO sends at least this many vehicles over it, and for the speed error when vehicles
# spent more than this many seconds on it.
MIN_VEHICLES = 10
MIN_SAMPLED_S = 60.0
MIN_SPEED = 0.1


class Outcome:
    """The outputs of one run.

    means      over the finished trips, and their number as `trips`
    durations  {trip: seconds}
    entered    {edge: vehicles that came onto it, departures included}
    speeds     {edge: (mean speed in m/s, vehicle seconds sampled)}
    """

    def __init__(self, tripinfo, edgedata):
        self.durations, sums = {}, dict.fromkeys(MEANS, 0.0)
        for e in _elements(tripinfo, "tripinfo"):
            self.durations[e.get("id")] = float(e.get("duration"))
            for key in MEANS:
                sums[key] += float(e.get(key))
        n = len(self.durations)
        self.means = {"trips": n, **{k: sums[k] / n if n else 0.0 for k in MEANS}}
        self.entered, self.speeds = {}, {}
        for e in _elements(edgedata, "edge"):
            self._add_edge(e)

    def _add_edge(self, e):
        name = e.get("id")
        if name.startswith(":"):
            return
        self.entered[name] = self.entered.get(name, 0.0) + float(e.get("entered", 0)) + float(e.get("departed", 0))
        sampled = float(e.get("sampledSeconds", 0))
        if sampled and e.get("speed") is not None:
            speed, before = self.speeds.get(name, (0.0, 0.0))
            total = before + sampled
            self.speeds[name] = ((speed * before + float(e.get("speed")) * sampled) / total, total)


def _elements(path, tag):
    for _, e in ET.iterparse(path):
        if e.tag == tag:
            yield e
            e.clear()


def mean_durations(outcomes):
    """{trip: mean duration over the runs in which it finished}"""
    return _mean_where_known([o.durations for o in outcomes])


def mean_entered(outcomes):
    """{edge: mean number of vehicles}, where a run that does not list the edge counts as none"""
    keys = set().union(*(o.entered for o in outcomes))
    return {k: statistics.fmean(o.entered.get(k, 0.0) for o in outcomes) for k in keys}


def mean_speeds(outcomes):
    """{edge: (mean speed weighted by time, mean sampled seconds)}"""
    gathered = {}
    for o in outcomes:
        for k, v in o.speeds.items():
            gathered.setdefault(k, []).append(v)
    return {
        k: (sum(s * w for s, w in v) / sum(w for _, w in v), statistics.fmean(w for _, w in v))
        for k, v in gathered.items()
    }


def _mean_where_known(dicts):
    gathered = {}
    for d in dicts:
        for k, v in d.items():
            gathered.setdefault(k, []).append(v)
    return {k: statistics.fmean(v) for k, v in gathered.items()}


def trip_distance(durations, reference):
    """Mean absolute difference of trip durations in seconds, over the trips that both know."""
    gaps = [abs(durations[k] - reference[k]) for k in durations if k in reference]
    return statistics.fmean(gaps) if gaps else math.nan


def speed_distance(speeds, reference):
    """Mean relative difference of edge speeds, weighted by the seconds that the reference sampled."""
    gap = weight = 0.0
    for k, (speed, sampled) in reference.items():
        if k in speeds and sampled > MIN_SAMPLED_S and speed > MIN_SPEED:
            gap += abs(speeds[k][0] - speed) / speed * sampled
            weight += sampled
    return gap / weight if weight else math.nan


def geh(ours, theirs):
    """The GEH statistic of two hourly flows."""
    return math.sqrt(2 * (ours - theirs) ** 2 / (ours + theirs)) if ours + theirs else 0.0


def leave_one_out(outcomes, distance):
    """Distances of each run to the mean of the other runs."""
    return [distance(o, outcomes[:i] + outcomes[i + 1 :]) for i, o in enumerate(outcomes)]


def reference(outcomes, **more):
    """All that has to be kept of SUMO's runs, as plain data for JSON."""
    return {
        **more,
        "trips": {k: round(v, 2) for k, v in mean_durations(outcomes).items()},
        "entered": {k: round(v, 2) for k, v in mean_entered(outcomes).items()},
        "speed": {k: [round(s, 3), round(w, 1)] for k, (s, w) in mean_speeds(outcomes).items()},
        "trip_noise": leave_one_out(outcomes, lambda o, rest: trip_distance(o.durations, mean_durations(rest))),
        "speed_noise": leave_one_out(outcomes, lambda o, rest: speed_distance(o.speeds, mean_speeds(rest))),
    }


def compare(outcomes, ref, hours):
    """The figures of our runs against a reference."""
    figures = {}
    for key in ("trips", *MEANS):
        theirs = [run[key] for run in ref["runs"]]
        mean, spread = statistics.fmean(theirs), statistics.pstdev(theirs)
        ours = statistics.fmean(o.means[key] for o in outcomes)
        figures[key] = {
            "ours": round(ours, 3),
            "sumo": round(mean, 3),
            "sumo_sd": round(spread, 3),
            "ratio": round(ours / mean, 4) if mean else None,
            "sigmas": round((ours - mean) / spread, 2) if spread > 1e-9 else 0.0,
        }
    flows = mean_entered(outcomes)
    busy = [k for k, n in ref["entered"].items() if n >= MIN_VEHICLES]
    gehs = [geh(flows.get(k, 0.0) / hours, ref["entered"][k] / hours) for k in busy]
    if gehs:
        figures["geh5"] = round(sum(g < 5 for g in gehs) / len(gehs), 4)
        figures["geh_mean"] = round(statistics.fmean(gehs), 3)
    else:
        figures["geh5"] = figures["geh_mean"] = math.nan
    figures["edges"] = len(busy)
    trip = statistics.fmean(trip_distance(o.durations, ref["trips"]) for o in outcomes)
    speed = statistics.fmean(speed_distance(o.speeds, ref["speed"]) for o in outcomes)
    figures["trip_error"] = round(trip / statistics.fmean(ref["trip_noise"]), 3)
    figures["speed_error"] = round(speed / statistics.fmean(ref["speed_noise"]), 3)
    return figures


def worst_edges(outcomes, ref, hours, count):
    """The edges that lie furthest from the reference: [(GEH, edge, our vehicles, SUMO's vehicles)]"""
    flows = mean_entered(outcomes)
    rows = [(geh(flows.get(k, 0.0) / hours, n / hours), k, flows.get(k, 0.0), n) for k, n in ref["entered"].items()]
    return sorted((r for r in rows if r[3] >= MIN_VEHICLES), reverse=True)[:count]
