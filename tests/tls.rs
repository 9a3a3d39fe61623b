//! TLS and authentication against real servers, with libpq as the judge: `psql` gets the same parameters.
#![allow(
    clippy::allow_attributes,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers fail the test by a panic; clippy knows only #[test] functions as tests"
)]

#[path = "tls/pki.rs"]
mod pki;
mod program;
mod support;

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use pki::{Authority, Pair, Wallet};
use support::Cluster;
use walferry::{Config, Connection, Error};

const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// How a connection ended up: encrypted or not, or refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Encrypted,
    InClear,
    Refused,
}

impl Outcome {
    fn of_ssl(ssl: &str) -> Self {
        match ssl {
            "t" => Self::Encrypted,
            "f" => Self::InClear,
            other => panic!("pg_stat_ssl.ssl is {other:?}"),
        }
    }
}

async fn connect(conninfo: &str) -> Result<Connection, Error> {
    let config: Config = conninfo.parse().unwrap();
    Connection::connect(&config).await
}

/// What walferry makes of the parameters; the server says whether the connection is encrypted.
async fn ours(cluster: &Cluster, conninfo: &str) -> (Outcome, String) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("tls{}", NEXT.fetch_add(1, Ordering::Relaxed));
    match connect(&format!("{conninfo} application_name={name}")).await {
        Err(error) => (Outcome::Refused, error.to_string()),
        Ok(connection) => {
            let ssl = cluster.psql(
                "postgres",
                &format!("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = '{name}'"),
            );
            connection.close().await;
            (Outcome::of_ssl(&ssl), ssl)
        }
    }
}

/// What libpq makes of them.
fn theirs(home: &Wallet, conninfo: &str) -> (Outcome, String) {
    let psql = std::path::Path::new("/usr/lib/postgresql/15/bin/psql");
    let program = if psql.exists() { psql } else { std::path::Path::new("psql") };
    let output = Command::new(program)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home.path())
        .args(["-XAtq", "-d", conninfo, "-c", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"])
        .output()
        .unwrap();
    if output.status.success() {
        let ssl = String::from_utf8(output.stdout).unwrap();
        return (Outcome::of_ssl(ssl.trim()), ssl);
    }
    (Outcome::Refused, String::from_utf8_lossy(&output.stderr).into_owned())
}

async fn agree(cluster: &Cluster, home: &Wallet, conninfo: &str) -> Outcome {
    let (theirs, said) = theirs(home, conninfo);
    let (ours, we_said) = ours(cluster, conninfo).await;
    assert_eq!(ours, theirs, "{conninfo}\nlibpq: {said}\nwalferry: {we_said}");
    ours
}

fn with_tls(server: &support::Server, pair: &Pair) -> support::ClusterOptions {
    server
        .options()
        .tcp()
        .setting("ssl", "on")
        .file("server.crt", pair.cert.as_str())
        .file("server.key", pair.key.as_str())
}

fn base(cluster: &Cluster) -> String {
    format!("port={} user=postgres dbname=postgres connect_timeout=10", cluster.tcp_port())
}

#[tokio::test]
async fn accepts_and_refuses_as_libpq_does_whatever_the_server_allows() {
    use Outcome::{Encrypted as E, InClear as C, Refused as R};
    let authority = Authority::new("root", pki::P256);
    let pair = authority.server(&["localhost", "127.0.0.1"]);
    let home = Wallet::new();
    let root = home.put("ca.crt", &authority.pem());
    for server in support::servers() {
        let tls = || with_tls(&server, &pair);
        let servers = [
            ("hostssl", tls().hba("hostssl all all 127.0.0.1/32 trust").start()),
            ("hostnossl", tls().hba("hostnossl all all 127.0.0.1/32 trust").start()),
            ("host", tls().hba("host all all 127.0.0.1/32 trust").start()),
            ("off", server.options().tcp().hba("host all all 127.0.0.1/32 trust").start()),
        ];
        for (kind, cluster) in &servers {
            let base = base(cluster);
            let outcomes: Vec<_> = {
                let mut outcomes = Vec::new();
                for mode in MODES {
                    let conninfo =
                        format!("host=localhost hostaddr=127.0.0.1 {base} sslmode={mode} sslrootcert={root}");
                    outcomes.push(agree(cluster, &home, &conninfo).await);
                }
                outcomes
            };
            let table = match *kind {
                "hostssl" => [R, E, E, E, E, E],
                "host" => [C, C, E, E, E, E],
                _ => [C, C, C, R, R, R],
            };
            assert_eq!(outcomes, table, "{} {kind}", server.version);
        }
    }
}

#[tokio::test]
async fn believes_the_certificates_that_libpq_believes() {
    let authority = Authority::new("root", pki::P256);
    let other = Authority::new("other", pki::P256);
    let itself = pki::self_signed(&["localhost", "127.0.0.1"], pki::P256, true);
    let plain_self = pki::self_signed(&["localhost"], pki::P256, false);
    let certificates = [
        ("both names", authority.server(&["localhost", "127.0.0.1"]), authority.pem()),
        ("wildcard", authority.server(&["*.example"]), authority.pem()),
        ("wrong host", authority.server(&["db.invalid"]), authority.pem()),
        ("common name", authority.server_by_common_name("localhost"), authority.pem()),
        ("common name is an address", authority.server_by_common_name("127.0.0.1"), authority.pem()),
        ("self-signed authority", itself.clone(), itself.cert.clone()),
        ("self-signed leaf", plain_self.clone(), plain_self.cert.clone()),
    ];
    let home = Wallet::new();
    let wrong = home.put("wrong.crt", &other.pem());
    let server = support::newest();
    for (kind, pair, root) in certificates {
        let root = home.put("ca.crt", &root);
        let cluster = with_tls(&server, &pair).hba("host all all 127.0.0.1/32 trust").start();
        let base = base(&cluster);
        for mode in ["prefer", "require", "verify-ca", "verify-full"] {
            for trust in ["", &format!("sslrootcert={root}"), &format!("sslrootcert={wrong}")] {
                for host in ["localhost", "127.0.0.1", "db.example", "a.db.example"] {
                    let conninfo = format!("host={host} hostaddr=127.0.0.1 {base} sslmode={mode} {trust}");
                    println!("{kind}");
                    agree(&cluster, &home, &conninfo).await;
                }
            }
        }
    }
}

/// The PostgreSQL manual's recipe, with the `openssl` of its day: version 1, and no name but the common one.
#[tokio::test]
async fn believes_a_version_1_certificate_of_its_authority_alone() {
    let pair = Pair {
        cert: include_str!("tls/fixtures/v1.crt").to_owned(),
        key: include_str!("tls/fixtures/v1.key").to_owned(),
    };
    let home = Wallet::new();
    let root = home.put("ca.crt", include_str!("tls/fixtures/ca.crt"));
    // The same name, another key.
    let wrong = home.put("wrong.crt", &Authority::new("v1 root", pki::P256).pem());
    let cluster = with_tls(&support::newest(), &pair).hba("host all all 127.0.0.1/32 trust").start();
    let base = base(&cluster);
    for mode in ["require", "verify-ca", "verify-full"] {
        for (host, root, expected) in [
            ("localhost", &root, Outcome::Encrypted),
            ("localhost", &wrong, Outcome::Refused),
            ("127.0.0.1", &root, if mode == "verify-full" { Outcome::Refused } else { Outcome::Encrypted }),
        ] {
            let conninfo = format!("host={host} hostaddr=127.0.0.1 {base} sslmode={mode} sslrootcert={root}");
            assert_eq!(agree(&cluster, &home, &conninfo).await, expected, "{mode} {host}");
        }
    }
    let (outcome, said) = ours(&cluster, &format!("host=127.0.0.1 {base} sslmode=require")).await;
    assert_eq!(outcome, Outcome::Encrypted, "{said}");
}

#[tokio::test]
async fn refuses_what_has_expired_even_as_its_own_root() {
    let (itself, authority) = (pki::expired(&["localhost"]), Authority::expired("root"));
    let home = Wallet::new();
    for (pair, root) in [(itself.clone(), itself.cert), (authority.server(&["localhost"]), authority.pem())] {
        let root = home.put("ca.crt", &root);
        let cluster = with_tls(&support::newest(), &pair).hba("host all all 127.0.0.1/32 trust").start();
        let base = base(&cluster);
        for mode in ["require", "verify-ca", "verify-full"] {
            let conninfo =
                format!("host=localhost hostaddr=127.0.0.1 {base} sslmode={mode} sslrootcert={root}");
            assert_eq!(agree(&cluster, &home, &conninfo).await, Outcome::Refused);
        }
    }
}

#[tokio::test]
async fn follows_a_chain_up_to_its_root() {
    let root = Authority::new("root", pki::P256);
    let intermediate = root.intermediate("intermediate");
    let leaf = intermediate.server(&["localhost"]);
    let home = Wallet::new();
    let root = home.put("ca.crt", &root.pem());
    let whole = Pair { cert: format!("{}{}", leaf.cert, intermediate.pem()), key: leaf.key.clone() };
    for (pair, expected) in [(whole, Outcome::Encrypted), (leaf, Outcome::Refused)] {
        let cluster = with_tls(&support::newest(), &pair).hba("host all all 127.0.0.1/32 trust").start();
        let base = base(&cluster);
        let conninfo =
            format!("host=localhost hostaddr=127.0.0.1 {base} sslmode=verify-full sslrootcert={root}");
        assert_eq!(agree(&cluster, &home, &conninfo).await, expected);
    }
}

/// The system's roots are found by a variable, which must be another process's: ours belongs to all the tests. So this
/// test runs itself again, only to connect.
#[tokio::test]
async fn trusts_the_roots_of_the_system_for_who_asks() {
    if let Ok(conninfo) = std::env::var("WALFERRY_TEST_CONNINFO") {
        connect(&conninfo).await.unwrap();
        return;
    }
    let authority = Authority::new("root", pki::P256);
    let home = Wallet::new();
    let root = home.put("system.crt", &authority.pem());
    let wrong = home.put("wrong.crt", &Authority::new("other", pki::P256).pem());
    let cluster = with_tls(&support::newest(), &authority.server(&["localhost"]))
        .hba("host all all 127.0.0.1/32 trust")
        .start();
    let base = base(&cluster);
    for (file, host, trusted) in
        [(&root, "localhost", true), (&wrong, "localhost", false), (&root, "127.0.0.1", false)]
    {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "trusts_the_roots_of_the_system_for_who_asks"])
            .env("SSL_CERT_FILE", file)
            .env(
                "WALFERRY_TEST_CONNINFO",
                format!("host={host} hostaddr=127.0.0.1 {base} sslrootcert=system"),
            )
            .output()
            .unwrap();
        assert_eq!(output.status.success(), trusted, "{host} {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[tokio::test]
async fn names_the_setting_when_the_root_file_is_missing() {
    for mode in ["verify-ca", "verify-full"] {
        let conninfo = format!("host=localhost user=postgres sslmode={mode} sslrootcert=/nowhere/root.crt");
        let error = connect(&conninfo).await.unwrap_err();
        assert!(matches!(error, Error::Certificate { setting: "sslrootcert", .. }), "{error:?}");
        assert!(error.to_string().contains("/nowhere/root.crt"), "{error}");
    }
    let error = connect("host=localhost user=postgres sslmode=verify-full").await.unwrap_err();
    assert!(matches!(error, Error::Certificate { setting: "sslrootcert", .. }), "{error:?}");
}

fn scram(cluster: &Cluster) {
    cluster.psql(
        "postgres",
        "SET password_encryption = 'scram-sha-256'; CREATE ROLE alice LOGIN REPLICATION SUPERUSER PASSWORD 'pencil'",
    );
}

#[tokio::test]
async fn binds_scram_to_the_channel_wherever_the_server_offers_it() {
    for server in support::servers() {
        for algorithm in [pki::P256, pki::P384] {
            let authority = Authority::new("root", algorithm);
            let cluster = with_tls(&server, &authority.server(&["localhost"]))
                .hba("host all all 127.0.0.1/32 scram-sha-256")
                .start();
            scram(&cluster);
            let home = Wallet::new();
            let base = format!("host=127.0.0.1 port={} user=alice dbname=postgres", cluster.tcp_port());
            let base = format!("{base} password=pencil");
            for (options, outcome) in [
                ("sslmode=require channel_binding=require", Outcome::Encrypted),
                ("sslmode=require channel_binding=prefer", Outcome::Encrypted),
                ("sslmode=require channel_binding=disable", Outcome::Encrypted),
                ("sslmode=disable channel_binding=prefer", Outcome::InClear),
                ("sslmode=disable channel_binding=require", Outcome::Refused),
                ("sslmode=require require_auth=scram-sha-256", Outcome::Encrypted),
            ] {
                let (ours, said) = ours(&cluster, &format!("{base} {options}")).await;
                assert_eq!(ours, outcome, "{} {options}: {said}", server.version);
                if !options.contains("require_auth") {
                    assert_eq!(theirs(&home, &format!("{base} {options}")).0, outcome, "{options}");
                }
            }
        }
    }
}

#[tokio::test]
async fn binds_over_tls_1_2_too() {
    let authority = Authority::new("root", pki::P256);
    let home = Wallet::new();
    let root = home.put("ca.crt", &authority.pem());
    let cluster = with_tls(&support::newest(), &authority.server(&["localhost"]))
        .setting("ssl_max_protocol_version", "TLSv1.2")
        .hba("host all all 127.0.0.1/32 scram-sha-256")
        .start();
    scram(&cluster);
    let base = format!("port={} user=alice dbname=postgres password=pencil", cluster.tcp_port());
    let options = format!("sslmode=verify-full sslrootcert={root} channel_binding=require");
    let conninfo = format!("host=localhost hostaddr=127.0.0.1 {base} {options}");
    assert_eq!(agree(&cluster, &home, &conninfo).await, Outcome::Encrypted);
}

/// CVE-2026-54291: `channel_binding=require` was met without any binding.
#[tokio::test]
async fn museum_27_fails_closed_where_the_certificate_names_no_hash() {
    // The hash is that of the certificate's signature, so it is the authority's key that must be Ed25519.
    let pair = Authority::new("root", pki::ED25519).server(&["localhost"]);
    for server in support::servers() {
        let cluster = with_tls(&server, &pair).hba("host all all 127.0.0.1/32 scram-sha-256").start();
        scram(&cluster);
        let base = format!(
            "host=127.0.0.1 port={} user=alice dbname=postgres sslmode=require password=pencil",
            cluster.tcp_port()
        );
        let error = connect(&format!("{base} channel_binding=require")).await.unwrap_err().to_string();
        assert!(error.contains("Ed25519") && error.contains("channel_binding=require"), "{error}");
        let (outcome, said) = ours(&cluster, &format!("{base} channel_binding=prefer")).await;
        assert_eq!(outcome, Outcome::Encrypted, "{} {said}", server.version);
    }
}

#[tokio::test]
async fn fails_closed_when_another_method_binds_nothing() {
    let pair = pki::self_signed(&["localhost"], pki::P256, false);
    for method in ["trust", "md5", "password"] {
        let cluster =
            with_tls(&support::newest(), &pair).hba(&format!("host all all 127.0.0.1/32 {method}")).start();
        cluster.psql(
            "postgres",
            "SET password_encryption = 'md5'; CREATE ROLE alice LOGIN REPLICATION PASSWORD 'pencil'",
        );
        let base = format!(
            "host=127.0.0.1 port={} user=alice dbname=postgres sslmode=require password=pencil",
            cluster.tcp_port()
        );
        let error = connect(&format!("{base} channel_binding=require")).await.unwrap_err().to_string();
        assert!(error.contains("channel_binding=require") && !error.contains("pencil"), "{error}");
        assert_eq!(ours(&cluster, &base).await.0, Outcome::Encrypted, "{method}");
        let refused = connect(&format!("{base} require_auth=scram-sha-256")).await.unwrap_err().to_string();
        assert!(refused.contains("require_auth"), "{refused}");
    }
}

#[tokio::test]
async fn hashes_md5_and_keeps_the_password_off_a_clear_network() {
    let cluster = support::newest()
        .options()
        .tcp()
        .hba("host all md5er 127.0.0.1/32 md5")
        .hba("host all clear 127.0.0.1/32 password")
        .hba("local all clear password")
        .start();
    for role in ["md5er", "clear"] {
        cluster.psql(
            "postgres",
            &format!(
                "SET password_encryption = 'md5'; CREATE ROLE {role} LOGIN REPLICATION PASSWORD 'pencil'"
            ),
        );
    }
    let base = format!("host=127.0.0.1 port={} dbname=postgres password=pencil", cluster.tcp_port());
    connect(&format!("{base} user=md5er")).await.unwrap();
    let error = connect(&format!("{base} user=clear")).await.unwrap_err().to_string();
    assert!(error.contains("in clear") && !error.contains("pencil"), "{error}");
    let socket = cluster.socket_folder().display();
    let local = format!("host={socket} port={} dbname=postgres password=pencil user=clear", cluster.port());
    connect(&local).await.unwrap();
}

#[tokio::test]
async fn shows_a_client_certificate() {
    let authority = Authority::new("root", pki::P256);
    let home = Wallet::new();
    let root = home.put("ca.crt", &authority.pem());
    let alice = authority.client("alice");
    let (cert, key) = (home.put("alice.crt", &alice.cert), home.put("alice.key", &alice.key));
    let open = home.put_with_mode("open.key", &alice.key, 0o644);
    let stranger = Authority::new("stranger", pki::P256).client("alice");
    let (false_cert, false_key) =
        (home.put("false.crt", &stranger.cert), home.put("false.key", &stranger.key));
    for server in support::servers() {
        let cluster = with_tls(&server, &authority.server(&["localhost"]))
            .file("root.crt", authority.pem())
            .setting("ssl_ca_file", "root.crt")
            .hba("hostssl all all 127.0.0.1/32 cert")
            .start();
        cluster.psql("postgres", "CREATE ROLE alice LOGIN REPLICATION; CREATE ROLE bob LOGIN REPLICATION");
        let base = format!(
            "host=localhost hostaddr=127.0.0.1 port={} dbname=postgres sslmode=verify-full sslrootcert={root}",
            cluster.tcp_port()
        );
        for (identity, outcome) in [
            (format!("user=alice sslcert={cert} sslkey={key}"), Outcome::Encrypted),
            (format!("user=bob sslcert={cert} sslkey={key}"), Outcome::Refused),
            ("user=alice".to_owned(), Outcome::Refused),
            (format!("user=alice sslcert={cert} sslkey={open}"), Outcome::Refused),
            (format!("user=alice sslcert={false_cert} sslkey={false_key}"), Outcome::Refused),
            (format!("user=alice sslcert={cert} sslkey={false_key}"), Outcome::Refused),
        ] {
            assert_eq!(agree(&cluster, &home, &format!("{base} {identity}")).await, outcome, "{identity}");
        }
        let error = connect(&format!("{base} user=alice sslcert={cert} sslkey={open}")).await.unwrap_err();
        assert!(matches!(error, Error::Certificate { setting: "sslkey", .. }), "{error:?}");
    }
}

#[tokio::test]
async fn begins_with_tls_at_once_where_the_server_can() {
    let authority = Authority::new("root", pki::P256);
    let home = Wallet::new();
    let root = home.put("ca.crt", &authority.pem());
    for server in support::servers() {
        let cluster = with_tls(&server, &authority.server(&["localhost"]))
            .hba("hostssl all all 127.0.0.1/32 trust")
            .start();
        let base = base(&cluster);
        let conninfo = format!(
            "host=localhost hostaddr=127.0.0.1 {base} sslmode=verify-full sslrootcert={root} sslnegotiation=direct"
        );
        let expected = if server.major >= 17 { Outcome::Encrypted } else { Outcome::Refused };
        let (outcome, said) = ours(&cluster, &conninfo).await;
        assert_eq!(outcome, expected, "{}: {said}", server.version);
    }
}

#[tokio::test]
async fn ignores_sslmode_on_a_unix_socket() {
    let home = Wallet::new();
    let cluster = support::newest().start();
    for mode in MODES {
        let conninfo = format!("{} sslmode={mode}", cluster.conninfo("postgres"));
        assert_eq!(agree(&cluster, &home, &conninfo).await, Outcome::InClear, "{mode}");
    }
}

/// The client that applies changes has no TLS of its own, and no SCRAM: nothing gets in where these are not in force.
#[test]
fn changes_go_to_a_target_by_the_same_rules() {
    let authority = Authority::new("root", pki::P256);
    let pair = authority.server(&["localhost"]);
    let home = Wallet::new();
    let root = home.put("ca.crt", &authority.pem());
    for server in support::servers() {
        let cluster = with_tls(&server, &pair).hba("hostssl all ferry 127.0.0.1/32 scram-sha-256").start();
        cluster.psql("postgres", "CREATE ROLE ferry SUPERUSER LOGIN PASSWORD 's3cret'");
        cluster.psql(
            "postgres",
            "CREATE TABLE notes (id int PRIMARY KEY, author text, body text, scan text);
             CREATE TABLE drafts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)",
        );
        let base = format!(
            "host=localhost hostaddr=127.0.0.1 port={} dbname=postgres user=ferry password=s3cret",
            cluster.tcp_port()
        );
        let replay = |parameters: &str| {
            let mut command = program::replay();
            command.args(["--to", "postgres", "--target", &format!("{base} {parameters}")]);
            command
        };
        for refused in ["sslmode=disable", "sslmode=verify-full sslrootcert=/nonexistent"] {
            assert!(!replay(refused).output().unwrap().status.success(), "{refused}");
        }
        let verified = format!("sslmode=verify-full sslrootcert={root} channel_binding=require");
        let told = program::last_line(&program::run(&mut replay(&verified)));
        assert!(told.starts_with("replayed 6 transactions, 10 changes"), "{told}");
        assert_eq!(cluster.psql("postgres", "SELECT count(*) FROM notes"), "3");
    }
}
