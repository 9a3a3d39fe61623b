use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::super::environment::{Environment, FileState};
use super::*;

/// An environment that holds what a test puts in, and user `os` at home in `/home/os`.
#[derive(Default)]
pub(super) struct Pretend {
    variables: BTreeMap<&'static str, OsString>,
    files: BTreeMap<PathBuf, Vec<u8>>,
    shared: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    is_nobody: bool,
}

impl Pretend {
    pub(super) fn new(variables: &[(&'static str, &str)], files: &[(&str, &str)]) -> Self {
        Self {
            variables: variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect(),
            files: files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect(),
            ..Self::default()
        }
    }

    pub(super) fn complete(&self, text: &str) -> Result<Config, ConfigError> {
        parse(text).complete(self)
    }

    #[track_caller]
    pub(super) fn completed(&self, text: &str) -> Config {
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
fn refuse_in(environment: &Pretend, text: &str) -> ConfigError {
    match environment.complete(text) {
        Ok(config) => unreachable!("{text} became {config}"),
        Err(error) => error,
    }
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
    let weak = Config::new().ssl_root_cert("system").ssl_mode(SslMode::Require);
    assert!(weak.complete(&Pretend::default()).is_err(), "setters cannot fail, so completing does");
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
