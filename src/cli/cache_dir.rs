//! Where the cache is and how much it may hold, when the user does not say.

use std::env;
use std::path::PathBuf;

use crate::api::CacheSettings;
use crate::api::Notice;
use crate::cli::amounts::Limit;
use crate::cli::args::PlaceArguments;
use crate::cli::screen::Screen;
use crate::store::CacheLimits;

/// Returns the cache that the arguments ask for: none, or the folder given or
/// found.
pub fn cache_settings(arguments: &PlaceArguments) -> CacheSettings {
    if arguments.no_cache {
        return CacheSettings::Off;
    }
    cache_folder(arguments.cache_dir.as_ref())
}

/// Returns the folder given (the flag before `TABELLA_CACHE_DIR`), or the user's
/// own cache folder. Without a home there is no cache.
pub fn cache_folder(given: Option<&PathBuf>) -> CacheSettings {
    let folder = given.filter(|folder| !folder.as_os_str().is_empty());
    match folder.cloned().or_else(user_cache) {
        Some(folder) => CacheSettings::Folder(folder),
        None => CacheSettings::Off,
    }
}

/// What is told when no folder is known.
const NO_FOLDER: &str = "no folder is known to keep results in, so all is trained each time: name one with `--cache-dir` \
     or TABELLA_CACHE_DIR, or set HOME; `--no-cache` says that none is wanted";

/// Tells that nothing is kept, unless that is what the user wants.
pub fn tell_no_folder(cache: &CacheSettings, place: &PlaceArguments, screen: &Screen) {
    if matches!(cache, CacheSettings::Off) && !place.no_cache {
        screen.show(&Notice::Warning(NO_FOLDER.to_owned()));
    }
}

/// Returns the limits given; the defaults where none is.
pub fn limits(max_size: Option<Limit<u64>>, max_age: Option<Limit<u32>>) -> CacheLimits {
    let defaults = CacheLimits::default();
    CacheLimits {
        max_bytes: max_size.map_or(defaults.max_bytes, |limit| limit.0),
        max_age_days: max_age.map_or(defaults.max_age_days, |limit| limit.0),
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
