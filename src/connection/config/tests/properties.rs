use proptest::prelude::*;

use super::completion::Pretend;
use super::*;

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

fn percent_encoded(value: &str) -> String {
    let escapes: Vec<_> = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    escapes.concat()
}

/// The parameters that take any text.
const FREE: [&str; 8] = [
    "user",
    "password",
    "dbname",
    "application_name",
    "options",
    "sslcert",
    "sslkey",
    "fallback_application_name",
];

proptest! {
    #[test]
    fn reads_back_any_values_in_either_form(
        values in proptest::collection::btree_map(proptest::sample::select(&FREE), "[^\0]*", 0..8),
    ) {
        let mut expected = Config::new();
        for (key, value) in &values {
            let place = ParameterPlace::Variable("");
            let parameter = parameter::named(key, &place).unwrap_or_else(|error| unreachable!("{error}"));
            let setting = parameter::Setting { parameter, value: value.clone(), place };
            prop_assert_eq!(setting.apply(&mut expected), Ok(()));
        }
        prop_assert_eq!(expected.settle(), Ok(()));
        let words: Vec<_> = values.iter().map(|(key, value)| format!("{key} = {}", quoted(value))).collect();
        prop_assert_eq!(words.join(" ").parse(), Ok(expected.clone()));
        let query: Vec<_> = values.iter().map(|(key, value)| format!("{key}={}", percent_encoded(value))).collect();
        prop_assert_eq!(format!("postgres://?{}", query.join("&")).parse(), Ok(expected));
    }

    #[test]
    fn reads_back_the_parts_of_a_uri(user in "[^\0]+", password in "[^\0]+", host in "[^\0,]+", database in "[^\0]+", port in 1_u16..) {
        let parts = [&user, &password, &host, &database].map(|part| percent_encoded(part));
        let [u, p, h, d] = parts;
        let config = parse(&format!("postgresql://{u}:{p}@{h}:{port}/{d}"));
        let expected = Config::new().host(host).port(port).user(user).password(password).database(database);
        prop_assert_eq!(config.hosts, expected.hosts);
        prop_assert_eq!((config.user, config.password, config.database), (expected.user, expected.password, expected.database));
    }

    #[test]
    fn reads_back_what_it_shows(host in "[^\0,]+", user in "[^\0]+", database in "[^\0]+", port in 1_u16..) {
        let config = Config::new().host(host).port(port).user(user).database(database);
        let again = parse(&config.to_string());
        prop_assert_eq!(again.to_string(), config.to_string());
        prop_assert_eq!((again.hosts, again.user, again.database), (config.hosts, config.user, config.database));
    }

    #[test]
    fn shows_no_password_whatever_the_string(
        before in "[ -~]{0,20}", after in "[ -~]{0,20}",
        form in proptest::sample::select(&[
            "password=SECRET", "password='SECRET'", "password=x SECRET", "password=SECRET=1", "postgres://u:SECRET@h/",
            "postgres://u:x@SECRET@h/", "postgres://u:x/SECRET@h", "postgres://u:x?SECRET=y@h/", "postgres://h?password=SECRET",
            "postgres://h:SECRET/", "sslmode=SECRET", "port=SECRET", "require_auth=SECRET", "SECRET=1",
            "postgres://h?user=a&SECRET", "service=SECRET", "sslpassword=SECRET", "user= password=SECRET", "service=x servicefile=SECRET",
        ]),
    ) {
        let text = format!("{before}{form}{after}").replace("SECRET", "qZx9!kW");
        for text in [text.clone(), form.replace("SECRET", "qZx9!kW") + &after] {
            let result = text.parse::<Config>().and_then(|config| config.complete(&Pretend::default()));
            if let Err(error) = &result {
                prop_assert!(!format!("{error} {error:?}").contains("qZx9!kW"), "{}", error);
            }
        }
    }

    #[test]
    fn never_panics(text in ".*", uri in "[a:/@?&=%0,\\[\\] ]{0,40}", words in "[a ='\\\\]{0,40}") {
        for text in [text, format!("postgres://{uri}"), words] {
            let _ = text.parse::<Config>();
        }
    }
}

#[test]
fn shows_no_password_when_debugged_or_displayed() {
    let environment = Pretend::new(&[("PGPASSWORD", "qZx9")], &[]);
    for config in [parse("password=qZx9 user=u"), environment.completed("")] {
        assert_eq!(config.password.as_deref(), Some("qZx9"));
        assert!(!format!("{config:?} {config:#?} {config}").contains("qZx9"));
    }
}
