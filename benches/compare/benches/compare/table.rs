//! Tables that a person can read, and that can be pasted into Markdown.

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};

/// Prints a heading, what there is to say, and rows under a header. Numbers are on the right.
pub(crate) fn print(title: &str, said: &str, header: &[String], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header).add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("\n### {title}\n\n{said}\n\n{table}");
}

/// A header of these.
pub(crate) fn header<T: ToString>(cells: impl IntoIterator<Item = T>) -> Vec<String> {
    cells.into_iter().map(|cell| cell.to_string()).collect()
}
