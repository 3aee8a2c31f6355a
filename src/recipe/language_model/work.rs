//! What the tasks do.

use std::collections::BTreeMap;
use std::collections::HashMap;

use serde::Deserialize;
use serde::Serialize;

use crate::digest::Digest;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::features::FeatureRows;
use crate::features::language_model;
use crate::features::language_model::Long;
use crate::features::language_model::Reading;
use crate::features::language_model::Stopped;
use crate::features::language_model::TooLong;
use crate::features::language_model::Vectors;
use crate::features::language_model::WANTED;
use crate::recipe::Messages;
use crate::recipe::language_model::model::Model;
use crate::recipe::language_model::texts_output;
use crate::recipe::nlu::ATTRIBUTES;
use crate::recipe::nlu::decoded;
use crate::recipe::nlu::json_bytes;
use crate::recipe::nlu::rows_output;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// Where the text of each document is: the part and the place in it.
#[derive(Default, Serialize, Deserialize)]
struct Places(BTreeMap<String, Vec<Option<(usize, usize)>>>);

/// Splits every text, and puts the different ones into parts.
pub fn texts(context: &TaskContext<'_>, count: usize) -> Result<Outputs, TaskError> {
    let model: &Model = context.value("sub-tokens")?;
    let documents: Vec<Document> = decoded(context, "documents")?;
    let splitter = model.splitter()?;
    let mut parts: Vec<BTreeMap<Digest, Reading>> = vec![BTreeMap::new(); count];
    let mut of_attributes: BTreeMap<Attribute, Vec<Option<Digest>>> = BTreeMap::new();
    for attribute in ATTRIBUTES.into_iter().filter(|one| one.is_dense()) {
        let readings = splitter.readings(&documents, attribute, Long::Refused);
        let mut digests = Vec::with_capacity(documents.len());
        for reading in readings {
            let reading = reading.map_err(|error| told(context, &error))?;
            digests.push(reading.map(|reading| {
                let digest = Digest::of_value(&reading);
                parts[part_of(&digest, count)].insert(digest, reading);
                digest
            }));
        }
        of_attributes.insert(attribute, digests);
    }
    let places: Vec<HashMap<&Digest, usize>> = parts
        .iter()
        .map(|part| {
            part.keys()
                .enumerate()
                .map(|(at, digest)| (digest, at))
                .collect()
        })
        .collect();
    let place = |digest: &Digest| {
        let part = part_of(digest, count);
        (part, places[part][digest])
    };
    let of_attribute = |(attribute, digests): (&Attribute, &Vec<Option<Digest>>)| {
        let places = digests.iter().map(|digest| digest.as_ref().map(place));
        (rows_output(*attribute), places.collect())
    };
    let all = Places(of_attributes.iter().map(of_attribute).collect());
    let mut outputs = Outputs::from([("places".to_owned(), json_bytes(&all)?)]);
    for (part, readings) in parts.iter().enumerate() {
        let readings: Vec<&Reading> = readings.values().collect();
        outputs.insert(texts_output(part), json_bytes(&readings)?);
    }
    Ok(outputs)
}

/// Returns the part of `count` that a text is in; `count` is a power of two.
fn part_of(digest: &Digest, count: usize) -> usize {
    usize::from(digest.as_bytes()[0]) % count
}

/// Sends the texts of a part through the model.
pub fn vectors(context: &TaskContext<'_>) -> Result<Outputs, TaskError> {
    let model: &Model = context.value("model")?;
    let readings: Vec<Reading> = decoded(context, "texts")?;
    let encoder = model.encoder()?;
    let vectors = encoder.vectors(&readings, &mut |done, most| {
        context.progress(done as u64, most as u64, "texts");
        !context.is_cancelled()
    });
    let vectors = vectors.map_err(|Stopped| TaskError::Cancelled)?;
    let packed = Vectors::packed(&vectors, encoder.width());
    Ok(Outputs::from([("vectors".to_owned(), packed)]))
}

/// Gives each document the vectors of its texts.
pub fn rows(context: &TaskContext<'_>, count: usize) -> Result<Outputs, TaskError> {
    let model: &Model = context.value("model")?;
    model.close();
    let documents: Vec<Document> = decoded(context, "documents")?;
    let Places(places) = decoded(context, "places")?;
    let mut all = Vec::new();
    let mut starts = Vec::with_capacity(count);
    let mut of_width = None;
    let odd = || TaskError::message("vectors are not what they were packed as");
    for part in 0..count {
        let bytes = context.bytes(&format!("vectors.{part:02}"))?;
        let unpacked = Vectors::unpacked(bytes);
        let (vectors, width) = unpacked.ok_or_else(odd)?;
        if *of_width.get_or_insert(width) != width {
            return Err(odd());
        }
        starts.push(all.len()..all.len() + vectors.len());
        all.extend(vectors);
    }
    let wanted = model.wanted(&model.names());
    let mut outputs = Outputs::from([(WANTED.to_owned(), json_bytes(&wanted)?)]);
    for attribute in ATTRIBUTES {
        let name = rows_output(attribute);
        let rows = match (places.get(&name), of_width) {
            (Some(places), Some(width)) if places.len() == documents.len() => {
                let flat = |place: &Option<(usize, usize)>| match *place {
                    Some((part, at)) => {
                        let mut part = starts.get(part).cloned().unwrap_or_default();
                        part.nth(at).map(Some).ok_or_else(odd)
                    }
                    None => Ok(None),
                };
                let places: Result<Vec<Option<usize>>, TaskError> =
                    places.iter().map(flat).collect();
                language_model::rows(&documents, attribute, &places?, &all, width)
            }
            (Some(_), _) => return Err(odd()),
            (None, _) => FeatureRows::without_columns(&documents, attribute),
        };
        outputs.insert(name, rows.to_bytes());
    }
    Ok(outputs)
}

/// Returns the error with the place of the example that it is about.
fn told(context: &TaskContext<'_>, error: &TooLong) -> TaskError {
    let examples = context
        .value::<Messages>("messages")
        .map(Messages::examples);
    let place = examples
        .ok()
        .and_then(|examples| Some(&examples.get(error.document)?.place));
    TaskError::message(match place {
        Some(place) => format!("{place}: {error}"),
        None => error.to_string(),
    })
}
