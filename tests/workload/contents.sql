SET DateStyle = 'ISO'; SET TimeZone = 'UTC'; SET search_path = pg_catalog; SET extra_float_digits = 1;
SELECT format($$SELECT %1$L, line FROM (SELECT format('%%s', "the row") AS line FROM ONLY %2$s "the row"
    UNION ALL SELECT count(*) || ' rows' FROM ONLY %2$s) AS lines ORDER BY line COLLATE "C"$$, c.oid::regclass::text, c.oid::regclass)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)' ORDER BY c.oid::regclass::text COLLATE "C" \gexec
