//! Tables for a terminal: no line is ever longer than it is wide.

use super::terminal::Colours;
use crate::printable;

/// Between two columns.
const GAP: usize = 2;

/// What is left of the elastic column, however narrow the terminal is.
const NARROWEST: usize = 8;

/// How a cell is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// Like the rest.
    Plain,
    /// Bold.
    Head,
    /// Yellow.
    Doubtful,
    /// Red.
    Bad,
}

impl Tone {
    fn sequence(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Head => Some("\x1b[1m"),
            Self::Doubtful => Some("\x1b[33m"),
            Self::Bad => Some("\x1b[31m"),
        }
    }
}

/// A text in a table, made safe.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(super) fn new(text: &str, tone: Tone) -> Self {
        Self { text: printable::text(text), tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text.as_ref(), Tone::Plain)
    }
}

/// Rows under heads. One column gives way where there is no room; after that, lines are cut.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<Cell>>,
    elastic: usize,
}

impl Table {
    /// An empty table; `elastic` is the number of the column that gives way, counted from 0.
    pub(super) fn new(heads: &[&str], elastic: usize) -> Self {
        let heads = heads.iter().map(|head| Cell::new(head, Tone::Head)).collect();
        Self { rows: vec![heads], elastic }
    }

    /// Adds a row, which has as many cells as there are heads.
    pub(super) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines, at most `columns` wide. Columns without any text are left out.
    pub(super) fn text(&self, columns: usize, colours: Colours) -> String {
        let widths = self.widths(columns);
        let mut text = String::new();
        for row in &self.rows {
            let mut line = Line { text: String::new(), width: 0, room: columns, colours };
            let cells = row.iter().zip(&widths).filter(|(_, width)| **width > 0);
            for (index, (cell, &width)) in cells.enumerate() {
                line.cell(cell, width, if index == 0 { 0 } else { GAP });
            }
            text.push_str(line.text.trim_end());
            text.push('\n');
        }
        text
    }

    /// The width of each column; 0 for one that is left out.
    fn widths(&self, columns: usize) -> Vec<usize> {
        let number = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            let used =
                self.rows.iter().skip(1).filter_map(|row| row.get(column)).any(|cell| !cell.text.is_empty());
            let widths =
                self.rows.iter().filter_map(|row| row.get(column)).map(|cell| printable::width(&cell.text));
            if used { widths.max().unwrap_or(0) } else { 0 }
        };
        let mut widths: Vec<usize> = (0..number).map(widest).collect();
        let shown = widths.iter().filter(|width| **width > 0).count();
        let whole = widths.iter().sum::<usize>() + GAP * shown.saturating_sub(1);
        if let Some(elastic) = widths.get_mut(self.elastic) {
            *elastic = elastic.saturating_sub(whole.saturating_sub(columns)).max(NARROWEST.min(*elastic));
        }
        widths
    }
}

/// A line that is being put together.
struct Line {
    text: String,
    width: usize,
    room: usize,
    colours: Colours,
}

impl Line {
    /// Adds a cell of a column, `gap` behind the one before it.
    fn cell(&mut self, cell: &Cell, column: usize, gap: usize) {
        // The text of the line ends where the column before it does.
        let left = self.room.saturating_sub(self.width);
        if left <= gap {
            return;
        }
        let shown = cut(&cell.text, column.min(left - gap));
        let width = printable::width(&shown);
        self.text.extend(std::iter::repeat_n(' ', gap));
        match cell.tone.sequence().filter(|_| self.colours == Colours::Yes && !shown.is_empty()) {
            Some(sequence) => {
                self.text.push_str(sequence);
                self.text.push_str(&shown);
                self.text.push_str("\x1b[0m");
            }
            None => self.text.push_str(&shown),
        }
        let column = column.min(left - gap);
        self.text.extend(std::iter::repeat_n(' ', column - width));
        self.width += gap + column;
    }
}

/// `text` in no more than `width` columns, with an ellipsis where something is missing.
fn cut(text: &str, width: usize) -> String {
    if printable::width(text) <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for character in text.chars() {
        let next = printable::width_of(character);
        // One column is the ellipsis'.
        if used + next + 1 > width {
            break;
        }
        used += next;
        cut.push(character);
    }
    if width > 0 {
        cut.push('\u{2026}');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn people() -> Table {
        let mut table = Table::new(&["USER", "STATE", "LOCKED UNTIL", "CODES"], 0);
        table.row(vec!["alice".into(), Cell::new("disabled", Tone::Bad), "".into(), "3".into()]);
        table.row(vec!["somebody-with-a-long-name".into(), "enabled".into(), "".into(), "10".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_those_without_text_left_out() {
        assert_eq!(
            people().text(80, Colours::No),
            "USER                       STATE     CODES\n\
             alice                      disabled  3\n\
             somebody-with-a-long-name  enabled   10\n"
        );
    }

    #[test]
    fn one_column_gives_way_and_then_the_line_is_cut() {
        assert_eq!(
            people().text(30, Colours::No),
            "USER           STATE     CODES\n\
             alice          disabled  3\n\
             somebody-wit\u{2026}  enabled   10\n"
        );
        assert_eq!(
            people().text(16, Colours::No),
            "USER      STATE\n\
             alice     disab\u{2026}\n\
             somebod\u{2026}  enabl\u{2026}\n"
        );
    }

    #[test]
    fn colours_take_no_room() {
        let coloured = people().text(30, Colours::Yes);
        assert!(coloured.contains("\x1b[31mdisabled\x1b[0m"), "{coloured}");
        let plain =
            ["\x1b[31m", "\x1b[1m", "\x1b[0m"].iter().fold(coloured, |text, code| text.replace(code, ""));
        assert_eq!(plain, people().text(30, Colours::No));
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(cut("\u{674e}\u{56db}\u{5149}", 6), "\u{674e}\u{56db}\u{5149}");
        assert_eq!(cut("\u{674e}\u{56db}\u{5149}", 5), "\u{674e}\u{56db}\u{2026}");
        assert_eq!(cut("\u{674e}\u{56db}\u{5149}", 4), "\u{674e}\u{2026}");
        assert_eq!((cut("ab", 1).as_str(), cut("ab", 0).as_str()), ("\u{2026}", ""));
    }

    proptest! {
        #![proptest_config(crate::fuzzing::cases())]

        #[test]
        fn fuzz_no_line_is_wider_than_the_terminal(
            cells in proptest::collection::vec(proptest::collection::vec(crate::fuzzing::troublesome_text(), 3), 0..4),
            columns in 0..60_usize,
            elastic in 0..4_usize,
        ) {
            let mut table = Table::new(&["A", "SOMETHING", "C"], elastic);
            for row in &cells {
                table.row(row.iter().map(Cell::from).collect());
            }
            let text = table.text(columns, Colours::No);
            prop_assert_eq!(text.lines().count(), cells.len() + 1);
            for line in text.lines() {
                prop_assert!(printable::width(line) <= columns, "{:?}", line);
                prop_assert!(crate::fuzzing::is_printable(line));
            }
        }
    }
}
