//! Plots as SVG.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

/// One plot, both axes logarithmic.
pub struct Plot {
    pub title: String,
    pub x: String,
    pub y: String,
    /// The base of the logarithm of the x axis.
    pub base: f64,
    pub curves: Vec<Curve>,
}

pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Distinguishable with colour blindness.
const COLORS: [RGBColor; 5] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(120, 120, 120),
    RGBColor(204, 121, 167),
];

impl Plot {
    pub fn draw(&self, path: &Path) -> crate::Result<()> {
        self.try_draw(path).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    fn try_draw(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        const SIZE: (u32, u32) = (800, 480);
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let points = || self.curves.iter().flat_map(|curve| curve.points.iter().copied());
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, ("sans-serif", 20))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(
                around(points().map(|(x, _)| x)).log_scale().base(self.base),
                around(points().map(|(_, y)| y)).log_scale(),
            )?;
        let label = |value: &f64| crate::report::number(*value, 0);
        chart
            .configure_mesh()
            .x_desc(&self.x)
            .y_desc(&self.y)
            .x_label_formatter(&label)
            .y_label_formatter(&label)
            .light_line_style(WHITE)
            .draw()?;
        for (curve, color) in self.curves.iter().zip(COLORS.iter().cycle()) {
            let line = LineSeries::new(curve.points.iter().copied(), color.stroke_width(2)).point_size(3);
            let legend = |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2));
            chart.draw_series(line)?.label(&curve.name).legend(legend);
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.9))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 14))
            .draw()?;
        root.present()?;
        Ok(())
    }
}

/// A range with a little room at both ends.
fn around(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (least, most) = values.fold((f64::MAX, 1.0), |(least, most), value| (value.min(least), value.max(most)));
    least / 1.5..most * 1.5
}
