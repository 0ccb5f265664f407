package backup

import (
	"fmt"
	"regexp"

	"binnacle/ops"
)

// Private

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// address is a script for sh that takes the URL in a variable of the container's
// environment apart, into user, password, host, port, database and query, each
// decoded but the last. It happens in the container because an argument would
// show the password.
func (p Place) address() (string, error) {
	if !variable.MatchString(p.URL) {
		return "", &ops.Error{Host: p.Host, Summary: fmt.Sprintf("%q is no name of a variable", p.URL), Hint: "url: under backups: of x-binnacle names the variable that holds the address"}
	}
	return "url=${" + p.URL + ":?is not set in the container}\n" + takeApart, nil
}

// Helpers

// containerEnvironment is a function that finds the first variable of those
// named that is set, by itself or as the name of a file.
const containerEnvironment = `of() {
  for name; do
    eval "value=\${$name-} file=\${${name}_FILE-}"
    if [ -z "$value" ] && [ -n "$file" ]; then value=$(cat "$file"); fi
    if [ -n "$value" ]; then return; fi
  done
}
`

const takeApart = `decode() {
  in=$1 out=
  while :; do
    case $in in
      *%[0-9A-Fa-f][0-9A-Fa-f]*) ;;
      *) break ;;
    esac
    out=$out${in%%\%*} in=${in#*%}
    case $in in
      [0-9A-Fa-f][0-9A-Fa-f]*) ;;
      *) out=$out% ; continue ;;
    esac
    rest=${in#??}
    octet=$(printf "\\$(printf %03o "0x${in%"$rest"}")x")
    out=$out${octet%x} in=$rest
  done
  out=$out$in
}
rest=${url#*://} query= database= user= password= port=
case $rest in *\#*) rest=${rest%%\#*} ;; esac
case $rest in *\?*) query=${rest#*\?} rest=${rest%%\?*} ;; esac
case $rest in */*) database=${rest#*/} rest=${rest%%/*} ;; esac
case $rest in *@*) user=${rest%@*} rest=${rest##*@} ;; esac
case $user in *:*) password=${user#*:} user=${user%%:*} ;; esac
case $rest in
  \[*\]*) host=${rest%%\]*} host=${host#\[} port=${rest##*\]} port=${port#:} ;;
  *:*) host=${rest%:*} port=${rest##*:} ;;
  *) host=$rest ;;
esac
decode "$user"; user=$out
decode "$password"; password=$out
decode "$host"; host=$out
decode "$database"; database=$out
`
