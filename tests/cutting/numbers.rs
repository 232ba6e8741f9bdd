//! How many partitions there are, when nobody says, when bounds are given, and when a number is forced.

use tessds::graph::partition::most_parts;
use tessds::roles::cutting::{Hosts, cut_as_asked};
use tessds::settings::PartitionSettings;

use crate::common::scenarios::{helsinki, scenario};

fn parts(settings: PartitionSettings, hosts: Hosts) -> Result<u32, String> {
    let scenario = scenario(&helsinki(), 60);
    cut_as_asked(&scenario.network, &scenario.demand, 1, &settings, hosts)
        .map(|cut| cut.parts)
        .map_err(|error| error.to_string())
}

#[test]
fn the_number_follows_workers_and_size_within_the_bounds() {
    let settings = |min, max| PartitionSettings { min, max, ..PartitionSettings::default() };
    // A small network is not worth cutting in one process; workers all get something.
    assert_eq!(parts(settings(1, 64), Hosts::Cores(8)), Ok(1));
    assert_eq!(parts(settings(1, 64), Hosts::Workers(5)), Ok(5));
    assert_eq!(parts(settings(3, 64), Hosts::Cores(8)), Ok(3));
    assert_eq!(parts(settings(1, 4), Hosts::Workers(5)), Ok(4));
    assert_eq!(parts(settings(7, 9), Hosts::Workers(5)), Ok(7));
}

#[test]
fn more_workers_than_the_network_can_be_cut_for_stand_by() {
    let most = most_parts(&scenario(&helsinki(), 60).network);
    assert_eq!(parts(PartitionSettings::default(), Hosts::Workers(4000)), Ok(most));
}

#[test]
fn a_number_that_the_network_cannot_give_is_an_error_that_says_what_it_can() {
    let most = most_parts(&scenario(&helsinki(), 60).network);
    for settings in [
        PartitionSettings { count: most + 1, ..PartitionSettings::default() },
        PartitionSettings { min: most + 1, ..PartitionSettings::default() },
    ] {
        let error = parts(settings, Hosts::Cores(1)).unwrap_err();
        assert!(error.contains(&format!("at most {most} partitions, not {}", most + 1)), "{error}");
    }
}
