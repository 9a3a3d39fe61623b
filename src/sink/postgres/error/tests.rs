//! What is said of what the target refuses.

use std::error::Error as _;

use super::*;

fn refusal(sqlstate: &str) -> Refusal {
    let sqlstate = sqlstate.to_owned();
    Refusal { sqlstate, message: None, constraint: None, column: None, data_type: None }
}

fn refused(sqlstate: &str) -> ApplyError {
    ApplyError::new(ApplyErrorKind::Refused(refusal(sqlstate)))
}

/// SQLSTATE, what it means, what to do.
///
/// Source: PostgreSQL manual, appendix A, "PostgreSQL Error Codes".
const REFUSALS: [(&str, &str, Option<&str>); 19] = [
    ("23502", "a NULL where", None),
    ("23503", "a foreign key", Some("session_replication_role")),
    ("23505", "a unique key", Some("deferrable")),
    ("23514", "a check constraint", None),
    ("23P01", "an exclusion constraint", None),
    ("22001", "too long", Some("the type that it has on the source")),
    ("22003", "out of the range", Some("the type that it has on the source")),
    ("22P02", "not one of the target's type", Some("the type that it has on the source")),
    ("22007", "not one of the target's type", None),
    ("22008", "not one of the target's type", None),
    ("22P03", "not one of the target's type", None),
    ("40001", "a serialisation failure", None),
    ("40P01", "a deadlock", None),
    ("P0001", "a trigger", None),
    ("25006", "refused it", Some("read-only")),
    ("42501", "refused it", Some("TRUNCATE on the target's tables")),
    ("55000", "refused it", None),
    ("22012", "refused it", None),
    ("", "refused it", None),
];

#[test]
fn a_refusal_says_what_it_means_and_what_to_do() {
    for (sqlstate, means, hint) in REFUSALS {
        let error = refused(sqlstate);
        let said = error.to_string();
        assert!(said.contains(means) && said.ends_with(&format!("(SQLSTATE {sqlstate})")), "{said}");
        match hint {
            Some(hint) => assert!(
                error.hint().is_some_and(|said| said.contains(hint)),
                "{sqlstate}: {:?}",
                error.hint()
            ),
            None => assert_eq!(error.hint(), None, "{sqlstate}"),
        }
    }
}

#[test]
fn what_to_do_depends_on_what_is_refused() {
    for (sqlstate, message, hint) in [
        ("55000", "prepared transactions are disabled", "max_prepared_transactions"),
        (
            "55000",
            "cannot update table \"t\" because it does not have a replica identity and publishes updates",
            "publication",
        ),
        ("42501", "query would be affected by row-level security policy for table \"t\"", "BYPASSRLS"),
    ] {
        let refusal = Refusal { message: Some(message.to_owned()), ..refusal(sqlstate) };
        let error = ApplyError::new(ApplyErrorKind::Refused(refusal));
        assert!(error.hint().is_some_and(|said| said.contains(hint)), "{message}: {:?}", error.hint());
    }
}

#[test]
fn what_passes_by_itself_is_retried_and_what_the_rows_do_not_stand_is_a_conflict() {
    for (sqlstate, passes, is_conflict) in [
        ("40001", true, false),
        ("40P01", true, false),
        ("55P03", true, false),
        ("53300", true, false),
        ("57P01", true, false),
        ("08006", true, false),
        ("40002", false, false),
        ("54000", false, false),
        ("09000", false, false),
        ("23505", false, true),
        ("22003", false, true),
        ("42501", false, false),
        ("P0001", false, false),
        ("", false, false),
    ] {
        let error = refused(sqlstate);
        assert_eq!((error.is_retryable(), error.is_conflict()), (passes, is_conflict), "{sqlstate}");
    }
    let kinds = [
        (ApplyErrorKind::RowCount { found: 2 }, false, true),
        (ApplyErrorKind::NoIdentity, false, false),
        (ApplyErrorKind::Failed, false, false),
        (ApplyErrorKind::Target(Error::Closed { during: "" }), true, false),
    ];
    for (kind, passes, is_conflict) in kinds {
        let error = ApplyError::new(kind);
        assert_eq!((error.is_retryable(), error.is_conflict()), (passes, is_conflict), "{error}");
    }
    // The table is wrong, and not the row.
    assert!(!refused("23502").with_statement("ALTER TABLE t".to_owned()).is_conflict());
    assert!(refused("22003").with_statement("ALTER TABLE t".to_owned()).is_conflict());
}

#[test]
fn a_refusal_names_what_the_target_names() {
    let full = Refusal {
        message: Some("no such thing".to_owned()),
        constraint: Some("t_pkey".to_owned()),
        column: Some("a".to_owned()),
        data_type: Some("mood".to_owned()),
        ..refusal("42P01")
    };
    assert_eq!(
        full.to_string(),
        "the target refused it (SQLSTATE 42P01, constraint t_pkey, column a, type mood): no such thing"
    );
}

#[test]
fn a_place_says_what_is_known_of_it() {
    let place = ChangePlace {
        operation: "UPDATE",
        table: "public.t".to_owned(),
        key: vec!["a".to_owned(), "b".to_owned()],
        xid: Some(Xid::new(7)),
        commit_lsn: Some(Lsn::new(16)),
        ordinal: 3,
    };
    let said = "UPDATE of public.t by (a, b), change 3 of transaction 7 that committed at 0/10";
    assert_eq!(place.to_string(), said);
    let commit = ChangePlace { operation: "COMMIT", ordinal: 3, ..ChangePlace::default() };
    assert_eq!(commit.to_string(), "COMMIT, change 3");
    // The first place that is told is the one that counts.
    let error = ApplyError::new(ApplyErrorKind::RowCount { found: 0 }).at(place.clone()).at(commit);
    assert_eq!(error.change(), Some(&place));
    assert_eq!(error.to_string(), format!("{said}: the target has 0 such rows, expected 1"));
    assert!(error.source().is_none());
}

#[test]
fn a_statement_is_a_hint_too() {
    let error = ApplyError::new(ApplyErrorKind::MissingTable);
    assert_eq!(
        (error.statement(), error.hint()),
        (
            None,
            Some(
                "create it on the target, as it is on the source; a view whose INSTEAD OF triggers don't fire here is none"
            )
        )
    );
    let error = error.with_statement("CREATE TABLE t ()".to_owned());
    assert_eq!(
        (error.statement(), error.hint()),
        (Some("CREATE TABLE t ()"), Some("on the target: CREATE TABLE t ()"))
    );
}

/// `Display` doesn't repeat it.
#[test]
fn the_cause_is_the_source() {
    let path = PathBuf::from("file");
    let quarantine = || CaptureError::from(std::io::Error::other("disk"));
    for kind in [
        ApplyErrorKind::Target(Error::Closed { during: "now" }),
        ApplyErrorKind::Quarantine { path, source: quarantine() },
    ] {
        let error = ApplyError::new(kind);
        let source = error.source().expect("a cause").to_string();
        assert!(!error.to_string().contains(&source));
    }
}
