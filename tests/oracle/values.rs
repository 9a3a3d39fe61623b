//! Random values of the built-in types, as SQL expressions: literals, or sums of what the server itself counts.

use std::fmt::{Debug, Display};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::support::sql::quoted;
use crate::support::{Random, hostile};

fn literal(text: impl Display) -> String {
    quoted(&format!("{text}"))
}

fn low<T: TryFrom<u64>>(random: &mut Random, bits: u32) -> T
where
    T::Error: Debug,
{
    T::try_from(random.any_size() & ((1 << bits) - 1)).expect("as many bits as there are")
}

fn signed(random: &mut Random, bits: u32) -> String {
    let number: i64 = low(random, bits - 1);
    literal(if random.one_in(2) { number } else { -number - 1 })
}

pub(super) fn int2(random: &mut Random) -> String {
    signed(random, 16)
}

pub(super) fn int4(random: &mut Random) -> String {
    signed(random, 32)
}

pub(super) fn int8(random: &mut Random) -> String {
    signed(random, 64)
}

pub(super) fn uint4(random: &mut Random) -> String {
    literal(low::<u32>(random, 32))
}

pub(super) fn uint8(random: &mut Random) -> String {
    literal(random.any_size())
}

/// Now and then long enough to be stored out of line.
pub(super) fn text(random: &mut Random) -> String {
    let text = literal(hostile::text(random));
    if random.one_in(12) {
        return format!("repeat({text}, {})", 300 + random.below(700));
    }
    text
}

/// ASCII: before server 15 the others print as bytes that are no UTF-8, which `tests/replay_edges.rs` looks after.
pub(super) fn internal_char(random: &mut Random) -> String {
    random.below(128).to_string()
}

pub(super) fn bytea(random: &mut Random) -> String {
    let length = random.below(40);
    let bytes = literal(format!("\\x{}", random.hex(length)));
    if random.one_in(12) { format!("decode(repeat(encode({bytes}, 'hex'), 500), 'hex')") } else { bytes }
}

/// Any bits.
pub(super) fn double(random: &mut Random) -> String {
    let bits = match random.below(4) {
        0 => random.any_size(),
        1 => random.next(),
        // Around 1, which has no exponent in text.
        2 => {
            random.next() >> 12 | u64::try_from(random.between(1023 - 12, 1023 + 40)).expect("positive") << 52
        }
        _ => return format!("{}.{}e{}", random.below(1000), random.digits(3), random.between(-20, 20)),
    };
    format!("{:e}", f64::from_bits(bits)).replace("inf", "Infinity")
}

pub(super) fn float8(random: &mut Random) -> String {
    literal(double(random))
}

pub(super) fn float4(random: &mut Random) -> String {
    let bits =
        if random.one_in(3) { low(random, 32) } else { u32::try_from(random.next() >> 32).expect("32 bits") };
    literal(format!("{:e}", f32::from_bits(bits)).replace("inf", "Infinity"))
}

pub(super) fn numeric(random: &mut Random) -> String {
    let sign = random.pick(&["", "-"]);
    if random.one_in(60) {
        let (before, behind) = (1 + random.below(131_072), random.below(16_384));
        return format!("('{sign}9'||repeat('3',{})||'.'||repeat('70',{}))", before - 1, behind / 2);
    }
    let sizes = random.pick(&[&[30_usize, 30], &[12, 1], &[900, 700]]);
    let (before, behind) = (random.below(sizes[0]), random.below(sizes[1]));
    literal(format!("{sign}0{}.{}0", random.digits(before), random.digits(behind)))
}

pub(super) fn small_numeric(random: &mut Random) -> String {
    let (before, behind) = (random.below(7), random.below(6));
    literal(format!("{}0{}.{}0", random.pick(&["", "-"]), random.digits(before), random.digits(behind)))
}

pub(super) fn money(random: &mut Random) -> String {
    let cents = random.any_size() >> 1;
    literal(format!("{}{}.{:02}", random.pick(&["", "-"]), cents / 100, cents % 100))
}

/// As many around now as anywhere.
fn day(random: &mut Random, last: i64) -> i64 {
    match random.below(3) {
        0 => random.between(-2_451_545, last),
        1 => random.between(-800_000, -700_000),
        _ => random.between(-50_000, 50_000),
    }
}

pub(super) fn date(random: &mut Random) -> String {
    format!("'2000-01-01'::date + ({})", day(random, 2_145_031_948))
}

pub(super) fn time(random: &mut Random) -> String {
    literal(random.clock())
}

pub(super) fn timetz(random: &mut Random) -> String {
    let (hours, minutes, seconds) = (random.below(16), random.below(60), random.below(60));
    let offset = match random.below(3) {
        0 => format!("{hours:02}"),
        1 => format!("{hours:02}:{minutes:02}"),
        _ => format!("{hours:02}:{minutes:02}:{seconds:02}"),
    };
    literal(format!("{}{}{offset}", random.clock(), random.pick(&["+", "-"])))
}

pub(super) fn timestamp(random: &mut Random) -> String {
    format!("'2000-01-01'::date + ({}) + '{}'::time", day(random, 106_751_981), random.clock())
}

pub(super) fn timestamptz(random: &mut Random) -> String {
    format!("({}) AT TIME ZONE 'UTC'", timestamp(random))
}

/// Of mixed signs, and no more hours than 32 bits hold: server 14 prints no more.
pub(super) fn interval(random: &mut Random) -> String {
    let [months, days] = [0; 2].map(|_| random.between(-1, 1) * low::<i64>(random, 31));
    let micros = random.between(-1, 1) * low::<i64>(random, 62);
    let (hours, rest) = (micros / 3_600_000_000, micros % 3_600_000_000);
    let (half, sign) = (hours / 2, if rest < 0 { "-" } else { "" });
    let (seconds, fraction) = (rest.abs() / 1_000_000, rest.abs() % 1_000_000);
    format!(
        "make_interval(months => {months}, days => {days}) + '{half} hours'::interval \
         + '{} hours'::interval + '{sign}{seconds}.{fraction:06} seconds'::interval",
        hours - half
    )
}

pub(super) fn uuid(random: &mut Random) -> String {
    literal(random.hex(16))
}

pub(super) fn inet(random: &mut Random) -> String {
    if random.one_in(2) {
        let address = Ipv4Addr::from_bits(low(random, 32));
        return literal(format!("{address}/{}", random.below(33)));
    }
    // Words that are zero, and the places of IPv4 in IPv6.
    let words = [0; 8].map(|_| if random.one_in(2) { 0 } else { low::<u16>(random, 16) });
    literal(format!("{}/{}", Ipv6Addr::from(words), random.pick(&["128", "127", "96", "64", "1", "0"])))
}

pub(super) fn cidr(random: &mut Random) -> String {
    format!("network({}::inet)", inet(random))
}

pub(super) fn macaddr(random: &mut Random) -> String {
    literal(random.hex(6))
}

pub(super) fn macaddr8(random: &mut Random) -> String {
    literal(random.hex(8))
}

/// Cut off or filled up by an explicit cast.
pub(super) fn bits(random: &mut Random) -> String {
    let length = random.below(70);
    let bits: String = (0..length).map(|_| random.pick(&["0", "1"])).collect();
    format!("B'{bits}'")
}

pub(super) fn tid(random: &mut Random) -> String {
    literal(format!("({},{})", low::<u32>(random, 32), low::<u16>(random, 16)))
}

pub(super) fn pg_lsn(random: &mut Random) -> String {
    literal(format!("{:X}/{:X}", low::<u32>(random, 32), low::<u32>(random, 32)))
}

pub(super) fn snapshot(random: &mut Random) -> String {
    let first = 1 + low::<u64>(random, 40);
    let ids: Vec<_> = (first..).filter(|_| random.one_in(3)).take(3).map(|id| id.to_string()).collect();
    literal(format!("{first}:{}:{}", first + 1000, ids.join(",")))
}

fn several(random: &mut Random, separator: &str, make: impl Fn(&mut Random) -> String) -> String {
    let count = 1 + random.below(5);
    (0..count).map(|_| make(random)).collect::<Vec<_>>().join(separator)
}

pub(super) fn int2vector(random: &mut Random) -> String {
    literal(several(random, " ", |random| random.between(-32_768, 32_767).to_string()))
}

pub(super) fn oidvector(random: &mut Random) -> String {
    literal(several(random, " ", |random| low::<u32>(random, 32).to_string()))
}

pub(super) fn json(random: &mut Random) -> String {
    literal(json_text(random, 0))
}

/// Any object, with blanks and members that stand there twice.
fn json_text(random: &mut Random, depth: usize) -> String {
    let blank = random.pick(&["", "", " ", "\n\t", "  "]);
    let text = match random.below(if depth > 3 { 5 } else { 8 }) {
        0 => random.pick(&["null", "true", "false"]).to_owned(),
        1 => format!("{}.{}e{}", random.between(-99, 99), 1 + random.below(9), random.between(-30, 300)),
        2 => format!("{}1{}", random.pick(&["", "-"]), random.digits(25)),
        3 | 4 => json_string(random),
        5 => format!("[{}]", several(random, ",", |random| json_text(random, depth + 1))),
        _ => {
            let member = |random: &mut Random| {
                let name = if random.one_in(3) { "\"a\"".to_owned() } else { json_string(random) };
                format!("{name}:{}", json_text(random, depth + 1))
            };
            format!("{{{}}}", several(random, ",", member))
        }
    };
    format!("{blank}{text}{blank}")
}

fn json_string(random: &mut Random) -> String {
    let text = hostile::text(random);
    let written = text.chars().take(40).map(|character| match character {
        '"' | '\\' => format!("\\{character}"),
        '\0'..' ' => format!("\\u{:04x}", u32::from(character)),
        '\u{80}'..='\u{D7FF}' if random.one_in(4) => format!("\\u{:04X}", u32::from(character)),
        plain => plain.to_string(),
    });
    format!("\"{}\"", written.collect::<String>())
}

pub(super) fn jsonpath(random: &mut Random) -> String {
    let (member, other) = (json_string(random), json_string(random));
    let number = random.digits(1 + random.clone().below(3));
    literal(format!(
        "{}$.{member}[{}] ? (@ == {other} || @.b > 1{number}.5)",
        random.pick(&["", "strict "]),
        random.below(9)
    ))
}

/// What XML 1.0 lets stand in a text.
pub(super) fn xml(random: &mut Random) -> String {
    let is_plain = |c: char| !c.is_control() && !matches!(c, '<' | '>' | '&' | '"' | '\u{fffe}' | '\u{ffff}');
    let text: String = hostile::text(random).chars().filter(|&c| is_plain(c)).collect();
    literal(format!("<a b=\"{text}\">{text}<null/>\n{text}</a>{}", random.pick(&["", " ", "<!-- -->"])))
}

fn pair(random: &mut Random) -> String {
    format!("({},{})", double(random), double(random))
}

pub(super) fn point(random: &mut Random) -> String {
    literal(pair(random))
}

pub(super) fn lseg(random: &mut Random) -> String {
    literal(format!("[{},{}]", pair(random), pair(random)))
}

pub(super) fn r#box(random: &mut Random) -> String {
    literal(format!("{},{}", pair(random), pair(random)))
}

pub(super) fn path(random: &mut Random) -> String {
    let points = several(random, ",", pair);
    literal(if random.one_in(2) { format!("[{points}]") } else { format!("({points})") })
}

pub(super) fn polygon(random: &mut Random) -> String {
    literal(format!("({})", several(random, ",", pair)))
}

pub(super) fn line(random: &mut Random) -> String {
    literal(format!("{{{},1,{}}}", double(random), double(random)))
}

pub(super) fn circle(random: &mut Random) -> String {
    literal(format!("<{},{}>", pair(random), double(random).trim_start_matches('-')))
}

/// In quotes, in which both of what is special is doubled.
fn lexeme(random: &mut Random) -> String {
    let word: String = hostile::text(random).chars().take(30).collect();
    let word = if word.is_empty() { "x" } else { &word };
    format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"))
}

pub(super) fn tsvector(random: &mut Random) -> String {
    let position = |random: &mut Random| {
        format!("{}{}", 1 + random.below(16_383), random.pick(&["", "A", "B", "C", "D"]))
    };
    literal(several(random, " ", |random| {
        let word = lexeme(random);
        if random.one_in(3) { word } else { format!("{word}:{}", several(random, ",", position)) }
    }))
}

pub(super) fn tsquery(random: &mut Random) -> String {
    literal(query(random, 0))
}

fn query(random: &mut Random, depth: usize) -> String {
    match random.below(if depth > 3 { 2 } else { 5 }) {
        0 | 1 => format!("{}{}", lexeme(random), random.pick(&["", "", ":*", ":A", ":*BD"])),
        2 => format!("!({})", query(random, depth + 1)),
        _ => {
            let operator = random.pick(&["&", "|", "<->", "<0>", "<2>", "<16384>"]);
            format!("({}) {operator} ({})", query(random, depth + 1), query(random, depth + 1))
        }
    }
}
