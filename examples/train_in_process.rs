//! Trains an assistant from another program and parses a message with it.
//!
//! ```text
//! cargo run --release --example train_in_process
//! ```

use std::error::Error;
use std::path::PathBuf;

use tabella::api;
use tabella::api::Assistant;
use tabella::api::CacheSettings;
use tabella::api::Notice;
use tabella::api::Observer;
use tabella::api::TrainOptions;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join("tabella-train-in-process");
    let mut options = TrainOptions {
        output: folder.join("models"),
        ..TrainOptions::default()
    };
    options.run.project = PathBuf::from("examples/greeting");
    options.run.cache = CacheSettings::Folder(folder.join("cache"));
    options.run.observer = Observer::new(|notice| match notice {
        Notice::Task(event) => eprintln!("{event}"),
        Notice::Warning(text) => eprintln!("warning: {text}"),
        _ => {}
    });

    let result = api::train(&options)?;
    let model = result.model.ok_or("only a dry run gives no model")?;
    println!("{}", model.display());

    let assistant = Assistant::load(&model)?;
    let parse = assistant.parse("hello there")?;
    println!("{}", serde_json::to_string_pretty(&parse)?);
    Ok(())
}
