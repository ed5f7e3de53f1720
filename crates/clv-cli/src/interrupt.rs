//! What is left when the program is stopped: nothing half-written, and no temporary file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Folders that are being written to.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// From now on an interrupt, a termination or a hang-up removes temporary files and ends with 130.
pub(crate) fn watch() {
    // Without a handler the system's own way of ending is good enough.
    let _ = ctrlc::set_handler(|| {
        let folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
        folders.iter().for_each(|folder| tidy(folder));
        std::process::exit(130);
    });
}

/// A file is about to be written here.
pub(crate) fn writing(path: &Path) {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).push(folder.to_owned());
}

/// Output goes to a temporary file of this process beside the target, and is renamed when whole.
fn tidy(folder: &Path) {
    let ours = format!(".{}-", std::process::id());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&ours) && name.ends_with(".clv-tmp") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
