//! What was found, for people and for scripts.

use serde_json::{Value, json};
use walferry::migrate::Status;
use walferry::migrate::doctor;
use walferry::migrate::verify::{Difference, DifferenceKind, RowKey, TableReport, VerifyReport};

pub(crate) fn doctor(report: &doctor::Report) -> Value {
    let findings = report.findings.iter().map(|finding| {
        json!({
            "id": finding.id,
            "severity": finding.severity.as_str(),
            "side": finding.side.as_str(),
            "subject": finding.subject,
            "reason": finding.reason,
            "mend": finding.mend,
        })
    });
    json!({ "findings": findings.collect::<Vec<_>>(), "ok": !report.has_errors() })
}

pub(crate) fn status(status: &Status) -> Value {
    json!({
        "phase": status.phase.map(walferry::migrate::Phase::as_str),
        "tables": status.tables,
        "copied": status.copied,
        "source_lsn": status.source_end.to_string(),
        "applied_lsn": status.applied.map(|lsn| lsn.to_string()),
        "lag_bytes": status.lag(),
        "slot": status.slot.as_ref().map(|slot| json!({
            "retained_bytes": slot.retained,
            "wal_status": slot.wal_status.as_str(),
            "safe_wal_size": slot.safe_wal_size,
            "active": slot.active,
        })),
        "sequences_behind": status.sequences_behind,
    })
}

pub(crate) fn status_lines(status: &Status) -> String {
    let phase = status.phase.map_or("not begun", walferry::migrate::Phase::as_str);
    let mut lines = vec![
        format!("phase: {phase}"),
        format!("copied: {} of {} tables", status.copied, status.tables),
        format!("source at: {}", status.source_end),
    ];
    if let (Some(applied), Some(lag)) = (status.applied, status.lag()) {
        lines.push(format!("target at: {applied}, lag {lag} bytes"));
    }
    lines.push(match &status.slot {
        Some(slot) => format!("slot: keeps {} bytes of the source's log", slot.retained),
        None => "slot: none".to_owned(),
    });
    lines.push(format!("sequences behind: {}", status.sequences_behind));
    lines.join("\n")
}

pub(crate) fn verify(report: &VerifyReport) -> Value {
    let tables = report.tables.iter().map(|table| {
        json!({
            "schema": table.schema,
            "table": table.table,
            "equal": table.is_equal(),
            "rows_source": table.rows_source,
            "rows_target": table.rows_target,
            "differences": table.differences.iter().map(difference).collect::<Vec<_>>(),
            "more": table.more,
            "unproven": table.unproven,
        })
    });
    let proven_before = report.proven_before.iter().map(
        |proven| json!({ "schema": proven.schema, "table": proven.table, "lsn": proven.lsn.to_string() }),
    );
    json!({
        "lsn": report.lsn.to_string(),
        "equal": report.is_equal(),
        "tables": tables.collect::<Vec<_>>(),
        "proven_before": proven_before.collect::<Vec<_>>(),
    })
}

fn kind(difference: &Difference) -> &'static str {
    match difference.kind {
        DifferenceKind::Missing => "missing",
        DifferenceKind::Extra => "extra",
        DifferenceKind::Duplicated { .. } => "duplicated",
        _ => "differs",
    }
}

fn difference(difference: &Difference) -> Value {
    let counts = match difference.kind {
        DifferenceKind::Duplicated { source, target } => Some((source, target)),
        _ => None,
    };
    let (key, row_hash) = match &difference.key {
        RowKey::Columns(columns) => {
            let key = columns.iter().map(|(name, text)| (name.clone(), json!(text)));
            (Some(key.collect::<serde_json::Map<_, _>>()), None)
        }
        RowKey::RowHash(hash) => (None, Some(hash)),
        _ => (None, None),
    };
    json!({
        "kind": kind(difference),
        "key": key,
        "row_hash": row_hash,
        "source": counts.map(|(source, _)| source),
        "target": counts.map(|(_, target)| target),
    })
}

/// One line a table, and one for each row that differs.
pub(crate) fn verify_lines(report: &VerifyReport) -> String {
    let before = report.proven_before.iter();
    let mut lines: Vec<String> = before
        .map(|proven| format!("{}.{}: was equal at {}", proven.schema, proven.table, proven.lsn))
        .collect();
    for table in &report.tables {
        lines.push(table_line(table));
        for difference in &table.differences {
            let key = match &difference.key {
                RowKey::Columns(columns) => {
                    let of = |(name, text): &(String, Option<String>)| {
                        format!(
                            "{name}={}",
                            text.as_deref().map_or_else(|| "NULL".to_owned(), |text| format!("{text:?}"))
                        )
                    };
                    columns.iter().map(of).collect::<Vec<_>>().join(" ")
                }
                RowKey::RowHash(hash) => format!("row {hash}"),
                _ => String::new(),
            };
            lines.push(format!("  {} {key}", kind(difference)));
        }
        if table.more > 0 {
            lines.push(format!("  and {} more", table.more));
        }
    }
    let differing = report.tables.iter().filter(|table| !table.is_equal()).count();
    lines.push(match differing {
        0 => format!("{} tables are equal at {}", report.tables.len(), report.lsn),
        _ => format!("{differing} of {} tables differ at {}", report.tables.len(), report.lsn),
    });
    lines.join("\n")
}

fn table_line(table: &TableReport) -> String {
    let TableReport { schema, table: name, rows_source, rows_target, .. } = table;
    match &table.unproven {
        Some(why) => format!("{schema}.{name}: not compared: {why}"),
        None if table.is_equal() => format!("{schema}.{name}: equal, {rows_source} rows"),
        None => {
            format!("{schema}.{name}: differs, {rows_source} rows in the source, {rows_target} in the target")
        }
    }
}
