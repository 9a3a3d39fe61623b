use super::*;

fn kind(oid: u32) -> Option<TypeKind> {
    Types::new().get(Oid::new(oid)).map(|found| found.kind.clone())
}

#[test]
fn the_table_is_sorted_and_refers_to_itself() {
    assert!(Types::built_in().len() > 100);
    assert!(TYPES.is_sorted_by(|one, next| one.oid < next.oid));
    let types = Types::new();
    for built_in in Types::built_in() {
        let part = match built_in.kind {
            TypeKind::Array { element, .. } | TypeKind::Vector { element } => element,
            TypeKind::Range { subtype } => subtype,
            TypeKind::Multirange { range } => range,
            _ => built_in.oid,
        };
        assert!(types.get(part).is_some(), "{}", built_in.name);
    }
}

#[test]
fn knows_the_built_in_types() {
    assert_eq!(kind(1020), Some(TypeKind::Array { element: Oid::new(603), delimiter: ';' }));
    assert_eq!(kind(1009), Some(TypeKind::Array { element: Oid::new(25), delimiter: ',' }));
    assert_eq!(kind(22), Some(TypeKind::Vector { element: Oid::new(21) }));
    assert_eq!(kind(4451), Some(TypeKind::Multirange { range: Oid::new(3904) }));
    assert_eq!(kind(2249), Some(TypeKind::Pseudo));
    assert_eq!(kind(0), None);
    assert_eq!(kind(16384), None);
}

fn domain(oid: u32, base: u32) -> Type {
    let kind = TypeKind::Domain { base: Oid::new(base) };
    Type { oid: Oid::new(oid), schema: "public".into(), name: "d".into(), kind }
}

#[test]
fn a_built_in_type_stays_what_it_is() {
    let mut types = Types::new();
    types.insert(domain(23, 25));
    assert_eq!(types.get(Oid::new(23)).unwrap().name, "int4");
}

#[test]
fn domains_lead_to_their_base_or_nowhere() {
    let types: Types =
        [domain(20_001, 20_000), domain(20_000, 25), domain(20_002, 20_003), domain(20_003, 20_002)]
            .into_iter()
            .chain([domain(20_004, 99_999), domain(20_005, 20_005)])
            .collect();
    assert_eq!(types.base(Oid::new(20_001)).unwrap().name, "text");
    assert_eq!(types.base(Oid::new(25)).unwrap().name, "text");
    for nowhere in [20_002, 20_003, 20_004, 20_005, 30_000] {
        assert_eq!(types.base(Oid::new(nowhere)), None, "{nowhere}");
    }
    assert_eq!(types.inserted().count(), 6);
}
