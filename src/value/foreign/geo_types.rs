//! geo-types: the same coordinates, bit by bit.

use geo_types::{Coord, LineString, Rect};

use crate::value::{GeoBox, Lseg, Path, Point};

impl From<Point> for Coord<f64> {
    fn from(point: Point) -> Self {
        Self { x: point.x, y: point.y }
    }
}

impl From<Coord<f64>> for Point {
    fn from(coord: Coord<f64>) -> Self {
        Self { x: coord.x, y: coord.y }
    }
}

impl From<Point> for geo_types::Point<f64> {
    fn from(point: Point) -> Self {
        Self(point.into())
    }
}

impl From<geo_types::Point<f64>> for Point {
    fn from(point: geo_types::Point<f64>) -> Self {
        point.0.into()
    }
}

impl From<Lseg> for geo_types::Line<f64> {
    fn from(lseg: Lseg) -> Self {
        Self { start: lseg.start.into(), end: lseg.end.into() }
    }
}

impl From<geo_types::Line<f64>> for Lseg {
    fn from(line: geo_types::Line<f64>) -> Self {
        Self { start: line.start.into(), end: line.end.into() }
    }
}

/// `high` is the maximum, `low` the minimum.
impl From<Rect<f64>> for GeoBox {
    fn from(rect: Rect<f64>) -> Self {
        Self { high: rect.max().into(), low: rect.min().into() }
    }
}

exact! {
    /// `high` is the maximum, `low` the minimum. Refuses corners that a [`Rect`] would swap.
    GeoBox as "box" => Rect<f64> as "geo_types::Rect", to_rect;
    /// Refuses a closed path, as a [`LineString`] doesn't say that it is one.
    Path as "path" => LineString<f64> as "geo_types::LineString", to_line_string;
    /// An open path. Refuses a line of no points.
    LineString<f64> as "geo_types::LineString" => Path as "path", of_line_string;
}

fn to_rect(corners: GeoBox) -> Option<Rect<f64>> {
    // Where neither is lower, as with NaN or two zeros, the second one becomes the minimum.
    let rect = Rect::new(corners.high, corners.low);
    let bits = |corners: GeoBox| [corners.high, corners.low].map(|Point { x, y }| [x.to_bits(), y.to_bits()]);
    (bits(rect.into()) == bits(corners)).then_some(rect)
}

fn to_line_string(path: Path) -> Option<LineString<f64>> {
    let points = path.points.into_iter().map(Coord::from);
    (!path.is_closed).then(|| points.collect())
}

fn of_line_string(line: LineString<f64>) -> Option<Path> {
    let points: Vec<Point> = line.into_iter().map(Point::from).collect();
    (!points.is_empty()).then_some(Path { is_closed: false, points })
}

#[cfg(test)]
mod tests;
