//! Where the cache is when the user names no folder.

use std::env;
use std::path::PathBuf;

use crate::api::CacheSettings;
use crate::cli::args::PlaceArguments;

/// Returns the cache that the arguments ask for: none, the folder given (the
/// flag before `TABELLA_CACHE_DIR`), or the user's own cache folder. Without a
/// home there is no cache.
pub fn cache_settings(arguments: &PlaceArguments) -> CacheSettings {
    if arguments.no_cache {
        return CacheSettings::Off;
    }
    let folder = arguments
        .cache_dir
        .clone()
        .filter(|folder| !folder.as_os_str().is_empty());
    match folder.or_else(user_cache) {
        Some(folder) => CacheSettings::Folder(folder),
        None => CacheSettings::Off,
    }
}

/// Returns the folder that the platform keeps for caches of this program.
fn user_cache() -> Option<PathBuf> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = if cfg!(windows) {
        absolute("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        absolute("HOME").map(|home| home.join("Library/Caches"))
    } else {
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
    };
    base.map(|folder| folder.join("tabella"))
}
