use proptest::prelude::*;

use super::*;

/// Any bits, and often the values that compare in their own way.
fn float() -> impl Strategy<Value = f64> {
    let special =
        vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 1.0];
    prop_oneof![any::<u64>().prop_map(f64::from_bits), -2.0..2.0, prop::sample::select(special)]
}

fn point() -> impl Strategy<Value = Point> {
    (float(), float()).prop_map(|(x, y)| Point { x, y })
}

fn bits(point: Point) -> [u64; 2] {
    [point.x.to_bits(), point.y.to_bits()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_point_is_the_same_bit_by_bit(point in point()) {
        let theirs = geo_types::Point::from(point);
        prop_assert_eq!([theirs.x().to_bits(), theirs.y().to_bits()], bits(point));
        prop_assert_eq!(bits(Point::from(theirs)), bits(point));
        prop_assert_eq!(bits(Point::from(Coord::from(point))), bits(point));
    }

    #[test]
    fn a_segment_keeps_which_end_is_which(start in point(), end in point()) {
        let theirs = geo_types::Line::from(Lseg { start, end });
        prop_assert_eq!([bits(theirs.start.into()), bits(theirs.end.into())], [bits(start), bits(end)]);
        let ours = Lseg::from(theirs);
        prop_assert_eq!([bits(ours.start), bits(ours.end)], [bits(start), bits(end)]);
    }

    #[test]
    fn a_box_keeps_its_corners_or_is_refused(high in point(), low in point()) {
        let theirs = Rect::try_from(GeoBox { high, low });
        let is_swapped = high.x < low.x || high.y < low.y;
        prop_assert_eq!(theirs.is_err(), is_swapped);
        if let Ok(theirs) = theirs {
            prop_assert_eq!([bits(theirs.max().into()), bits(theirs.min().into())], [bits(high), bits(low)]);
            let ours = GeoBox::from(theirs);
            prop_assert_eq!([bits(ours.high), bits(ours.low)], [bits(high), bits(low)]);
        }
    }

    #[test]
    fn a_rectangle_comes_back(one in point(), other in point()) {
        let theirs = Rect::new(one, other);
        let back = Rect::try_from(GeoBox::from(theirs)).unwrap();
        prop_assert_eq!(bits(back.min().into()), bits(theirs.min().into()));
        prop_assert_eq!(bits(back.max().into()), bits(theirs.max().into()));
    }

    #[test]
    fn an_open_path_is_the_same_and_a_closed_one_refused(points in prop::collection::vec(point(), 1..9), is_closed: bool) {
        let theirs = LineString::try_from(Path { is_closed, points: points.clone() });
        prop_assert_eq!(theirs.is_err(), is_closed);
        if let Ok(theirs) = theirs {
            prop_assert!(theirs.coords().map(|&coord| bits(coord.into())).eq(points.iter().copied().map(bits)));
            let ours = Path::try_from(theirs).unwrap();
            prop_assert!(!ours.is_closed && ours.points.into_iter().map(bits).eq(points.into_iter().map(bits)));
        }
    }
}

#[test]
fn a_line_of_no_points_is_no_path() {
    let error = Path::try_from(LineString::<f64>::new(Vec::new())).unwrap_err();
    assert_eq!(error.to_string(), "geo_types::LineString: the value is outside of what path can hold");
}
