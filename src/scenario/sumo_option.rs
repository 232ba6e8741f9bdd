//! What is known of an option of SUMO, and the search for one by name.

use super::option_table::SUMO_OPTIONS;
use crate::attributes::{TIME_FORMS, parse_bool, parse_number, parse_time_ms};
use crate::suggest::did_you_mean;

/// An option as SUMO 1.28 declares it (`sumo --save-template`), and what becomes of it here.
#[derive(Debug, PartialEq, Eq)]
pub struct SumoOption {
    pub name: &'static str,
    pub topic: Topic,
    pub kind: Kind,
    /// Empty: none.
    pub default: &'static str,
    /// Other names, separated by blanks; one letter: an abbreviation.
    pub synonyms: &'static str,
    pub status: Status,
    /// What a supported option does, or what happens instead of what others ask for; may be empty.
    pub note: &'static str,
}

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Float,
    Time,
    File,
    /// Several, separated by commas.
    Files,
    Text,
    Texts,
}

/// Whether an option does what it does in SUMO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Supported,
    /// Road traffic and outputs do not depend on it: it is accepted without a word.
    WithoutEffect,
    /// It does not, and a warning says what happens instead.
    Warned,
}

/// Headings of SUMO's help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    Configuration,
    Input,
    Output,
    Time,
    Processing,
    Routing,
    Report,
    Random,
    TraciServer,
    Device,
    Mesoscopic,
    Gui,
}

impl Topic {
    pub const ALL: [Self; 12] = [
        Self::Configuration,
        Self::Input,
        Self::Output,
        Self::Time,
        Self::Processing,
        Self::Routing,
        Self::Report,
        Self::Random,
        Self::TraciServer,
        Self::Device,
        Self::Mesoscopic,
        Self::Gui,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration",
            Self::Input => "Input",
            Self::Output => "Output",
            Self::Time => "Time",
            Self::Processing => "Processing",
            Self::Routing => "Routing",
            Self::Report => "Report",
            Self::Random => "Random numbers",
            Self::TraciServer => "TraCI server",
            Self::Device => "Devices",
            Self::Mesoscopic => "Mesoscopic model",
            Self::Gui => "SUMO's window",
        }
    }

    /// The section of a configuration file.
    pub fn section(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Input => "input",
            Self::Output => "output",
            Self::Time => "time",
            Self::Processing => "processing",
            Self::Routing => "routing",
            Self::Report => "report",
            Self::Random => "random_number",
            Self::TraciServer => "traci_server",
            Self::Device => "devices",
            Self::Mesoscopic => "mesoscopic",
            Self::Gui => "gui_only",
        }
    }
}

/// A row of the table.
pub(super) const fn row(
    name: &'static str,
    topic: Topic,
    kind: Kind,
    default: &'static str,
    synonyms: &'static str,
    status: Status,
    note: &'static str,
) -> SumoOption {
    SumoOption { name, topic, kind, default, synonyms, status, note }
}

impl SumoOption {
    /// The option of a name, a synonym or an abbreviation.
    pub fn find(name: &str) -> Option<&'static Self> {
        let by_name = SUMO_OPTIONS.binary_search_by(|option| option.name.cmp(name)).ok().map(|at| &SUMO_OPTIONS[at]);
        by_name.or_else(|| SUMO_OPTIONS.iter().find(|option| option.other_names().any(|other| other == name)))
    }

    /// Names, synonyms and abbreviations of all options.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        SUMO_OPTIONS.iter().flat_map(|option| std::iter::once(option.name).chain(option.other_names()))
    }

    /// What is wrong with a name that no option has, and which may be meant.
    pub fn unknown(name: &str) -> String {
        let known = Self::all_names().filter(|name| name.len() > 1);
        format!("SUMO has no option '{name}'{}", did_you_mean(name, known))
    }

    /// Synonyms and the abbreviation.
    pub fn other_names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.synonyms.split_whitespace()
    }

    /// The letter that stands for the option on a command line.
    pub fn letter(&self) -> Option<char> {
        self.other_names().find(|name| name.len() == 1).and_then(|name| name.chars().next())
    }

    /// Whether a value may be left out, which then is `true`.
    pub fn is_switch(&self) -> bool {
        self.kind == Kind::Bool
    }

    /// `Err` says what the value would have to be.
    pub fn check(&self, value: &str) -> Result<(), &'static str> {
        let (is_good, expected) = match self.kind {
            Kind::Bool => (parse_bool(value).is_some(), "'true' or 'false'"),
            Kind::Int => (value.trim().parse::<i64>().is_ok(), "a whole number"),
            Kind::Float => (parse_number(value).is_some(), "a finite number"),
            Kind::Time => (parse_time_ms(value).is_some(), TIME_FORMS),
            Kind::File | Kind::Files | Kind::Text | Kind::Texts => (true, ""),
        };
        if is_good { Ok(()) } else { Err(expected) }
    }

    /// Whether a value asks for nothing else than leaving the option out.
    pub fn is_default(&self, value: &str) -> bool {
        let value = value.trim();
        let same = |parse: &dyn Fn(&str) -> Option<f64>| parse(value).is_some() && parse(value) == parse(self.default);
        match self.kind {
            Kind::Bool => parse_bool(value) == parse_bool(self.default),
            Kind::Int | Kind::Float => same(&parse_number),
            Kind::Time => same(&|text| parse_time_ms(text).map(|ms| ms as f64)),
            // An empty name asks for nothing.
            Kind::File | Kind::Files | Kind::Text | Kind::Texts => value.is_empty() || value == self.default,
        }
    }

    /// What goes for a value in the help.
    pub fn value_name(&self) -> &'static str {
        match self.kind {
            Kind::Bool => "BOOL",
            Kind::Int => "INT",
            Kind::Float => "FLOAT",
            Kind::Time => "TIME",
            Kind::File => "FILE",
            Kind::Files => "FILES",
            Kind::Text => "STR",
            Kind::Texts => "STR[]",
        }
    }
}
