//! Plots as SVG, small enough to be read in a review.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
/// Room for the labels of the axes.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 44.0;
const TOP: f64 = 34.0;
const RIGHT: f64 = 150.0;
/// Of the lines, in the order of their series; they differ in lightness too.
const COLOURS: [&str; 4] = ["#1b5e9b", "#d9822b", "#5a9e4b", "#8a4fa3"];
/// Room above the largest value.
const HEADROOM: f64 = 1.15;

/// A plot of what something costs as it grows: from zero on, over a logarithmic axis.
#[derive(Debug)]
pub(crate) struct Plot<'a> {
    pub(crate) title: &'a str,
    /// What grows, and its unit.
    pub(crate) x: &'a str,
    /// What it costs, and its unit.
    pub(crate) y: &'a str,
    pub(crate) series: Vec<Series>,
}

/// A line of a plot.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// In order of their first value, which is above zero.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Plot<'_> {
    /// The file's text.
    pub(crate) fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let most = points().map(|point| point.1).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let top = most * HEADROOM;
        let (first, last) = points()
            .map(|point| point.0.log10())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| {
                (least.min(x), most.max(x))
            });
        let span = (last - first).max(f64::MIN_POSITIVE);
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let at = |x: f64, y: f64| {
            (LEFT + (x.log10() - first) / span * (right - LEFT), bottom - y / top * (bottom - TOP))
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
             <title>{title}</title>\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"20\" font-size=\"14\" font-weight=\"bold\">{title}</text>\n",
            title = self.title,
        );
        for step in 0..=4 {
            let value = most * f64::from(step) / 4.0;
            let y = at(10_f64.powf(first), value).1;
            let _written = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#dddddd\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                short(value)
            );
        }
        let mut ticks: Vec<f64> = points().map(|point| point.0).collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();
        for tick in ticks {
            let x = at(tick, 0.0).0;
            let _written = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                short(tick)
            );
        }
        let _written = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(LEFT, right),
            HEIGHT - 8.0,
            self.x,
            f64::midpoint(TOP, bottom),
            self.y
        );
        self.draw_series(&mut svg, right, at);
        svg.push_str("</svg>\n");
        svg
    }

    /// The lines, with their names beside the plot.
    fn draw_series(&self, svg: &mut String, right: f64, at: impl Fn(f64, f64) -> (f64, f64)) {
        for (number, series) in self.series.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let line: Vec<String> = series
                .points
                .iter()
                .map(|point| at(point.0, point.1))
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            let _written = writeln!(
                svg,
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
                line.join(" ")
            );
            for dot in &line {
                let (x, y) = dot.split_once(',').expect("a pair");
                let _written =
                    writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"{colour}\"/>");
            }
            let y = TOP + 16.0 * number as f64;
            let _written = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"{colour}\">{}</text>",
                right + 10.0,
                series.name
            );
        }
    }
}

/// A number for an axis.
fn short(value: f64) -> String {
    match value {
        millions if millions >= 1e6 => format!("{}M", trimmed(millions / 1e6)),
        thousands if thousands >= 1e3 => format!("{}k", trimmed(thousands / 1e3)),
        small => trimmed(small),
    }
}

fn trimmed(value: f64) -> String {
    let digits = if value >= 10.0 {
        0
    } else if value >= 1.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    text.to_owned()
}
