//! Seeds of the simulation, and the bugs that it finds.

use tests::simulation::{Planted, Simulation, soak};

/// How many seeds a bug may take to be found.
const PLANTED_SEEDS_MAX: u64 = 2_000;

#[test]
fn every_seed_comes_to_a_right_end() {
    let seeds = std::env::var("SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let soaked = soak(Planted::None, 0, seeds.unwrap_or(20_000));
    assert!(soaked.failed.is_none(), "{soaked}");
    let (puts, calls) = soaked.work;
    assert!(puts > 5 * soaked.seeds && calls as u64 > soaked.seeds, "seeds that do too little: {soaked}");
}

#[test]
fn a_seed_is_one_schedule() {
    let simulation = Simulation::new(Planted::None);
    for seed in [1, 17, 4_711, 90_210] {
        let (first, second) = (simulation.run(seed, true), simulation.run(seed, true));
        assert!(first.trace.lines().count() > 20, "{}", first.trace);
        assert_eq!(first, second);
    }
}

#[test]
fn planted_bugs_are_found() {
    for planted in Planted::ALL {
        let soaked = soak(planted, 0, PLANTED_SEEDS_MAX);
        assert!(soaked.failed.is_some(), "{planted:?} is not found: {soaked}");
    }
}
