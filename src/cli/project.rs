//! Which project a command looks at: the flags of `train` that decide about it,
//! for commands that train nothing.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::api::CoreArguments;
use crate::api::DEFAULT_AUGMENTATION;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::cli::args::OutputFlags;
use crate::cli::args::PlaceArguments;
use crate::cli::screen::Screen;
use crate::cli::train::settings;

/// What would be trained; give what is given to `train`.
#[derive(Debug, Args)]
pub struct ProjectFlags {
    /// Files and folders with NLU data, stories and rules
    #[arg(long, value_name = "PATH", num_args = 1.., default_value = "data")]
    pub data: Vec<PathBuf>,
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "config.yml")]
    pub config: PathBuf,
    /// Domain file or folder; the folder `domain` if there is no `domain.yml`
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "domain.yml")]
    pub domain: Vec<PathBuf>,
    /// How many stories are glued to others
    #[arg(long, value_name = "N", default_value_t = DEFAULT_AUGMENTATION)]
    pub augmentation: usize,
    /// Put the NLU data into the archive
    #[arg(long)]
    pub persist_nlu_data: bool,
    /// Where the archive goes.
    #[command(flatten)]
    pub output: OutputFlags,
}

impl ProjectFlags {
    /// Returns the options of the training that is looked at.
    ///
    /// # Errors
    ///
    /// If the remote cache that is asked for cannot be one.
    pub fn options(
        &self,
        place: &PlaceArguments,
        screen: &Arc<Screen>,
    ) -> Result<TrainOptions, TrainError> {
        Ok(TrainOptions {
            domain: self.domain.clone(),
            config: self.config.clone(),
            training_files: self.data.clone(),
            output: self.output.out.clone(),
            dry_run: true,
            fixed_model_name: self.output.fixed_model_name.clone(),
            persist_nlu_training_data: self.persist_nlu_data,
            core_additional_arguments: CoreArguments {
                augmentation_factor: self.augmentation,
            },
            run: settings(place, screen)?,
            ..TrainOptions::default()
        })
    }
}
