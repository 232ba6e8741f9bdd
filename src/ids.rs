//! Interned identifiers: `u32` newtypes that index the arrays of a [`Network`](crate::graph::Network) or a
//! [`Demand`](crate::demand::Demand). Strings live only at the edges of the program.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
            bytemuck::Pod, bytemuck::Zeroable,
        )]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// Stands for "no such object"; never indexes anything.
            pub const NONE: Self = Self(u32::MAX);

            /// The id of the `index`-th object. Networks and demands beyond 2³²−2 objects are refused by the readers.
            #[inline]
            pub const fn new(index: usize) -> Self {
                Self(index as u32)
            }
            /// Position in the array that owns the object.
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
            #[inline]
            pub const fn is_none(self) -> bool {
                self.0 == u32::MAX
            }
            #[inline]
            pub const fn is_some(self) -> bool {
                !self.is_none()
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::NONE
            }
        }
    };
}

id!(
    /// A road between two junctions, or a road through a junction (internal edge).
    EdgeId
);
id!(
    /// One lane of an edge.
    LaneId
);
id!(
    /// A lane-to-lane connection.
    LinkId
);
id!(
    /// A node of the road network.
    JunctionId
);
id!(
    /// A traffic light (`tlLogic` id) with all its programs.
    SignalId
);
id!(
    /// A vehicle of the demand, in order of its loading.
    VehicleId
);
id!(
    /// A vehicle type.
    TypeId
);
id!(
    /// A sequence of edges; equal sequences share one id.
    RouteId
);
