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
of MARIADB_DATABASE MYSQL_DATABASE; database=$value host= port= socket= tls= mode= ca= cert= key=
`
	// mysqlElsewhere reads what the libraries of apps read in the query of a URL.
	mysqlElsewhere = `socket= tls= mode= verify= ca= cert= key=
while [ -n "$query" ]; do
  pair=${query%%&*}
  case $query in *\&*) query=${query#*&} ;; *) query= ;; esac
  decode "${pair#*=}"
  case $pair in
    socket=* | unix_socket=*) socket=$out ;;
    ssl_mode=* | ssl-mode=* | sslmode=* | sslMode=*) mode=$out ;;
    ssl=* | tls=* | useSSL=*)
      case $out in
        1 | true | True | TRUE) mode=${mode:-required} ;;
        0 | false | False | FALSE) mode=${mode:-disabled} ;;
        *) mode=$out ;;
      esac ;;
    sslverify=* | ssl_verify=*) case $out in 1 | true | True | TRUE) verify=1 ;; esac ;;
    sslca=* | ssl_ca=* | ssl-ca=*) ca=$out ;;
    sslcert=* | ssl_cert=* | ssl-cert=*) cert=$out ;;
    sslkey=* | ssl_key=* | ssl-key=*) key=$out ;;
  esac
done
if [ -n "$socket" ] && [ "${host:-localhost}" = localhost ]; then host=; fi
if [ -n "$verify" ]; then
  case $mode in '' | required) mode=verify_identity ;; esac
fi
if [ -n "$ca" ] && [ -z "$mode" ]; then mode=verify_ca; fi
`
	mysqlCommon = `if [ -n "$1" ]; then database=$1; fi
if [ -z "$database" ]; then echo 'the environment of the container names no database' >&2; exit 64; fi
export MYSQL_PWD="$password"
client=$(command -v mariadb || command -v mysql) && dumper=$(command -v mariadb-dump || command -v mysqldump) ||
  { echo 'the container has no client of MariaDB or MySQL' >&2; exit 127; }
mode=$(printf %s "$mode" | tr A-Z_ a-z-) encrypted=
case ${mode#ssl-mode-} in
  '') ;;
  disable | disabled) mode=DISABLED tls=--skip-ssl ;;
  prefer | preferred) mode=PREFERRED ;;
  require | required) mode=REQUIRED encrypted=1 tls='--ssl --skip-ssl-verify-server-cert' ;;
  verify-ca) mode=VERIFY_CA encrypted=1 tls='--ssl --ssl-verify-server-cert' ;;
  verify-full | verify-identity) mode=VERIFY_IDENTITY encrypted=1 tls='--ssl --ssl-verify-server-cert' ;;
  *)
    echo "the address asks for the ssl mode $mode, which is none of disabled, preferred, required, verify_ca and verify_identity" >&2
    exit 64 ;;
esac
if [ -n "$mode" ]; then
  case $("$client" --help) in *--ssl-mode*) tls=--ssl-mode=$mode encrypted= ;; esac
fi
bounded= session="SET SESSION sql_mode = ''"
connected() {
  program=$1
  shift
  $bounded "$program" --user="$user" ${host:+--host="$host"} ${port:+--port="$port"} ${socket:+--socket="$socket"} $tls \
    ${ca:+--ssl-ca="$ca"} ${cert:+--ssl-cert="$cert"} ${key:+--ssl-key="$key"} --default-character-set=utf8mb4 --max-allowed-packet=1G "$@"
}
query() { connected "$client" --batch --raw --skip-column-names --unbuffered --binary-mode --init-command="$session" "$@"; }
dump() {
  case $("$dumper" --version) in
    *MariaDB*) product= ;;
    *) product='--set-gtid-purged=OFF --loose-column-statistics=0' ;;
  esac
  bounded=exec
  connected "$dumper" $product --no-tablespaces --single-transaction --quick --hex-blob --skip-triggers "$@"
}
if [ -n "$encrypted" ]; then # MariaDB's client goes on without when it need not verify
  said=$(query -e "SHOW STATUS LIKE 'Ssl_cipher'") || exit
  if [ -z "$(printf %s "${said#Ssl_cipher}" | tr -d '[:space:]')" ]; then
    echo "the address asks for the ssl mode $mode, and the connection is not encrypted" >&2
    exit 76
  fi
fi
text() { printf "'"; printf %s "$1" | sed "s/[\\\\']/\\\\&/g"; printf "'"; }
tick=$(printf '\140')
ident() { printf %s "$tick"; printf %s "$1" | sed "s/$tick/$tick$tick/g"; printf %s "$tick"; }
is() { printf '%s = %s AND (@@lower_case_table_names > 0 OR CAST(%s AS BINARY) = %s)' "$1" "$(text "$2")" "$1" "$(text "$2")"; }
views() { query -e "SELECT table_name FROM information_schema.views WHERE $(is table_schema "$1") ORDER BY table_name"; }
`
	// mysqlHistory finds out whether the rows that system-versioned tables had
	// before can be dumped, and says what cannot.
	mysqlHistory = `history= lacks=
versioned=$(query -e "SELECT COUNT(*) FROM information_schema.tables WHERE $(is table_schema "$database") AND table_type = 'SYSTEM VERSIONED'") || exit
if [ "$versioned" != 0 ]; then
  takes=$(query -e "SHOW VARIABLES LIKE 'system_versioning_insert_history'") || exit
  precise=$(query -e "SELECT COUNT(*) FROM information_schema.columns WHERE $(is table_schema "$database") AND generation_expression = 'ROW START' AND data_type = 'bigint'") || exit
  case $("$dumper" --help) in *--dump-history*) history=--dump-history ;; esac
  if [ -z "$history" ] || [ -z "$takes" ]; then lacks='mariadb-dump and the server have to be of 10.11 or newer'
  elif [ "$precise" != 0 ]; then lacks='that of tables with transaction-precise history cannot be'; fi
  if [ -n "$lacks" ]; then history=; fi
fi
`
	// mysqlTables dumps tables without views, whose names may be odd.
	mysqlTables = lifeline + mysqlHistory + `list=$(views "$database") || exit
set --
while IFS= read -r view; do
  if [ -n "$view" ]; then set -- "$@" "--ignore-table=$database.$view"; fi
done <<END
$list
END
lifeline dump $history "$@" "$database"
`
	mysqlLacks = mysqlHistory + `if [ -n "$lacks" ]; then echo "the history of $versioned system-versioned tables is not in the backup: $lacks"; fi
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
	// mysqlAwait waits for the server of a new container. The first one, which only
	// prepares the data, does not listen on TCP, or is a child of the entrypoint.
	mysqlAwait = `for i in $(seq 120); do
  if ! grep -q 'entrypoint[.]sh' /proc/1/cmdline && query --host=127.0.0.1 -e 'SELECT 1' >/dev/null 2>&1; then exit; fi
  sleep 1
done
query --host=127.0.0.1 -e 'SELECT 1'
`
	mysqlMadeAs = `query -e "SELECT JSON_OBJECT('version', VERSION(), 'database', $(text "$database"), 'case', @@lower_case_table_names,
  'charset', (SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = $(text "$database")),
  'collation', (SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = $(text "$database")))"
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
    CHAR(96), REPLACE(table_schema, CHAR(96), REPEAT(CHAR(96), 2)), CHAR(96), '.', CHAR(96), REPLACE(table_name, CHAR(96), REPEAT(CHAR(96), 2)), CHAR(96),
    IF(table_type = 'SYSTEM VERSIONED', ' FOR SYSTEM_TIME ALL;', ';'))
  FROM information_schema.tables WHERE table_schema = @place AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_name <> 'binnacle_objects';
`
)
