//! Stopping places, measurements and districts; what stands at the top of route and additional files.

use super::{Names, Row};

/// Elements that may stand at the top of route and of additional files.
const TOP_USED: &[&str] = &[
    "vTypeDistribution",
    "routeDistribution",
    "vType",
    "vehicle",
    "route",
    "flow",
    "trip",
    "interval",
    "include",
    "busStop",
    "trainStop",
    "containerStop",
    "chargingStation",
    "parkingArea",
    "e1Detector",
    "inductionLoop",
    "e2Detector",
    "laneAreaDetector",
    "e3Detector",
    "entryExitDetector",
    "instantInductionLoop",
    "timedEvent",
    "edgeData",
    "laneData",
    "tlLogic",
    "WAUT",
    "wautJunction",
    "type",
    "taz",
    "tazs",
    "routes",
    "additional",
];

const TOP_IDLE: &[&str] = &[
    "metadata",
    "location",
    "poly",
    "polygon",
    "poi",
    "param",
    "viewsettings",
    "jupedsim",
    "deadlock",
    "tractionSubstation",
    "overheadWireSegment",
    "overheadWireClamp",
    "overheadWire",
];

const TOP_WARNED: &[&str] = &[
    "person",
    "personFlow",
    "container",
    "containerFlow",
    "vTypeProbe",
    "variableSpeedSign",
    "routeProbe",
    "rerouter",
    "calibrator",
    "vaporizer",
    "railSignalConstraints",
    "preference",
];

pub(super) const TOP: Names = Names { used: TOP_USED, idle: TOP_IDLE, warned: TOP_WARNED };

const PARAM: Names = Names { used: &[], idle: &["param"], warned: &[] };
const ACCESS: Names = Names { used: &[], idle: &["param", "access"], warned: &[] };

const MEAN_DATA: Names = Names {
    used: &[
        "id",
        "type",
        "period",
        "freq",
        "file",
        "begin",
        "end",
        "maxTraveltime",
        "maxTravelTime",
        "excludeEmpty",
        "withInternal",
        "trackVehicles",
        "vTypes",
        "edges",
        "minSamples",
        "speedThreshold",
    ],
    idle: &["name"],
    warned: &["detectPersons", "writeAttributes", "edgesFile", "aggregate", "speedThresholdRelative"],
};

const LOOP: Names = Names {
    used: &["id", "lane", "pos", "period", "freq", "file", "vTypes", "friendlyPos"],
    idle: &["name", "mesoTLS", "splitByType", "type"],
    warned: &["length", "nextEdges", "detectPersons"],
};

const AREA: Names = Names {
    used: &[
        "id",
        "lane",
        "lanes",
        "file",
        "pos",
        "endPos",
        "length",
        "period",
        "freq",
        "timeThreshold",
        "speedThreshold",
        "vTypes",
        "friendlyPos",
    ],
    // SUMO 1.28 makes nothing of jamThreshold.
    idle: &["name", "show", "cont", "jamThreshold"],
    warned: &["tl", "to", "nextEdges", "detectPersons"],
};

const ENTRY_EXIT: Names = Names {
    used: &["id", "period", "freq", "file", "timeThreshold", "speedThreshold", "vTypes", "expectArrival"],
    idle: &["name", "pos"],
    warned: &["nextEdges", "detectPersons", "openEntry"],
};
const GATES: Names = Names { used: &["detEntry", "detExit"], idle: &["param"], warned: &[] };
const GATE: Names = Names { used: &["lane", "pos", "friendlyPos"], idle: &[], warned: &[] };

pub(super) const ROWS: &[Row] = &[
    Row {
        element: "busStop",
        attributes: Names {
            used: &["id", "lane", "startPos", "endPos", "friendlyPos"],
            idle: &["name", "color", "lines", "personCapacity", "angle"],
            warned: &["parkingLength"],
        },
        children: ACCESS,
    },
    Row {
        element: "trainStop",
        attributes: Names {
            used: &["id", "lane", "startPos", "endPos", "friendlyPos"],
            idle: &["name", "color", "lines", "personCapacity", "angle"],
            warned: &["parkingLength"],
        },
        children: ACCESS,
    },
    Row {
        element: "containerStop",
        attributes: Names {
            used: &["id", "lane", "startPos", "endPos", "friendlyPos"],
            idle: &["name", "color", "lines", "containerCapacity", "angle"],
            warned: &["parkingLength"],
        },
        children: ACCESS,
    },
    Row {
        element: "chargingStation",
        attributes: Names {
            used: &["id", "lane", "startPos", "endPos", "friendlyPos"],
            idle: &[
                "name",
                "lines",
                "power",
                "totalPower",
                "efficiency",
                "chargeInTransit",
                "chargeDelay",
                "chargeType",
                "waitingTime",
                "parkingArea",
                "angle",
            ],
            warned: &[],
        },
        children: ACCESS,
    },
    Row {
        element: "parkingArea",
        attributes: Names {
            used: &["id", "lane", "startPos", "endPos", "friendlyPos", "roadsideCapacity", "onRoad"],
            idle: &["name", "lines", "width", "length", "angle", "lefthand"],
            warned: &["departPos", "acceptedBadges", "reservable"],
        },
        children: Names { used: &["space"], idle: &["param", "access"], warned: &[] },
    },
    Row {
        element: "space",
        attributes: Names {
            used: &[],
            idle: &["x", "y", "z", "name", "width", "length", "angle", "slope"],
            warned: &[],
        },
        children: PARAM,
    },
    Row { element: "inductionLoop", attributes: LOOP, children: PARAM },
    Row { element: "e1Detector", attributes: LOOP, children: PARAM },
    Row { element: "e2Detector", attributes: AREA, children: PARAM },
    Row { element: "laneAreaDetector", attributes: AREA, children: PARAM },
    Row { element: "e3Detector", attributes: ENTRY_EXIT, children: GATES },
    Row { element: "entryExitDetector", attributes: ENTRY_EXIT, children: GATES },
    Row { element: "detEntry", attributes: GATE, children: PARAM },
    Row { element: "detExit", attributes: GATE, children: PARAM },
    Row {
        element: "instantInductionLoop",
        attributes: Names {
            used: &["id", "lane", "pos", "file", "friendlyPos", "vTypes"],
            idle: &["name"],
            warned: &["nextEdges", "detectPersons"],
        },
        children: PARAM,
    },
    Row {
        element: "timedEvent",
        attributes: Names {
            used: &["type", "source", "dest"],
            idle: &[],
            warned: &["saveDetectors", "saveConditions"],
        },
        children: PARAM,
    },
    Row { element: "edgeData", attributes: MEAN_DATA, children: PARAM },
    Row { element: "laneData", attributes: MEAN_DATA, children: PARAM },
    Row {
        element: "taz",
        attributes: Names { used: &["id", "edges"], idle: &["shape", "center", "fill", "color", "name"], warned: &[] },
        children: Names { used: &["tazSource", "tazSink"], idle: &["param"], warned: &[] },
    },
    Row {
        element: "tazSource",
        attributes: Names { used: &["id"], idle: &["weight"], warned: &[] },
        children: Names::NONE,
    },
    Row {
        element: "tazSink",
        attributes: Names { used: &["id"], idle: &["weight"], warned: &[] },
        children: Names::NONE,
    },
    Row {
        element: "tazs",
        attributes: Names::NONE,
        children: Names { used: &["taz"], idle: &["location", "param"], warned: &[] },
    },
    Row {
        element: "WAUT",
        attributes: Names { used: &["id", "refTime", "startProg"], idle: &[], warned: &["period"] },
        children: Names { used: &["wautSwitch"], idle: &[], warned: &[] },
    },
    Row {
        element: "wautSwitch",
        attributes: Names { used: &["time", "to"], idle: &[], warned: &[] },
        children: Names::NONE,
    },
    Row {
        element: "wautJunction",
        attributes: Names { used: &["wautID", "junctionID", "procedure"], idle: &[], warned: &["synchron"] },
        children: Names::NONE,
    },
];
