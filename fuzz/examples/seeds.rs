//! Writes a first corpus: frames that servers sent, in the form that each target takes.
//!
//! `cargo run --example seeds FOLDER` from the package's folder.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::Value;
use walferry::capture::{Context, Events, Reader, Writer};
use walferry::pgoutput::Datum;
use walferry::sink::json::Lines;
use walferry::value::Types;
use walferry::{Change, Event, Timestamp};
use walferry_fuzz::frames;

/// The frames of each captured stream, and whether its streaming was parallel.
type Streams = BTreeMap<String, (bool, Vec<Vec<u8>>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("which folder?")?;
    let streams = read_golden(&fs::read_to_string("../tests/golden_frames.jsonl")?)?;
    for (number, (parallel, frames)) in streams.values().enumerate() {
        let seed = |target: &str, bytes: &[u8]| {
            let folder = Path::new(&folder).join(target);
            fs::create_dir_all(&folder)?;
            let in_folder = fs::read_dir(&folder)?.count();
            fs::write(folder.join(format!("golden-{number:03}-{in_folder:03}")), bytes)
        };
        seed("decode", &frames::join(*parallel, frames))?;
        seed("capture", &capture(*parallel, frames)?)?;
        seed("capture", &blocks(*parallel, frames))?;
        seed("json_reader", &json(*parallel, frames)?)?;
        seed("codec_split", &connection(frames))?;
        for (target, value) in values(*parallel, frames)? {
            seed(target, &value)?;
        }
        // The others read an input as choices, of which any bytes are some.
        let bytes = frames.concat();
        for target in ["roundtrip", "assemble", "render", "session", "quote"] {
            seed(target, &bytes[..bytes.len().min(4096)])?;
        }
    }
    let folder = Path::new(&folder).join("config");
    fs::create_dir_all(&folder)?;
    for (number, text) in CONFIGS.iter().enumerate() {
        fs::write(folder.join(format!("string-{number:02}")), text)?;
    }
    Ok(())
}

/// Connection strings in both forms, and lines that the target takes for parameters.
const CONFIGS: [&str; 8] = [
    "",
    "host=db-1,db-2 port=,5433 user=ferry password='it\\'s' dbname=shop connect_timeout=10",
    "hostaddr=::1,127.0.0.1 sslmode=require channel_binding=require require_auth=scram-sha-256",
    "host=/tmp sslrootcert=system application_name='a b' options='-c geqo=off' keepalives_count=3",
    "postgresql://ferry:s%20t@db-1,[::1]:5433/shop?sslmode=verify-full&target_session_attrs=primary",
    "postgres://@/?host=%2Ftmp&ssl=true&load_balance_hosts=random",
    "service=x servicefile=/dev/null sslcert=a sslkey=b tcp_user_timeout=1 gssencmode=disable",
    "0a,b\n25432\n@verify-full\nA1.2.3.4\n5s",
];

/// What a server says from the first message to the last, one message a piece, with these frames in between.
fn connection(frames: &[Vec<u8>]) -> Vec<u8> {
    let before: [(u8, &[u8]); 15] = [
        (b'v', b"\0\0\0\0\0\0\0\x01_pq_.x\0"),
        (b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"),
        (b'R', b"\0\0\0\x0br=nonce,s=c2FsdA==,i=4096"),
        (b'R', b"\0\0\0\x0cv=c2ln"),
        (b'R', b"\0\0\0\0"),
        (b'S', b"TimeZone\0UTC\0"),
        (b'K', b"\0\0\0\x01\0\0\0\x02"),
        (b'N', b"SNOTICE\0VNOTICE\0C00000\0Mhello\0\0"),
        (b'Z', b"I"),
        (b'T', b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"),
        (b'D', b"\0\x02\xff\xff\xff\xff\0\0\0\x01x"),
        (b'C', b"SELECT 1\0"),
        (b'A', b"\0\0\0\x01channel\0payload\0"),
        (b'E', b"SERROR\0C55006\0Mthe slot is active\0\0"),
        (b'W', b"\0\0\0"),
    ];
    let message = |tag: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len() + 4).expect("captured frames are short");
        [&[tag], &length.to_be_bytes()[..], payload].concat()
    };
    let before = before.map(|(tag, payload)| message(tag, payload));
    let copied = frames.iter().take(5).map(|frame| message(b'd', frame));
    let pieces: Vec<_> = before.into_iter().chain(copied).chain([message(b'c', b"")]).collect();
    frames::join(true, &pieces)
}

/// Each with the target that takes it.
type Seeds = Vec<(&'static str, Vec<u8>)>;

/// Every value of a new row, behind the two bytes that choose its type.
fn values(parallel: bool, frames: &[Vec<u8>]) -> Result<Seeds, Box<dyn Error>> {
    let capture = capture(parallel, frames)?;
    let mut values = Vec::new();
    for event in Events::new(Reader::new(&capture[8..])?)?.map_while(Result::ok) {
        let Event::Change(Change::Insert { new }) = event else { continue };
        for (column, datum) in new.relation().columns.iter().zip(new.tuple()) {
            let Ok(place) = Types::built_in().binary_search_by_key(&column.type_oid, |known| known.oid)
            else {
                continue;
            };
            let (target, value) = match datum {
                Datum::Text(value) => ("text_value", value),
                Datum::Binary(value) => ("binary_value", value),
                _ => continue,
            };
            values.push((target, [&u16::try_from(place)?.to_be_bytes()[..], value].concat()));
        }
    }
    Ok(values)
}

fn read_golden(text: &str) -> Result<Streams, Box<dyn Error>> {
    let mut streams = Streams::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line)?;
        let stream = format!("{} {} {} {}", line["server"], line["case"], line["proto"], line["opts"]);
        let parallel = line["opts"]["streaming"] == "parallel";
        let frame = unhex(line["copydata_hex"].as_str().ok_or("no frame")?)?;
        streams.entry(stream).or_insert((parallel, Vec::new())).1.push(frame);
    }
    Ok(streams)
}

fn unhex(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    (0..hex.len() / 2)
        .map(|index| {
            let digits = hex.get(2 * index..2 * index + 2).ok_or("not hexadecimal")?;
            Ok(u8::from_str_radix(digits, 16)?)
        })
        .collect()
}

/// Behind the eight bytes of a position to seek.
fn capture(parallel: bool, frames: &[Vec<u8>]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut context = Context::default();
    context.parallel_streaming = parallel;
    let mut writer = Writer::new(vec![0; 8], &context)?;
    for frame in frames {
        writer.append(Timestamp::from_micros(0), &frame.clone().into())?;
    }
    Ok(writer.finish()?)
}

/// The events as JSON Lines, as far as the frames are a whole stream.
fn json(parallel: bool, frames: &[Vec<u8>]) -> Result<Vec<u8>, Box<dyn Error>> {
    let capture = capture(parallel, frames)?;
    let (mut lines, mut json) = (Lines::default(), Vec::new());
    for event in Events::new(Reader::new(&capture[8..])?)?.map_while(Result::ok) {
        lines.event(&mut json, &event)?;
    }
    Ok(json)
}

/// The same, as the blocks of which the target makes a capture itself.
fn blocks(parallel: bool, frames: &[Vec<u8>]) -> Vec<u8> {
    let body = |frame: &Vec<u8>| {
        let length = u32::try_from(frame.len()).expect("captured frames are short");
        [b"F\0\0\0\0\0\0\0\0", &length.to_be_bytes()[..], frame].concat()
    };
    let bodies: Vec<_> = frames.iter().map(body).collect();
    [vec![0; 8], frames::join(parallel, &bodies)].concat()
}
