//! What each check is for.
//!
//! In SQL, `$T` is the table that both sides begin with, `$S` its schema, `$I` and `$V` its columns; `$N` another name, `$P` the
//! publication's, `$R` the role's, `$D` the database's. All are hard to quote.

use walferry::migrate::doctor::Side::{self, Source, Target};

/// Something that is wrong.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) id: &'static str,
    /// From that version on.
    pub(crate) since: u32,
    /// Up to that version: later ones have nothing to find.
    pub(crate) until: u32,
    /// What makes it so.
    pub(crate) source: &'static str,
    pub(crate) target: &'static str,
    /// What a session of the source has open meanwhile.
    pub(crate) session: &'static str,
    /// How the target's database is made, if not like the source's.
    pub(crate) target_clause: &'static str,
    /// On that side, the role `$R` examines, and not the superuser.
    pub(crate) role: Option<Side>,
    pub(crate) makes_schema: bool,
    /// The only finding's.
    pub(crate) subject: Option<&'static str>,
    /// What mends it, where the advice is not SQL.
    pub(crate) mend: Option<(Side, &'static str)>,
    pub(crate) allows_unchecked: bool,
    /// A query to which both sides answer alike once it is mended.
    pub(crate) same: &'static str,
    /// At the source, for the sake of the next case.
    pub(crate) afterwards: &'static str,
}

impl Case {
    const fn new(id: &'static str) -> Self {
        Self {
            id,
            since: 14,
            until: u32::MAX,
            source: "",
            target: "",
            session: "",
            target_clause: "",
            role: None,
            makes_schema: false,
            subject: None,
            mend: None,
            allows_unchecked: false,
            same: "",
            afterwards: "",
        }
    }

    const fn since(mut self, major: u32) -> Self {
        self.since = major;
        self
    }

    const fn until(mut self, major: u32) -> Self {
        self.until = major;
        self
    }

    const fn source(mut self, sql: &'static str) -> Self {
        self.source = sql;
        self
    }

    const fn target(mut self, sql: &'static str) -> Self {
        self.target = sql;
        self
    }

    const fn subject(mut self, subject: &'static str) -> Self {
        self.subject = Some(subject);
        self
    }

    const fn mend(mut self, side: Side, sql: &'static str) -> Self {
        self.mend = Some((side, sql));
        self
    }

    /// The role is made by the case.
    const fn role(mut self, side: Side) -> Self {
        self.role = Some(side);
        self
    }

    const fn same(mut self, sql: &'static str) -> Self {
        self.same = sql;
        self
    }

    const fn afterwards(mut self, sql: &'static str) -> Self {
        self.afterwards = sql;
        self
    }
}

const COLUMNS: &str = "SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation, a.attgenerated, a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid) FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $LT::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attname";
const CONSTRAINTS: &str = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $LT::regclass AND contype IN ('p', 'u') ORDER BY conname";
const SEQUENCES: &str =
    "SELECT seqtypid::regtype, seqstart, seqincrement, seqmax, seqmin, seqcache, seqcycle FROM pg_sequence";

pub(crate) fn servers() -> Vec<Case> {
    vec![
        Case::new("slot-lost")
            .source(
                "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'; SELECT pg_reload_conf(); SELECT pg_create_logical_replication_slot('slot', 'pgoutput');
                 CREATE TABLE w (); SELECT pg_switch_wal(); DROP TABLE w; SELECT pg_switch_wal(); CREATE TABLE w (); SELECT pg_switch_wal();
                 DROP TABLE w; SELECT pg_switch_wal(); CREATE TABLE w (); CHECKPOINT; DROP TABLE w; ALTER SYSTEM RESET max_slot_wal_keep_size;
                 SELECT pg_reload_conf()",
            )
            .subject("\"slot\""),
        Case::new("slot-foreign")
            .source("SELECT pg_create_physical_replication_slot('slot')")
            .subject("\"slot\"")
            .mend(Source, "SELECT pg_drop_replication_slot('slot')"),
        Case::new("prepared-transaction")
            .source("BEGIN; INSERT INTO $T VALUES (1); PREPARE TRANSACTION 'g''id {x}'")
            .subject("'g''id {x}'"),
        Case { session: "BEGIN; INSERT INTO $T VALUES (1)", ..Case::new("old-transaction") },
        Case::new("hidden-activity").source("CREATE ROLE $R LOGIN REPLICATION").role(Source).subject("$R"),
        Case::new("slot-wal-keep")
            .source("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'; SELECT pg_reload_conf()")
            .subject("max_slot_wal_keep_size")
            .afterwards("ALTER SYSTEM RESET max_slot_wal_keep_size; SELECT pg_reload_conf()"),
        Case::new("idle-slot-timeout")
            .since(18)
            .source("ALTER SYSTEM SET idle_replication_slot_timeout = '1d'; SELECT pg_reload_conf()")
            .subject("idle_replication_slot_timeout"),
        Case::new("failover")
            .source("SELECT pg_create_physical_replication_slot('standby')")
            .mend(Source, "SELECT pg_drop_replication_slot('standby')"),
        Case::new("wal-sender-timeout").source("ALTER DATABASE $D SET wal_sender_timeout = 0").subject("wal_sender_timeout"),
        Case::new("source-timeouts").source("ALTER DATABASE $D SET idle_session_timeout = '1h'").subject("idle_session_timeout"),
        Case::new("source-timeouts")
            .since(17)
            .source("ALTER DATABASE $D SET transaction_timeout = '1h'")
            .subject("transaction_timeout"),
        Case::new("target-timeouts").target("ALTER DATABASE $D SET idle_session_timeout = '1h'").subject("idle_session_timeout"),
        Case {
            target_clause: "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
            allows_unchecked: true,
            ..Case::new("encoding").subject("$D").mend(Target, "DROP DATABASE $D; CREATE DATABASE $D TEMPLATE base")
        },
        Case {
            target_clause: "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
            ..Case::new("collation").subject("$D").mend(Target, "DROP DATABASE $D; CREATE DATABASE $D TEMPLATE base")
        },
        Case {
            target_clause: "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TEMPLATE template0",
            ..Case::new("collation").since(17).subject("$D").mend(Target, "DROP DATABASE $D; CREATE DATABASE $D TEMPLATE base")
        },
        Case {
            target_clause: "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TEMPLATE template0",
            ..Case::new("target-collation-version")
                .since(17)
                .target("UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()")
                .subject("$D")
        },
        // There is but one way to a database of another locale on the source.
        Case::new("source-collation-version")
            .since(17)
            .source(
                "UPDATE pg_database SET datcollversion = '0', datlocprovider = 'b', datlocale = 'C.UTF-8' WHERE datname = current_database()",
            )
            .subject("$D"),
    ]
}

pub(crate) fn rights() -> Vec<Case> {
    vec![
        Case::new("replication-connection")
            .source("CREATE ROLE $R LOGIN")
            .role(Source)
            .mend(Source, "ALTER ROLE $R REPLICATION"),
        Case::new("replication-role").source("CREATE ROLE $R LOGIN").role(Source).subject("$R"),
        Case::new("publication-right").source("CREATE ROLE $R LOGIN REPLICATION").role(Source).subject("$R"),
        Case::new("schema-right").source("CREATE ROLE $R LOGIN REPLICATION").role(Source).subject("$S"),
        Case::new("select-right")
            .source("CREATE ROLE $R LOGIN REPLICATION; GRANT USAGE ON SCHEMA $S TO $R")
            .role(Source)
            .subject("$T"),
        Case::new("sequence-right")
            .source("CREATE ROLE $R LOGIN REPLICATION; CREATE SEQUENCE $S.$N")
            .target("CREATE SEQUENCE $S.$N")
            .role(Source)
            .subject("$S.$N"),
        Case::new("row-security")
            .source("CREATE ROLE $R LOGIN REPLICATION; GRANT SELECT ON $T TO $R; ALTER TABLE $T ENABLE ROW LEVEL SECURITY")
            .role(Source)
            .subject("$T"),
        // The table's owner is not exempt.
        Case::new("row-security")
            .source(
                "CREATE ROLE $R LOGIN REPLICATION; ALTER TABLE $T OWNER TO $R; ALTER TABLE $T ENABLE ROW LEVEL SECURITY;
                 ALTER TABLE $T FORCE ROW LEVEL SECURITY",
            )
            .role(Source)
            .subject("$T"),
        Case::new("create-right").target("CREATE ROLE $R LOGIN").role(Target).subject("$D"),
        Case {
            makes_schema: true,
            ..Case::new("create-right")
                .target("CREATE ROLE $R LOGIN; CREATE SCHEMA walferry AUTHORIZATION $R")
                .role(Target)
                .subject("$D")
        },
        Case::new("own-schema-right")
            .target("CREATE ROLE $R LOGIN; CREATE SCHEMA walferry; GRANT USAGE ON SCHEMA walferry TO $R")
            .role(Target)
            .subject("\"walferry\""),
        Case::new("target-schema-right").target("CREATE ROLE $R LOGIN").role(Target).subject("$S"),
        Case::new("write-right").target("CREATE ROLE $R LOGIN; GRANT SELECT, UPDATE ON $T TO $R").role(Target).subject("$T"),
        Case::new("target-sequence-right")
            .source("CREATE SEQUENCE $S.$N")
            .target("CREATE ROLE $R LOGIN; CREATE SEQUENCE $S.$N; GRANT SELECT ON SEQUENCE $S.$N TO $R")
            .role(Target)
            .subject("$S.$N"),
        Case::new("target-row-security")
            .target(
                "CREATE ROLE $R LOGIN; GRANT USAGE ON SCHEMA $S TO $R; GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON $T TO $R;
                 ALTER TABLE $T ENABLE ROW LEVEL SECURITY",
            )
            .role(Target)
            .subject("$T"),
        Case::new("replica-mode").target("CREATE ROLE $R LOGIN").role(Target).subject("$R"),
    ]
}

/// But for `fence-sessions`.
pub(crate) fn fences() -> Vec<Case> {
    vec![
        Case::new("fence-right").source("CREATE ROLE $R LOGIN REPLICATION").role(Source).subject("$R"),
        Case::new("fence-role").source("CREATE ROLE $R LOGIN; ALTER ROLE $R SET default_transaction_read_only = 0").subject("$R"),
        Case::new("fence-role")
            .source("CREATE ROLE $R LOGIN; ALTER ROLE $R IN DATABASE $D SET default_transaction_read_only = off")
            .subject("$R"),
        Case::new("fence-subscription")
            .source(
                "CREATE SUBSCRIPTION $N CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false, slot_name = 's');
                 ALTER SUBSCRIPTION $N ENABLE",
            )
            .subject("$N")
            .afterwards("ALTER SUBSCRIPTION $N SET (slot_name = NONE); DROP SUBSCRIPTION $N"),
        Case::new("fence-prepared")
            .source(
                "SELECT pg_create_logical_replication_slot('slot', 'pgoutput'); BEGIN; INSERT INTO $T VALUES (1);
                 PREPARE TRANSACTION 'g''id {x}'",
            )
            .subject("'g''id {x}'"),
    ]
}

pub(crate) fn publications() -> Vec<Case> {
    vec![
        Case::new("publication-missing").subject("$P"),
        Case::new("publication-actions")
            .source("CREATE PUBLICATION $P FOR ALL TABLES WITH (publish = 'insert, delete')")
            .subject("$P"),
        Case::new("unpublished-table")
            .source("CREATE TABLE $S.$N (id int PRIMARY KEY); CREATE PUBLICATION $P FOR TABLE $T")
            .subject("$S.$N"),
        Case::new("column-list")
            .since(15)
            .source("CREATE PUBLICATION $P FOR TABLE $T ($I)")
            .subject("$T")
            .mend(Source, "ALTER PUBLICATION $P SET TABLE $T"),
        Case::new("row-filter")
            .since(15)
            .source("CREATE PUBLICATION $P FOR TABLE $T WHERE ($I > 0)")
            .subject("$T")
            .mend(Source, "ALTER PUBLICATION $P SET TABLE $T"),
        Case::new("replica-identity").source("ALTER TABLE $T REPLICA IDENTITY NOTHING").subject("$T"),
        Case::new("replica-identity").source("CREATE TABLE $S.$N (a int)").target("CREATE TABLE $S.$N (a int)").subject("$S.$N"),
        Case::new("replica-identity")
            .source("CREATE TABLE $S.$N (a int PRIMARY KEY DEFERRABLE); CREATE PUBLICATION $P FOR TABLE $S.$N WITH (publish = 'insert, delete')")
            .subject("$S.$N"),
        Case::new("replica-identity")
            .source(
                "CREATE UNIQUE INDEX $N ON $T ($I); ALTER TABLE $T REPLICA IDENTITY USING INDEX $N; DROP INDEX $S.$N",
            )
            .subject("$T"),
        // Of a partitioned table, the partitions count.
        Case::new("replica-identity")
            .source(
                "CREATE TABLE $S.root (a int) PARTITION BY RANGE (a); ALTER TABLE $S.root REPLICA IDENTITY FULL;
                 CREATE TABLE $S.$N PARTITION OF $S.root DEFAULT; CREATE PUBLICATION $P FOR TABLE $S.root WITH (publish_via_partition_root)",
            )
            .subject("$S.$N"),
        Case::new("identity-full")
            .source("CREATE TABLE $S.$N (a int NOT NULL); ALTER TABLE $S.$N REPLICA IDENTITY FULL")
            .subject("$S.$N")
            .mend(Source, "ALTER TABLE $S.$N ADD PRIMARY KEY (a); ALTER TABLE $S.$N REPLICA IDENTITY DEFAULT"),
        Case::new("partition-identity")
            .source(
                "CREATE TABLE $S.root ($I int PRIMARY KEY, b text) PARTITION BY RANGE ($I); CREATE TABLE $S.$N PARTITION OF $S.root DEFAULT;
                 ALTER TABLE $S.root REPLICA IDENTITY FULL; CREATE PUBLICATION $P FOR TABLE $S.root WITH (publish_via_partition_root)",
            )
            .subject("$S.$N"),
        Case::new("partition-identity")
            .source(
                "CREATE TABLE $S.root ($I int PRIMARY KEY, b text) PARTITION BY RANGE ($I); CREATE TABLE $S.$N PARTITION OF $S.root DEFAULT;
                 ALTER TABLE $S.$N REPLICA IDENTITY FULL; CREATE PUBLICATION $P FOR TABLE $S.root WITH (publish_via_partition_root)",
            )
            .subject("$S.$N"),
        Case::new("partition-identity")
            .source(
                "CREATE TABLE $S.root ($I int, b int NOT NULL, PRIMARY KEY ($I, b)) PARTITION BY RANGE ($I);
                 CREATE UNIQUE INDEX u ON $S.root (b, $I) ; CREATE TABLE $S.middle PARTITION OF $S.root DEFAULT PARTITION BY RANGE ($I);
                 CREATE TABLE $S.$N PARTITION OF $S.middle DEFAULT; ALTER TABLE $S.root ALTER COLUMN $I SET NOT NULL;
                 ALTER TABLE $S.root REPLICA IDENTITY USING INDEX u; ALTER TABLE $S.$N REPLICA IDENTITY FULL;
                 CREATE PUBLICATION $P FOR TABLE $S.root WITH (publish_via_partition_root)",
            )
            .subject("$S.$N"),
        Case::new("column-list-identity")
            .since(15)
            .source("CREATE PUBLICATION $P FOR TABLE $T ($V) WHERE ($I > 0)")
            .subject("$T")
            // The filter is kept: else this divides by zero.
            .afterwards("SELECT 1 / count(*) FROM pg_publication_tables WHERE rowfilter LIKE '%> 0%'"),
        Case::new("column-list-identity")
            .since(15)
            .source("ALTER TABLE $T REPLICA IDENTITY FULL; CREATE PUBLICATION $P FOR TABLE $T ($I)")
            .subject("$T"),
        Case::new("filter-identity")
            .since(15)
            .source("CREATE PUBLICATION $P FOR TABLE $T WHERE ($V > 'a')")
            .subject("$T"),
        Case::new("filter-toast")
            .since(15)
            .source("CREATE PUBLICATION $P FOR TABLE $T WHERE ($I > 0)")
            .subject("$T"),
    ]
}

/// Where a server of version 14 is wrong.
pub(crate) fn layouts() -> Vec<Case> {
    vec![
        Case::new("partition-layout")
            .until(14)
            .source(
                "CREATE TABLE $S.root ($I int PRIMARY KEY, $V text) PARTITION BY RANGE ($I); CREATE TABLE $S.middle (gone int, $V text, $I int NOT NULL)
                 PARTITION BY RANGE ($I); ALTER TABLE $S.middle DROP gone; ALTER TABLE $S.root ATTACH PARTITION $S.middle DEFAULT;
                 CREATE TABLE $S.$N PARTITION OF $S.middle DEFAULT; CREATE PUBLICATION $P FOR TABLE $S.root WITH (publish_via_partition_root)",
            )
            .subject("$S.$N"),
    ]
}

pub(crate) fn tables() -> Vec<Case> {
    vec![
        Case::new("target-rows").target("INSERT INTO $T VALUES (1)").subject("$T"),
        Case::new("target-rows")
            .source("CREATE TABLE $S.root (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE $S.$N PARTITION OF $S.root DEFAULT")
            .target(
                "CREATE TABLE $S.root (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE $S.$N PARTITION OF $S.root DEFAULT;
                 INSERT INTO $S.root VALUES (1)",
            )
            .subject("$S.$N"),
        Case::new("unlogged-table").source("CREATE UNLOGGED TABLE $S.$N (a int PRIMARY KEY)").target("CREATE TABLE $S.$N (a int PRIMARY KEY)").subject("$S.$N"),
        // It goes with its session.
        Case { session: "CREATE TEMP TABLE $N ()", ..Case::new("temporary-table").mend(Source, "SELECT 1") },
        Case::new("foreign-table")
            .source("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE $S.$N (a int) SERVER s")
            .subject("$S.$N")
            .mend(Source, "DROP FOREIGN TABLE $S.$N"),
        Case::new("materialized-view")
            .source("CREATE MATERIALIZED VIEW $S.$N AS SELECT 1")
            .subject("$S.$N")
            .mend(Source, "DROP MATERIALIZED VIEW $S.$N"),
        Case::new("large-objects").source("SELECT lo_create(0)").mend(Source, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata"),
        Case::new("extension-table")
            .source("ALTER EXTENSION plpgsql ADD TABLE $T")
            .subject("$T")
            .mend(Source, "ALTER EXTENSION plpgsql DROP TABLE $T"),
        Case::new("extension-missing").target("DROP EXTENSION plpgsql").subject("\"plpgsql\""),
        Case::new("extension-unavailable")
            .source("INSERT INTO pg_extension SELECT 99999, $$no'such \"one\"$$, extowner, extnamespace, false, '1', NULL, NULL FROM pg_extension")
            .subject("\"no'such \"\"one\"\"\"")
            .mend(Source, "DELETE FROM pg_extension WHERE oid = 99999"),
        Case::new("table-missing").target("DROP TABLE $T").subject("$T").mend(Target, "CREATE TABLE $T ($I int PRIMARY KEY, $V text)"),
        Case::new("table-kind")
            .target("DROP TABLE $T; CREATE VIEW $T AS SELECT 1")
            .subject("$T")
            .mend(Target, "DROP VIEW $T; CREATE TABLE $T ($I int PRIMARY KEY, $V text)"),
        Case::new("unlogged-target").target("ALTER TABLE $T SET UNLOGGED").subject("$T"),
        Case::new("sequence-missing")
            .source("CREATE SEQUENCE $S.$N AS smallint INCREMENT BY -3 MAXVALUE 30 START WITH 7 CACHE 2 CYCLE")
            .subject("$S.$N").same(SEQUENCES),
        Case::new("sequence-missing").source("CREATE SEQUENCE $S.$N; ALTER SEQUENCE $S.$N OWNED BY $T.$I").subject("$S.$N").same(SEQUENCES),
        Case::new("target-trigger")
            .target(
                "CREATE TRIGGER $N BEFORE UPDATE ON $T FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
                 ALTER TABLE $T ENABLE ALWAYS TRIGGER $N",
            )
            .subject("$T.$N"),
        Case::new("target-trigger")
            .source("CREATE TABLE $S.root (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE PUBLICATION $P FOR TABLE $S.root WITH (publish_via_partition_root)")
            .target(
                "CREATE TABLE $S.root (a int PRIMARY KEY) PARTITION BY RANGE (a); CREATE TABLE $S.leaf PARTITION OF $S.root DEFAULT;
                 CREATE TRIGGER $N BEFORE UPDATE ON $S.leaf FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
                 ALTER TABLE $S.leaf ENABLE REPLICA TRIGGER $N",
            ),
        Case::new("target-rule")
            .target("CREATE RULE $N AS ON DELETE TO $T DO INSTEAD NOTHING; ALTER TABLE $T ENABLE REPLICA RULE $N")
            .subject("$T.$N"),
    ]
}

pub(crate) fn columns() -> Vec<Case> {
    vec![
        Case::new("column-missing").target("ALTER TABLE $T DROP COLUMN $V").subject("$T.$V").same(COLUMNS),
        Case::new("column-missing")
            .source("CREATE TYPE $S.$N AS ENUM ('a'); ALTER TABLE $T ADD COLUMN $N $S.$N[]")
            .target("CREATE TYPE $S.$N AS ENUM ('a')")
            .subject("$T.$N").same(COLUMNS),
        Case::new("column-missing")
            .source("ALTER TABLE $T ADD COLUMN $N text DEFAULT 'it''s \\ {x}'; ALTER TABLE $T ALTER COLUMN $N DROP DEFAULT")
            .subject("$T.$N").same("SELECT attname, attmissingval, atthasdef FROM pg_attribute WHERE attrelid = $LT::regclass AND attnum > 0 ORDER BY attname"),
        Case::new("column-missing").source("ALTER TABLE $T RENAME COLUMN $V TO $N").subject("$T.$N").same(COLUMNS),
        Case::new("column-type").target("ALTER TABLE $T ALTER COLUMN $V TYPE varchar(20)").subject("$T.$V").same(COLUMNS),
        Case::new("column-collation").target("ALTER TABLE $T ALTER COLUMN $V TYPE text COLLATE \"C\"").subject("$T.$V").same(COLUMNS),
        Case::new("column-collation")
            .source("CREATE COLLATION $S.$N (locale = 'C'); ALTER TABLE $T ALTER COLUMN $V TYPE text COLLATE $S.$N")
            .target("CREATE COLLATION $S.$N (locale = 'C')")
            .subject("$T.$V").same(COLUMNS),
        Case::new("enum-label")
            .source("CREATE TYPE $S.$N AS ENUM ('last', 'it''s \\ {x}')")
            .target("CREATE TYPE $S.$N AS ENUM ('last')")
            .subject("$S.$N")
            .same("SELECT enum_range(NULL::$S.$N)"),
        // In their order: both before the only one that is there.
        Case::new("enum-label")
            .source("CREATE TYPE $S.$N AS ENUM ('null', '', 'last')")
            .target("CREATE TYPE $S.$N AS ENUM ('last')")
            .same("SELECT enum_range(NULL::$S.$N)"),
        Case::new("column-unfilled").target("ALTER TABLE $T ADD COLUMN $N int NOT NULL").subject("$T.$N"),
        Case::new("column-unfilled")
            .since(15)
            .source("CREATE PUBLICATION $P FOR TABLE $T ($I)")
            .target("ALTER TABLE $T ALTER COLUMN $V SET NOT NULL")
            .subject("$T.$V"),
        Case::new("column-computed")
            .source("ALTER TABLE $T ADD COLUMN $N int")
            .target("ALTER TABLE $T ADD COLUMN $N int GENERATED ALWAYS AS ($I + 1) STORED")
            .subject("$T.$N").same(COLUMNS),
        Case::new("column-computed")
            .since(18)
            .source("ALTER TABLE $T ADD COLUMN $N int")
            .target("ALTER TABLE $T ADD COLUMN $N int GENERATED ALWAYS AS ($I + 1) VIRTUAL")
            .subject("$T.$N").same(COLUMNS),
        Case::new("column-not-computed")
            .source("ALTER TABLE $T ADD COLUMN $N int GENERATED ALWAYS AS ($I + 1) STORED")
            .target("ALTER TABLE $T ADD COLUMN $N int")
            .subject("$T.$N").same(COLUMNS),
        Case::new("column-not-computed")
            .since(18)
            .source("ALTER TABLE $T ADD COLUMN $N int GENERATED ALWAYS AS ($I + 1) VIRTUAL")
            .target("ALTER TABLE $T ADD COLUMN $N int")
            .subject("$T.$N").same(COLUMNS),
        Case::new("identity-always")
            .target("ALTER TABLE $T ALTER COLUMN $I ADD GENERATED ALWAYS AS IDENTITY")
            .subject("$T.$I"),
        Case::new("identity-missing")
            .source("ALTER TABLE $T ALTER COLUMN $I ADD GENERATED ALWAYS AS IDENTITY")
            .subject("$T.$I"),
    ]
}

pub(crate) fn keys() -> Vec<Case> {
    vec![
        Case::new("deferrability")
            .source("ALTER TABLE $T ADD CONSTRAINT $N UNIQUE ($V) DEFERRABLE INITIALLY DEFERRED")
            .target("ALTER TABLE $T ADD CONSTRAINT $N UNIQUE ($V)")
            .subject("$S.$N").same(CONSTRAINTS),
        Case::new("deferrability")
            .source("ALTER TABLE $T ADD CONSTRAINT $N UNIQUE ($V)")
            .target("ALTER TABLE $T ADD CONSTRAINT $N UNIQUE ($V) DEFERRABLE")
            .subject("$S.$N").same(CONSTRAINTS),
        Case::new("deferrability")
            .source("ALTER TABLE $T ADD CONSTRAINT $N UNIQUE ($V) DEFERRABLE")
            .target("CREATE UNIQUE INDEX $N ON $T ($V)")
            .subject("$S.$N").same(CONSTRAINTS),
        Case::new("extra-unique").target("ALTER TABLE $T ADD CONSTRAINT $N UNIQUE ($V)").subject("$S.$N"),
        Case::new("extra-unique")
            .source("CREATE UNIQUE INDEX ON $T ($V) WHERE $I > 7")
            .target("CREATE UNIQUE INDEX $N ON $T (lower($V)); CREATE UNIQUE INDEX ON $T ($V) WHERE $I > 7; CREATE UNIQUE INDEX ON $T ($V, $I)")
            .subject("$S.$N"),
        Case::new("extra-unique")
            .source("CREATE UNIQUE INDEX ON $T ($V) WHERE $I > 7")
            .target("CREATE UNIQUE INDEX $N ON $T ($V)")
            .subject("$S.$N"),
        Case::new("key-index-missing")
            .target("DROP TABLE $T; CREATE TABLE $T ($I int, $V text); CREATE INDEX ON $T ($V, $I)")
            .subject("$T"),
    ]
}
