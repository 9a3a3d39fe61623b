//! Data folders: `initdb` once per server, then copies.
//!
//! Measured on two cores, a start with `initdb` takes 0.65 to 1.4 s, with a copy 0.1 to 0.3 s, of which the server
//! itself needs 0.03 s. The rest is the making of a thousand files, so a `TMPDIR` in memory helps: 0.08 s.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use super::Server;
use super::account::{Account, give, lower};

const LOCALE: &str = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };
const INITDB: [&str; 5] =
    ["--auth=trust", "--encoding=UTF8", "--username=postgres", "--no-sync", "--no-instructions"];

/// Makes `data` a fresh data folder of `server`, by copying the template, which is made at first need.
pub(super) fn copy_to(server: &Server, data: &Path) {
    let template = path_for(server);
    if !template.exists() {
        make(server, &template, &data.with_extension("template"));
    }
    copy(&template, data);
}

/// Makes `data` a fresh data folder of `server` with an identity of its own.
pub(super) fn initdb(server: &Server, data: &Path) {
    fs::create_dir(data).expect("the cluster's folder is fresh");
    give(data);
    let mut command = Command::new(server.bin.join("initdb"));
    command.args(INITDB).arg(format!("--locale={LOCALE}")).arg("--pgdata").arg(data);
    let output = lower(&mut command).output().expect("initdb can be run");
    assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
}

/// Test processes may do this at the same time: each prepares its own, and whoever renames first wins.
fn make(server: &Server, template: &Path, fresh: &Path) {
    initdb(server, fresh);
    // Beside the template, because a rename works only within one file system.
    let beside = template.with_extension(format!("{}-{:?}", process::id(), std::thread::current().id()));
    fs::create_dir_all(template.parent().expect("templates have a folder")).expect("target/ is writable");
    copy(fresh, &beside);
    match fs::rename(&beside, template) {
        Ok(()) => {}
        Err(error) if matches!(error.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
            fs::remove_dir_all(&beside).expect("our own copy can be removed");
        }
        Err(error) => panic!("the template {} can't be put in place: {error}", template.display()),
    }
    fs::remove_dir_all(fresh).expect("our own data folder can be removed");
}

/// `cp -a` keeps owner and modes, and clones instead of copying where the file system can.
fn copy(from: &Path, to: &Path) {
    let output = Command::new("cp").arg("-a").arg(from).arg(to).output().expect("cp can be run");
    assert!(output.status.success(), "cp failed: {}", String::from_utf8_lossy(&output.stderr));
}

/// A name that changes with everything that the content depends on.
fn path_for(server: &Server) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (&server.version, &server.bin, INITDB, LOCALE).hash(&mut hasher);
    format!("{:?}", Account::for_servers()).hash(&mut hasher);
    let name = format!("{}-{:016x}", server.major, hasher.finish());
    // An example that includes this has no folder of its own from Cargo.
    let folder = option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from);
    folder.join("clusters").join(name)
}
