//! A site to test at: settings, a database and a temporary directory of OpenVPN's, and ways to start the program there.

mod call;
mod duo;
mod session;
mod site;
mod terminal;
mod token;

pub(crate) use call::Call;
pub(crate) use duo::{DuoSite, Login, Namespace};
pub(crate) use session::{Question, Session, told};
pub(crate) use site::{Printed, Site, refused, run};
pub(crate) use terminal::{on_terminal, on_terminal_after, on_terminal_when_asked};
pub(crate) use token::{Token, need};

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The executable under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_openvpn-2fa");

/// Longer than anything here takes on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `probe` finds something.
///
/// # Panics
/// When it has not in a minute.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every file below a directory with its content, links not followed.
pub(crate) fn files_below(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(directory) else { return files };
    for entry in entries {
        let path = entry.unwrap().path();
        // Gone since: SQLite's journals come and go.
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if metadata.is_dir() {
            files.extend(files_below(&path));
        }
        let content = std::fs::read(&path).unwrap_or_default();
        files.insert(path, content);
    }
    files
}

/// Whether what the program logs reaches its standard error, where a test can see it.
pub(crate) fn log_is_visible() -> bool {
    let visible = !Path::new("/dev/log").exists();
    if !visible {
        eprintln!("not looked at: the log, which goes to /dev/log on this machine");
    }
    visible
}
