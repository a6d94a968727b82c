//! What commands print: tables and sentences for people, JSON for programs.

use chrono::{DateTime, Utc};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table};
use serde::Serialize;

use crate::cli::{Failure, say};

/// What every terminal has.
pub(super) const WIDTH: u16 = 80;

/// How far the further lines of a sentence stand in.
const INDENT: usize = 2;

/// Stands where there is nothing to show.
pub(super) const NONE: &str = "-";

/// Prints rows under their headings, numbers to the right: those columns are named.
pub(super) fn print_table<const N: usize>(
    headings: [&str; N],
    numbers: &[&str],
    rows: impl IntoIterator<Item = [String; N]>,
) {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(headings)
        .add_rows(rows);
    for (index, heading) in headings.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, 2));
            if *heading == "id" {
                // One that is broken over two lines cannot be copied.
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
            if numbers.contains(heading) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    say(&format!("{}\n", table.trim_fmt()));
}

/// Prints a sentence, over as many lines as it takes.
pub(super) fn print_text(text: &str) {
    let lines = wrap(text, usize::from(WIDTH) - INDENT);
    say(&format!("{}\n", lines.join(&format!("\n{:INDENT$}", ""))));
}

/// Lines of at most `width` characters. A word that is longer stands alone: keys and ids are to
/// be copied.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Prints one JSON document on a line of its own.
pub(super) fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::from(&error))?;
    say(&format!("{text}\n"));
    Ok(())
}

/// A moment as people read it, to the minute.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

/// The same, or nothing.
pub(super) fn moment_or_none(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| NONE.to_owned(), moment)
}
