//! Each leaf type against the servers themselves: thousands of values, of which the oldest and the newest server are
//! asked for both forms. Museum 2 (digits of floats) and 6 (infinity, BC, NaN, 24:00).
#![expect(
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "a helper of a test fails the test, and takes bits as they come"
)]

mod support;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use bytes::BytesMut;
use support::{Cluster, Random};
use walferry::value::{
    Bits, Bool, Bytea, Cidr, Date, Float4, Float8, Inet, InternalChar, Interval, LocalDateTime, MacAddr,
    MacAddr8, Money, Numeric, Tid, Time, TimeTz, Uuid, Wire, Xid8,
};
use walferry::{Lsn, Oid, Timestamp, Xid};

/// What a stream pins; the library's own doing isn't under test here.
const PINNED: &str = "SET client_encoding = UTF8; SET DateStyle = ISO; SET IntervalStyle = postgres;
    SET TimeZone = UTC; SET extra_float_digits = 1; SET bytea_output = hex; SET lc_monetary = 'C';\n";

/// The oldest and the newest server, or in the long form all, for all tests of this file.
fn clusters() -> &'static [(u32, Cluster)] {
    static CLUSTERS: OnceLock<Vec<(u32, Cluster)>> = OnceLock::new();
    CLUSTERS.get_or_init(|| {
        support::servers_to_try().into_iter().map(|server| (server.major, server.start())).collect()
    })
}

/// Both forms of a value, as a server gives them.
struct Answer {
    text: String,
    binary: Vec<u8>,
}

/// Asks for `expression` over each input, which it names `t`.
fn ask(cluster: &Cluster, expression: &str, send: &str, inputs: &[String]) -> Vec<Answer> {
    let mut script = String::from(PINNED);
    // `format` prints by the type's output function; a cast to text has its own ideas of inet, bool and others.
    write!(
        script,
        "SELECT encode(convert_to(format('%s', x), 'UTF8'), 'hex'), encode({send}(x), 'hex')
         FROM (VALUES "
    )
    .expect("a String takes all");
    for (index, input) in inputs.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(script, "{comma}({index},'{input}'::text)").expect("a String takes all");
    }
    write!(script, ") v(i, t), LATERAL (SELECT {expression} AS x) s ORDER BY i;")
        .expect("a String takes all");
    let output = cluster.psql("postgres", &script);
    let answers: Vec<_> = output.lines().map(answer).collect();
    assert_eq!(answers.len(), inputs.len(), "{expression}");
    answers
}

fn answer(line: &str) -> Answer {
    let (text, binary) = line.split_once('|').expect("two columns");
    Answer { text: String::from_utf8(unhex(text)).expect("UTF-8"), binary: unhex(binary) }
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

/// Both forms are read as one value, which prints and writes both again.
macro_rules! agrees {
    ($type:ty, $expression:expr, $send:literal, $inputs:expr) => {{
        let inputs: Vec<String> = $inputs;
        for (major, cluster) in clusters() {
            for (input, Answer { text, binary }) in
                inputs.iter().zip(ask(cluster, $expression, $send, &inputs))
            {
                let place = format!("PostgreSQL {major}: {} of {input:.200}", stringify!($type));
                let read = <$type>::from_text(&text);
                let read = read.unwrap_or_else(|error| panic!("{place}: {error}, in {text:.200}"));
                assert_eq!(read.to_string(), text, "{place}");
                let mut written = BytesMut::new();
                read.write_binary(&mut written);
                assert_eq!(written, binary, "{place}, printed {text:.200}");
                let received = <$type>::from_binary(&binary);
                let received = received.unwrap_or_else(|error| panic!("{place}: {error}, in {binary:?}"));
                assert_eq!(received, read, "{place}");
                assert_eq!(received.to_string(), text, "{place}");
            }
        }
        println!("{}: {} values", stringify!($type), inputs.len());
    }};
}

fn many(count: usize, mut make: impl FnMut(&mut Random) -> String) -> Vec<String> {
    let mut random = Random::new(count as u64);
    (0..count).map(|_| make(&mut random)).collect()
}

fn with(mut inputs: Vec<String>, edges: &[&str]) -> Vec<String> {
    inputs.extend(edges.iter().map(|edge| (*edge).to_owned()));
    inputs
}

#[test]
fn whole_numbers_and_truth() {
    agrees!(Bool, "t::bool", "boolsend", with(vec![], &["t", "f"]));
    let small = many(2000, |random| (random.any_size() as i16).to_string());
    agrees!(i16, "t::int2", "int2send", with(small, &["0", "-1", "-32768", "32767"]));
    let middle = many(2000, |random| (random.any_size() as i32).to_string());
    agrees!(i32, "t::int4", "int4send", with(middle, &["0", "-2147483648", "2147483647"]));
    let large = many(2000, |random| (random.any_size() as i64).to_string());
    agrees!(i64, "t::int8", "int8send", with(large, &["0", "-9223372036854775808", "9223372036854775807"]));
}

#[test]
fn identifiers_and_positions() {
    let ids = with(many(2000, |random| (random.any_size() as u32).to_string()), &["0", "4294967295"]);
    agrees!(Oid, "t::oid", "oidsend", ids.clone());
    agrees!(Xid, "t::xid", "xidsend", ids);
    let wide = many(2000, |random| random.any_size().to_string());
    agrees!(Xid8, "t::xid8", "xid8send", with(wide, &["0", "18446744073709551615"]));
    let places = many(2000, |random| format!("({},{})", random.any_size() as u32, random.any_size() as u16));
    agrees!(Tid, "t::tid", "tidsend", with(places, &["(0,0)", "(4294967295,65535)"]));
    let positions =
        many(2000, |random| format!("{:X}/{:X}", random.any_size() as u32, random.any_size() as u32));
    agrees!(Lsn, "t::pg_lsn", "pg_lsn_send", with(positions, &["0/0", "FFFFFFFF/FFFFFFFF"]));
    agrees!(Uuid, "t::uuid", "uuid_send", many(2000, |random| random.hex(16)));
}

#[test]
fn characters_and_bytes() {
    // Before 15 a byte of 128 and more prints raw, which is no UTF-8: those are the newest server's alone.
    agrees!(InternalChar, "t::int::\"char\"", "charsend", (0..128).map(|byte| byte.to_string()).collect());
    let (major, newest) = clusters().last().expect("a server");
    let high: Vec<_> = (-128..0).map(|byte| byte.to_string()).collect();
    let answers = if *major >= 15 { ask(newest, "t::int::\"char\"", "charsend", &high) } else { vec![] };
    for answer in answers {
        let read = InternalChar::from_text(&answer.text).expect("a character");
        assert_eq!(([read.0].as_slice(), read.to_string()), (answer.binary.as_slice(), answer.text));
    }
    let bytes = many(2000, |random| {
        let length = random.below(40);
        random.hex(length)
    });
    agrees!(Bytea<'_>, "decode(t, 'hex')", "byteasend", with(bytes, &["", "00", "ff"]));
}

#[test]
fn bytes_in_the_escape_form() {
    let inputs = with(many(1000, |random| random.hex(24)), &["", "5c", "5c78", "00ff7f7e5c5c"]);
    for (major, cluster) in clusters() {
        for answer in ask(cluster, "encode(decode(t, 'hex'), 'escape')", "textsend", &inputs) {
            // `encode` leaves control characters and DEL as they are; byteaout writes those in octal.
            let escaped = answer.text.chars().fold(String::new(), |text, c| match c {
                ' '..='~' => text + c.encode_utf8(&mut [0; 4]),
                c => text + &format!("\\{:03o}", u32::from(c)),
            });
            Bytea::from_text(&escaped).unwrap_or_else(|error| panic!("PostgreSQL {major}: {error}"));
        }
        let script = "SET bytea_output = escape; SELECT '\\x005c7f80ff41'::bytea;";
        let text = cluster.psql("postgres", script);
        assert_eq!(Bytea::from_text(&text).expect("bytes").as_bytes(), b"\0\\\x7F\x80\xFFA");
    }
}

#[test]
fn bit_strings() {
    let bits = many(3000, |random| {
        let length = random.below(70);
        (0..length).map(|_| char::from(b'0' + (random.next() & 1) as u8)).collect()
    });
    agrees!(Bits<'_>, "t::varbit", "varbit_send", with(bits, &["", "0", "1"]));
    let fixed = many(500, |random| format!("{:013b}", random.below(1 << 13)));
    agrees!(Bits<'_>, "t::bit(13)", "bit_send", fixed);
}

#[test]
fn money() {
    let amounts = many(4000, |random| {
        let amount = random.any_size() as i64;
        let sign = if amount < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", amount.unsigned_abs() / 100, amount.unsigned_abs() % 100)
    });
    let edges = ["0", "-0.01", "0.99", "999.99", "1000", "-92233720368547758.08", "92233720368547758.07"];
    agrees!(Money, "t::money", "cash_send", with(amounts, &edges));
}

#[test]
fn museum_02_doubles_print_the_servers_own_digits() {
    let exact = |number: f64| format!("{number:.16e}");
    let finite = |bits: u64| f64::from_bits(bits & !(1 << 52));
    let mut inputs = many(6000, |random| exact(finite(random.next())));
    // Every power of two with its neighbours: below each, the decimals may lie only half as far away.
    inputs.extend((0..2047_u64).flat_map(|exponent| {
        let bits = exponent << 52;
        [bits.saturating_sub(1), bits, bits + 1].map(|bits| exact(f64::from_bits(bits)))
    }));
    inputs.extend(many(2000, |random| exact(f64::from_bits(random.any_size() & ((1 << 52) - 1)))));
    // Around 2^53, and quarters and eighths of large numbers, decimals are equally near or half-way to a neighbour.
    inputs.extend(many(6000, |random| {
        let bits = 52 + random.below(25);
        exact((random.next() >> 11) as f64 * (bits as f64 - 64.0).exp2())
    }));
    inputs.extend((-323..=307).flat_map(|power| (1..10).map(move |digit| format!("{digit}e{power}"))));
    inputs.extend(many(3000, |random| {
        format!("-{}.{}e{}", random.below(1000), random.below(1000), random.below(30))
    }));
    let edges =
        ["0", "-0", "NaN", "Infinity", "-Infinity", "1e23", "9007199254740993", "4194304.25", "5e-324"];
    agrees!(Float8, "t::float8", "float8send", with(inputs, &edges));
}

#[test]
fn museum_02_singles_print_the_servers_own_digits() {
    let exact = |number: f32| format!("{number:.9e}");
    let finite = |bits: u32| f32::from_bits(bits & !(1 << 23));
    let mut inputs = many(10_000, |random| exact(finite(random.next() as u32)));
    inputs.extend((0..255_u32).flat_map(|exponent| {
        let bits = exponent << 23;
        [bits.saturating_sub(1), bits, bits + 1].map(|bits| exact(f32::from_bits(bits)))
    }));
    inputs.extend(many(2000, |random| exact(f32::from_bits(random.any_size() as u32 & ((1 << 23) - 1)))));
    inputs.extend(many(10_000, |random| {
        let bits = random.below(40) as f32;
        exact((random.next() >> 40) as f32 * (bits - 12.0).exp2())
    }));
    inputs.extend((-44..=37).flat_map(|power| (1..10).map(move |digit| format!("{digit}e{power}"))));
    let edges = ["0", "-0", "NaN", "Infinity", "-Infinity", "2097152.25", "8388608.5", "33554432", "1e-45"];
    agrees!(Float4, "t::float4", "float4send", with(inputs, &edges));
}

#[test]
fn museum_06_numerics_of_any_size() {
    let mut inputs = many(6000, |random| {
        let (before, behind) = (random.below(30), random.below(30));
        let sign = if random.below(2) == 0 { "-" } else { "" };
        format!("{sign}0{}.{}0", random.digits(before), random.digits(behind))
    });
    inputs.extend(many(2000, |random| {
        let (before, behind) = (random.below(12), random.below(12));
        let point = if behind == 0 { "" } else { "." };
        format!("0{}{point}{}", random.digits(before), random.digits(behind))
    }));
    inputs.extend(many(200, |random| format!("{}.{}", random.digits(900), random.digits(700))));
    inputs.extend((0..200).map(|power| format!("1e{power}")));
    inputs.extend((0..200).map(|power| format!("1e-{power}")));
    inputs.push(format!("9{}.{}", "9".repeat(131_071), "9".repeat(16_383)));
    inputs.push(format!("-1{}", "0".repeat(131_071)));
    inputs.push(format!("-0.{}1", "0".repeat(16_382)));
    inputs.push(format!("0.{}", "0".repeat(16_383)));
    let edges = ["0", "-0.00", "0.000", "1.0", "1.00", "NaN", "Infinity", "-Infinity", "9999.9999", "10000"];
    agrees!(Numeric, "t::numeric", "numeric_send", with(inputs, &edges));
}

const INFINITE: [&str; 2] = ["infinity", "-infinity"];

#[test]
fn museum_06_dates() {
    let mut inputs = many(3000, |random| (random.between(-2_451_545, 2_145_031_948)).to_string());
    inputs.extend(many(4000, |random| (random.below(4_000_000) as i64 - 2_000_000).to_string()));
    // The turns of years around 1 BC, 100, 400 and 10000.
    inputs.extend((-800..800).map(|day| (day - 730_485).to_string()));
    inputs.extend((-400..400).map(|day| (day + 2_921_940).to_string()));
    let edges = ["-2451545", "2145031948", "0", "-1", "59", "60", INFINITE[0], INFINITE[1]];
    let expression = "CASE WHEN t ~ 'inf' THEN t ELSE ('2000-01-01'::date + t::int)::text END::date";
    agrees!(Date, expression, "date_send", with(inputs, &edges));
}

/// Days since 2000-01-01 and a clock's time.
fn date_times() -> Vec<String> {
    let mut inputs =
        many(4000, |random| format!("{}|{}", random.between(-2_451_545, 106_751_982), random.clock()));
    inputs.extend(many(4000, |random| {
        format!("{}|{}", random.below(2_000_000) as i64 - 1_000_000, random.clock())
    }));
    let last = "106751982|23:59:59.999999";
    with(
        inputs,
        &["-2451545|00:00", last, "0|00:00", "-1|23:59:59.999999", "-730851|00:00", INFINITE[0], INFINITE[1]],
    )
}

const DATE_TIME: &str = "CASE WHEN t ~ 'inf' THEN t::timestamp
    ELSE ('2000-01-01'::date + split_part(t, '|', 1)::int) + split_part(t, '|', 2)::time END";

#[test]
fn museum_06_timestamps() {
    agrees!(LocalDateTime, DATE_TIME, "timestamp_send", date_times());
    let zoned = format!("({DATE_TIME}) AT TIME ZONE 'UTC'");
    agrees!(Timestamp, &zoned, "timestamptz_send", date_times());
}

#[test]
fn museum_06_timestamps_of_sessions_that_pinned_no_time_zone() {
    let zones = ["Asia/Kolkata", "America/New_York", "Europe/Amsterdam", "Asia/Kathmandu", "<+15>-15:59"];
    for (major, cluster) in clusters() {
        for zone in zones {
            let expression = format!(
                "set_config('TimeZone', '{zone}', false) || '|' || (({DATE_TIME}) AT TIME ZONE 'UTC')"
            );
            let inputs: Vec<_> = date_times().into_iter().filter(|input| !input.contains("-24")).collect();
            for (input, answer) in inputs.iter().zip(ask(cluster, &expression, "textsend", &inputs)) {
                let text =
                    answer.text.strip_prefix(zone).and_then(|text| text.strip_prefix('|')).expect("a zone");
                let read = Timestamp::from_text(text);
                let read = read.unwrap_or_else(|error| panic!("PostgreSQL {major}: {error}, in {text}"));
                let (days, _) = input.split_once('|').unwrap_or(("0", ""));
                let days: i64 = days.parse().expect("a number");
                let is_same_day = read.as_micros().div_euclid(86_400_000_000) == days;
                assert!(
                    is_same_day || input.contains("inf"),
                    "PostgreSQL {major}: {text} is {read}, of {input}"
                );
            }
        }
    }
}

#[test]
fn museum_06_times_of_day() {
    let times = with(many(3000, Random::clock), &["00:00", "24:00:00", "23:59:59.999999", "00:00:00.000001"]);
    agrees!(Time, "t::time", "time_send", times);
    let zoned = many(4000, |random| {
        let sign = if random.below(2) == 0 { '-' } else { '+' };
        let (hour, minute, second) = (random.below(16), random.below(60), random.below(60));
        let offset = match random.below(3) {
            0 => format!("{hour:02}"),
            1 => format!("{hour:02}:{minute:02}"),
            _ => format!("{hour:02}:{minute:02}:{second:02}"),
        };
        format!("{}{sign}{offset}", random.clock())
    });
    let edges = ["00:00+00", "24:00:00-15:59:59", "12:00+15:59:59", "12:00-00:00:01", "12:00-00"];
    agrees!(TimeTz, "t::timetz", "timetz_send", with(zoned, &edges));
}

/// Server 14 prints no more hours than 32 bits hold.
const LARGEST_ON_14: u64 = 7_730_941_132_799_999_999;

/// Months, days, hours in two halves (server 14 reads 32 bits) and seconds.
fn interval(months: i32, days: i32, micros: i64) -> String {
    let (hours, rest) = (micros / 3_600_000_000, micros % 3_600_000_000);
    let sign = if rest < 0 { "-" } else { "" };
    let rest = rest.unsigned_abs();
    format!(
        "{months}|{days}|{}|{}|{sign}{}.{:06}",
        hours / 2,
        hours - hours / 2,
        rest / 1_000_000,
        rest % 1_000_000
    )
}

#[test]
fn museum_06_intervals_of_mixed_sign() {
    let mut inputs = many(6000, |random| {
        let [months, days] = [0; 2].map(|_| random.any_size() as i32 * (random.below(3) as i32 - 1).signum());
        let micros = random.any_size() % LARGEST_ON_14;
        interval(months, days, micros as i64 * (random.below(3) as i64 - 1))
    });
    let signs = [-1_i32, 0, 1];
    for (months, days) in signs.into_iter().flat_map(|months| signs.map(|days| (months, days))) {
        for micros in [-90_000_000_000, -3_600_000_000, -1, 0, 1, 1_000_000, 36_000_000_000, 3_599_999_999] {
            for scale in [1, 2, 11, 12, 13, 24, 25] {
                inputs.push(interval(months * scale, days * (26 - scale), micros));
                inputs.push(interval(months * scale - 12, days, micros));
            }
        }
    }
    for micros in [-(LARGEST_ON_14 as i64), LARGEST_ON_14 as i64, 0] {
        inputs.push(interval(i32::MIN, i32::MAX, micros));
        inputs.push(interval(i32::MAX, i32::MIN, micros));
    }
    let expression = "make_interval(months => split_part(t, '|', 1)::int, days => split_part(t, '|', 2)::int)
        + (split_part(t, '|', 3) || ' hours')::interval + (split_part(t, '|', 4) || ' hours')::interval
        + (split_part(t, '|', 5) || ' seconds')::interval";
    agrees!(Interval, expression, "interval_send", inputs);
    let (major, newest) = clusters().last().expect("a server");
    if *major >= 15 {
        let largest = [interval(0, 0, i64::MAX), interval(0, 0, i64::MIN), interval(-1, 1, i64::MAX)];
        for answer in ask(newest, expression, "interval_send", &largest) {
            let read = Interval::from_text(&answer.text).expect("an interval");
            assert_eq!(read, Interval::from_binary(&answer.binary).expect("an interval"));
            assert_eq!(read.to_string(), answer.text);
        }
    }
    if *major >= 17 {
        let answers = ask(newest, "t::interval", "interval_send", &INFINITE.map(str::to_owned));
        let read = answers.iter().map(|answer| Interval::from_binary(&answer.binary).expect("an interval"));
        assert_eq!(read.collect::<Vec<_>>(), [Interval::INFINITY, Interval::NEG_INFINITY]);
        let read = answers.iter().map(|answer| Interval::from_text(&answer.text).expect("an interval"));
        assert_eq!(read.collect::<Vec<_>>(), [Interval::INFINITY, Interval::NEG_INFINITY]);
    }
}

#[test]
fn addresses() {
    let mut inputs = many(2000, |random| {
        format!("{}/{}", Ipv4Addr::from_bits(random.any_size() as u32), random.below(33))
    });
    // Words that are zero, and the places of IPv4 in IPv6.
    inputs.extend(many(4000, |random| {
        let words = [0; 8].map(|_| (random.any_size() as u16) * random.below(2) as u16);
        let word = |index: usize| format!("{:x}", words[index]);
        format!(
            "{}/{}",
            (0..8).map(word).collect::<Vec<_>>().join(":"),
            128 - random.below(3) * random.below(43)
        )
    }));
    inputs.extend(many(1000, |random| {
        let low = Ipv6Addr::from_bits((random.any_size() as u32).into());
        let prefix = [0, 0xFFFF, 0xFFFF_0000, 1][random.below(4)] << 32;
        format!("{}", Ipv6Addr::from_bits(low.to_bits() | prefix))
    }));
    // All patterns of zero words.
    inputs.extend((0..256_u32).map(|zeros| {
        let word = |place: u32| if zeros >> place & 1 == 1 { "0" } else { "ab" };
        (0..8).map(word).collect::<Vec<_>>().join(":")
    }));
    let edges = [
        "0.0.0.0/0",
        "::/0",
        "::",
        "::1",
        "::2",
        "::1:0",
        "::ffff:0:0",
        "::ffff:1.2.3.4/96",
        "64:ff9b::1.2.3.4",
    ];
    let inputs = with(inputs, &edges);
    agrees!(Inet, "t::inet", "inet_send", inputs.clone());
    agrees!(Cidr, "network(t::inet)", "cidr_send", inputs);
    agrees!(MacAddr, "t::macaddr", "macaddr_send", many(2000, |random| random.hex(6)));
    agrees!(MacAddr8, "t::macaddr8", "macaddr8_send", many(2000, |random| random.hex(8)));
}
