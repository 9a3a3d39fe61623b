//! Each thing that can have happened to a source, told from the others.

use super::*;

fn kept() -> Fingerprint {
    Fingerprint {
        system_id: 1,
        timeline: 3,
        database: "shop".into(),
        slot: "s".into(),
        resume_lsn: Lsn::new(0x500),
    }
}

fn found() -> SourceState {
    SourceState { wal_end: Lsn::new(0x900), ..SourceState::of(&kept()) }
}

#[test]
#[cfg(feature = "serde")]
fn is_kept_by_serde_as_it_is() {
    let kept = Fingerprint { system_id: u64::MAX - 1, ..kept() };
    let text = serde_json::to_string(&kept).unwrap();
    let expected = r#"{"system_id":18446744073709551614,"timeline":3,"database":"shop","slot":"s","resume_lsn":"0/500"}"#;
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<Fingerprint>(&text).unwrap(), kept);
}

#[test]
fn goes_on_where_it_stands() {
    assert_eq!(kept().check(&found()), Ok(Standing::Level));
    let unknown = SourceState { confirmed_flush_lsn: None, ..found() };
    assert_eq!(kept().check(&unknown), Ok(Standing::Level));
    assert_eq!(kept().check(&SourceState::of(&kept())), Ok(Standing::Level), "nothing was written since");
}

#[test]
fn museum_09_a_rewound_slot_is_no_error() {
    let rewound = SourceState { confirmed_flush_lsn: Some(Lsn::new(0x4ff)), ..found() };
    assert_eq!(kept().check(&rewound), Ok(Standing::Rewound));
}

#[test]
fn museum_10_a_slot_that_was_made_anew_has_a_gap_before_it() {
    let confirmed_flush_lsn = Lsn::new(0x501);
    let anew = SourceState { confirmed_flush_lsn: Some(confirmed_flush_lsn), ..found() };
    let gap = SourceChanged::SlotAhead { resume_lsn: Lsn::new(0x500), confirmed_flush_lsn };
    assert_eq!(kept().check(&anew), Err(gap));
}

#[test]
fn museum_10_another_server_database_or_slot_is_not_gone_on_with() {
    let other = SourceState { system_id: 2, ..found() };
    assert_eq!(kept().check(&other), Err(SourceChanged::OtherSystem { kept: 1, found: 2 }));
    let other = SourceState { database: "Shop".into(), ..found() };
    assert!(matches!(kept().check(&other), Err(SourceChanged::OtherDatabase { .. })));
    let other = SourceState { slot: "s2".into(), ..found() };
    assert!(matches!(kept().check(&other), Err(SourceChanged::OtherSlot { .. })));
}

#[test]
fn museum_10_a_restored_backup_lacks_what_the_sink_has() {
    let wal_end = Lsn::new(0x4ff);
    let restored = SourceState { wal_end, confirmed_flush_lsn: Some(Lsn::new(0x100)), ..found() };
    let lost = SourceChanged::Restored { resume_lsn: Lsn::new(0x500), wal_end };
    assert_eq!(kept().check(&restored), Err(lost));
}

#[test]
fn museum_25_a_standby_that_was_promoted_ahead_of_the_sink_is_gone_on_with() {
    let history = TimelineSwitch::read_history("1\t0/80\tno reason\n3\t0/500\tpromoted\n4\t0/600\tagain\n");
    let promoted = SourceState { timeline: 5, history, ..found() };
    assert_eq!(kept().check(&promoted), Ok(Standing::Level));
}

#[test]
fn museum_25_a_standby_that_was_promoted_behind_the_sink_is_not() {
    let history = TimelineSwitch::read_history("3\t0/4FF\tpromoted\n");
    let promoted = SourceState { timeline: 4, history, ..found() };
    let promoted_at = Lsn::new(0x4ff);
    let behind = SourceChanged::PromotedBehind { resume_lsn: Lsn::new(0x500), timeline: 4, promoted_at };
    assert_eq!(kept().check(&promoted), Err(behind));
}

#[test]
fn museum_25_the_old_primary_and_other_histories_are_not() {
    let history = TimelineSwitch::read_history("1\t0/80\t\n");
    for timeline in [2, 4] {
        let other = SourceState { timeline, history: history.clone(), ..found() };
        assert_eq!(kept().check(&other), Err(SourceChanged::OtherTimeline { kept: 3, found: timeline }));
    }
}

#[test]
fn a_history_file_may_have_comments_and_empty_lines() {
    let read =
        TimelineSwitch::read_history("# made by hand\n\n1\t16/B374D848\tno recovery target specified\n");
    assert_eq!(read, [TimelineSwitch { timeline: 1, end_lsn: Lsn::new(0x16_B374_D848) }]);
}

#[test]
fn every_change_of_the_source_says_what_to_do() {
    for (changed, word) in [
        (SourceChanged::OtherSystem { kept: 1, found: 2 }, "server"),
        (SourceChanged::OtherSlot { kept: "a".into(), found: "b".into() }, "slot"),
        (SourceChanged::OtherTimeline { kept: 1, found: 2 }, "primary"),
        (SourceChanged::Restored { resume_lsn: Lsn::ZERO, wal_end: Lsn::ZERO }, "lost"),
    ] {
        assert!(changed.hint().contains(word), "{changed}: {}", changed.hint());
    }
}
