use super::*;

fn standing(retained: u64, seconds: i64) -> Standing {
    Standing {
        slot: "s".parse().unwrap(),
        at: Timestamp::from_micros(seconds * 1_000_000),
        end: Lsn::new(0),
        confirmed: None,
        retained,
        budget: 1000,
        growth: None,
        wal_status: WalStatus::Reserved,
        safe_wal_size: None,
        time_left: None,
        catalog_xmin_age: Some(1),
        active: true,
        invalidation_reason: None,
        gives_up: false,
    }
}

#[test]
fn advice_follows_what_is_used_of_the_budget() {
    let advice = |retained| standing(retained, 0).advice();
    for (retained, expected) in [
        (0, Advice::Fine),
        (499, Advice::Fine),
        (500, Advice::Warn),
        (749, Advice::Warn),
        (750, Advice::Slow),
        (999, Advice::Slow),
        (1000, Advice::Pause),
        (u64::MAX, Advice::Pause),
    ] {
        assert_eq!(advice(retained), expected, "{retained}");
    }
    let nothing = Standing { budget: 0, ..standing(0, 0) };
    assert_eq!(nothing.advice(), Advice::Pause, "no budget is used up at once");
    let all = Standing { budget: u64::MAX, ..standing(u64::MAX / 2 - 1, 0) };
    assert_eq!(all.advice(), Advice::Fine, "no overflow");
}

#[test]
fn advice_follows_how_long_the_rest_lasts() {
    let after = |retained, seconds| standing(retained, seconds).since(&standing(0, 0));
    // 1 byte a second: 900 s are left.
    assert_eq!(after(100, 100).time_left, Some(Duration::from_secs(900)));
    assert_eq!(after(100, 100).advice(), Advice::Warn);
    assert_eq!(after(200, 100).advice(), Advice::Slow, "400 s are left");
    assert_eq!(after(100, 1000).advice(), Advice::Fine, "two and a half hours are left");
}

#[test]
fn a_slot_that_catches_up_has_all_the_time() {
    let shrinking = standing(100, 10).since(&standing(400, 0));
    assert_eq!((shrinking.growth, shrinking.time_left), (Some(-30.0), None));
    assert_eq!(standing(100, 0).since(&standing(0, 0)).growth, None, "the clock stood still");
    assert_eq!(standing(100, -5).since(&standing(0, 0)).growth, None, "the clock was set back");
}

#[test]
fn the_server_s_own_limit_counts_too() {
    let safe = |safe, seconds| Standing { safe_wal_size: Some(safe), ..standing(0, seconds) };
    let nearing = safe(400, 10).since(&safe(500, 0));
    assert_eq!(nearing.time_left, Some(Duration::from_secs(40)));
    assert_eq!(safe(-7, 10).since(&safe(500, 0)).time_left, Some(Duration::ZERO));
    let unreserved = Standing { wal_status: WalStatus::Unreserved, ..standing(0, 0) };
    assert_eq!(unreserved.advice(), Advice::Pause);
}

#[test]
fn a_catalogue_that_is_kept_long_is_told() {
    assert_eq!(Standing { catalog_xmin_age: Some(OLD), ..standing(0, 0) }.advice(), Advice::Warn);
    assert_eq!(Standing { catalog_xmin_age: Some(OLD - 1), ..standing(0, 0) }.advice(), Advice::Fine);
}

#[test]
fn a_slot_is_given_up_only_where_that_was_asked_for() {
    let lost = Standing { wal_status: WalStatus::Lost, ..standing(0, 0) };
    let invalid = Standing { invalidation_reason: Some("idle_timeout".to_owned()), ..standing(0, 0) };
    for worst in [lost, invalid, standing(1000, 0)] {
        assert_eq!(worst.advice(), Advice::Pause);
        assert_eq!(Standing { gives_up: true, ..worst }.advice(), Advice::Release);
    }
    let nearly = Standing { gives_up: true, wal_status: WalStatus::Unreserved, ..standing(999, 0) };
    assert_eq!(nearly.advice(), Advice::Pause);
}

#[test]
fn a_word_that_no_server_says_today_is_no_alarm() {
    assert_eq!(WalStatus::read(Some("another")), WalStatus::Reserved);
    for word in [WalStatus::Reserved, WalStatus::Extended, WalStatus::Unreserved, WalStatus::Lost] {
        assert_eq!(WalStatus::read(Some(word.as_str())), word);
    }
}
