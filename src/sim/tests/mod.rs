//! Many worlds.

use super::plan::Plan;
use super::run;

#[test]
fn first() {
    let begin = std::time::Instant::now();
    let range = std::env::var("WALFERRY_SEED").unwrap_or_else(|_| "0..100".to_owned());
    let (first, last) = range.split_once("..").map_or((range.parse().unwrap(), range.parse::<u64>().unwrap() + 1), |(a, b)| (a.parse().unwrap(), b.parse().unwrap()));
    let mut bad = 0;
    for seed in first..last {
        let plan = Plan::from_seed(seed);
        let is_traced = std::env::var_os("WALFERRY_TRACE").is_some();
        let outcome = run(&plan, is_traced);
        for line in &outcome.trace { println!("{line}"); }
        if !outcome.findings.is_empty() {
            bad += 1;
            println!("seed {seed}: {:#?}", outcome.findings);
        }
    }
    println!("{bad} bad, {:?}", begin.elapsed());
    assert_eq!(bad, 0);
}
