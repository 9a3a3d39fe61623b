//! Where a cluster lives: a temporary folder that doesn't outlive the test.

use std::env;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::account::{give, own_uid};
use super::lifeline::{self, Lifeline};

/// A fresh folder that only the servers' account may enter; removed with all it holds when dropped, or else, by a
/// watchdog, when this process ends.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lifeline: Lifeline,
}

/// Again and again, because whoever was filling the folder, such as `cp`, may still be at it; not for ever.
const REMOVE: &str = r#"
tries=0
until rm -rf "$1" || [ "$tries" -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
"#;

impl Folder {
    pub(super) fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let name = format!("wf-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = folder_of_folders().join(name);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Self::guard(path),
                // Left by a process that had our pid before.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("{} can't be made: {error}", path.display()),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn guard(path: PathBuf) -> Self {
        let lifeline = lifeline::watchdog(REMOVE, &path);
        give(&path);
        Self { path, lifeline }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            // No panic: it would hide the one that the test may be unwinding from.
            eprintln!("{} can't be removed: {error}", self.path.display());
        }
        self.lifeline.release();
    }
}

/// The temporary folder, unless a Unix socket's path (107 bytes) gets too long in it, or the servers' account can't
/// enter it.
fn folder_of_folders() -> PathBuf {
    let usual = env::temp_dir();
    let shared = || fs::metadata(&usual).is_ok_and(|folder| folder.permissions().mode() & 0o001 != 0);
    let fits = usual.as_os_str().len() < 60 && (own_uid() != Some(0) || shared());
    if fits { usual } else { PathBuf::from("/tmp") }
}
