//! The functions of Rasa's training page.

use std::path::PathBuf;

use crate::api::TrainCoreOptions;
use crate::api::TrainError;
use crate::api::TrainNluOptions;
use crate::api::TrainOptions;
use crate::api::TrainingResult;
use crate::api::training::Training;
use crate::import::Want;
use crate::recipe::Part;

/// Trains an assistant: its NLU part, its Core part, or what there is data for.
///
/// With [`dry_run`](TrainOptions::dry_run) it tells what is stale instead,
/// trains nothing and writes nothing.
///
/// # Errors
///
/// If the project cannot be read or holds mistakes, there is nothing to train
/// from, a task fails, or the archive cannot be written. Nothing half-written is
/// left, and what was finished is in the cache.
///
/// # Source
///
/// Rasa 2.4 `rasa.train.train`. Differs from Rasa: without `fixed_model_name`
/// the archive is named after its content, and one that is in place already is
/// left untouched; `loop` has no counterpart.
pub fn train(options: &TrainOptions) -> Result<TrainingResult, TrainError> {
    training(options, Want::All).run()
}

/// Does what [`train`] does, on a thread that may block.
///
/// # Errors
///
/// As [`train`].
///
/// # Panics
///
/// Outside of a tokio runtime.
pub async fn train_async(options: TrainOptions) -> Result<TrainingResult, TrainError> {
    blocking(move || train(&options)).await
}

/// Trains the Core part alone; returns `train_path`, if one was given, or the
/// archive's path. After a dry run there is none.
///
/// # Errors
///
/// As [`train`]; and if there is no domain, no story or rule, or stories have
/// texts, which need the NLU part.
///
/// # Source
///
/// Rasa 2.4 `train_core_async`.
pub fn train_core(options: &TrainCoreOptions) -> Result<Option<PathBuf>, TrainError> {
    train_core_result(options).map(|result| result.model)
}

/// Does what [`train_core`] does, on a thread that may block.
///
/// # Errors
///
/// As [`train_core`].
///
/// # Panics
///
/// Outside of a tokio runtime.
pub async fn train_core_async(options: TrainCoreOptions) -> Result<Option<PathBuf>, TrainError> {
    blocking(move || train_core(&options)).await
}

/// Does what [`train_core`] does and tells more of it; dry runs too.
///
/// # Errors
///
/// As [`train_core`].
pub fn train_core_result(options: &TrainCoreOptions) -> Result<TrainingResult, TrainError> {
    Training {
        want: Want::Core,
        config: &options.config,
        domain: &options.domain,
        data: &options.stories,
        output: &options.output,
        fixed_name: options.fixed_model_name.as_deref(),
        train_path: options.train_path.as_deref(),
        persist_nlu_data: false,
        augmentation: options.additional_arguments.augmentation_factor,
        num_threads: None,
        dry_run: options.dry_run,
        force: options.force_training,
        finetune: options.model_to_finetune.as_deref(),
        validation: &options.validation,
        run: &options.run,
    }
    .run()
}

/// Trains the NLU part alone; returns `train_path`, if one was given, or the
/// archive's path. After a dry run there is none.
///
/// # Errors
///
/// As [`train`]; and if there is no NLU data.
///
/// # Source
///
/// Rasa 2.4 `train_nlu_async`. Differs from Rasa: what a whole training of the
/// same data left in the cache is used, and the other way round.
pub fn train_nlu(options: &TrainNluOptions) -> Result<Option<PathBuf>, TrainError> {
    train_nlu_result(options).map(|result| result.model)
}

/// Does what [`train_nlu`] does, on a thread that may block.
///
/// # Errors
///
/// As [`train_nlu`].
///
/// # Panics
///
/// Outside of a tokio runtime.
pub async fn train_nlu_async(options: TrainNluOptions) -> Result<Option<PathBuf>, TrainError> {
    blocking(move || train_nlu(&options)).await
}

/// Does what [`train_nlu`] does and tells more of it; dry runs too.
///
/// # Errors
///
/// As [`train_nlu`].
pub fn train_nlu_result(options: &TrainNluOptions) -> Result<TrainingResult, TrainError> {
    Training {
        want: Want::Nlu,
        config: &options.config,
        domain: &options.domain,
        data: &options.nlu_data,
        output: &options.output,
        fixed_name: options.fixed_model_name.as_deref(),
        train_path: options.train_path.as_deref(),
        persist_nlu_data: options.persist_nlu_training_data,
        augmentation: 0,
        num_threads: options.additional_arguments.num_threads,
        dry_run: options.dry_run,
        force: options.force_training,
        finetune: options.model_to_finetune.as_deref(),
        validation: &options.validation,
        run: &options.run,
    }
    .run()
}

/// Trains the NLU part of a project whose domain is empty; returns the archive's
/// path. After a dry run there is none.
///
/// [`train`] finds out by itself that a domain is empty.
///
/// # Errors
///
/// As [`train_nlu`].
///
/// # Source
///
/// Rasa 2.4 `handle_domain_if_not_exists`. Differs from Rasa: all options are
/// kept, and a dry run stays one. Rasa passes an importer, which here is what the
/// options name.
pub fn handle_domain_if_not_exists(options: &TrainOptions) -> Result<Option<PathBuf>, TrainError> {
    training(options, Want::Nlu)
        .run()
        .map(|result| result.model)
}

/// Returns the code of a dry run and a sentence for each stale part: 8 when
/// training is forced, else the sum of the parts' codes.
///
/// # Source
///
/// Rasa 2.4 `dry_run_result`.
pub fn dry_run_result(stale: &[Part], is_forced: bool) -> (u8, Vec<String>) {
    crate::recipe::code_and_texts(&stale.iter().copied().collect(), is_forced)
}

/// Returns the training that `options` describe.
pub fn training(options: &TrainOptions, want: Want) -> Training<'_> {
    Training {
        want,
        config: &options.config,
        domain: &options.domain,
        data: &options.training_files,
        output: &options.output,
        fixed_name: options.fixed_model_name.as_deref(),
        train_path: None,
        persist_nlu_data: options.persist_nlu_training_data,
        augmentation: options.core_additional_arguments.augmentation_factor,
        num_threads: options.nlu_additional_arguments.num_threads,
        dry_run: options.dry_run,
        force: options.force_training,
        finetune: options.model_to_finetune.as_deref(),
        validation: &options.validation,
        run: &options.run,
    }
}

/// Runs `work` where blocking harms nobody; a panic in it goes on here.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_summed_and_force_stands_alone() {
        let code = |stale: &[Part], is_forced| dry_run_result(stale, is_forced).0;
        assert_eq!(code(&[], false), 0);
        assert_eq!(code(&[Part::Core], false), 1);
        assert_eq!(code(&[Part::Nlu], false), 2);
        assert_eq!(code(&[Part::Nlu, Part::Core], false), 3);
        assert_eq!(code(&[Part::Responses], false), 4);
        assert_eq!(code(&Part::ALL, false), 7);
        assert_eq!(code(&Part::ALL, true), 8);
    }
}
