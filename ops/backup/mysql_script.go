package backup

// Helpers

// Scripts for sh. The environment of the official images tells how their own
// server is reached.
const (
	mysqlHere = containerEnvironment + `of MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD; user=root password=$value
if [ -z "$password" ]; then
  of MARIADB_ALLOW_EMPTY_ROOT_PASSWORD MARIADB_ALLOW_EMPTY_PASSWORD MYSQL_ALLOW_EMPTY_PASSWORD
  if [ -z "$value" ]; then
    of MARIADB_USER MYSQL_USER; user=${value:-root}
    of MARIADB_PASSWORD MYSQL_PASSWORD; password=$value
  fi
fi
of MARIADB_DATABASE MYSQL_DATABASE; database=$value host= port=
`
	mysqlCommon = `if [ -n "$1" ]; then database=$1; fi
if [ -z "$database" ]; then echo 'the environment of the container names no database' >&2; exit 64; fi
export MYSQL_PWD="$password"
client=$(command -v mariadb || command -v mysql) && dumper=$(command -v mariadb-dump || command -v mysqldump) ||
  { echo 'the container has no client of MariaDB or MySQL' >&2; exit 127; }
query() {
  "$client" --user="$user" ${host:+--host="$host"} ${port:+--port="$port"} --default-character-set=utf8mb4 --max-allowed-packet=1G \
    --batch --raw --skip-column-names --unbuffered --binary-mode --init-command="SET SESSION sql_mode = ''" "$@"
}
dump() {
  case $("$dumper" --version) in
    *MariaDB*) product= ;;
    *) product='--set-gtid-purged=OFF --loose-column-statistics=0' ;;
  esac
  exec "$dumper" --user="$user" ${host:+--host="$host"} ${port:+--port="$port"} --default-character-set=utf8mb4 --max-allowed-packet=1G \
    $product --no-tablespaces --single-transaction --quick --hex-blob --skip-triggers "$@"
}
text() { printf "'"; printf %s "$1" | sed "s/[\\\\']/\\\\&/g"; printf "'"; }
tick=$(printf '\140')
ident() { printf %s "$tick"; printf %s "$1" | sed "s/$tick/$tick$tick/g"; printf %s "$tick"; }
views() { query -e "SELECT table_name FROM information_schema.views WHERE table_schema = $(text "$1") ORDER BY table_name"; }
`
	// mysqlTables dumps tables without views, whose names may be odd.
	mysqlTables = lifeline + `list=$(views "$database") || exit
set --
while IFS= read -r view; do
  if [ -n "$view" ]; then set -- "$@" "--ignore-table=$database.$view"; fi
done <<END
$list
END
lifeline dump "$@" "$database"
`
	// mysqlObjects is a function that dumps what has no rows: routines, views and
	// triggers, in the order in which they need each other.
	mysqlObjects = lifeline + `objects() {
  of=$1
  lifeline dump --no-data --no-create-info --routines "$of" || return
  list=$(views "$of") || return
  set --
  while IFS= read -r view; do
    if [ -n "$view" ]; then set -- "$@" "$view"; fi
  done <<END
$list
END
  if [ $# -gt 0 ]; then lifeline dump --no-data "$of" "$@" || return; fi
  lifeline dump --no-data --no-create-info --triggers "$of"
}
events() { lifeline dump --no-data --no-create-info --events "$1"; }
`
	mysqlLook = `asked=$({ printf 'SET @place = %s;\n' "$(text "$database")"; cat; } | query) || exit
printf '%s\n' "$asked" | query || exit
if [ -z "$host" ]; then
  dir=$(query -e 'SELECT @@datadir') && [ -d "$dir" ] && df -Pk "$dir" | tail -n 1
fi
:`
	mysqlMadeAs = `query -e "SELECT JSON_OBJECT('version', VERSION(), 'database', $(text "$database"), 'case', @@lower_case_table_names,
  'charset', (SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = $(text "$database")),
  'collation', (SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = $(text "$database")))"
`
	// mysqlMake are functions that make an empty database with a table for what a
	// swap will need.
	mysqlMake = `made() {
  query -e "SELECT CONCAT('CHARACTER SET ', default_character_set_name, ' COLLATE ', default_collation_name) FROM information_schema.schemata WHERE schema_name = $(text "$1")"
}
make() {
  query -e "CREATE DATABASE $(ident "$1") ${3:-$(made "$2")};
    CREATE TABLE $(ident "$1").binnacle_objects (name VARCHAR(16) PRIMARY KEY, script LONGBLOB NOT NULL) COMMENT $(text "of $2")"
}
save() {
  { printf 'REPLACE INTO %s.binnacle_objects VALUES (%s, X' "$(ident "$1")" "$(text "$2")"
    printf "'"; od -An -v -tx1 | tr -d ' \n'; printf "');\n"; } | query
}
`
	// mysqlMoving are functions that exchange the tables of two databases in one
	// statement, and the objects that no statement can move one by one. Who holds a
	// table for more than a second loses the connection: new ones wait behind us.
	mysqlMoving = `live=$database
named() { printf "CONCAT(CHAR(96), REPLACE(%s, CHAR(96), REPEAT(CHAR(96), 2)), CHAR(96))" "$1"; }
patient() { query --init-command="SET SESSION sql_mode = '', lock_wait_timeout = 10" "$@"; }
plain() {
  query -e "SELECT CONCAT('DROP TRIGGER ', $(named trigger_schema), '.', $(named trigger_name), ';')
    FROM information_schema.triggers WHERE trigger_schema = $(text "$1")" | patient
}
off() {
  plain "$1" && query -e "SELECT CONCAT('DROP VIEW ', $(named table_schema), '.', $(named table_name), ';')
    FROM information_schema.views WHERE table_schema = $(text "$1")
    UNION ALL SELECT CONCAT('DROP ', routine_type, ' ', $(named routine_schema), '.', $(named routine_name), ';')
    FROM information_schema.routines WHERE routine_schema = $(text "$1")
    UNION ALL SELECT CONCAT('DROP EVENT ', $(named event_schema), '.', $(named event_name), ';')
    FROM information_schema.events WHERE event_schema = $(text "$1")" | patient
}
on() {
  for row in objects events; do
    query -e "SELECT script FROM $(ident "$2").binnacle_objects WHERE name = '$row'" | query --database="$1" || return
  done
}
tables() { printf %s "FROM information_schema.tables WHERE table_type <> 'VIEW' AND table_name <> 'binnacle_objects' AND table_schema"; }
move() {
  query -e "SET SESSION group_concat_max_len = 1073741824;
    SELECT CONCAT('RENAME TABLE ', GROUP_CONCAT(CONCAT($(named table_schema), '.', $(named table_name), ' TO ',
      IF(table_schema = $(text "$1"), $(text "$(ident "$2")"), $(text "$(ident "$1")")), '.', $(named table_name))
      ORDER BY table_schema = $(text "$1") DESC, table_name SEPARATOR ', '), ';')
    $(tables) IN ($(text "$1"), $(text "$3")) HAVING COUNT(*) > 0" | patient
}
exists() { query -e "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = $(text "$1")"; }
part() {
  query -e "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE db = $(text "$live") AND id <> CONNECTION_ID()" |
    query --force >/dev/null 2>&1
}
insist() {
  for try in 1 2 3; do
    (for pause in 1 2 4; do sleep $pause; part; done) & others=$!
    "$@"; code=$?
    { kill -9 "$others"; wait "$others"; } 2>/dev/null
    if [ "$code" = 0 ]; then return; fi
  done
  return 1
}
complete() {
  insist off "$live" && on "$live" "$new" &&
    query -e "DELETE FROM $(ident "$keep").binnacle_objects WHERE name = 'swap'; DROP DATABASE $(ident "$new")"
}
undo() { insist off "$live" && on "$live" "$keep" && query -e "DROP DATABASE $(ident "$keep")"; }
`
	// mysqlSwap has all it needs in the server, so that it goes on without its
	// client. Where it is killed with the server, the row swap of the kept database
	// stays: the new database has its tables still, then nothing was renamed and the
	// old objects are put back; or has none, then the new ones are put in their
	// place. Either can be done again, which mysqlRepair does.
	mysqlSwap = `new=$2 keep=$3 # binnacle-swapping
had=$(exists "$live") || exit
if [ "$had" = 0 ]; then
  query -e "CREATE DATABASE $(ident "$live") $(made "$new")" || exit
fi
make "$keep" "$live" && script=$(objects "$live") && printf '%s\n' "$script" | save "$keep" objects &&
  script=$(events "$live") && printf '%s\n' "$script" | save "$keep" events && printf %s "$new" | save "$keep" swap || exit
if insist plain "$live" && plain "$new" && insist move "$live" "$keep" "$new"; then
  if complete; then
    if [ "$had" = 0 ]; then query -e "DROP DATABASE $(ident "$keep")"; echo done; else echo kept; fi
    exit
  fi
  off "$live"
  insist move "$live" "$new" "$keep"
fi
undo
exit 1
`
	// mysqlRepair ends swaps that were killed; one that goes on is waited for.
	mysqlRepair = `for try in $(seq 180); do
  grep -q 'binnacle-swap[p]ing' /proc/[0-9]*/cmdline 2>/dev/null || break
  sleep 1
done
kept=$(query -e "SELECT table_schema FROM information_schema.tables WHERE table_name = 'binnacle_objects' AND table_comment = $(text "of $live")") || exit
while IFS= read -r keep; do
  if [ -z "$keep" ]; then continue; fi
  if ! new=$(query -e "SELECT script FROM $(ident "$keep").binnacle_objects WHERE name = 'swap'"); then
    query -e 'DO 0' || exit
    continue # half dropped
  fi
  if [ -z "$new" ]; then continue; fi
  if [ "$(query -e "SELECT COUNT(*) $(tables) = $(text "$new")")" = 0 ]; then complete; else plain "$new" && undo; fi || exit
done <<END
$kept
END
`
	mysqlList = `query -e "SELECT JSON_QUOTE(table_schema) FROM information_schema.tables WHERE table_name = 'binnacle_objects' AND table_comment = $(text "of $live")"
`
	mysqlDrop = `if [ "$2" = "$live" ]; then exit; fi
there=$(query -e "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'binnacle_objects' AND table_schema = $(text "$2")") || exit
if [ "$there" = 0 ]; then exit; fi
swaps=$(query -e "SELECT COUNT(*) FROM $(ident "$2").binnacle_objects WHERE name = 'swap'") || query -e 'DO 0' || exit
if [ "${swaps:-0}" != 0 ]; then
  echo 'a swap into it has not ended' >&2
  exit 65
fi
query -e "DROP DATABASE $(ident "$2")"
`
)

// Scripts for the client. Each row of an answer is a JSON object, or a statement
// that answers one.
const (
	mysqlAbout = `SELECT CONCAT('SELECT ', QUOTE(JSON_OBJECT('version', VERSION())), ';');
SELECT CONCAT('SELECT ', QUOTE(JSON_OBJECT('database', schema_name,
    'size', (SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables t WHERE t.table_schema = s.schema_name),
    'clients', (SELECT COUNT(*) FROM information_schema.processlist WHERE db = schema_name AND id <> CONNECTION_ID()))), ';')
  FROM information_schema.schemata s WHERE schema_name = @place;
SELECT CONCAT('SELECT JSON_OBJECT(\'schema\', CONCAT(MAX(version), \'\')) FROM ', CHAR(96), REPLACE(table_schema, CHAR(96), REPEAT(CHAR(96), 2)), CHAR(96), '.schema_migrations;')
  FROM information_schema.columns WHERE table_schema = @place AND table_name = 'schema_migrations' AND column_name = 'version';
`
	mysqlCounts = `SELECT CONCAT('SELECT JSON_OBJECT(\'table\', ', QUOTE(table_name), ', \'rows\', COUNT(*)) FROM ',
    CHAR(96), REPLACE(table_schema, CHAR(96), REPEAT(CHAR(96), 2)), CHAR(96), '.', CHAR(96), REPLACE(table_name, CHAR(96), REPEAT(CHAR(96), 2)), CHAR(96), ';')
  FROM information_schema.tables WHERE table_schema = @place AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_name <> 'binnacle_objects';
`
)
