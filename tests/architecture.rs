//! What holds the house together: who may use whom, how large a file may grow, and what the pure half costs.
#![expect(clippy::expect_used, reason = "a helper of a test fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The modules of lib.rs in the order in which they are declared.
fn modules() -> Vec<String> {
    let library = fs::read_to_string(Path::new(ROOT).join("src/lib.rs")).expect("lib.rs");
    library
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

/// Every file of the library that holds code of the library itself.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let is_test = path.file_stem().is_some_and(|name| name == "tests");
        if path.is_dir() && !is_test {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
            found.push(path);
        }
    }
    found
}

/// A file without its comments and its inline tests.
fn code(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a source file");
    let before_tests = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    before_tests
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .map(str::to_owned)
        .collect()
}

/// The modules that a file names in paths from the crate's root, and the root's own names of them.
fn used(code: &[String], modules: &[String]) -> BTreeSet<String> {
    let text = code.join("\n");
    let mut used = BTreeSet::new();
    for (position, _) in text.match_indices("crate::") {
        let rest = &text[position + "crate::".len()..];
        let list = rest.strip_prefix('{').map_or_else(
            || rest.split([':', ';', ' ', ',', '(', ')', '<', '>', '\n']).take(1).collect::<Vec<_>>(),
            |list| list.split('}').next().unwrap_or_default().split(',').collect(),
        );
        for name in list {
            let name = name.trim().split("::").next().unwrap_or_default();
            let module = match name {
                "Lsn" | "ParseLsnError" => "lsn",
                "Timestamp" => "time",
                "Oid" | "RelationId" | "Xid" => "xid",
                "Row" => "row",
                "Error" => "error",
                "ReplicationStream" | "StreamOptions" => "stream",
                name => name,
            };
            if modules.iter().any(|known| known == module) {
                used.insert(module.to_owned());
            }
        }
    }
    used
}

#[test]
fn a_module_uses_only_those_declared_above_it() {
    let modules = modules();
    assert!(modules.len() > 12, "lib.rs was read: {modules:?}");
    let source = Path::new(ROOT).join("src");
    let mut checked = 0;
    for path in sources(&source) {
        let place = path.strip_prefix(&source).expect("below src").components().next().expect("a name");
        let module = Path::new(&place).file_stem().expect("a stem").to_string_lossy().into_owned();
        let Some(rank) = modules.iter().position(|known| *known == module) else { continue };
        for name in used(&code(&path), &modules) {
            let other = modules.iter().position(|known| *known == name).expect("it was found among them");
            // What can go wrong is declared before what can fail, and knows its parts' errors.
            let is_error_part = module == "error" && ["connection", "sink"].contains(&name.as_str());
            assert!(
                other <= rank || is_error_part,
                "{} uses {name}, which is declared below",
                path.display()
            );
            checked += 1;
        }
    }
    assert!(checked > 50, "uses were found: {checked}");
}

#[test]
fn no_file_holds_more_than_400_lines_of_code() {
    for path in sources(&Path::new(ROOT).join("src")) {
        let lines = code(&path).len();
        assert!(lines <= 400, "{} has {lines} lines of code", path.display());
    }
}

#[test]
fn the_top_level_holds_what_convention_asks_for() {
    let expected: BTreeSet<_> = [
        ".ci",
        ".gitignore",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "benches",
        "clippy.toml",
        "examples",
        "fuzz",
        "rustfmt.toml",
        "src",
        "tests",
    ]
    .map(str::to_owned)
    .into();
    let ignored = [".git", "target"];
    let found: BTreeSet<_> = fs::read_dir(ROOT)
        .expect("the root")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| !ignored.contains(&name.as_str()))
        .collect();
    assert_eq!(found, expected);
}

/// The packages that a build of the library alone takes in, with these features.
fn packages(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--edges", "normal", "--prefix", "none", "--manifest-path"])
        .arg(Path::new(ROOT).join("Cargo.toml"))
        .args(arguments)
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_pure_half_builds_on_eight_packages_without_tokio() {
    let expected =
        ["bytes", "proc-macro2", "quote", "syn", "thiserror", "thiserror-impl", "unicode-ident", "walferry"];
    assert_eq!(packages(&["--no-default-features"]), expected.map(str::to_owned).into());
}

#[test]
fn the_feature_postgres_adds_its_client_and_what_that_needs() {
    let net = packages(&["--no-default-features", "--features", "net"]);
    let found = packages(&["--no-default-features", "--features", "postgres"]);
    let added: BTreeSet<_> = found.difference(&net).map(String::as_str).collect();
    let expected = [
        "async-trait",
        "futures-channel",
        "futures-task",
        "futures-util",
        "lock_api",
        "log",
        "parking_lot",
        "parking_lot_core",
        "percent-encoding",
        "phf",
        "phf_shared",
        "postgres-types",
        "scopeguard",
        "siphasher",
        "slab",
        "smallvec",
        "tokio-postgres",
        "whoami",
    ];
    assert_eq!(added, expected.into());
}

#[test]
fn a_feature_of_foreign_types_adds_their_crate_and_what_that_needs() {
    let pure = packages(&["--no-default-features"]);
    let expected: [(&str, &[&str]); 9] = [
        ("with-bigdecimal-0_4", &["bigdecimal", "libm", "num-bigint", "num-integer", "num-traits"]),
        ("with-bit-vec-0_8", &["bit-vec"]),
        ("with-chrono-0_4", &["chrono", "num-traits"]),
        ("with-geo-types-0_7", &["geo-types", "libm", "num-traits"]),
        ("with-ipnetwork-0_20", &["ipnetwork"]),
        ("with-jiff-0_2", &["jiff", "jiff-core"]),
        ("with-rust_decimal-1", &["arrayvec", "num-traits", "rust_decimal"]),
        ("with-time-0_3", &["deranged", "num-conv", "powerfmt", "time", "time-core"]),
        ("with-uuid-1", &["uuid"]),
    ];
    for (feature, crates) in expected {
        let found = packages(&["--no-default-features", "--features", feature]);
        let added: BTreeSet<_> = found.difference(&pure).map(String::as_str).collect();
        assert_eq!(added, crates.iter().copied().collect(), "{feature}");
    }
    let manifest = fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("Cargo.toml");
    let features = manifest.lines().filter(|line| line.starts_with("with-")).count();
    assert_eq!(features, expected.len(), "features that the manifest names");
    let default = manifest.lines().find(|line| line.starts_with("default = ")).expect("a default");
    assert!(!default.contains("with-"), "{default}");
}
