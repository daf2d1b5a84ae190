//! The size of deltas against the CPU time of decoding them, drawn as SVG: a point for each codec, both axes logarithmic.

use std::fmt::Write as _;

use super::report::Totals;

/// The picture's size; what is drawn lies inside, within the margins.
const SIZE: [f64; 2] = [760.0, 480.0];
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;

/// The least distance of labels, and the width of a letter, about.
const LINE: f64 = 16.0;
const LETTER: f64 = 8.0;

/// Draws one.
pub(super) fn draw(all: &[Totals]) -> String {
    // Shorter times than the system counts are no times.
    let points: Vec<Point<'_>> = all
        .iter()
        .map(|totals| Point {
            label: &totals.coder,
            ours: totals.ours,
            at: [totals.decode().max(1e-4), totals.mean * 100.0],
        })
        .collect();
    let [width, height] = SIZE;
    let across = Axis::over(points.iter().map(|point| point.at[0]), LEFT, width - RIGHT);
    let up = Axis::over(points.iter().map(|point| point.at[1]), height - BOTTOM, TOP);
    let mut svg = Svg::new();
    for (value, x) in across.ticks() {
        svg.line([x, TOP], [x, height - BOTTOM], "#ddd");
        svg.text([x, height - BOTTOM + 20.0], "middle", "#555", &value.to_string());
    }
    for (value, y) in up.ticks() {
        svg.line([LEFT, y], [width - RIGHT, y], "#ddd");
        svg.text([LEFT - 8.0, y + 5.0], "end", "#555", &format!("{value} %"));
    }
    let middle = (LEFT + width - RIGHT) / 2.0;
    svg.text([LEFT, TOP - 20.0], "start", "#000", "Delta by new file, geometric mean: lower is smaller");
    svg.text([middle, height - 15.0], "middle", "#000", "CPU seconds of decoding by MB of the new file");
    let mut labels: Vec<Label> = Vec::new();
    for point in points {
        let (x, y) = (across.place(point.at[0]), up.place(point.at[1]));
        let color = if point.ours { "#c02020" } else { "#205090" };
        svg.dot([x, y], color);
        let label = Label::beside(x, y, point.label, &labels);
        svg.line([x, y], [if label.from > x { label.from } else { label.to }, label.y], color);
        svg.text([label.from, label.y + 5.0], "start", color, point.label);
        labels.push(label);
    }
    svg.end()
}

struct Point<'a> {
    label: &'a str,
    ours: bool,
    at: [f64; 2],
}

/// A logarithmic axis between two places of the picture.
struct Axis {
    values: [f64; 2],
    places: [f64; 2],
}

impl Axis {
    /// Holds all values, with room on both sides.
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        Self { values: [least / 1.5, most * 1.5], places: [from, to] }
    }

    fn place(&self, value: f64) -> f64 {
        let ([least, most], [from, to]) = (self.values, self.places);
        from + (to - from) * (value / least).ln() / (most / least).ln()
    }

    /// Round values within, and their places.
    fn ticks(&self) -> Vec<(f64, f64)> {
        let [least, most] = self.values;
        let decades = (-5..=3).flat_map(|power: i32| {
            // Divided, not multiplied: 0.2 is printed as it is, 2 * 0.1 may not be.
            [1.0, 2.0, 5.0].map(|digit| {
                let decade = 10_f64.powi(power.abs());
                if power < 0 { digit / decade } else { digit * decade }
            })
        });
        decades.filter(|tick| (least..most).contains(tick)).map(|tick| (tick, self.place(tick))).collect()
    }
}

/// Where a label stands.
struct Label {
    from: f64,
    to: f64,
    y: f64,
}

impl Label {
    /// Finds a place beside a point: right of it if there is room, and as near as others leave free.
    fn beside(x: f64, y: f64, text: &str, others: &[Self]) -> Self {
        let width = LETTER * text.chars().count() as f64;
        let from = if x + 10.0 + width < SIZE[0] { x + 10.0 } else { x - 10.0 - width };
        let is_free = |y: f64| {
            let clash =
                |other: &Self| other.from < from + width && from < other.to && (other.y - y).abs() < LINE;
            !others.iter().any(clash)
        };
        let steps = (0..=others.len()).flat_map(|lines| [lines as f64, -(lines as f64)]);
        let y = steps.map(|lines| y + lines * LINE).find(|y| is_free(*y)).unwrap_or(y);
        Self { from, to: from + width, y }
    }
}

struct Svg(String);

impl Svg {
    fn new() -> Self {
        let [width, height] = SIZE;
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             font-family=\"sans-serif\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        ))
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{element}").expect("a string takes all");
    }

    fn line(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], color: &str) {
        self.add(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\"/>"
        ));
    }

    fn dot(&mut self, [x, y]: [f64; 2], color: &str) {
        self.add(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{color}\"/>"));
    }

    fn text(&mut self, [x, y]: [f64; 2], anchor: &str, color: &str, text: &str) {
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{color}\">{text}</text>"
        ));
    }

    fn end(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_its_ends_and_round_ticks_in_place() {
        let axis = Axis::over([0.18, 0.6].into_iter(), 100.0, 200.0);
        assert!((axis.place(0.12) - 100.0).abs() < 1e-6 && (axis.place(0.9) - 200.0).abs() < 1e-6);
        let ticks: Vec<String> = axis.ticks().into_iter().map(|(value, _)| value.to_string()).collect();
        assert_eq!(ticks, ["0.2", "0.5"]);
    }

    #[test]
    fn labels_of_the_same_place_stand_below_one_another() {
        let first = Label::beside(100.0, 100.0, "one", &[]);
        let second = Label::beside(100.0, 100.0, "two", std::slice::from_ref(&first));
        assert!((first.y - second.y).abs() >= LINE);
    }
}
