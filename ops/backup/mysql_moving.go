package backup

// Helpers

// Scripts for sh that exchange databases. The first client of two is never piped
// into the second: a pipe hides that the first one failed, and what it did not
// say would be taken for nothing to do.
const (
	// mysqlMake are functions that make an empty database with a table for what a
	// swap will need.
	mysqlMake = `made() {
  query -e "SELECT CONCAT('CHARACTER SET ', default_character_set_name, ' COLLATE ', default_collation_name) FROM information_schema.schemata WHERE $(is schema_name "$1")"
}
make() {
  as=$3
  if [ -z "$as" ]; then as=$(made "$2") || return; fi
  query -e "CREATE DATABASE $(ident "$1") $as;
    CREATE TABLE $(ident "$1").binnacle_objects (name VARCHAR(16) PRIMARY KEY, script LONGBLOB NOT NULL) COMMENT $(text "of $2")"
}
save() {
  hex=$(od -An -v -tx1 | tr -d ' \n')
  if [ -z "$hex" ]; then
    echo "there is nothing to keep as $2" >&2
    return 1
  fi
  { printf 'REPLACE INTO %s.binnacle_objects VALUES (%s, X' "$(ident "$1")" "$(text "$2")"
    printf "'%s');\n" "$hex"; } | query
}
`
	// mysqlMoving are functions that exchange the tables of two databases in one
	// statement, and the objects that no statement can move one by one. Who holds a
	// table for more than a second loses the connection: new ones wait behind us.
	//
	// The kept database tells all that is needed to go on or back, in its table
	// binnacle_objects: swap, the name of the new database, for as long as it has not
	// ended, and then done; the old objects and events; and which tables were the old
	// and the new ones, so that it can be seen where they are. A client that was lost
	// may have left its statement with the server: each way moves a table of its own
	// along, and before the other way ends in dropping a database that table is
	// dropped, so that the statement has either been done or fails.
	mysqlMoving = `live=$database until=0
session="SET SESSION sql_mode = '', lock_wait_timeout = 10, group_concat_max_len = 1073741824"
if timeout 5 true 2>/dev/null; then bounded='timeout 60'; fi
named() { printf "CONCAT(CHAR(96), REPLACE(%s, CHAR(96), REPEAT(CHAR(96), 2)), CHAR(96))" "$1"; }
run() {
  sql=$(query -e "$1; SELECT '-- all'") || return
  case $sql in
    *'-- all') printf '%s\n' "$sql" | query ;;
    *) echo 'the server has not answered in full' >&2; return 1 ;;
  esac
}
plain() {
  run "SELECT CONCAT('DROP TRIGGER ', $(named trigger_schema), '.', $(named trigger_name), ';')
    FROM information_schema.triggers WHERE $(is trigger_schema "$1")"
}
off() {
  plain "$1" && run "SELECT CONCAT('DROP VIEW ', $(named table_schema), '.', $(named table_name), ';')
    FROM information_schema.views WHERE $(is table_schema "$1")
    UNION ALL SELECT CONCAT('DROP ', routine_type, ' ', $(named routine_schema), '.', $(named routine_name), ';')
    FROM information_schema.routines WHERE $(is routine_schema "$1")
    UNION ALL SELECT CONCAT('DROP EVENT ', $(named event_schema), '.', $(named event_name), ';')
    FROM information_schema.events WHERE $(is event_schema "$1")"
}
on() {
  for row in objects events; do
    of="FROM $(ident "$2").binnacle_objects WHERE name = '$row'"
    said=$({ printf "REPLACE INTO %s.binnacle_objects VALUES ('self', CONNECTION_ID());\nUSE %s;\n" "$(ident "$keep")" "$(ident "$1")"
      query -e "SELECT script $of; SELECT 'SELECT ''all'';' $of" || echo ';the script is not whole;'; } | query) || return
    case $said in
      *all) ;;
      *) echo "the $row of $2 are not there in full" >&2; return 1 ;;
    esac
  done
}
tables() {
  printf "information_schema.tables WHERE table_type <> 'VIEW' AND table_name NOT IN ('binnacle_objects', 'binnacle_swap', 'binnacle_back') AND %s" "$(is table_schema "$1")"
}
count() { query -e "SELECT COUNT(*) FROM $(tables "$1")"; }
exists() { query -e "SELECT COUNT(*) FROM information_schema.schemata WHERE $(is schema_name "$1")"; }
lists() {
  printf 'SET @old = (SELECT script FROM %s WHERE name = %s), @new = (SELECT script FROM %s WHERE name = %s);' \
    "$(ident "$keep").binnacle_objects" "'old'" "$(ident "$keep").binnacle_objects" "'new'"
}
listed() { printf '(SELECT COALESCE(GROUP_CONCAT(HEX(table_name)), %s) FROM %s)' "''" "$(tables "$1")"; }
found() { printf "(SELECT COUNT(*) FROM %s AND FIND_IN_SET(HEX(table_name), %s)) = IF(%s = '', 0, 1 + LENGTH(%s) - LENGTH(REPLACE(%s, ',', '')))" "$(tables "$1")" "$2" "$2" "$2" "$2"; }
moved() {
  is=$(query -e "$(lists) SELECT COALESCE((SELECT COUNT(*) FROM $(tables "$new")) = 0 AND $(found "$live" @new) AND $(found "$keep" @old), 0)") || return 2
  [ "$is" = 1 ]
}
renaming() { printf "CONCAT(', ', %s, '.', %s, ' TO ', %s, '.', %s)" "$(named table_schema)" "$(named table_name)" "$(text "$(ident "$1")")" "$(named table_name)"; }
rename() {
  run "$1 SELECT CONCAT('RENAME TABLE ', $(text "$2"), GROUP_CONCAT(word ORDER BY step, word SEPARATOR ''), ';') FROM ($3) words HAVING COUNT(*) > 0"
}
move() {
  moved && return
  if [ $? = 2 ]; then return 1; fi
  rename "$(lists)" "$(ident "$keep").binnacle_swap TO $(ident "$new").binnacle_swap" "
    SELECT 1 AS step, $(renaming "$keep") AS word FROM $(tables "$live") AND FIND_IN_SET(HEX(table_name), @old) AND NOT FIND_IN_SET(HEX(table_name), $(listed "$keep"))
    UNION ALL SELECT 2, $(renaming "$live") FROM $(tables "$new")" && moved
}
back() {
  rename "$(lists) SET @keep = $(listed "$keep"), @there = $(listed "$new");" "$(ident "$keep").binnacle_back TO $(ident "$new").binnacle_back" "
    SELECT 1 AS step, $(renaming "$new") AS word FROM $(tables "$live") AND FIND_IN_SET(HEX(table_name), @new) AND NOT FIND_IN_SET(HEX(table_name), @there)
      AND (NOT FIND_IN_SET(HEX(table_name), @old) OR FIND_IN_SET(HEX(table_name), @keep))
    UNION ALL SELECT 2, $(renaming "$live") FROM $(tables "$keep")" && left=$(count "$keep") && [ "$left" = 0 ]
}
part() {
  kills=$(query -e "SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE $(is db "$live")
    AND id NOT IN (SELECT CAST(script AS UNSIGNED) FROM $(ident "$keep").binnacle_objects WHERE name = 'self')" 2>/dev/null) &&
    printf '%s\n' "$kills" | query --force >/dev/null 2>&1
}
budget() { until=$(($(date +%s) + $1)); }
insist() {
  for try in 1 2 3; do
    (for pause in 1 2 4; do sleep $pause; part; done) & others=$!
    "$@"; code=$?
    { kill -9 "$others"; wait "$others"; } 2>/dev/null
    if [ "$code" = 0 ]; then return; fi
    if [ "$(date +%s)" -ge "$until" ]; then break; fi
  done
  return 1
}
exchange() { off "$live" && on "$live" "$1"; }
complete() {
  query -e "DROP TABLE IF EXISTS $(ident "$keep").binnacle_back, $(ident "$new").binnacle_back" && insist exchange "$new" && moved || return
  # Nobody can tell whether it is done when this fails: the next one finds out.
  query -e "UPDATE $(ident "$keep").binnacle_objects SET name = 'done' WHERE name = 'swap'" || exit
  query -e "DROP DATABASE $(ident "$new")" || echo "$new is left behind" >&2
}
undo() {
  query -e "DROP TABLE IF EXISTS $(ident "$keep").binnacle_swap, $(ident "$new").binnacle_swap, $(ident "$keep").binnacle_back, $(ident "$new").binnacle_back;
    CREATE TABLE $(ident "$keep").binnacle_back (id INT PRIMARY KEY)" &&
    insist off "$live" && insist back && insist exchange "$keep" && left=$(count "$keep") || return
  if [ "$left" != 0 ]; then
    echo "$keep has tables still, it stays" >&2
    return 1
  fi
  query -e "DROP DATABASE $(ident "$keep")"
}
kept() { query -e "SELECT $1 FROM information_schema.tables WHERE table_name = 'binnacle_objects' AND $(is table_comment "of $live")"; }
# swapping prints what a swap into a database is about, as long as it has not
# ended. A database that was dropped in part has no such table.
swapping() {
  said=$(query -e "SELECT script FROM $(ident "$1").binnacle_objects WHERE name = 'swap'" 2>&1) && printf %s "$said" && return
  case $said in
    *'ERROR 1146 '* | *'ERROR 1932 '* | *'ERROR 1812 '* | *'ERROR 1049 '*) return 0 ;;
  esac
  printf '%s\n' "$said" >&2
  return 1
}
`
	// mysqlSwap has all it needs in the server, so that it goes on without its
	// client. Whatever fails leaves the row swap: mysqlRepair goes on or back.
	mysqlSwap = `new=$2 keep=$3 # binnacle-swapping
had=$(exists "$live") || exit
if [ "$had" = 0 ]; then
  as=$(made "$new") && query -e "CREATE DATABASE $(ident "$live") $as" || exit
fi
make "$keep" "$live" || exit
if ! { script=$(objects "$live") && printf '%s\n' "$script" | save "$keep" objects &&
  script=$(events "$live") && printf '%s\n' "$script" | save "$keep" events &&
  query -e "CREATE TABLE $(ident "$keep").binnacle_swap (id INT PRIMARY KEY);
    REPLACE INTO $(ident "$keep").binnacle_objects SELECT 'old', $(listed "$live"); REPLACE INTO $(ident "$keep").binnacle_objects SELECT 'new', $(listed "$new")" &&
  printf %s "$new" | save "$keep" swap; }; then
  query -e "DROP DATABASE $(ident "$keep")" # nothing was moved yet
  exit 1
fi
budget 90
if insist plain "$live" && plain "$new" && insist move && complete; then
  if [ "$had" = 0 ] && [ "$(exists "$new")" = 0 ]; then query -e "DROP DATABASE $(ident "$keep")"; echo done; else echo kept; fi
  exit
fi
budget 60
undo
exit 1
`
	// mysqlRepair ends swaps that were killed; one that goes on is waited for.
	mysqlRepair = `for try in $(seq 180); do
  grep -q 'binnacle-swap[p]ing' /proc/[0-9]*/cmdline 2>/dev/null || break
  if [ "$try" = 180 ]; then
    echo 'a swap goes on still' >&2
    exit 75
  fi
  sleep 1
done
keeps=$(kept table_schema) || exit
while IFS= read -r keep; do
  if [ -z "$keep" ]; then continue; fi
  new=$(swapping "$keep") || exit
  if [ -z "$new" ]; then continue; fi
  budget 60
  moved; is=$?
  case $is in
    0) complete || { budget 60; undo; } ;;
    1) undo ;;
    *) exit 1 ;;
  esac || exit
done <<END
$keeps
END
`
	// mysqlOutcome tells how a swap has ended: done, kept (and done), or undone.
	mysqlOutcome = `new=$2 keep=$3
left=$(exists "$keep") && there=$(exists "$new") || exit
if [ "$left" = 0 ]; then
  if [ "$there" = 0 ]; then echo done; else echo undone; fi
  exit
fi
ended=$(query -e "SELECT COUNT(*) FROM $(ident "$keep").binnacle_objects WHERE name = 'done'") && there=$(count "$new") || exit
if [ "$ended" = 1 ] && [ "$there" = 0 ]; then echo kept; else echo undone; fi
`
	mysqlList = `kept 'JSON_QUOTE(table_schema)'
`
	// mysqlDrop keeps what a swap that has not ended is about.
	mysqlDrop = `if [ "$2" = "$live" ]; then exit; fi
there=$(query -e "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'binnacle_objects' AND $(is table_schema "$2")") || exit
if [ "$there" = 0 ]; then exit; fi
keeps=$(query -e "SELECT table_schema FROM information_schema.tables WHERE table_name = 'binnacle_objects'") || exit
while IFS= read -r keep; do
  new=$(swapping "$keep") || exit
  if [ -n "$new" ] && { [ "$keep" = "$2" ] || [ "$new" = "$2" ]; }; then
    echo "a swap between $new and $keep has not ended" >&2
    exit 65
  fi
done <<END
$keeps
END
query -e "DROP DATABASE $(ident "$2")"
`
)
