//! Abstract vehicle classes, the unit of lane permissions.

use serde::{Deserialize, Serialize};

/// SUMO's `vClass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum VehicleClass {
    /// May drive everywhere.
    Ignoring = 0,
    Private,
    Emergency,
    Authority,
    Army,
    Vip,
    Pedestrian,
    Passenger,
    Hov,
    Taxi,
    Bus,
    Coach,
    Delivery,
    Truck,
    Trailer,
    Motorcycle,
    Moped,
    Bicycle,
    Evehicle,
    Tram,
    RailUrban,
    Rail,
    RailElectric,
    RailFast,
    Ship,
    Container,
    CableCar,
    Subway,
    Aircraft,
    Wheelchair,
    Scooter,
    Drone,
    Custom1,
    Custom2,
}

const NAMES: [(&str, VehicleClass); 34] = {
    use VehicleClass::*;
    [
        ("ignoring", Ignoring),
        ("private", Private),
        ("emergency", Emergency),
        ("authority", Authority),
        ("army", Army),
        ("vip", Vip),
        ("pedestrian", Pedestrian),
        ("passenger", Passenger),
        ("hov", Hov),
        ("taxi", Taxi),
        ("bus", Bus),
        ("coach", Coach),
        ("delivery", Delivery),
        ("truck", Truck),
        ("trailer", Trailer),
        ("motorcycle", Motorcycle),
        ("moped", Moped),
        ("bicycle", Bicycle),
        ("evehicle", Evehicle),
        ("tram", Tram),
        ("rail_urban", RailUrban),
        ("rail", Rail),
        ("rail_electric", RailElectric),
        ("rail_fast", RailFast),
        ("ship", Ship),
        ("container", Container),
        ("cable_car", CableCar),
        ("subway", Subway),
        ("aircraft", Aircraft),
        ("wheelchair", Wheelchair),
        ("scooter", Scooter),
        ("drone", Drone),
        ("custom1", Custom1),
        ("custom2", Custom2),
    ]
};

/// Names of older versions of the format and what they stand for now; the manual lists them as deprecated.
const DEPRECATED: [(&str, Option<VehicleClass>); 10] = [
    ("public_transport", Some(VehicleClass::Bus)),
    ("public_emergency", Some(VehicleClass::Emergency)),
    ("public_authority", Some(VehicleClass::Authority)),
    ("public_army", Some(VehicleClass::Army)),
    ("transport", Some(VehicleClass::Truck)),
    ("lightrail", Some(VehicleClass::Tram)),
    ("cityrail", Some(VehicleClass::RailUrban)),
    ("rail_slow", Some(VehicleClass::Rail)),
    ("private_", Some(VehicleClass::Private)),
    ("unknown", None),
];

impl VehicleClass {
    /// The bit of the class in [`Permissions`](crate::graph::Permissions); `ignoring` needs none.
    #[inline]
    pub const fn bit(self) -> u64 {
        match self {
            Self::Ignoring => 0,
            other => 1 << other as u8,
        }
    }
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, c)| *c)
    }
    /// The class that a deprecated name stands for, `Some(None)` for the name of no class; `None`: the name is not known.
    pub fn parse_deprecated(name: &str) -> Option<Option<Self>> {
        DEPRECATED.iter().find(|(old, _)| *old == name).map(|(_, class)| *class)
    }
    pub fn name(self) -> &'static str {
        NAMES[self as usize].0
    }
    /// Runs on rails, on water or in the air: not road traffic.
    pub const fn is_off_road(self) -> bool {
        use VehicleClass::*;
        matches!(self, Tram | RailUrban | Rail | RailElectric | RailFast | Ship | CableCar | Subway | Aircraft | Drone)
    }
}
