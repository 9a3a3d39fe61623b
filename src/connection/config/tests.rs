mod completion;
mod properties;

use super::*;

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
    assert!(weak.check().is_err());
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
