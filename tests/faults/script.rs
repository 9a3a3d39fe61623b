//! What a psql script says.

/// The script without what it takes back itself.
pub(crate) fn committed(script: &[u8]) -> String {
    let (mut done, mut open) = (String::new(), String::new());
    for line in std::str::from_utf8(script).unwrap().split_inclusive('\n') {
        if line.starts_with("BEGIN; ") {
            assert_eq!(open, "", "a transaction inside of another one");
            open.push_str(line);
        } else if line.starts_with("ROLLBACK; -- the connection") {
            assert!(!std::mem::take(&mut open).is_empty(), "there is nothing to take back");
        } else if open.is_empty() {
            done.push_str(line);
        } else {
            open.push_str(line);
            if line.starts_with("COMMIT; ") {
                done.push_str(&std::mem::take(&mut open));
            }
        }
    }
    assert_eq!(open, "", "a transaction without an end");
    done
}

/// The ids that its transactions insert into `t`, in order.
pub(crate) fn inserted(script: &[u8]) -> Vec<u32> {
    const INSERT: &str = r#"INSERT INTO "public"."t" ("id", "body") OVERRIDING SYSTEM VALUE VALUES ('"#;
    let id = |line: &str| line.strip_prefix(INSERT)?.split('\'').next()?.parse().ok();
    committed(script).lines().filter_map(id).collect()
}

/// The transactions in it, by their ids.
pub(crate) fn transactions(script: &[u8]) -> Vec<String> {
    let xid = |line: &str| Some(line.split_once(" -- xid ")?.1.split(',').next()?.to_owned());
    committed(script).lines().filter(|line| line.starts_with("BEGIN; ")).filter_map(xid).collect()
}
