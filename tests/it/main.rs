//! Promises to the user, one file each.

#![allow(clippy::unwrap_used)]

mod shared;
mod workbench;
mod histories;
mod json_schema;
mod rooms;
mod import_reads;
mod hostile;
mod looks;
mod import_properties;
mod rasa_reads;
mod old_formats;
mod featurizer_goldens;
mod dialogue_goldens;
mod network_goldens;
mod ted_goldens;
mod store_faults;
mod cache_commands;
mod survival;
mod model_verify;
mod archive_safety;
mod schemas;
mod project_schemas;
mod witness;
mod workspace;
mod workspace_commands;
mod affected;
mod convert;
mod data_split;
mod data_commands;
mod incremental;
mod explain;
mod equivalence;
mod duckling;
mod edit_series;
mod situations;
mod seed_dry_run;
mod bots;
mod command_line;
mod displays;
mod watch;
mod validate;
mod determinism;
mod linear_models;
