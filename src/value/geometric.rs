//! Points and what is made of them. Coordinates are printed as `float8out` does, and none is ever moved or swapped.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::float::Float8;
use super::parts::{Text, put_length};
use super::scan::Binary;
use super::{ValueError, Wire};

const COORDINATE: &str = "a float8";

/// `point`: `(1,2)` (`geo_ops.c`, as all of these).
///
/// ```
/// use walferry::value::{Point, Wire};
///
/// let point = Point::from_text("(1.5,-Infinity)")?;
/// assert_eq!((point.x, point.y), (1.5, f64::NEG_INFINITY));
/// assert_eq!(point.to_string(), "(1.5,-Infinity)");
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The first coordinate.
    pub x: f64,
    /// The second one.
    pub y: f64,
}

/// `line`: `{A,B,C}`, the points at which A·x + B·y + C = 0.
///
/// ```
/// use walferry::value::{Line, Wire};
///
/// assert_eq!(Line::from_text("{1,-1,0}")?, Line { a: 1.0, b: -1.0, c: 0.0 });
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// The factor of x.
    pub a: f64,
    /// The factor of y.
    pub b: f64,
    /// What is added.
    pub c: f64,
}

/// `lseg`: a line's part between two points, `[(1,2),(3,4)]`.
///
/// ```
/// use walferry::value::{Lseg, Wire};
///
/// assert_eq!(Lseg::from_text("[(1,2),(3,4)]")?.end.x, 3.0);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lseg {
    /// One end.
    pub start: Point,
    /// The other one.
    pub end: Point,
}

/// `box`: `(3,4),(1,2)`, the upper right corner first. In arrays, boxes are separated by `;`.
///
/// ```
/// use walferry::value::{GeoBox, Wire};
///
/// assert_eq!(GeoBox::from_text("(3,4),(1,2)")?.high.y, 4.0);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeoBox {
    /// The corner of the higher coordinates.
    pub high: Point,
    /// The opposite one.
    pub low: Point,
}

/// `path`: points in a row, open `[(1,2),(3,4)]` or closed `((1,2),(3,4))`.
///
/// ```
/// use walferry::value::{Path, Wire};
///
/// let path = Path::from_text("[(1,2),(3,4)]")?;
/// assert!(!path.is_closed && path.points.len() == 2);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// Whether the last point is connected to the first one.
    pub is_closed: bool,
    /// At least one.
    pub points: Vec<Point>,
}

/// `polygon`: its corners, `((1,2),(3,4),(5,6))`.
///
/// ```
/// use walferry::value::{Polygon, Wire};
///
/// assert_eq!(Polygon::from_text("((1,2),(3,4),(5,6))")?.points.len(), 3);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Polygon {
    /// At least one.
    pub points: Vec<Point>,
}

/// `circle`: centre and radius, `<(1,2),3>`.
///
/// ```
/// use walferry::value::{Circle, Wire};
///
/// assert_eq!(Circle::from_text("<(1,2),3>")?.radius, 3.0);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    /// The middle.
    pub center: Point,
    /// Half of the width.
    pub radius: f64,
}

impl Point {
    fn read_text(text: &mut Text<'_>) -> Result<Self, ValueError> {
        text.expect("(", "`(`")?;
        let x = float(text)?;
        text.expect(",", "`,`")?;
        let y = float(text)?;
        text.expect(")", "`)`")?;
        Ok(Self { x, y })
    }

    fn read_binary(bytes: &mut Binary<'_>) -> Result<Self, ValueError> {
        Ok(Self { x: bytes.f64(COORDINATE)?, y: bytes.f64(COORDINATE)? })
    }

    fn put(self, out: &mut BytesMut) {
        out.put_f64(self.x);
        out.put_f64(self.y);
    }
}

fn float(text: &mut Text<'_>) -> Result<f64, ValueError> {
    let start = text.clone();
    let digits = text.until(|byte| matches!(byte, b',' | b')' | b'}' | b'>'));
    let printed = Float8::from_text(digits).ok().filter(|float| float.to_string() == digits);
    printed.map(f64::from).ok_or_else(|| start.fail("a float8 as float8out prints it"))
}

/// Points with commas between them: there is always one.
fn points(text: &mut Text<'_>) -> Result<Vec<Point>, ValueError> {
    let mut points = vec![Point::read_text(text)?];
    while text.eat(",") {
        points.push(Point::read_text(text)?);
    }
    Ok(points)
}

/// A count, and as many points: `path_recv` and `poly_recv` ask for one at least.
fn counted_points(bytes: &mut Binary<'_>) -> Result<Vec<Point>, ValueError> {
    let count = bytes.count(16, "a number of points")?;
    if count == 0 {
        return Err(bytes.fail_behind(4, "at least one point"));
    }
    (0..count).map(|_| Point::read_binary(bytes)).collect()
}

fn put_points(out: &mut BytesMut, points: &[Point]) {
    put_length(out, points.len());
    for point in points {
        point.put(out);
    }
}

fn write_points(f: &mut fmt::Formatter<'_>, points: &[Point]) -> fmt::Result {
    for (number, point) in points.iter().enumerate() {
        if number > 0 {
            f.write_str(",")?;
        }
        write!(f, "{point}")?;
    }
    Ok(())
}

/// The two forms of a type, each read to its end.
macro_rules! wire {
    ($type:ident, $name:literal, |$text:ident| $parse:expr, |$bytes:ident| $read:expr, |$self:ident, $out:ident| $put:expr) => {
        impl<'a> Wire<'a> for $type {
            fn from_text(text: &'a str) -> Result<Self, ValueError> {
                let $text = &mut Text::new($name, text);
                let value = $parse;
                $text.finish()?;
                Ok(value)
            }

            fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
                let $bytes = &mut Binary::new($name, bytes);
                let value = $read;
                $bytes.finish()?;
                Ok(value)
            }

            fn write_binary(&$self, $out: &mut BytesMut) {
                $put
            }
        }
    };
}

wire!(Point, "point", |text| Point::read_text(text)?, |bytes| Point::read_binary(bytes)?, |self, out| self
    .put(out));

wire!(
    Line,
    "line",
    |text| {
        text.expect("{", "`{`")?;
        let a = float(text)?;
        text.expect(",", "`,`")?;
        let b = float(text)?;
        text.expect(",", "`,`")?;
        let c = float(text)?;
        text.expect("}", "`}`")?;
        Self { a, b, c }
    },
    |bytes| Self { a: bytes.f64(COORDINATE)?, b: bytes.f64(COORDINATE)?, c: bytes.f64(COORDINATE)? },
    |self, out| {
        for factor in [self.a, self.b, self.c] {
            out.put_f64(factor);
        }
    }
);

wire!(
    Lseg,
    "lseg",
    |text| {
        text.expect("[", "`[`")?;
        let start = Point::read_text(text)?;
        text.expect(",", "`,`")?;
        let end = Point::read_text(text)?;
        text.expect("]", "`]`")?;
        Self { start, end }
    },
    |bytes| Self { start: Point::read_binary(bytes)?, end: Point::read_binary(bytes)? },
    |self, out| {
        self.start.put(out);
        self.end.put(out);
    }
);

wire!(
    GeoBox,
    "box",
    |text| {
        let high = Point::read_text(text)?;
        text.expect(",", "`,`")?;
        Self { high, low: Point::read_text(text)? }
    },
    |bytes| Self { high: Point::read_binary(bytes)?, low: Point::read_binary(bytes)? },
    |self, out| {
        self.high.put(out);
        self.low.put(out);
    }
);

wire!(
    Path,
    "path",
    |text| {
        let is_closed = text.eat("(");
        if !is_closed {
            text.expect("[", "`[` or `(`")?;
        }
        let points = points(text)?;
        text.expect(if is_closed { ")" } else { "]" }, "the bracket that closes the first one")?;
        Self { is_closed, points }
    },
    |bytes| {
        let is_closed = match bytes.u8("0 or 1")? {
            0 => false,
            1 => true,
            _ => return Err(bytes.fail_behind(1, "0 or 1")),
        };
        Self { is_closed, points: counted_points(bytes)? }
    },
    |self, out| {
        out.put_u8(self.is_closed.into());
        put_points(out, &self.points);
    }
);

wire!(
    Polygon,
    "polygon",
    |text| {
        text.expect("(", "`(`")?;
        let points = points(text)?;
        text.expect(")", "`,` or `)`")?;
        Self { points }
    },
    |bytes| Self { points: counted_points(bytes)? },
    |self, out| put_points(out, &self.points)
);

wire!(
    Circle,
    "circle",
    |text| {
        text.expect("<", "`<`")?;
        let center = Point::read_text(text)?;
        text.expect(",", "`,`")?;
        let radius = float(text)?;
        text.expect(">", "`>`")?;
        Self { center, radius }
    },
    |bytes| Self { center: Point::read_binary(bytes)?, radius: bytes.f64("a radius")? },
    |self, out| {
        self.center.put(out);
        out.put_f64(self.radius);
    }
);

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        Float8::from(self.x).fmt(f)?;
        f.write_str(",")?;
        Float8::from(self.y).fmt(f)?;
        f.write_str(")")
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        Float8::from(self.a).fmt(f)?;
        f.write_str(",")?;
        Float8::from(self.b).fmt(f)?;
        f.write_str(",")?;
        Float8::from(self.c).fmt(f)?;
        f.write_str("}")
    }
}

impl fmt::Display for Lseg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{},{}]", self.start, self.end)
    }
}

impl fmt::Display for GeoBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.high, self.low)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.is_closed { ("(", ")") } else { ("[", "]") };
        f.write_str(open)?;
        write_points(f, &self.points)?;
        f.write_str(close)
    }
}

impl fmt::Display for Polygon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        write_points(f, &self.points)?;
        f.write_str(")")
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{},", self.center)?;
        Float8::from(self.radius).fmt(f)?;
        f.write_str(">")
    }
}

#[cfg(test)]
mod tests;
