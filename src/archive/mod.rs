//! The model as one file: the same bytes every time, safe to open.
//!
//! ```text
//!   nlu, dialogue ──▶ Files ──▶ [archive] ──▶ <out>/<name>.tar.gz ──▶ parse, test
//! ```
//!
//! # Format 1
//!
//! A gzip member (no name, no time, operating system 255) around a ustar file.
//! Its entries are regular files sorted by path, with mode 0644, owner and
//! group 0, time 0 and a path of at most 100 bytes:
//!
//! | entry | content |
//! |---|---|
//! | `core/…` | files of the policies and the domain; absent without Core |
//! | `fingerprint.json` | a [`Fingerprint`]: the keys of Rasa 2.x |
//! | `manifest.json` | a [`Manifest`]: digest and size of every other entry |
//! | `metadata.json` | a [`Metadata`]: version, language, pipeline, policies |
//! | `nlu/…` | files of the NLU components; absent without NLU |
//!
//! Below `core/` and `nlu/` only `.json` and `.safetensors` files exist:
//! neither can carry code. The three documents are JSON with an indent of two
//! and a newline at the end; there is exactly one way to write each, and a
//! reader refuses any other. The digest of `manifest.json` names the model.
//! An older reader refuses a newer `archive_format` by number.
//!
//! # What a reader refuses
//!
//! A file that is not one whole gzip member; anything in it that is not a
//! regular ustar entry (links, devices, folders, extended headers); a path
//! that is absolute, not UTF-8, has `..`, stands twice or is outside the table
//! above; more bytes or entries than [`Limits`] allows; an entry that is
//! missing, not in the manifest or of another digest. Nothing is written while
//! reading and nothing is returned before all of it has been verified.
//!
//! Refused alternatives: zip (its directory at the end can disagree with the
//! entries), zstd (its bytes change between library versions more often), and
//! extracting to a folder (a path could leave it).

mod error;
mod fingerprint;
mod manifest;
mod metadata;
mod names;
mod model;
mod gzip;
mod pack;
mod unpack;
mod examine;
mod place;
mod latest;

pub use error::ArchiveError;
pub use error::Flaw;
pub use examine::Examination;
pub use examine::examine;
pub use fingerprint::Fingerprint;
pub use fingerprint::Unrecorded;
pub use latest::latest_model;
pub use latest::point_to;
pub use latest::pointer;
pub use manifest::Manifest;
pub use manifest::ManifestEntry;
pub use metadata::ARCHIVE_FORMAT;
pub use metadata::ComponentEntry;
pub use metadata::Metadata;
pub use metadata::RasaFormats;
pub use metadata::TrainingType;
pub use model::Files;
pub use model::Model;
pub use names::archive_path;
pub use pack::Packed;
pub use pack::pack;
pub use place::Placed;
pub use place::holds;
pub use place::place;
pub use place::write_if_changed;
pub use unpack::Limits;
pub use unpack::read_model;
pub use unpack::unpack;
