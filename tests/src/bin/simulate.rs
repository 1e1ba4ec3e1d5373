//! Runs seeds of the simulation: `simulate [--seed N] [--seeds COUNT] [--from N] [--planted BUG]
//! [--trace]`. Prints what is wrong with the first seed that fails, and its schedule with
//! `--trace`.

use std::process::ExitCode;

use tests::simulation::{Planted, Simulation, soak};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut from, mut seeds, mut traced, mut planted) = (0, 1_000, false, Planted::None);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|number| number.parse().ok());
        let known = match argument.as_str() {
            "--seed" => number().map(|seed| (from, seeds) = (seed, 1)),
            "--from" => number().map(|first| from = first),
            "--seeds" => number().map(|count| seeds = count),
            "--trace" => {
                traced = true;
                Some(())
            }
            "--planted" => {
                let name = arguments.next().unwrap_or_default();
                Planted::ALL.into_iter().find(|bug| format!("{bug:?}") == name).map(|bug| planted = bug)
            }
            _ => None,
        };
        if known.is_none() {
            eprintln!("usage: simulate [--seed N | --from N --seeds COUNT] [--planted BUG] [--trace]");
            eprintln!("bugs: {:?}", Planted::ALL);
            return ExitCode::FAILURE;
        }
    }
    if traced {
        let thread = std::thread::Builder::new().name("simulation".to_owned());
        let run = move || Simulation::new(planted).run(from, true);
        let report = thread.spawn(run).expect("a thread can be started").join().expect("panics are reported");
        print!("{}", report.trace);
        report.wrong.iter().for_each(|wrong| println!("WRONG: {wrong}"));
        return if report.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let soaked = soak(planted, from, seeds);
    println!("{soaked}");
    if soaked.failed.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
