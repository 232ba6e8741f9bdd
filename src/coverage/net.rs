//! The network and signal programs.

use super::{Names, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        element: "net",
        attributes: Names {
            used: &["lefthand"],
            idle: &[
                "version",
                "junctionCornerDetail",
                "junctionLinkDetail",
                "rectangularLaneCut",
                "walkingareas",
                "limitTurnSpeed",
                "checkLaneFoesAll",
                "checkLaneFoesRoundabout",
                "tlsIgnoreInternalJunctionJam",
                "spreadType",
                "avoidOverlap",
                "junctionHigherSpeed",
                "internalJunctionsVehicleWidth",
                "junctionsMinimalShape",
                "junctionsEndpointShape",
            ],
            warned: &[],
        },
        children: Names {
            used: &["location", "type", "edge", "tlLogic", "junction", "connection", "roundabout"],
            idle: &["prohibition", "roundabouts", "taz", "param"],
            warned: &[],
        },
    },
    Row {
        element: "location",
        attributes: Names {
            used: &["netOffset", "convBoundary", "projParameter"],
            idle: &["origBoundary"],
            warned: &[],
        },
        children: Names::NONE,
    },
    Row {
        element: "type",
        attributes: Names {
            used: &["id"],
            idle: &[
                "priority",
                "numLanes",
                "speed",
                "friction",
                "allow",
                "disallow",
                "discard",
                "oneway",
                "width",
                "widthResolution",
                "maxWidth",
                "minWidth",
                "sidewalkWidth",
                "bikeLaneWidth",
                "spreadType",
            ],
            warned: &[],
        },
        children: Names { used: &["restriction"], idle: &["meso", "laneType", "param"], warned: &[] },
    },
    Row {
        element: "restriction",
        attributes: Names { used: &["vClass", "speed"], idle: &[], warned: &[] },
        children: Names::NONE,
    },
    Row {
        element: "edge",
        attributes: Names {
            used: &["id", "function", "from", "to", "priority", "type", "bidi"],
            idle: &["name", "length", "shape", "distance", "spreadType", "crossingEdges", "routingType"],
            warned: &[],
        },
        children: Names { used: &["lane"], idle: &["param"], warned: &["stopOffset"] },
    },
    Row {
        element: "lane",
        attributes: Names {
            used: &[
                "id",
                "index",
                "allow",
                "disallow",
                "speed",
                "length",
                "width",
                "shape",
                "changeLeft",
                "changeRight",
            ],
            idle: &["endOffset", "customShape", "type", "outlineShape", "prefer"],
            warned: &["friction", "acceleration"],
        },
        children: Names { used: &[], idle: &["param"], warned: &["neigh", "stopOffset"] },
    },
    Row {
        element: "junction",
        attributes: Names {
            used: &["id", "x", "y", "type", "incLanes"],
            idle: &["z", "intLanes", "shape", "name", "radius", "customShape", "rightOfWay", "fringe", "roundabout"],
            warned: &[],
        },
        children: Names { used: &["request"], idle: &["param"], warned: &[] },
    },
    Row {
        element: "request",
        attributes: Names { used: &["index", "response", "foes", "cont"], idle: &[], warned: &[] },
        children: Names::NONE,
    },
    Row {
        element: "connection",
        attributes: Names {
            used: &[
                "from",
                "to",
                "fromLane",
                "toLane",
                "keepClear",
                "visibility",
                "allow",
                "disallow",
                "via",
                "tl",
                "linkIndex",
                "dir",
                "state",
            ],
            idle: &["pass", "contPos", "speed", "length", "shape", "uncontrolled", "type"],
            warned: &["linkIndex2", "changeRight", "changeLeft", "indirect"],
        },
        children: Names { used: &[], idle: &["param"], warned: &["conflict"] },
    },
    Row {
        element: "roundabout",
        attributes: Names { used: &["edges"], idle: &["nodes"], warned: &[] },
        children: Names::NONE,
    },
    Row {
        element: "tlLogic",
        attributes: Names { used: &["id", "type", "programID", "offset"], idle: &["nodes", "pos"], warned: &[] },
        children: Names { used: &["phase", "param"], idle: &[], warned: &["condition", "assignment", "function"] },
    },
    Row {
        element: "phase",
        attributes: Names {
            used: &["duration", "state", "minDur", "maxDur", "next", "earliestEnd", "latestEnd"],
            idle: &["name"],
            warned: &["earlyTarget", "finalTarget", "yellow", "red", "vehext"],
        },
        children: Names::NONE,
    },
    Row {
        element: "param",
        attributes: Names { used: &["key", "value"], idle: &[], warned: &[] },
        children: Names::NONE,
    },
];
