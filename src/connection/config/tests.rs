use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::environment::{Environment, FileState};
use super::*;

/// An environment that holds what a test puts in, and user `os` at home in `/home/os`.
#[derive(Default)]
struct Pretend {
    variables: BTreeMap<&'static str, OsString>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    shared: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    is_nobody: bool,
}

impl Pretend {
    fn new(variables: &[(&'static str, &str)], files: &[(&str, &str)]) -> Self {
        Self {
            variables: variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect(),
            files: files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect(),
            ..Self::default()
        }
    }

    fn complete(&self, text: &str) -> Result<Config, ConfigError> {
        parse(text).complete(self)
    }

    #[track_caller]
    fn completed(&self, text: &str) -> Config {
        self.complete(text).unwrap_or_else(|error| unreachable!("{text}: {error}"))
    }
}

impl Environment for Pretend {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }

    fn home(&self) -> Option<PathBuf> {
        (!self.is_nobody).then(|| PathBuf::from("/home/os"))
    }

    fn user_name(&self) -> Option<String> {
        (!self.is_nobody).then(|| "os".to_owned())
    }

    fn state(&self, path: &Path) -> io::Result<FileState> {
        let is_plain = self.files.contains_key(path);
        if !is_plain && !self.folders.iter().any(|folder| folder == path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(FileState { is_plain, is_shared: self.shared.iter().any(|shared| shared == path) })
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[track_caller]
fn parse(text: &str) -> Config {
    text.parse().unwrap_or_else(|error| unreachable!("{text}: {error}"))
}

#[track_caller]
fn refuse(text: &str) -> ConfigError {
    match text.parse::<Config>() {
        Ok(config) => unreachable!("{text} became {config}"),
        Err(error) => error,
    }
}

#[track_caller]
fn refuse_in(environment: &Pretend, text: &str) -> ConfigError {
    match environment.complete(text) {
        Ok(config) => unreachable!("{text} became {config}"),
        Err(error) => error,
    }
}

fn host_list(config: &Config) -> Vec<(&str, u16)> {
    config.hosts.iter().map(|host| (host.name.as_str(), host.port)).collect()
}

#[test]
fn reads_the_same_from_a_uri_and_from_words() {
    let cases = [
        ("postgresql://", ""),
        ("postgres://db", "host=db"),
        ("postgresql://db:5433/", "host=db port=5433"),
        ("postgresql:///shop", "dbname=shop"),
        ("postgresql://ann@/shop", "user=ann dbname=shop"),
        ("postgresql://:s3cret@db", "password=s3cret host=db"),
        ("postgresql://ann:a:b@db", "user=ann password=a:b host=db"),
        ("postgresql://%61nn:%40%2f%3A%25@d%62/sh%6fp", "user=ann password='@/:%' host=db dbname=shop"),
        ("postgresql://[::1]:5433,[fe80::1%25eth0]/d", "host=::1,fe80::1%eth0 port=5433, dbname=d"),
        ("postgresql://a,b,c:3/", "host=a,b,c port=,,3"),
        ("postgresql://%2Ftmp:5433/d", "host=/tmp port=5433 dbname=d"),
        ("postgresql:///d?host=/tmp&port=5433", "host=/tmp port=5433 dbname=d"),
        ("postgresql://db?ssl=true", "host=db sslmode=require"),
        ("postgresql://db?user=a%20b&", "host = db user = 'a b'"),
        ("postgresql://db?  user = ann & port  = 5433 ", "host=db user=ann port=5433"),
        ("postgresql://db/shop?dbname=other", "host=db dbname=shop dbname=other"),
        ("postgresql://db?options=-c%20geqo%3Doff+x", r"host=db options=-c\ geqo=off+x"),
        ("postgresql://db?user=", "host=db user="),
        ("postgresql://@abstract", "host=abstract"),
        ("postgresql://ann@@abstract", "user=ann host=@abstract"),
        ("postgresql://db/a/b@c", "host=db dbname=a/b@c"),
    ];
    for (uri, words) in cases {
        assert_eq!(parse(uri), parse(words), "{uri}");
    }
}

#[test]
fn reads_quotes_and_backslashes_as_libpq_does() {
    let cases = [
        (r"user='O\'Neil \\ Co'", r"O'Neil \ Co"),
        (r"user=a\'b\ c", "a'b c"),
        ("user=a'b'c", "a'b'c"),
        ("\tuser\n=\r'x'dbname=y", "x"),
        ("user=x\\", "x"),
        ("user= a=b", "a=b"),
        ("user= 'dbname=x'", "dbname=x"),
        ("user=dbname=x", "dbname=x"),
        ("user=first user=last", "last"),
        ("user='ünï\u{a0}cødé'", "ünï\u{a0}cødé"),
    ];
    for (text, user) in cases {
        assert_eq!(parse(text).user.as_deref(), Some(user), "{text}");
    }
    assert_eq!(parse("user='' password= ").user, None);
}

#[test]
fn says_at_which_byte_the_text_breaks_the_rules() {
    let cases = [
        ("host=db user", 8),
        ("host=db port 5", 8),
        ("user='ann", 5),
        (r"user='ann\'", 5),
        ("user=a\0b", 6),
        ("user= password=x", 6),
        ("postgresql://h%zz/", 14),
        ("postgresql://h%4", 14),
        ("postgresql://h/%00", 15),
        ("postgresql://h/%ff%fe", 15),
        ("postgresql://h/a b", 16),
        ("postgresql://[::1/", 13),
        ("postgresql://[]/", 14),
        ("postgresql://[::1]x/", 18),
        ("postgresql://u:p@ss@h/", 19),
        ("postgresql://h/?user", 16),
        ("postgresql://h/?user=a=b", 22),
        ("postgresql://h/?user=a&&", 23),
    ];
    for (text, byte) in cases {
        let error = refuse(text);
        let ConfigError::Syntax { place, .. } = &error else { unreachable!("{text}: {error}") };
        assert_eq!(*place, ParameterPlace::ConnectionString { at: byte }, "{text}");
    }
}

#[test]
fn names_the_parameter_that_was_probably_meant() {
    for (text, nearest) in [
        ("hots=db", Some("host")),
        ("database=x", None),
        ("ssl_mode=require", Some("sslmode")),
        ("postgresql://h?conect_timeout=3", Some("connect_timeout")),
        ("postgresql://h?ssl=false", None),
        ("=x", None),
        ("PORT=5", None),
    ] {
        let error = refuse(text);
        assert!(
            matches!(error, ConfigError::UnknownKey { nearest: n, .. } if n == nearest),
            "{text}: {error:?}"
        );
    }
}

#[test]
fn refuses_values_that_the_parameter_cannot_have() {
    for text in [
        "port=0",
        "port=65536",
        "port=x",
        "port=1,x host=a,b",
        "connect_timeout=",
        "connect_timeout=1s",
        "sslmode=",
        "sslmode=Require",
        "sslnegotiation=tls",
        "sslsni=yes",
        "channel_binding=on",
        "hostaddr=localhost",
        "require_auth=md5,!password",
        "target_session_attrs=master",
        "load_balance_hosts=1",
        "keepalives=on",
        "tcp_user_timeout=99999999999",
    ] {
        let error = refuse(text);
        assert!(matches!(error, ConfigError::Value { .. }), "{text}: {error:?}");
        assert_eq!(error.key(), text.split('=').next(), "{text}");
    }
}

#[test]
fn refuses_what_it_would_have_to_ignore() {
    for text in [
        "replication=database",
        "client_encoding=LATIN1",
        "gssencmode=require",
        "sslcompression=1",
        "sslpassword=x",
        "sslcrl=x",
        "sslcrldir=x",
        "sslcertmode=require",
        "requirepeer=postgres",
        "krbsrvname=postgres",
        "gsslib=gssapi",
        "ssl_min_protocol_version=TLSv1.3",
        "ssl_max_protocol_version=TLSv1.2",
        "min_protocol_version=3.2",
        "scram_client_key=x",
        "oauth_issuer=x",
        "sslkeylogfile=x",
        "gssdelegation=1",
    ] {
        let error = refuse(text);
        assert!(matches!(error, ConfigError::NotSupported { .. }), "{text}: {error:?}");
        assert!(error.to_string().contains("not supported by walferry"), "{error}");
    }
}

#[test]
fn accepts_what_asks_for_nothing_special() {
    for text in [
        "replication=",
        "client_encoding=auto",
        "client_encoding=utf-8",
        "client_encoding=UTF8",
        "gssencmode=disable",
        "gssencmode=prefer",
        "sslcompression=0",
        "sslcrl=",
        "sslcertmode=allow",
        "gssdelegation=0",
        "ssl_min_protocol_version=TLSv1.2",
        "max_protocol_version=latest",
        "require_auth=",
    ] {
        let _ = parse(text);
    }
}

#[test]
fn reads_numbers_as_strtol_does() {
    let config = parse(
        "port=' +5433' connect_timeout='10 ' keepalives_idle=-1 keepalives_count=3 tcp_user_timeout=250",
    );
    assert_eq!(host_list(&config), [("/var/run/postgresql", 5433)]);
    assert_eq!(config.connect_timeout, Some(Duration::from_secs(10)));
    assert_eq!(config.keepalive, Keepalive { retries: Some(3), ..Keepalive::default() });
    assert_eq!(config.tcp_user_timeout, Some(Duration::from_millis(250)));
    assert_eq!(parse("connect_timeout=0").connect_timeout, None);
    assert!(!parse("keepalives=0").keepalive.enabled && parse("keepalives=2").keepalive.enabled);
}

#[test]
fn matches_hosts_with_their_ports_and_addresses() {
    assert_eq!(host_list(&parse("host=a,b port=6000")), [("a", 6000), ("b", 6000)]);
    assert_eq!(
        host_list(&parse("host=a,,/tmp port=1,,3")),
        [("a", 1), ("/var/run/postgresql", 5432), ("/tmp", 3)]
    );
    let mismatch = |key, values, hosts| ConfigError::ListLength { key, values, hosts };
    assert_eq!(refuse("port=1,2"), mismatch("port", 2, 1));
    assert_eq!(refuse("host=a,b port=1,2,3"), mismatch("port", 3, 2));
    assert_eq!(refuse("host=a hostaddr=::1,::2"), mismatch("hostaddr", 2, 1));
}

#[test]
fn tells_names_numbers_and_socket_folders_apart() {
    let tcp = |text: &str| Address::Tcp(text.to_owned());
    let folder = |text: &str| Address::UnixFolder(text.into());
    let config = parse("host=db,,/run,@pg,db hostaddr=,::1,,,10.0.0.1");
    let addresses: Vec<_> = config.hosts.iter().map(|host| host.address.clone()).collect();
    assert_eq!(addresses, [tcp("db"), tcp("::1"), folder("/run"), folder("@pg"), tcp("10.0.0.1")]);
    let names: Vec<_> = config.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["db", "::1", "/run", "@pg", "db"]);
    assert_eq!(config.hosts.last().and_then(|host| host.hostaddr), Some([10, 0, 0, 1].into()));
}

#[test]
fn verifies_fully_against_the_systems_roots() {
    assert_eq!(parse("sslrootcert=system").ssl.mode, SslMode::VerifyFull);
    assert_eq!(parse("sslrootcert=root.pem").ssl.mode, SslMode::Prefer);
    assert_eq!(Config::new().ssl_root_cert("system").ssl.mode, SslMode::VerifyFull);
    for text in [
        "sslrootcert=system sslmode=require",
        "sslnegotiation=direct",
        "sslnegotiation=direct sslmode=prefer",
        "sslmode=verify-full hostaddr=10.0.0.1",
    ] {
        assert!(matches!(refuse(text), ConfigError::Conflict { .. }), "{text}");
    }
    assert!(parse("sslnegotiation=direct sslmode=require").ssl.direct);
    let _ = parse("sslmode=verify-full host=db hostaddr=10.0.0.1");
    let weak = Config::new().ssl_root_cert("system").ssl_mode(SslMode::Require);
    assert!(weak.check().is_err() && weak.complete(&Pretend::default()).is_err());
}

#[test]
fn allows_cleartext_without_tls_only_by_name() {
    for (text, allowed) in [
        ("", false),
        ("require_auth=password", true),
        ("require_auth=md5,password", true),
        ("require_auth=!md5", false),
        ("require_auth=scram-sha-256", false),
    ] {
        assert_eq!(parse(text).allows_cleartext_without_tls(), allowed, "{text}");
    }
    let config = Config::new().allow_cleartext_password(true);
    assert!(config.allows_cleartext_without_tls());
    assert!(!config.allow_cleartext_password(false).allows_cleartext_without_tls());
}

#[test]
fn setters_say_what_the_string_would() {
    let built = Config::new()
        .host("db")
        .port(5433)
        .user("ann")
        .password("s3cret")
        .database("shop")
        .application_name("ferry")
        .options("-c geqo=off")
        .connect_timeout(Duration::from_secs(3))
        .ssl_mode(SslMode::VerifyCa)
        .ssl_root_cert("root.pem")
        .channel_binding(ChannelBinding::Require);
    let mut read = parse(
        "host=db port=5433 user=ann password=s3cret dbname=shop application_name=ferry options='-c geqo=off' \
         connect_timeout=3 sslmode=verify-ca sslrootcert=root.pem channel_binding=require",
    );
    // A host that is set by itself leaves no number for a weaker source to add.
    read.given.insert("hostaddr");
    assert_eq!(built, read);
    assert_eq!(host_list(&parse("host=a,b port=1,2").host("c")), [("c", 5432)]);
    assert_eq!(host_list(&parse("host=a,b port=7").host("c").port(8)), [("c", 8)]);
}

#[test]
fn completes_from_defaults_as_libpq_does() {
    let mut environment = Pretend::default();
    let config = environment.completed("");
    assert_eq!((config.user.as_deref(), config.database.as_deref()), (Some("os"), Some("os")));
    assert_eq!(host_list(&config), [("/tmp", 5432)]);
    environment.folders = vec!["/tmp".into(), "/var/run/postgresql".into()];
    let config = environment.completed("user=ann host=");
    assert_eq!((config.user.as_deref(), config.database.as_deref()), (Some("ann"), Some("ann")));
    assert_eq!(host_list(&config), [("/var/run/postgresql", 5432)]);
    environment.is_nobody = true;
    assert_eq!(refuse_in(&environment, "dbname=d"), ConfigError::NoUser);
    assert!(environment.complete("user=ann").is_ok());
}

#[test]
fn lets_the_stronger_source_speak() {
    let variables = [
        ("PGSERVICE", "shop"),
        ("PGHOST", "from-variable"),
        ("PGPORT", "1"),
        ("PGUSER", "from-variable"),
        ("PGDATABASE", "from-variable"),
        ("PGAPPNAME", "from-variable"),
    ];
    let file = "[other]\nhost=no\n# comment\n[shop]\n  host=from-service  \nport=2\nuser=from-service\nuser=again\n[shop]\nport=3";
    let environment = Pretend::new(&variables, &[("/home/os/.pg_service.conf", file)]);
    let config = environment.completed("host=from-string fallback_application_name=from-string");
    assert_eq!(host_list(&config), [("from-string", 2)]);
    assert_eq!(config.user.as_deref(), Some("from-service"));
    assert_eq!(config.database.as_deref(), Some("from-variable"));
    assert_eq!(config.application_name.as_deref(), Some("from-variable"));
    let again = config.clone().complete(&environment);
    assert_eq!(again, Ok(config), "completing once more changes nothing");
}

#[test]
fn takes_an_empty_value_for_given() {
    let environment =
        Pretend::new(&[("PGHOST", "db"), ("PGUSER", "ann"), ("PGAPPNAME", "app"), ("PGDATABASE", "")], &[]);
    let config = environment.completed("host='' user='' application_name=''");
    assert_eq!(host_list(&config), [("/tmp", 5432)]);
    assert_eq!((config.user.as_deref(), config.database.as_deref()), (Some("os"), Some("os")));
    assert_eq!(config.application_name, None);
}

#[test]
fn reads_only_the_variables_that_count() {
    let bad_port = Pretend::new(&[("PGPORT", "x")], &[]);
    assert_eq!(
        refuse_in(&bad_port, "").to_string(),
        "environment variable PGPORT: port must be a port from 1 to 65535, or one for each host"
    );
    assert!(bad_port.complete("port=5").is_ok(), "what is overridden is not looked at");
    let requires = Pretend::new(&[("PGREQUIRESSL", "1")], &[]);
    assert_eq!(requires.complete("").map(|config| config.ssl.mode), Ok(SslMode::Require));
    assert_eq!(requires.complete("sslmode=allow").map(|config| config.ssl.mode), Ok(SslMode::Allow));
    let system = Pretend::new(&[("PGSSLROOTCERT", "system")], &[]);
    assert_eq!(system.complete("").map(|config| config.ssl.mode), Ok(SslMode::VerifyFull));
    assert!(matches!(refuse_in(&system, "sslmode=prefer"), ConfigError::Conflict { .. }));
}

#[test]
fn warns_of_variables_without_effect_and_refuses_those_that_protect() {
    let harmless = Pretend::new(&[("PGCLIENTENCODING", "LATIN1"), ("PGKRBSRVNAME", "pg")], &[]);
    let config = harmless.completed("");
    assert_eq!(config.warnings().len(), 2, "{:?}", config.warnings());
    let protective = Pretend::new(&[("PGSSLCRL", "/etc/crl.pem")], &[]);
    assert_eq!(refuse_in(&protective, "").key(), Some("sslcrl"));
}

#[cfg(unix)]
#[test]
fn refuses_a_variable_that_is_not_text() {
    use std::os::unix::ffi::OsStringExt;
    let mut environment = Pretend::default();
    environment.variables.insert("PGUSER", OsString::from_vec(vec![0xFF]));
    assert_eq!(refuse_in(&environment, "").key(), Some("user"));
}

#[test]
fn looks_for_the_service_where_libpq_does() {
    let own = ("/home/os/.pg_service.conf", "[own]\ndbname=own");
    let system = ("/etc/pg/pg_service.conf", "[own]\ndbname=hidden\n[all]\ndbname=all");
    let named = ("/named", "[named]\ndbname=named");
    let environment = Pretend::new(&[("PGSYSCONFDIR", "/etc/pg")], &[own, system, named]);
    for (text, database) in [
        ("service=own", "own"),
        ("service=all", "all"),
        ("service=named servicefile=/named", "named"),
        ("service=all servicefile=/named", "all"),
    ] {
        assert_eq!(environment.complete(text).map(|c| c.database), Ok(Some(database.to_owned())), "{text}");
    }
    let searched = vec![PathBuf::from(own.0), PathBuf::from(system.0)];
    assert_eq!(refuse_in(&environment, "service=none"), ConfigError::UnknownService { searched });
    let missing = refuse_in(&environment, "service=own servicefile=/missing");
    assert_eq!(missing, ConfigError::ServiceFileMissing);
    let variable = Pretend::new(&[("PGSERVICEFILE", "/named"), ("PGSERVICE", "named")], &[named]);
    assert_eq!(variable.complete("").map(|config| config.database), Ok(Some("named".to_owned())));
}

#[test]
fn says_which_line_of_the_service_file_is_wrong() {
    for (line, expected) in [
        ("nonsense", "service file /s, line 2: expected key=value"),
        ("host =x", "service file /s, line 2: no such parameter; did you mean host?"),
        ("service=other", "service file /s, line 2: expected no service within a service"),
        ("port=x", "service file /s, line 2: port must be a port from 1 to 65535, or one for each host"),
    ] {
        let environment = Pretend::new(&[("PGSERVICEFILE", "/s")], &[("/s", &format!("[s]\n{line}\n"))]);
        assert_eq!(refuse_in(&environment, "service=s").to_string(), expected);
    }
    let ldap = Pretend::new(&[("PGSERVICEFILE", "/s")], &[("/s", "[s]\nldap://x/y?z")]);
    assert!(matches!(refuse_in(&ldap, "service=s"), ConfigError::NotSupported { .. }));
}

#[test]
fn finds_the_certificates_in_the_home_folder() {
    let files = [("/home/os/.postgresql/root.crt", ""), ("/home/os/.postgresql/postgresql.crt", "")];
    let ssl = Pretend::new(&[], &files).completed("").ssl;
    assert_eq!(ssl.root_cert, Some(RootCert::File("/home/os/.postgresql/root.crt".into())));
    assert_eq!(ssl.cert, Some("/home/os/.postgresql/postgresql.crt".into()));
    assert_eq!(ssl.key, Some("/home/os/.postgresql/postgresql.key".into()));
    let ssl = Pretend::new(&[], &files).completed("sslrootcert=r sslcert=c sslkey=k").ssl;
    assert_eq!(
        (ssl.root_cert, ssl.cert, ssl.key),
        (Some(RootCert::File("r".into())), Some("c".into()), Some("k".into()))
    );
    assert_eq!(Pretend::default().completed("").ssl, SslConfig::default());
}

fn passwords(environment: &Pretend, text: &str) -> Vec<Option<String>> {
    let config = environment.completed(text);
    config.hosts.iter().map(|host| config.password_for(host)).collect()
}

#[test]
fn looks_up_each_host_in_the_password_file() {
    let file =
        "a:1:shop:ann:one\nb:*:*:*:two\nlocalhost:*:*:*:local\n10.0.0.1:*:*:*:number\n/run/pg:*:*:*:socket\n";
    let environment = Pretend::new(&[], &[("/home/os/.pgpass", file), ("/other", "*:*:*:*:other")]);
    let some = |password: &str| Some(password.to_owned());
    for (text, expected) in [
        ("host=a,b,c port=1 user=ann dbname=shop", vec![some("one"), some("two"), None]),
        ("", vec![some("local")]),
        ("host=/tmp", vec![some("local")]),
        ("host=/run/pg", vec![some("socket")]),
        ("hostaddr=10.0.0.1", vec![some("number")]),
        ("host=b hostaddr=10.0.0.1", vec![some("two")]),
        ("host=b password=given", vec![some("given")]),
        ("host=b password=''", vec![some("two")]),
        ("host=b passfile=/other", vec![some("other")]),
        ("host=b passfile=/missing", vec![None]),
    ] {
        assert_eq!(passwords(&environment, text), expected, "{text}");
    }
}

#[test]
fn ignores_a_password_file_that_others_can_read() {
    let mut environment = Pretend::new(&[("PGPASSFILE", "/pass")], &[("/pass", "*:*:*:*:s3cret")]);
    environment.shared.push("/pass".into());
    assert_eq!(passwords(&environment, "host=b"), [None]);
    let config = environment.completed("");
    assert_eq!(
        config.warnings(),
        ["password file /pass ignored: its group or others have access; run chmod 0600 on it"]
    );
    environment.folders.push("/folder".into());
    let config = environment.completed("passfile=/folder");
    assert_eq!(config.warnings(), ["password file /folder ignored: it is not a plain file"]);
}

#[test]
fn completes_in_the_real_environment() {
    // Whatever the machine is like: a given value stays, and nothing breaks.
    if let Ok(config) = parse("host=db user=ann password=x").complete_from_environment() {
        assert_eq!(config.user.as_deref(), Some("ann"));
    }
}

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
