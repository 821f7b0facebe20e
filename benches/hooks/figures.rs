//! Series of measurements, and tables of them in Markdown.

use std::time::Duration;

/// What was measured for one variant, in one unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    /// Adds a time; the unit is milliseconds.
    pub(crate) fn add(&mut self, time: Duration) {
        self.add_number(time.as_secs_f64() * 1000.0);
    }

    pub(crate) fn add_number(&mut self, number: f64) {
        self.0.push(number);
        self.0.sort_by(f64::total_cmp);
    }

    /// # Panics
    /// As all of them: when nothing was measured.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 { self.0[middle] } else { f64::midpoint(self.0[middle - 1], self.0[middle]) }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    fn min(&self) -> f64 {
        *self.0.first().expect("something was measured")
    }

    fn max(&self) -> f64 {
        *self.0.last().expect("something was measured")
    }
}

/// One line of a table.
struct Row {
    name: String,
    series: Series,
    /// The median that each is compared with.
    base: Option<f64>,
    /// What the median must not be above.
    limit: Option<f64>,
}

/// Variants of one benchmark.
pub(crate) struct Table {
    title: String,
    unit: &'static str,
    base: String,
    rows: Vec<Row>,
}

impl Table {
    /// `base` says what the variants are compared with.
    pub(crate) fn new(title: &str, unit: &'static str, base: &str) -> Self {
        Self { title: title.into(), unit, base: base.into(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, name: &str, series: &Series, base: Option<f64>, limit: Option<f64>) {
        self.rows.push(Row { name: name.into(), series: series.clone(), base, limit });
    }

    /// Prints it; whether each median is within its limit.
    pub(crate) fn print(&self) -> bool {
        println!("\n### {}\n", self.title);
        let cells: Vec<[String; 8]> = self.rows.iter().map(Row::cells).collect();
        let head = ["", "n", "median", "min", "max", &format!("× {}", self.base), "must be", "met"]
            .map(String::from);
        let width = |column: usize| {
            let all = cells.iter().chain([&head]);
            all.map(|cells| cells[column].chars().count()).max().unwrap_or(0)
        };
        let widths: [usize; 8] = std::array::from_fn(width);
        let line =
            |cells: &[String; 8]| {
                let padded = cells.iter().zip(widths).enumerate();
                let padded = padded.map(|(column, (cell, width))| {
                    if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                });
                println!("| {} |", padded.collect::<Vec<_>>().join(" | "));
            };
        line(&head);
        line(&std::array::from_fn(|column| {
            let dashes = "-".repeat(widths[column].max(2) - 1);
            if column == 0 { format!("-{dashes}") } else { format!("{dashes}:") }
        }));
        cells.iter().for_each(line);
        println!("\nIn {}. Targets are for medians.", self.unit);
        self.rows.iter().all(Row::is_met)
    }
}

impl Row {
    fn is_met(&self) -> bool {
        self.limit.is_none_or(|limit| self.series.median() <= limit)
    }

    fn cells(&self) -> [String; 8] {
        let Self { name, series, base, limit } = self;
        let met = limit.map(|_| if self.is_met() { "yes" } else { "**no**" });
        [
            name.clone(),
            series.0.len().to_string(),
            number(series.median()),
            number(series.min()),
            number(series.max()),
            base.map(|base| format!("{:.2}", series.median() / base)).unwrap_or_default(),
            limit.map(|limit| format!("≤ {}", number(limit))).unwrap_or_default(),
            met.unwrap_or_default().into(),
        ]
    }
}

fn number(number: f64) -> String {
    if number < 100.0 { format!("{number:.2}") } else { format!("{number:.0}") }
}
