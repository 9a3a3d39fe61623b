//! The file of frames that servers 14 to 18 sent, with the fields that an independent decoder read from them.
#![allow(dead_code, clippy::allow_attributes, reason = "each program that includes this uses a part of it")]

use bytes::Bytes;
use serde_json::{Value, json};

/// One frame.
pub(crate) struct Golden {
    pub(crate) place: String,
    /// Whether another stream begins with it.
    pub(crate) new_case: bool,
    pub(crate) parallel: bool,
    pub(crate) tag: u8,
    pub(crate) copy_data: Bytes,
    pub(crate) decoded: Value,
}

pub(crate) fn golden_frames() -> Vec<Golden> {
    let mut case = Value::Null;
    include_str!("../golden_frames.jsonl")
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line of JSON");
            let this_case = json!([line["server"], line["case"], line["proto"], line["opts"]]);
            let new_case = std::mem::replace(&mut case, this_case) != case;
            let hex = line["copydata_hex"].as_str().expect("hex");
            Golden {
                place: format!("{case} #{}", line["seq"]),
                new_case,
                parallel: line["opts"]["streaming"] == "parallel",
                tag: line["msg"].as_str().expect("msg").as_bytes()[0],
                copy_data: unhex(hex).into(),
                decoded: line["decoded"].clone(),
            }
        })
        .collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}
