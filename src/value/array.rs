//! Arrays: their structure, whatever their elements are.

use std::borrow::Cow;
use std::fmt;

use bytes::{BufMut, BytesMut};

use super::ValueError;
use super::parts::{Text, is_space, put_length, put_nullable, write_quoted};
use super::scan::Binary;
use crate::Oid;

/// As many dimensions as an array can have (`MAXDIM` in the server's `c.h`).
pub const MAX_DIMENSIONS: usize = 6;

const NAME: &str = "array";
const ELEMENT_COUNT: &str = "as many elements as the dimensions say";

/// One dimension of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dimension {
    /// How many there are.
    pub size: u32,
    /// The index of the first one; 1 unless somebody asked for another.
    pub lower: i32,
}

/// An array in text form, taken apart: what `array_out` prints (the server's `arrayfuncs.c`).
///
/// ```
/// use walferry::value::ArrayText;
///
/// let text = r#"[0:3]={NULL,"NULL","",a\b}"#.replace(r"a\b", r#""a\\b""#);
/// let array = ArrayText::from_text(&text, ',')?;
/// assert_eq!(array.dimensions()[0].lower, 0);
/// let elements: Vec<_> = array.elements().iter().map(Option::as_deref).collect();
/// assert_eq!(elements, [None, Some("NULL"), Some(""), Some(r"a\b")]);
/// assert_eq!(array.to_string(), text);
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayText<'a> {
    delimiter: char,
    dimensions: Vec<Dimension>,
    elements: Vec<Option<Cow<'a, str>>>,
}

impl<'a> ArrayText<'a> {
    /// An array of these elements, the last dimension's index moving fastest. The delimiter is the element type's:
    /// `;` of `box`, `,` of every other built-in type.
    ///
    /// # Errors
    ///
    /// More dimensions than [`MAX_DIMENSIONS`], or another number of elements than they say.
    pub fn new(
        delimiter: char,
        dimensions: Vec<Dimension>,
        elements: Vec<Option<Cow<'a, str>>>,
    ) -> Result<Self, ValueError> {
        check(&dimensions, elements.len())?;
        Ok(Self { delimiter, dimensions, elements })
    }

    /// Takes apart what `array_out` prints. Quotes that aren't needed, any backslash in them, and NULL in any case are
    /// read too, as `array_in` does.
    ///
    /// # Errors
    ///
    /// Anything else: blanks outside of quotes, nesting of unequal shape, bounds that the elements contradict.
    pub fn from_text(text: &'a str, delimiter: char) -> Result<Self, ValueError> {
        Parser::new(text, delimiter).array()
    }

    /// What separates the elements.
    pub fn delimiter(&self) -> char {
        self.delimiter
    }

    /// The dimensions, outermost first; none for the empty array.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// The elements' texts; `None` is NULL. The last dimension's index moves fastest.
    pub fn elements(&self) -> &[Option<Cow<'a, str>>] {
        &self.elements
    }

    /// The elements' texts, to keep.
    pub fn into_elements(self) -> Vec<Option<Cow<'a, str>>> {
        self.elements
    }

    /// `array_out`: in quotes when empty, NULL in any case, or with a byte that would mean something else.
    fn write_element(&self, f: &mut fmt::Formatter<'_>, element: Option<&str>) -> fmt::Result {
        let Some(text) = element else { return f.write_str("NULL") };
        let special = |c: char| {
            matches!(c, '"' | '\\' | '{' | '}') || c == self.delimiter || u8::try_from(c).is_ok_and(is_space)
        };
        if text.is_empty() || text.eq_ignore_ascii_case("null") || text.contains(special) {
            write_quoted(f, text, '"', "\\\"")
        } else {
            f.write_str(text)
        }
    }

    fn write_bounds(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dimensions.iter().all(|dimension| dimension.lower == 1) {
            return Ok(());
        }
        for &Dimension { size, lower } in &self.dimensions {
            write!(f, "[{lower}:{}]", i64::from(lower) + i64::from(size) - 1)?;
        }
        f.write_str("=")
    }

    /// How many braces open before, or close after, the element of this number.
    fn braces(&self, number: usize) -> usize {
        let mut within = 1;
        let sizes = self.dimensions.iter().rev().map(|dimension| dimension.size as usize);
        sizes
            .take_while(|size| {
                within *= size;
                number.is_multiple_of(within)
            })
            .count()
    }
}

impl fmt::Display for ArrayText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.elements.is_empty() {
            return f.write_str("{}");
        }
        self.write_bounds(f)?;
        for (number, element) in self.elements.iter().enumerate() {
            if number > 0 {
                write!(f, "{}", self.delimiter)?;
            }
            f.write_str(repeated("{{{{{{", self.braces(number)))?;
            self.write_element(f, element.as_deref())?;
            f.write_str(repeated("}}}}}}", self.braces(number + 1)))?;
        }
        Ok(())
    }
}

fn repeated(braces: &'static str, count: usize) -> &'static str {
    braces.get(..count).unwrap_or(braces)
}

fn check(dimensions: &[Dimension], count: usize) -> Result<(), ValueError> {
    if dimensions.len() > MAX_DIMENSIONS {
        return Err(ValueError::malformed(NAME, 0, "at most 6 dimensions"));
    }
    // ArrayCheckBounds: the index behind the last one must be an int4, too.
    if dimensions.iter().any(|&Dimension { size, lower }| lower.checked_add_unsigned(size).is_none()) {
        return Err(ValueError::malformed(NAME, 0, "bounds within int4"));
    }
    if product(dimensions) == Some(count) {
        Ok(())
    } else {
        Err(ValueError::malformed(NAME, 0, ELEMENT_COUNT))
    }
}

/// How many elements the dimensions hold: none where there is no dimension.
fn product(dimensions: &[Dimension]) -> Option<usize> {
    let sizes = dimensions.iter().map(|dimension| dimension.size as usize);
    if dimensions.is_empty() { Some(0) } else { sizes.into_iter().try_fold(1_usize, usize::checked_mul) }
}

/// Takes an array's text apart. Recursion goes as deep as arrays have dimensions.
struct Parser<'a> {
    text: Text<'a>,
    delimiter: char,
    /// The size of each level, once one such has been read.
    sizes: [Option<u32>; MAX_DIMENSIONS],
    /// How many levels the elements are under: the same for all.
    depth: Option<usize>,
    elements: Vec<Option<Cow<'a, str>>>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, delimiter: char) -> Self {
        let text = Text::new(NAME, text);
        Self { text, delimiter, sizes: [None; MAX_DIMENSIONS], depth: None, elements: Vec::new() }
    }

    fn array(mut self) -> Result<ArrayText<'a>, ValueError> {
        if !self.delimiter.is_ascii() {
            return Err(self.text.fail("a delimiter of one byte"));
        }
        let delimiter = self.delimiter;
        if self.text.eat("{}") {
            self.text.finish()?;
            return ArrayText::new(delimiter, Vec::new(), Vec::new());
        }
        let start = self.text.clone();
        let bounds = self.bounds()?;
        self.level(0)?;
        self.text.finish()?;
        let dimensions =
            self.dimensions(&bounds).ok_or_else(|| start.fail("bounds that fit the elements"))?;
        ArrayText::new(delimiter, dimensions, self.elements)
    }

    /// `[0:1][-3:4]=`, or nothing where every lower bound is 1.
    fn bounds(&mut self) -> Result<Vec<(i32, i32)>, ValueError> {
        let mut bounds = Vec::new();
        while self.text.eat("[") {
            if bounds.len() == MAX_DIMENSIONS {
                return Err(self.text.fail("at most 6 dimensions"));
            }
            let lower = self.text.integer("a lower bound")?;
            self.text.expect(":", "`:`")?;
            let upper = self.text.integer("an upper bound")?;
            self.text.expect("]", "`]`")?;
            bounds.push((lower, upper));
        }
        if !bounds.is_empty() {
            self.text.expect("=", "`=`")?;
        }
        Ok(bounds)
    }

    /// What stands between braces, and the braces.
    fn level(&mut self, level: usize) -> Result<(), ValueError> {
        let start = self.text.clone();
        self.text.expect("{", "`{`")?;
        let mut count = 0;
        loop {
            match self.text.peek() {
                Some(b'{') if level + 1 < MAX_DIMENSIONS => self.level(level + 1)?,
                Some(b'{') => return Err(self.text.fail("at most 6 dimensions")),
                _ => self.element(level + 1)?,
            }
            count += 1;
            if !self.eat_delimiter() {
                break;
            }
        }
        self.text.expect("}", "a delimiter or `}`")?;
        let known = self.sizes.get_mut(level).map(|size| *size.get_or_insert(count));
        if known == Some(count) { Ok(()) } else { Err(start.fail("as many elements as beside it")) }
    }

    fn eat_delimiter(&mut self) -> bool {
        let mut buffer = [0; 4];
        self.text.eat(self.delimiter.encode_utf8(&mut buffer))
    }

    fn element(&mut self, depth: usize) -> Result<(), ValueError> {
        if *self.depth.get_or_insert(depth) != depth {
            return Err(self.text.fail("the same nesting as before"));
        }
        let element = if self.text.peek() == Some(b'"') {
            Some(self.text.quoted('"', false)?)
        } else {
            self.unquoted()?
        };
        self.elements.push(element);
        Ok(())
    }

    fn unquoted(&mut self) -> Result<Option<Cow<'a, str>>, ValueError> {
        let delimiter = self.delimiter;
        let special = |byte| {
            matches!(byte, b'{' | b'}' | b'"' | b'\\') || char::from(byte) == delimiter || is_space(byte)
        };
        let text = self.text.until(special);
        if text.is_empty() {
            return Err(self.text.fail("an element"));
        }
        Ok((!text.eq_ignore_ascii_case("null")).then_some(Cow::Borrowed(text)))
    }

    /// The dimensions that the nesting has, with the bounds that were named. Such that `array_out` wouldn't name are
    /// wrong: they would get lost.
    fn dimensions(&self, bounds: &[(i32, i32)]) -> Option<Vec<Dimension>> {
        let sizes: Vec<u32> = self.sizes.iter().take(self.depth?).copied().collect::<Option<_>>()?;
        if bounds.is_empty() {
            return Some(sizes.into_iter().map(|size| Dimension { size, lower: 1 }).collect());
        }
        let fits = |(&(lower, upper), &size): (&(i32, i32), &u32)| {
            i64::from(upper) - i64::from(lower) + 1 == i64::from(size)
        };
        let named = bounds.iter().any(|&(lower, _)| lower != 1);
        if !named || bounds.len() != sizes.len() || !bounds.iter().zip(&sizes).all(fits) {
            return None;
        }
        Some(sizes.iter().zip(bounds).map(|(&size, &(lower, _))| Dimension { size, lower }).collect())
    }
}

/// An array in binary form, taken apart: what `array_send` sends (the server's `arrayfuncs.c`).
///
/// | field | bytes |
/// |---|---|
/// | how many dimensions | 4 |
/// | 1 if there may be a NULL, else 0 | 4 |
/// | the elements' type | 4 |
/// | for each dimension its size and lower bound | 4 + 4 |
/// | for each element its length, or -1 for NULL, and as many bytes | 4 + length |
///
/// ```
/// use walferry::value::ArrayBinary;
///
/// let bytes = b"\0\0\0\x01\0\0\0\x01\0\0\0\x15\0\0\0\x02\0\0\0\x01\xff\xff\xff\xff\0\0\0\x02\0\x07";
/// let array = ArrayBinary::from_binary(bytes)?;
/// assert_eq!(array.elements(), [None, Some(b"\0\x07".as_slice())]);
/// let mut out = bytes::BytesMut::new();
/// array.write_binary(&mut out);
/// assert_eq!(out, bytes.as_slice());
/// # Ok::<(), walferry::value::ValueError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayBinary<'a> {
    has_nulls: bool,
    element_type: Oid,
    dimensions: Vec<Dimension>,
    elements: Vec<Option<&'a [u8]>>,
}

impl<'a> ArrayBinary<'a> {
    /// An array of these elements, the last dimension's index moving fastest.
    ///
    /// # Errors
    ///
    /// More dimensions than [`MAX_DIMENSIONS`], or another number of elements than they say.
    pub fn new(
        element_type: Oid,
        dimensions: Vec<Dimension>,
        elements: Vec<Option<&'a [u8]>>,
    ) -> Result<Self, ValueError> {
        check(&dimensions, elements.len())?;
        Ok(Self { has_nulls: elements.contains(&None), element_type, dimensions, elements })
    }

    /// Takes apart what `array_send` sends.
    ///
    /// # Errors
    ///
    /// Bytes that end early or go on, more than [`MAX_DIMENSIONS`], a NULL in an array that says that it has none.
    pub fn from_binary(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut bytes = Binary::new(NAME, bytes);
        let count = bytes.i32("a number of dimensions")?;
        let count = usize::try_from(count).ok().filter(|&count| count <= MAX_DIMENSIONS);
        let count = count.ok_or_else(|| bytes.fail_behind(4, "at most 6 dimensions"))?;
        let has_nulls = match bytes.i32("a flag")? {
            0 => false,
            1 => true,
            _ => return Err(bytes.fail_behind(4, "the flag 0 or 1")),
        };
        let element_type = Oid::new(bytes.u32("an element type")?);
        let dimensions = (0..count).map(|_| dimension(&mut bytes)).collect::<Result<Vec<_>, _>>()?;
        let elements = elements(&mut bytes, has_nulls, &dimensions)?;
        bytes.finish()?;
        check(&dimensions, elements.len())?;
        Ok(Self { has_nulls, element_type, dimensions, elements })
    }

    /// Writes what `array_send` sends.
    pub fn write_binary(&self, out: &mut BytesMut) {
        put_length(out, self.dimensions.len());
        out.put_i32(self.has_nulls.into());
        out.put_u32(self.element_type.into());
        for dimension in &self.dimensions {
            out.put_u32(dimension.size);
            out.put_i32(dimension.lower);
        }
        self.elements.iter().for_each(|element| put_nullable(out, *element));
    }

    /// The elements' type, as the sending server numbers it.
    pub fn element_type(&self) -> Oid {
        self.element_type
    }

    /// Whether there may be a NULL: an array from which an assignment took the last NULL still says so.
    pub fn has_nulls(&self) -> bool {
        self.has_nulls
    }

    /// The dimensions, outermost first; none for the empty array.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// The elements in binary form; `None` is NULL. The last dimension's index moves fastest.
    pub fn elements(&self) -> &[Option<&'a [u8]>] {
        &self.elements
    }
}

fn dimension(bytes: &mut Binary<'_>) -> Result<Dimension, ValueError> {
    let size = bytes.i32("a size")?;
    let size = u32::try_from(size).map_err(|_| bytes.fail_behind(4, "a size of 0 or more"))?;
    Ok(Dimension { size, lower: bytes.i32("a lower bound")? })
}

fn elements<'a>(
    bytes: &mut Binary<'a>,
    has_nulls: bool,
    dimensions: &[Dimension],
) -> Result<Vec<Option<&'a [u8]>>, ValueError> {
    // Every element has the four bytes of its length: so what is claimed is bounded by what is there.
    let count = product(dimensions).filter(|&count| count <= bytes.left() / 4);
    let count = count.ok_or_else(|| bytes.fail(ELEMENT_COUNT))?;
    let mut elements = Vec::with_capacity(count);
    for _ in 0..count {
        let element = bytes.nullable("an element")?;
        if element.is_none() && !has_nulls {
            return Err(bytes.fail_behind(4, "no NULL, as the flag says"));
        }
        elements.push(element);
    }
    Ok(elements)
}

#[cfg(test)]
mod tests;
