package backup

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"binnacle/config"
	"binnacle/ops"
)

// Compatible fails when a backup of a server of one version cannot be restored
// on one of another: an older one, or another product. Versions are those that
// Look tells; what is not known is not judged.
func Compatible(kind config.Engine, was, is string) error {
	if was == "" || is == "" {
		return nil
	}
	var reason string
	before, now := parseVersion(was), parseVersion(is)
	switch {
	case before.product != now.product:
		reason = "they are different products"
	case now.major < before.major, kind == config.MySQL && now.major == before.major && now.minor < before.minor:
		reason = "a server does not read what a newer one has dumped"
	default:
		return nil
	}
	return &ops.Error{
		Summary: fmt.Sprintf("the backup is of %s %s, the server here is %s", kind, was, is), Cause: errVersion(reason),
		Hint: "restore on a server of that version or a newer one",
	}
}

// Private

type errVersion string

func (e errVersion) Error() string { return string(e) }

// version is the part of a version that matters here.
type version struct {
	product      string // mariadb apart from the others of its kind
	major, minor int
}

var numbers = regexp.MustCompile(`(\d+)(?:\.(\d+))?`)

// Helpers

func parseVersion(text string) version {
	var v version
	if strings.Contains(strings.ToLower(text), "mariadb") {
		v.product = "mariadb"
	}
	if found := numbers.FindStringSubmatch(text); found != nil {
		v.major, _ = strconv.Atoi(found[1])
		v.minor, _ = strconv.Atoi(found[2])
	}
	return v
}
