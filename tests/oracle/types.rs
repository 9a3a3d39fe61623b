//! Types that users make: hostile labels and names, one inside the other.

use std::fmt::Write as _;

use super::leaves::LEAVES;
use crate::support::sql::{identifier, quoted};
use crate::support::{Random, hostile};

#[derive(Debug)]
pub(super) struct Type {
    /// As SQL says it.
    pub(super) name: String,
    pub(super) kind: Kind,
    ordered: bool,
}

/// Types are numbers in [`Types`].
#[derive(Debug)]
pub(super) enum Kind {
    Leaf(usize),
    Enum(Vec<String>),
    Domain(usize),
    Composite(Vec<(String, usize)>),
    Range {
        subtype: usize,
        /// The server rewrites bounds, and can't count on from the last value.
        discrete: bool,
    },
    Multirange(usize),
    Array(usize),
}

/// All types of a database. The first are the leaves.
#[derive(Debug)]
pub(super) struct Types {
    list: Vec<Type>,
    schema: String,
    ddl: String,
}

const RANGES: [(&str, &str, &str, bool); 6] = [
    ("int4range", "int4multirange", "int4", true),
    ("int8range", "int8multirange", "int8", true),
    ("daterange", "datemultirange", "date", true),
    ("numrange", "nummultirange", "numeric", false),
    ("tsrange", "tsmultirange", "timestamp", false),
    ("tstzrange", "tstzmultirange", "timestamptz", false),
];

/// How deep values are nested.
const DEEPEST: usize = 3;

impl Types {
    /// Makes some types in this schema.
    pub(super) fn new(random: &mut Random, schema: &str) -> Self {
        let leaf = |(index, leaf): (usize, &super::leaves::Leaf)| Type {
            name: leaf.name.to_owned(),
            kind: Kind::Leaf(index),
            ordered: leaf.ordered,
        };
        let list = LEAVES.iter().enumerate().map(leaf).collect();
        let mut types = Self { list, schema: schema.to_owned(), ddl: String::new() };
        for (range, multirange, subtype, discrete) in RANGES {
            let subtype = types.list.iter().position(|known| known.name == subtype).expect("a leaf");
            let range = types.add(range.to_owned(), Kind::Range { subtype, discrete }, true);
            types.add(multirange.to_owned(), Kind::Multirange(range), true);
        }
        let makers = [Self::make_enum, Self::make_domain, Self::make_composite, Self::make_range];
        // One of each, so that what comes behind can be made of all.
        for make in makers {
            make(&mut types, random);
        }
        for _ in 0..5 {
            makers[random.below(makers.len())](&mut types, random);
        }
        types
    }

    /// The statements that make them.
    pub(super) fn ddl(&self) -> &str {
        &self.ddl
    }

    pub(super) fn get(&self, number: usize) -> &Type {
        &self.list[number]
    }

    pub(super) fn leaves() -> std::ops::Range<usize> {
        0..LEAVES.len()
    }

    /// All but the leaves.
    pub(super) fn others(&self) -> std::ops::Range<usize> {
        LEAVES.len()..self.list.len()
    }

    /// Not of aclitem, which has no binary form; and what is an array already has no array type of its own.
    pub(super) fn can_have_array(&self, number: usize) -> bool {
        self.can_be_inside(number) && !matches!(self.list[number].kind, Kind::Array(_))
    }

    /// Whether there may be a name of an object in it, which is a number in binary form.
    pub(super) fn names_objects(&self, number: usize) -> bool {
        match &self.list[number].kind {
            Kind::Leaf(leaf) => LEAVES[*leaf].name.starts_with("reg"),
            Kind::Enum(_) => false,
            Kind::Domain(part) | Kind::Multirange(part) | Kind::Array(part) => self.names_objects(*part),
            Kind::Range { subtype, .. } => self.names_objects(*subtype),
            Kind::Composite(fields) => fields.iter().any(|(_, part)| self.names_objects(*part)),
        }
    }

    /// Whether a column of it can be stored out of line without being compressed.
    pub(super) fn can_be_long(&self, number: usize) -> bool {
        let Type { name, kind, .. } = &self.list[number];
        let is_text = ["text", "varchar", "bpchar", "bytea", "json", "jsonb", "xml"].contains(&name.as_str());
        is_text || matches!(kind, Kind::Array(_) | Kind::Composite(_))
    }

    pub(super) fn array_of(&mut self, element: usize) -> usize {
        let Type { name, ordered, .. } = &self.list[element];
        let (name, ordered) = (format!("{name}[]"), *ordered);
        self.add(name, Kind::Array(element), ordered)
    }

    /// Whether arrays and composites can hold it, and still have a binary form.
    fn can_be_inside(&self, number: usize) -> bool {
        !matches!(self.list[number].kind, Kind::Leaf(leaf) if LEAVES[leaf].has_no_binary_form())
    }

    fn add(&mut self, name: String, kind: Kind, ordered: bool) -> usize {
        self.list.push(Type { name, kind, ordered });
        self.list.len() - 1
    }

    /// A hostile one that is there once.
    fn new_name(&self, random: &mut Random) -> String {
        let name = hostile::name(random);
        let name = format!("{}{}", hostile::cut(&name, 57), self.list.len());
        format!("{}.{}", self.schema, identifier(&name))
    }

    /// Any that there is so far; often one that was made by a user.
    fn any(&mut self, random: &mut Random) -> usize {
        let number = loop {
            let among = if random.one_in(2) { self.others() } else { 0..self.list.len() };
            let number = among.start + random.below(among.len());
            if self.can_be_inside(number) {
                break number;
            }
        };
        if self.can_have_array(number) && random.one_in(3) { self.array_of(number) } else { number }
    }

    fn any_ordered(&mut self, random: &mut Random) -> usize {
        loop {
            let number = self.any(random);
            if self.list[number].ordered {
                return number;
            }
        }
    }

    fn line(&mut self, statement: &str) {
        writeln!(self.ddl, "{statement};").expect("a String takes all");
    }

    fn make_enum(&mut self, random: &mut Random) {
        let mut labels = ["null", "", "NULL", " ", "{}", "a,b", "it's", "\"q\"", "back\\slash"]
            .map(str::to_owned)
            .to_vec();
        labels.extend((0..4).map(|_| hostile::name(random)));
        labels.sort_unstable();
        labels.dedup();
        let name = self.new_name(random);
        let listed: Vec<_> = labels.iter().map(|label| quoted(label)).collect();
        self.line(&format!("CREATE TYPE {name} AS ENUM ({})", listed.join(", ")));
        self.add(name, Kind::Enum(labels), true);
    }

    fn make_domain(&mut self, random: &mut Random) {
        let base = self.any(random);
        let Type { name: base_name, ordered, .. } = &self.list[base];
        let (base_name, ordered) = (base_name.clone(), *ordered);
        let name = self.new_name(random);
        let check = random.pick(&["", " CHECK (octet_length(format('%s', VALUE)) < 100000000)"]);
        self.line(&format!("CREATE DOMAIN {name} AS {base_name}{check}"));
        self.add(name, Kind::Domain(base), ordered);
    }

    fn make_composite(&mut self, random: &mut Random) {
        let count = 1 + random.below(6);
        let fields: Vec<_> = (0..count)
            .map(|index| (format!("{}{index}", hostile::cut(&hostile::name(random), 60)), self.any(random)))
            .collect();
        let name = self.new_name(random);
        let listed: Vec<_> = fields
            .iter()
            .map(|(field, number)| format!("{} {}", identifier(field), self.list[*number].name))
            .collect();
        let ordered = fields.iter().all(|(_, number)| self.list[*number].ordered);
        if random.one_in(3) {
            self.line(&format!("CREATE TYPE {name} AS (\"gone\" int, {})", listed.join(", ")));
            self.line(&format!("ALTER TYPE {name} DROP ATTRIBUTE \"gone\""));
        } else {
            self.line(&format!("CREATE TYPE {name} AS ({})", listed.join(", ")));
        }
        self.add(name, Kind::Composite(fields), ordered);
    }

    fn make_range(&mut self, random: &mut Random) {
        let subtype = self.any_ordered(random);
        let (name, multirange) = (self.new_name(random), self.new_name(random));
        let multirange = format!("{} m\"", multirange.trim_end_matches('"'));
        let subtype_name = &self.list[subtype].name;
        self.line(&format!(
            "CREATE TYPE {name} AS RANGE (SUBTYPE = {subtype_name}, MULTIRANGE_TYPE_NAME = {multirange})"
        ));
        let range = self.add(name, Kind::Range { subtype, discrete: false }, true);
        self.add(multirange, Kind::Multirange(range), true);
    }

    /// An expression for a value of the type, or for NULL.
    pub(super) fn value(&self, random: &mut Random, number: usize) -> String {
        self.nested(random, number, 0)
    }

    fn nested(&self, random: &mut Random, number: usize, depth: usize) -> String {
        let Type { name, kind, .. } = &self.list[number];
        if depth > DEEPEST || random.one_in(7) {
            return format!("NULL::{name}");
        }
        match kind {
            Kind::Leaf(leaf) => LEAVES[*leaf].value(random),
            Kind::Enum(labels) => format!("{}::{name}", quoted(&labels[random.below(labels.len())])),
            Kind::Domain(base) => format!("({})::{name}", self.nested(random, *base, depth)),
            Kind::Composite(fields) => {
                let fields = fields.iter().map(|(_, number)| self.nested(random, *number, depth + 1));
                format!("ROW({})::{name}", fields.collect::<Vec<_>>().join(", "))
            }
            Kind::Range { subtype, discrete } => self.range(random, name, *subtype, *discrete, depth),
            Kind::Multirange(range) => {
                let ranges = (0..random.below(4)).map(|_| self.not_null(random, *range, depth + 1));
                format!("{name}({})", ranges.collect::<Vec<_>>().join(", "))
            }
            Kind::Array(element) => self.array(random, name, *element, depth),
        }
    }

    /// The constructors of multiranges take no NULL.
    fn not_null(&self, random: &mut Random, range: usize, depth: usize) -> String {
        let name = &self.list[range].name;
        let value =
            if depth > DEEPEST { format!("{name}(NULL, NULL)") } else { self.nested(random, range, depth) };
        format!("coalesce({value}, 'empty'::{name})")
    }

    fn range(&self, random: &mut Random, name: &str, subtype: usize, discrete: bool, depth: usize) -> String {
        let brackets = if discrete { "[)" } else { random.pick(&["[)", "[]", "(]", "()"]) };
        let [low, high] = [0; 2].map(|_| self.nested(random, subtype, depth + 1));
        match random.below(6) {
            0 => format!("'empty'::{name}"),
            1 => format!("{name}(NULL, {high}, '{brackets}')"),
            2 => format!("{name}({low}, NULL, '{brackets}')"),
            _ => format!(
                "(SELECT {name}(CASE WHEN a > b THEN b ELSE a END, CASE WHEN a > b THEN a ELSE b END, '{brackets}') \
                 FROM (SELECT {low}, {high}) AS bounds (a, b))"
            ),
        }
    }

    /// Of one dimension to three, and now and then with lower bounds that aren't 1.
    fn array(&self, random: &mut Random, name: &str, element: usize, depth: usize) -> String {
        let sizes: &[usize] = match random.below(8) {
            0 => return format!("'{{}}'::{name}"),
            1 => &[2, 2],
            2 => &[1, 2, 1],
            3 => &[4],
            4 | 5 => &[3],
            _ => &[1],
        };
        if self.is_itself_an_array(element) {
            return self.array_of_arrays(random, name, element, depth);
        }
        let items = self.items(random, sizes, element, depth + 1);
        if !random.one_in(4) {
            return format!("{items}::{name}");
        }
        let bounds = sizes.iter().fold(String::new(), |bounds, size| {
            let size = i64::try_from(*size).expect("small");
            let low = [-2_147_483_648, -1, 0, 1, 2, 2_147_483_640][random.below(6)];
            bounds + &format!("[{low}:{}]", low + size - 1)
        });
        format!("('{bounds}=' || ({items}::{name})::text)::{name}")
    }

    fn is_itself_an_array(&self, number: usize) -> bool {
        match self.list[number].kind {
            Kind::Domain(base) => self.is_itself_an_array(base),
            Kind::Leaf(leaf) => matches!(LEAVES[leaf].name, "int2vector" | "oidvector"),
            _ => matches!(self.list[number].kind, Kind::Array(_)),
        }
    }

    /// Of vectors, or of a domain over an array: ARRAY[…] would be one array of more dimensions.
    fn array_of_arrays(&self, random: &mut Random, name: &str, element: usize, depth: usize) -> String {
        let items = [0; 3].map(|_| {
            let item = self.nested(random, element, depth + 1);
            format!(
                "coalesce('\"' || replace(replace(({item})::text, E'\\\\', E'\\\\\\\\'), '\"', E'\\\\\"') || '\"', 'NULL')"
            )
        });
        let delimiter = self.delimiter(element);
        format!("concat('{{', concat_ws('{delimiter}', {}), '}}')::{name}", items.join(", "))
    }

    fn delimiter(&self, number: usize) -> char {
        match self.list[number].kind {
            Kind::Domain(base) | Kind::Array(base) => self.delimiter(base),
            _ if self.list[number].name == "box" => ';',
            _ => ',',
        }
    }

    fn items(&self, random: &mut Random, sizes: &[usize], element: usize, depth: usize) -> String {
        let Some((size, inner)) = sizes.split_first() else { return self.nested(random, element, depth) };
        let items = (0..*size).map(|_| self.items(random, inner, element, depth));
        format!("ARRAY[{}]", items.collect::<Vec<_>>().join(", "))
    }
}
