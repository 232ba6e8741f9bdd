//! Vehicle types and distributions by id, in order of their definition: a type must be defined before it is used.

use std::collections::HashMap;

use crate::attributes::Attributes;
use crate::diagnostics::{InputError, Warnings};
use crate::ids::TypeId;
use crate::xml::shorten;

use super::random::{Purpose, Stream};
use super::type_reader::{TypeDefinition, read_type};
use super::weighted::Weighted;
use super::{DefaultEmergencyDecel, SpeedFactor, VehicleClass, VehicleType};

/// Types that exist without being defined. A file may define each of them anew, once.
const BUILT_IN: [(&str, VehicleClass); 6] = [
    ("DEFAULT_VEHTYPE", VehicleClass::Passenger),
    ("DEFAULT_PEDTYPE", VehicleClass::Pedestrian),
    ("DEFAULT_BIKETYPE", VehicleClass::Bicycle),
    ("DEFAULT_TAXITYPE", VehicleClass::Taxi),
    ("DEFAULT_RAILTYPE", VehicleClass::Rail),
    ("DEFAULT_CONTAINERTYPE", VehicleClass::Container),
];

/// How often a factor outside of its bounds is drawn again before it is cut to them.
const MAX_REDRAWS: u64 = 100;

/// SUMO takes factors of 0 and below, whose vehicles stand for ever; here they creep, which comes to the same.
const LEAST_SPEED_FACTOR: f64 = 0.001;

/// Vehicles name their type in 16 bits.
const MAX_TYPES: usize = 1 << 16;

enum Entry {
    Type(TypeId),
    Distribution(Weighted<TypeId>),
}

pub(super) struct TypeRegistry {
    types: Vec<VehicleType>,
    /// Per type: weight in distributions, and scale.
    probabilities: Vec<f64>,
    scales: Vec<f64>,
    /// Per type: `has.rerouting.device`.
    reroutes: Vec<Option<bool>>,
    by_name: HashMap<Box<str>, Entry>,
    /// Built-in types that no file has defined yet.
    untouched: Vec<TypeId>,
    default_deviation: Option<f64>,
    emergency_decel: DefaultEmergencyDecel,
}

impl TypeRegistry {
    pub fn new(default_deviation: Option<f64>, emergency_decel: DefaultEmergencyDecel) -> Self {
        let mut registry = Self {
            types: Vec::new(),
            probabilities: Vec::new(),
            scales: Vec::new(),
            reroutes: Vec::new(),
            by_name: HashMap::new(),
            untouched: Vec::new(),
            default_deviation,
            emergency_decel,
        };
        for (name, class) in BUILT_IN {
            let mut vtype = VehicleType::default_of(name, class);
            if let Some(deviation) = default_deviation {
                vtype.speed_factor.deviation = deviation;
            }
            emergency_decel.apply(&mut vtype);
            let id = registry.push(TypeDefinition { vtype, probability: 1.0, scale: 1.0 }, None);
            registry.untouched.push(id);
        }
        registry
    }

    fn push(&mut self, definition: TypeDefinition, reroutes: Option<bool>) -> TypeId {
        let id = TypeId::new(self.types.len());
        self.by_name.insert(definition.vtype.name.clone(), Entry::Type(id));
        self.types.push(definition.vtype);
        self.probabilities.push(definition.probability);
        self.scales.push(definition.scale);
        self.reroutes.push(reroutes);
        id
    }

    /// Takes a `vType`. `reroutes`: whether its parameters give or deny it the rerouting device.
    pub fn define(
        &mut self,
        attributes: Attributes<'_>,
        reroutes: Option<bool>,
        warnings: &mut Warnings,
    ) -> Result<TypeId, InputError> {
        let mut definition = read_type(attributes, self.default_deviation, warnings)?;
        if !attributes.has("emergencyDecel") {
            self.emergency_decel.apply(&mut definition.vtype);
        }
        match self.by_name.get(&definition.vtype.name) {
            None if self.types.len() >= MAX_TYPES => {
                Err(attributes.error(format!("more than {MAX_TYPES} vehicle types are not supported")))
            }
            None => Ok(self.push(definition, reroutes)),
            Some(&Entry::Type(id)) if self.untouched.contains(&id) => {
                self.untouched.retain(|&built_in| built_in != id);
                self.types[id.index()] = definition.vtype;
                self.probabilities[id.index()] = definition.probability;
                self.scales[id.index()] = definition.scale;
                self.reroutes[id.index()] = reroutes;
                Ok(id)
            }
            Some(_) => Err(attributes.error("a vehicle type or distribution with this id exists already")),
        }
    }

    /// Takes a `vTypeDistribution` with the members that are nested in it. It may take the name of a built-in type.
    pub fn define_distribution(
        &mut self,
        attributes: Attributes<'_>,
        mut members: Vec<(TypeId, f64)>,
        warnings: &mut Warnings,
    ) -> Result<(), InputError> {
        let name = attributes.id()?;
        let is_untouched = |entry: &Entry| matches!(entry, Entry::Type(id) if self.untouched.contains(id));
        if self.by_name.get(name).is_some_and(|entry| !is_untouched(entry)) {
            return Err(attributes.error("a vehicle type or distribution with this id exists already"));
        }
        let weights = Weighted::<TypeId>::listed_weights(attributes, "vTypes", warnings)?;
        for (place, member) in attributes.text("vTypes").unwrap_or_default().split_whitespace().enumerate() {
            let weight = weights.as_ref().and_then(|weights| weights.get(place)).copied();
            members.extend(self.weighted_members(attributes, member, weight)?);
        }
        let distribution = Weighted::new(members).map_err(|message| attributes.error(message))?;
        if let Some(Entry::Type(id)) = self.by_name.insert(name.into(), Entry::Distribution(distribution)) {
            self.untouched.retain(|built_in| *built_in != id);
        }
        Ok(())
    }

    /// The types that a member of a distribution stands for, with weights that add up to its own.
    pub fn weighted_members(
        &self,
        attributes: Attributes<'_>,
        name: &str,
        weight: Option<f64>,
    ) -> Result<Vec<(TypeId, f64)>, InputError> {
        match self.by_name.get(name) {
            Some(Entry::Type(id)) => Ok(vec![(*id, weight.unwrap_or_else(|| self.probability(*id)))]),
            Some(Entry::Distribution(nested)) => {
                let share = weight.unwrap_or(1.0) / nested.total();
                Ok(nested.weighted().map(|(id, weight)| (*id, weight * share)).collect())
            }
            None => Err(attributes
                .error(format!("vehicle type '{}' is not known; define it before the distribution", shorten(name)))),
        }
    }

    /// Weight of a type in distributions.
    pub fn probability(&self, id: TypeId) -> f64 {
        self.probabilities[id.index()]
    }

    /// Whether a type has the rerouting device by its parameters; `None`: they do not say.
    pub fn reroutes(&self, id: TypeId) -> Option<bool> {
        self.reroutes[id.index()]
    }

    /// The type for a vehicle; drawn when `name` is a distribution. `None`: not defined (yet).
    pub fn choose(&self, name: &str, seed: u64, vehicle: &str) -> Option<TypeId> {
        match self.by_name.get(name)? {
            Entry::Type(id) => Some(*id),
            Entry::Distribution(members) => {
                Some(*members.choose(Stream::new(seed, vehicle, Purpose::VehicleType).uniform(0)))
            }
        }
    }

    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// All types that a name stands for: itself, or the members of a distribution.
    pub fn members(&self, name: &str) -> Option<Vec<TypeId>> {
        match self.by_name.get(name)? {
            Entry::Type(id) => Some(vec![*id]),
            Entry::Distribution(members) => Some(members.values().copied().collect()),
        }
    }

    pub fn get(&self, id: TypeId) -> &VehicleType {
        &self.types[id.index()]
    }

    pub fn scale(&self, id: TypeId) -> f64 {
        self.scales[id.index()]
    }

    pub fn into_types(self) -> Vec<VehicleType> {
        self.types
    }
}

/// Draws a vehicle's factor: normal, drawn again while it is outside of the bounds.
pub(super) fn draw_speed_factor(factor: &SpeedFactor, seed: u64, vehicle: &str) -> f32 {
    if factor.deviation <= 0.0 {
        return factor.mean.max(LEAST_SPEED_FACTOR) as f32;
    }
    let stream = Stream::new(seed, vehicle, Purpose::SpeedFactor);
    let draw = |counter| factor.mean + factor.deviation * stream.normal(counter);
    let value = (0..MAX_REDRAWS)
        .map(draw)
        .find(|v| (factor.min..=factor.max).contains(v))
        .unwrap_or_else(|| factor.mean.clamp(factor.min, factor.max));
    value.max(LEAST_SPEED_FACTOR) as f32
}
