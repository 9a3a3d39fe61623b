//! Instructions and allocations per message, which don't depend on what else the machine does: each case runs under
//! callgrind, which counts inside [`counted_work`] alone, and once more under an allocator that counts.
//!
//! ```text
//! .ci/instructions             # compares with benches/instructions.txt; fails beyond 2 %, or with other allocations
//! .ci/instructions --write     # writes it anew, when a change is meant
//! ```
//!
//! The figures are those of one version of rustc and one kind of processor, by which the C library chooses how it copies: the file
//! names both. Under others they are printed, and fail nothing: write them anew when the machine that CI uses has changed.
#![allow(clippy::allow_attributes, reason = "what is shared asks for it")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a bench that can't run must say so"
)]

#[path = "common/callgrind.rs"]
mod callgrind;
#[path = "common/decoders.rs"]
mod decoders;
#[path = "common/frames.rs"]
mod frames;
#[path = "common/work.rs"]
mod work;

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::{env, fs};

use self::work::{Case, cases};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");

/// By how much a figure may differ from the recorded one.
const TOLERANCE: f64 = 0.02;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--case", name] => run(name),
        ["--write"] => write(),
        [] => compare(),
        _ => {
            eprintln!("usage: .ci/instructions [--write]");
            ExitCode::FAILURE
        }
    }
}

/// What callgrind counts.
#[inline(never)]
fn counted_work(work: Box<dyn FnOnce()>) {
    work();
}

/// Runs a case: once to have made what is made once, and once to be counted.
fn run(name: &str) -> ExitCode {
    let case = cases().into_iter().find(|case| case.name == name).expect("a case");
    case.prepare()();
    counted_work(case.prepare());
    ExitCode::SUCCESS
}

/// Per message.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    instructions: f64,
    allocations: f64,
}

fn count(case: &Case) -> Figures {
    let instructions = callgrind::count("*counted_work*", &["--case", &case.name]);
    // Valgrind would count the calls of what is not measured, too.
    case.prepare()();
    let work = case.prepare();
    let allocations = allocation_counter::measure(work).count_total;
    let as_f64 = |count: u64| f64::from(u32::try_from(count).expect("a case is small"));
    let per = |count| as_f64(count) / as_f64(case.messages as u64);
    Figures { instructions: per(instructions), allocations: per(allocations) }
}

fn write() -> ExitCode {
    let lines = cases().into_iter().map(|case| {
        let Figures { instructions, allocations } = count(&case);
        let line = format!("{:<28} {instructions:>9.1} {allocations:>7.2}\n", case.name);
        print!("{line}");
        line
    });
    let text = format!(
        "# See benches/instructions.rs: instructions and allocations per message\n{}\n{}",
        compiler(),
        lines.collect::<String>()
    );
    fs::write(FILE, text).expect("the file can be written");
    ExitCode::SUCCESS
}

fn compare() -> ExitCode {
    let text = fs::read_to_string(FILE).expect("benches/instructions.txt");
    let (version, recorded) = read(&text);
    let (mut beyond, compiler) = (Vec::new(), compiler());
    println!("{:<28} {:>9} {:>9} {:>8}   allocations", "per message", "recorded", "now", "change");
    for case in cases() {
        let (now, before) = (count(&case), recorded.get(&case.name));
        let change = before.map(|before| now.instructions / before.instructions - 1.0);
        println!(
            "{:<28} {:>9} {:>9.1} {:>8}   {} → {:.2}",
            case.name,
            before.map_or("–".into(), |before| format!("{:.1}", before.instructions)),
            now.instructions,
            change.map_or("–".into(), |change| format!("{:+.1} %", change * 100.0)),
            before.map_or("–".into(), |before| format!("{:.2}", before.allocations)),
            now.allocations
        );
        let is_same = |before: &Figures| (now.allocations - before.allocations).abs() < 0.01;
        if change.is_none_or(|change| change.abs() > TOLERANCE) || !before.is_some_and(is_same) {
            beyond.push(case.name);
        }
    }
    if version != compiler {
        println!(
            "not compared: counted with {compiler}, recorded with {version}.\nIf CI's machine has changed: .ci/instructions --write"
        );
        return ExitCode::SUCCESS;
    }
    if beyond.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!(
        "beyond 2 %, or other allocations: {}.\nIf that is meant: .ci/instructions --write",
        beyond.join(", ")
    );
    ExitCode::FAILURE
}

/// The compiler's version, and the figures by case.
fn read(text: &str) -> (&str, BTreeMap<String, Figures>) {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let version = lines.next().expect("a version");
    let figures = lines.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, numbers) = words.split_last_chunk::<2>().expect("a name and two numbers");
        let [instructions, allocations] = numbers.map(|number| number.parse().expect("a number"));
        (name.join(" "), Figures { instructions, allocations })
    });
    (version, figures.collect())
}

fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = Command::new(rustc).arg("-vV").output().expect("rustc can be run").stdout;
    let told = String::from_utf8(told).expect("UTF-8");
    let field = |name| told.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor =
        processor.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or_default();
    format!("rustc {} for {} on {processor}", field("release: "), field("host: "))
}
