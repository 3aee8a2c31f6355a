//! Lists and maps in brackets, as in JSON.

use crate::import::yaml::quick::Cursor;
use crate::import::yaml::quick::GiveUp;
use crate::import::yaml::quick::Step;
use crate::import::yaml::quick::scalars;
use crate::import::yaml::quick::scalars::Stop;
use crate::import::yaml::quick::scalars::Within;
use crate::import::yaml::tree::Shape;
use crate::import::yaml::tree::Tree;

/// Reads a value between brackets, or the brackets that start here with all
/// that is in them. Further lines are indented deeper than `parent`.
///
/// Recursion is as deep as lists and maps stand inside each other, which the
/// tree bounds.
pub fn value(cursor: &mut Cursor<'_>, tree: &mut Tree<'_, '_>, parent: isize) -> Step {
    match cursor.byte() {
        b'[' => list(cursor, tree, parent),
        b'{' => map(cursor, tree, parent),
        b'"' | b'\'' => {
            let word = scalars::quoted(cursor)?;
            Ok(tree.scalar(word.text, word.style, 0, word.at)?)
        }
        _ => {
            let (word, stop) = scalars::plain(cursor, Within::Brackets)?;
            match stop {
                Stop::Bracket | Stop::Line => Ok(tree.scalar(word.text, word.style, 0, word.at)?),
                Stop::Colon | Stop::Comment => Err(GiveUp),
            }
        }
    }
}

fn list(cursor: &mut Cursor<'_>, tree: &mut Tree<'_, '_>, parent: isize) -> Step {
    let at = cursor.place(cursor.at, cursor.at);
    tree.start(Shape::List, 0, at)?;
    cursor.at += 1;
    loop {
        skip_space(cursor, parent)?;
        if cursor.byte() == b']' {
            break;
        }
        value(cursor, tree, parent)?;
        skip_space(cursor, parent)?;
        match cursor.byte() {
            b',' => cursor.at += 1,
            b']' => break,
            _ => return Err(GiveUp),
        }
    }
    cursor.at += 1;
    Ok(tree.end()?)
}

fn map(cursor: &mut Cursor<'_>, tree: &mut Tree<'_, '_>, parent: isize) -> Step {
    let at = cursor.place(cursor.at, cursor.at);
    tree.start(Shape::Map, 0, at)?;
    cursor.at += 1;
    loop {
        skip_space(cursor, parent)?;
        if cursor.byte() == b'}' {
            break;
        }
        key(cursor, tree)?;
        skip_space(cursor, parent)?;
        if matches!(cursor.byte(), b',' | b'}') {
            return Err(GiveUp);
        }
        value(cursor, tree, parent)?;
        skip_space(cursor, parent)?;
        match cursor.byte() {
            b',' => cursor.at += 1,
            b'}' => break,
            _ => return Err(GiveUp),
        }
    }
    cursor.at += 1;
    Ok(tree.end()?)
}

/// Reads a key and its colon.
fn key(cursor: &mut Cursor<'_>, tree: &mut Tree<'_, '_>) -> Step {
    let word = match cursor.byte() {
        b'"' | b'\'' => {
            let word = scalars::quoted(cursor)?;
            cursor.skip_spaces()?;
            word
        }
        _ => match scalars::plain(cursor, Within::Brackets)? {
            (word, Stop::Colon) => word,
            _ => return Err(GiveUp),
        },
    };
    if cursor.byte() != b':' || !word.is_one_line {
        return Err(GiveUp);
    }
    cursor.at += 1;
    Ok(tree.scalar(word.text, word.style, 0, word.at)?)
}

/// Steps over blanks and line ends.
fn skip_space(cursor: &mut Cursor<'_>, parent: isize) -> Step {
    cursor.skip_spaces()?;
    while cursor.byte() == b'\n' {
        if cursor.is_at_end() {
            return Err(GiveUp);
        }
        cursor.next_line();
        cursor.skip_spaces()?;
        let is_empty = cursor.byte() == b'\n';
        if cursor.is_at_marker() || (!is_empty && cursor.indent() as isize <= parent) {
            return Err(GiveUp);
        }
    }
    Ok(())
}
