package backup

// Helpers

// Scripts for sh. The environment of the official image, or of Bitnami's, tells how
// its own server is reached. A Bitnami server whose user is another than postgres
// calls its database postgres all the same, and its user is no superuser.
const (
	postgresHere = containerEnvironment + `of POSTGRES_USER; export PGDATABASE="${value:-postgres}"
of POSTGRES_DB POSTGRESQL_DATABASE POSTGRES_DATABASE; export PGDATABASE="${value:-$PGDATABASE}"
of POSTGRES_USER POSTGRESQL_USERNAME; export PGUSER="${value:-postgres}"
of POSTGRES_PASSWORD POSTGRESQL_PASSWORD; if [ -n "$value" ]; then export PGPASSWORD="$value"; fi
of POSTGRESQL_POSTGRES_PASSWORD POSTGRES_POSTGRES_PASSWORD; if [ -n "$value" ]; then export PGUSER=postgres PGPASSWORD="$value"; fi
`
	postgresElsewhere = `export PGUSER="$user" PGPASSWORD="$password" PGHOST="$host" PGPORT="${port:-5432}" PGDATABASE="${database:-$user}"
while [ -n "$query" ]; do
  pair=${query%%&*}
  case $query in *\&*) query=${query#*&} ;; *) query= ;; esac
  decode "${pair#*=}"
  case $pair in
    host=*) export PGHOST="$out" ;;
    port=*) export PGPORT="$out" ;;
    user=*) export PGUSER="$out" ;;
    password=*) export PGPASSWORD="$out" ;;
    sslmode=*) export PGSSLMODE="$out" ;;
    sslrootcert=*) export PGSSLROOTCERT="$out" ;;
    sslcert=*) export PGSSLCERT="$out" ;;
    sslkey=*) export PGSSLKEY="$out" ;;
  esac
done
`
	postgresCommon = `if [ -n "$1" ]; then export PGDATABASE="$1"; fi
export PGAPPNAME=binnacle PGCLIENTENCODING=UTF8
`
)

// Scripts for psql. Each row of an answer is a JSON object on a line of its own.
const (
	// postgresPatient begins every session: the timeouts of a role or a database are
	// meant for the app. It answers nothing. Not every version has each of them.
	postgresPatient = `SET statement_timeout = 0;
SELECT count(set_config(name, '0', false)) FROM pg_settings
  WHERE name IN ('lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout') \gset ignored_
`
	postgresSnapshot = `SET max_parallel_workers_per_gather = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SELECT json_build_object('snapshot', pg_export_snapshot());
`
	// postgresFacts counts what pg_dump would dump: not the tables that extensions
	// bring, nor what only stands for other tables. Of another role's session, not
	// everybody sees more than whose it is.
	postgresFacts = `SET row_security = off;
SELECT json_build_object(
  'version', current_setting('server_version'),
  'database', current_database(),
  'size', pg_database_size(current_database()),
  'clients', (SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
      AND application_name IS DISTINCT FROM 'binnacle'));
SELECT format('SELECT json_build_object(''schema'', max(version)::text) FROM %s', attrelid::regclass)
  FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations') AND attname = 'version' AND NOT attisdropped \gexec
SELECT format('SELECT json_build_object(''table'', %L, ''rows'', count(*)) FROM ONLY %I.%I',
    CASE nspname WHEN 'public' THEN '' ELSE quote_ident(nspname) || '.' END || quote_ident(relname), nspname, relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'r' AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\_%'
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  ORDER BY 1 \gexec
SELECT json_build_object('table', '(large objects)', 'rows', count(*)) FROM pg_largeobject_metadata HAVING count(*) > 0;
`
	postgresCounted = `"counted"`
	postgresEnd     = `SELECT json_build_object('counted', true);
`
	// postgresMade answers how the database was made, as statements in which
	// psql's variable name stands for its name, and which roles it needs: as owners
	// of what is in it, or because they are granted something. The roles that own
	// are told apart because not everybody may give a thing to somebody else. What
	// the first superuser owns, no table of dependencies tells.
	postgresMade = `WITH d AS (
  SELECT oid, to_jsonb(d) AS j, datname, datdba, datconnlimit, dattablespace, datacl, encoding, datcollate, datctype
  FROM pg_database d WHERE datname = current_database()),
needed AS (
  SELECT refobjid AS role, deptype FROM pg_shdepend s, d WHERE refclassid = 'pg_authid'::regclass
    AND (dbid = d.oid OR classid = 'pg_database'::regclass AND objid = d.oid)
  UNION
  SELECT setrole, 's' FROM pg_db_role_setting, d WHERE setdatabase = d.oid)
SELECT jsonb_build_object(
  'version', current_setting('server_version'),
  'database', datname,
  'owner', pg_get_userbyid(datdba),
  'superuser', pg_get_userbyid(10),
  'preload', (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries'),
  'timescaledb', (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
  'roles', (SELECT jsonb_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolname NOT LIKE 'pg\_%' AND (
    oid IN (10, datdba) OR oid IN (SELECT role FROM needed))),
  'granted', (SELECT jsonb_agg(DISTINCT rolname) FROM pg_roles JOIN needed ON role = oid WHERE deptype <> 'o' AND rolname NOT LIKE 'pg\_%'),
  'owners', (SELECT jsonb_agg(DISTINCT pg_get_userbyid(owner)) FROM (
    SELECT refobjid FROM pg_shdepend s WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o' AND dbid = d.oid AND classid <> 'pg_extension'::regclass
      AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = s.classid AND e.objid = s.objid AND e.deptype = 'e')
    UNION
    SELECT owner FROM (
      SELECT 'pg_class'::regclass, oid, relnamespace, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      UNION ALL
      SELECT 'pg_proc'::regclass, oid, pronamespace, proowner FROM pg_proc
      UNION ALL
      SELECT 'pg_type'::regclass, oid, typnamespace, typowner FROM pg_type WHERE typtype IN ('d', 'e', 'r')
      UNION ALL
      SELECT 'pg_namespace'::regclass, oid, oid, nspowner FROM pg_namespace) AS o (class, id, namespace, owner)
    WHERE owner = 10 AND (id >= 16384 OR class = 'pg_namespace'::regclass AND current_setting('server_version_num')::int >= 150000)
      AND namespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname LIKE 'pg\_%' OR nspname = 'information_schema')
      AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = class AND e.objid = id AND e.deptype = 'e')) AS o (owner)),
  'create', format('CREATE DATABASE :"name" TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L', pg_encoding_to_char(encoding), datcollate, datctype)
    || CASE j->>'datlocprovider'
      WHEN 'c' THEN ' LOCALE_PROVIDER libc'
      WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(j->>'datlocale', j->>'daticulocale'))
        || coalesce(' ICU_RULES ' || quote_literal(j->>'daticurules'), '')
      WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', j->>'datlocale')
      ELSE '' END,
  'tablespace', (SELECT spcname FROM pg_tablespace t WHERE t.oid = dattablespace),
  'comment', regexp_replace(shobj_description(d.oid, 'pg_database'), '^binnacle[.]of=[^\n]*\n?', ''),
  'then', (SELECT coalesce(jsonb_agg(statement ORDER BY n, statement), '[]') FROM (
    SELECT 1 AS n, format('ALTER DATABASE :"name" CONNECTION LIMIT %s', datconnlimit) AS statement WHERE datconnlimit >= 0
    UNION ALL
    SELECT 3, 'REVOKE ALL ON DATABASE :"name" FROM PUBLIC' WHERE datacl IS NOT NULL
    UNION ALL
    SELECT 4, format('GRANT %s ON DATABASE :"name" TO %s%s', privilege_type, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
      CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) FROM aclexplode(datacl)
    UNION ALL
    SELECT 5, CASE setrole WHEN 0 THEN 'ALTER DATABASE :"name"' ELSE format('ALTER ROLE %I IN DATABASE :"name"', pg_get_userbyid(setrole)) END
      || format(' SET %I TO ', split_part(setting, '=', 1))
      || CASE WHEN split_part(setting, '=', 1) IN ('local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries', 'temp_tablespaces', 'unix_socket_directories')
        AND setting NOT LIKE '%=' THEN substr(setting, strpos(setting, '=') + 1) ELSE quote_literal(substr(setting, strpos(setting, '=') + 1)) END
      FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setdatabase = d.oid
  ) AS statements)
) FROM d;
`
	// postgresMark is what a database says of itself that was made beside another,
	// on the first line of its comment; the comment that it has in its place follows.
	// It is no setting, because only a superuser may store one of that kind.
	postgresMark = `'binnacle.of=' || to_json(:'of'::text)`
	// postgresSwap renames under a lock that keeps new connections waiting. Who got
	// in between the end of the others and the lock is ended in another try.
	postgresSwap = `SET statement_timeout = '90s';
SET application_name = 'binnacle swap';
SELECT set_config('binnacle.old', :'of', false), set_config('binnacle.new', :'name', false), set_config('binnacle.kept', :'keep', false) \gset ignored_
DO $$
DECLARE
  old text := current_setting('binnacle.old');
  new text := current_setting('binnacle.new');
  keep text := current_setting('binnacle.kept');
  mark text := 'binnacle.of=' || to_json(old);
  client int;
  note text;
BEGIN
  FOR try IN 1..10 LOOP
    BEGIN
      PERFORM pg_stat_clear_snapshot();
      FOR client IN SELECT pid FROM pg_stat_activity WHERE datname IN (old, new) AND pid <> pg_backend_pid() LOOP
        BEGIN
          PERFORM pg_terminate_backend(client);
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
      END LOOP;
      IF EXISTS (SELECT FROM pg_database WHERE datname = old) THEN
        EXECUTE format('ALTER DATABASE %I RENAME TO %I', old, keep);
        SELECT nullif(regexp_replace(shobj_description(oid, 'pg_database'), '^binnacle[.]of=[^\n]*\n?', ''), '') INTO note FROM pg_database WHERE datname = keep;
        EXECUTE format('COMMENT ON DATABASE %I IS %L', keep, mark || coalesce(E'\n' || note, ''));
      END IF;
      EXECUTE format('ALTER DATABASE %I RENAME TO %I', new, old);
      SELECT nullif(regexp_replace(shobj_description(oid, 'pg_database'), '^binnacle[.]of=[^\n]*\n?', ''), '') INTO note FROM pg_database WHERE datname = old;
      EXECUTE format('COMMENT ON DATABASE %I IS %L', old, note);
      EXIT;
    EXCEPTION WHEN object_in_use THEN
      IF try = 10 THEN RAISE; END IF;
    END;
  END LOOP;
END
$$;
SELECT EXISTS (SELECT FROM pg_database WHERE datname = :'keep');
`
	// postgresSwapped waits for a swap that goes on without its client.
	postgresSwapped = `DO $$
BEGIN
  FOR i IN 1..900 LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'binnacle swap');
    PERFORM pg_sleep(0.1);
  END LOOP;
END
$$;
SELECT CASE WHEN EXISTS (SELECT FROM pg_database WHERE datname = :'name') THEN 'not done'
  WHEN EXISTS (SELECT FROM pg_database WHERE datname = :'keep') THEN 'done kept' ELSE 'done' END;
`
	// postgresDrop ends the sessions that it may end.
	postgresDrop = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity a JOIN pg_roles me ON me.rolname = current_user JOIN pg_roles r ON r.oid = usesysid
  WHERE datname = :'name' AND :'name' <> :'of' AND pid <> pg_backend_pid()
    AND (me.rolsuper OR NOT r.rolsuper AND (pg_has_role(usesysid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE'))) \gset ignored_
SELECT format('DROP DATABASE IF EXISTS %I', :'name') || CASE WHEN rolsuper AND current_setting('server_version_num')::int >= 130000 THEN ' WITH (FORCE)' ELSE '' END
  FROM pg_roles WHERE rolname = current_user AND :'name' <> :'of' AND EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
`
	postgresLeft = `SELECT to_json(datname::text) FROM pg_database
  WHERE datname <> :'of' AND split_part(shobj_description(oid, 'pg_database'), E'\n', 1) = ` + postgresMark + ` ORDER BY datname;
`
)
