//! Tables that fit the terminal and lose nothing.
//!
//! Where all columns fit, a row is one line. Where they do not, the widest-meant columns move below their row, named
//! and folded, one after the other until the rest fits. Into a pipe a row is always one line. Cells are escaped here.

use std::io::{self, Write};

use crate::cli::term::escape::{columns, escape, width};
use crate::cli::term::{Style, Terminal};

/// Rows that are measured together; a longer table goes on with the same or wider columns.
const TOGETHER: usize = 1000;
const GAP: usize = 2;
const INDENT: usize = 4;

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its heading.
    pub name: &'static str,
    /// Whether it is the first kind to move below the row.
    pub is_detail: bool,
}

impl Column {
    /// A column that stays in its row as long as possible.
    pub const fn short(name: &'static str) -> Self {
        Column { name, is_detail: false }
    }

    /// A column that moves below its row first.
    pub const fn detail(name: &'static str) -> Self {
        Column { name, is_detail: true }
    }
}

#[derive(Debug)]
struct Row {
    style: Style,
    cells: Vec<String>,
}

/// A table that is written as it grows.
#[derive(Debug)]
pub struct Table<'a> {
    columns: &'a [Column],
    terminal: Terminal,
    widths: Vec<usize>,
    rows: Vec<Row>,
    has_heading: bool,
}

impl<'a> Table<'a> {
    /// An empty table.
    pub fn new(columns: &'a [Column], terminal: Terminal) -> Self {
        let widths = columns.iter().map(|column| column.name.len()).collect();
        Table { columns, terminal, widths, rows: Vec::new(), has_heading: false }
    }

    /// Adds a row: one cell for each column, not escaped. `style` is for the row's line.
    pub fn row(&mut self, out: &mut impl Write, style: Style, cells: &[&str]) -> io::Result<()> {
        debug_assert_eq!(cells.len(), self.columns.len());
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell).into_owned()).collect();
        for (widest, cell) in self.widths.iter_mut().zip(&cells) {
            *widest = columns(cell).max(*widest);
        }
        self.rows.push(Row { style, cells });
        if self.rows.len() >= TOGETHER { self.flush(out) } else { Ok(()) }
    }

    /// Writes what is left.
    pub fn finish(mut self, out: &mut impl Write) -> io::Result<()> {
        self.flush(out)
    }

    fn flush(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let below = self.moved_below();
        if !self.has_heading {
            self.has_heading = true;
            let names: Vec<String> = self.columns.iter().map(|column| column.name.to_uppercase()).collect();
            let heading = self.line(&names, &below);
            writeln!(out, "{}", self.terminal.paint(Style::Bold, &heading))?;
        }
        for row in std::mem::take(&mut self.rows) {
            writeln!(out, "{}", self.terminal.paint(row.style, &self.line(&row.cells, &below)))?;
            self.details(out, &row.cells, &below)?;
        }
        Ok(())
    }

    /// Which columns stand below their row.
    fn moved_below(&self) -> Vec<bool> {
        let mut below = vec![false; self.columns.len()];
        let Some(room) = self.terminal.columns else { return below };
        let needed = |below: &[bool]| -> usize {
            let shown = self.widths.iter().zip(below).filter(|(_, below)| !**below);
            shown.map(|(width, _)| width + GAP).sum::<usize>().saturating_sub(GAP)
        };
        let last_first = (0..self.columns.len()).rev();
        let details = last_first.clone().filter(|at| self.columns[*at].is_detail);
        let others = last_first.filter(|at| !self.columns[*at].is_detail);
        for at in details.chain(others) {
            if needed(&below) <= room {
                break;
            }
            below[at] = true;
        }
        // A row without any line of its own could not be told from the one before.
        below[0] = false;
        below
    }

    fn line(&self, cells: &[String], below: &[bool]) -> String {
        let mut line = String::new();
        let mut filler = 0;
        for ((cell, widest), _) in cells.iter().zip(&self.widths).zip(below).filter(|(_, below)| !**below) {
            line.extend(std::iter::repeat_n(' ', filler));
            line.push_str(cell);
            filler = widest.saturating_sub(columns(cell)) + GAP;
        }
        line.truncate(line.trim_end().len());
        line
    }

    fn details(&self, out: &mut impl Write, cells: &[String], below: &[bool]) -> io::Result<()> {
        let room = self.terminal.columns.unwrap_or(usize::MAX).saturating_sub(INDENT).max(16);
        for ((column, cell), _) in self.columns.iter().zip(cells).zip(below).filter(|(_, below)| **below) {
            if cell.is_empty() {
                continue;
            }
            for line in fold(&format!("{}: {cell}", column.name), room) {
                writeln!(out, "{:INDENT$}{}", "", self.terminal.paint(Style::Dim, line))?;
            }
        }
        Ok(())
    }
}

/// Lines of at most `room` columns, broken after a blank where there is one in the second half.
pub fn fold(text: &str, room: usize) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let mut used = 0;
        let over = rest.char_indices().find(|(_, character)| {
            used += width(*character);
            used > room
        });
        let Some((hard, first_over)) = over else {
            lines.push(rest);
            return lines;
        };
        // A character wider than the room still has to go somewhere.
        let hard = if hard == 0 { first_over.len_utf8() } else { hard };
        let soft = rest[..hard].rfind(' ').map(|at| at + 1).filter(|at| *at > hard / 2);
        let (line, next) = rest.split_at(soft.unwrap_or(hard));
        lines.push(line);
        rest = next;
        if rest.is_empty() {
            return lines;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COLUMNS: &[Column] = &[Column::short("time"), Column::detail("path"), Column::short("layer")];

    fn drawn(terminal: Terminal, rows: &[[&str; 3]]) -> String {
        let mut table = Table::new(COLUMNS, terminal);
        let mut out = Vec::new();
        for row in rows {
            table.row(&mut out, Style::Plain, row).unwrap();
        }
        table.finish(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn narrow(columns: usize) -> Terminal {
        Terminal { columns: Some(columns), colours: false }
    }

    #[test]
    fn a_pipe_gets_one_line_for_each_row() {
        let text = drawn(Terminal::NONE, &[["10:00", "/a/b/c/d", "broker"], ["10:01", "/x\n", ""]]);
        assert_eq!(text, "TIME   PATH      LAYER\n10:00  /a/b/c/d  broker\n10:01  /x\\n\n");
    }

    #[test]
    fn what_does_not_fit_moves_below() {
        let rows = [["10:00", "/a/very/long/path/to/a/secret", "broker"]];
        assert_eq!(
            drawn(narrow(20), &rows),
            "TIME   LAYER\n10:00  broker\n    path: /a/very/lo\n    ng/path/to/a/sec\n    ret\n"
        );
        assert_eq!(drawn(narrow(60), &rows).lines().count(), 2);
        assert_eq!(drawn(narrow(20), &[]), "");
    }

    proptest! {
        #[test]
        fn lines_fit_and_nothing_is_lost(path in "[ -~]{0,200}", layer in "[a-z]{0,20}", room in 26usize..120) {
            let text = drawn(narrow(room), &[["10:00:00", &path, &layer]]);
            prop_assert!(text.lines().all(|line| line.len() <= room), "{}", text);
            let squeezed = |text: &str| text.replace([' ', '\n'], "");
            prop_assert!(squeezed(&text).contains(&squeezed(&path)));
            prop_assert!(squeezed(&text).contains(&layer));
        }

        #[test]
        fn folding_keeps_every_character(text: String, room in 1usize..40) {
            prop_assert_eq!(fold(&text, room).concat(), text);
        }
    }
}
