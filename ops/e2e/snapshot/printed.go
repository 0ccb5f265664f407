package snapshot

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Fact is something that was said about a host: one line of the output must
// hold all of it.
type Fact struct {
	Host  string     // empty when it was said without a host
	Needs [][]string // each by any of these wordings
}

func (f Fact) String() string { return fmt.Sprintf("%s: %q", f.Host, f.Needs) }

// Facts takes the facts out of what the gem printed: from its tables images,
// names, states and published ports, from the rest whole lines.
func Facts(printed string) []Fact {
	var facts []Fact
	host := ""
	var columns []column
	within := regexp.MustCompile(`^Host ([\w.-]+): (.*)$`)
	for line := range strings.Lines(printed) {
		line = strings.TrimRight(line, " \n")
		at, inside := hostLine().FindStringSubmatch(line), within.FindStringSubmatch(line)
		switch {
		case at != nil:
			host, columns = at[1], nil
		case inside != nil:
			facts = append(facts, Fact{Host: inside[1], Needs: [][]string{{inside[2]}}})
		case strings.Contains(line, "deprecated"):
			facts = append(facts, Fact{Needs: [][]string{{"deprecated"}}})
		case strings.HasPrefix(line, "CONTAINER ID") || strings.HasPrefix(line, "REPOSITORY"):
			columns = columnsOf(line)
		case line == "":
			columns = nil
		case columns != nil:
			facts = append(facts, rowFact(host, line, columns))
		default:
			facts = append(facts, Fact{Host: host, Needs: [][]string{{plainly(line, "")}}})
		}
	}
	return facts
}

// Missing returns the facts that a program's output does not tell. Each line
// tells one fact, so that three like lines need three.
func Missing(facts []Fact, output, registry string) []Fact {
	type said struct{ host, line string }
	var lines []said
	hosts := map[string]bool{}
	host := ""
	for line := range strings.Lines(plainly(output, registry)) {
		if at := hostLine().FindStringSubmatch(strings.TrimSpace(line)); at != nil {
			host, hosts[at[1]] = at[1], true
			continue
		}
		lines = append(lines, said{host, line})
	}
	var missing []Fact
	for _, fact := range facts {
		at := slices.IndexFunc(lines, func(s said) bool { // without a heading it may be anywhere
			return (s.host == fact.Host || fact.Host == "" || len(hosts) == 0) && fact.told(s.line)
		})
		if at < 0 {
			missing = append(missing, fact)
			continue
		}
		lines = slices.Delete(lines, at, at+1)
	}
	return missing
}

// Private

type column struct {
	name  string
	begin int
}

func columnsOf(header string) []column {
	var columns []column
	for _, place := range regexp.MustCompile(`\S+( \S+)*`).FindAllStringIndex(header, -1) {
		columns = append(columns, column{name: header[place[0]:place[1]], begin: place[0]})
	}
	return columns
}

func rowFact(host, row string, columns []column) Fact {
	fact := Fact{Host: host}
	for i, c := range columns {
		end := len(row)
		if i+1 < len(columns) {
			end = min(end, columns[i+1].begin)
		}
		cell := plainly(strings.TrimSpace(row[min(c.begin, end):end]), "")
		switch c.name {
		case "IMAGE", "NAMES", "REPOSITORY", "TAG":
			fact.Needs = append(fact.Needs, []string{cell})
		case "STATUS":
			fact.Needs = append(fact.Needs, wordings(cell)...)
		case "PORTS":
			for port := range strings.SplitSeq(cell, ", ") {
				if strings.Contains(port, "->") { // an image's own ports are no fact of a deploy
					fact.Needs = append(fact.Needs, []string{port})
				}
			}
		}
	}
	return fact
}

func (f Fact) told(line string) bool {
	return !slices.ContainsFunc(f.Needs, func(wordings []string) bool {
		return !slices.ContainsFunc(wordings, func(text string) bool {
			return strings.Contains(strings.ToLower(line), strings.ToLower(text))
		})
	})
}

// wordings are the ways to say a state in the words of docker ps. How a worker
// exits when it is stopped is its own matter, so the code is none.
func wordings(status string) [][]string {
	var needs [][]string
	for _, state := range [][]string{{"Up", "running"}, {"Exited", "exited"}, {"(healthy)", "healthy"}, {"Restarting", "restarting"}} {
		if strings.Contains(status, state[0]) {
			needs = append(needs, state)
		}
	}
	return needs
}

// plainly makes equal what differs from run to run, and the words of the
// recorded app and those of the fleet's where they say the same.
func plainly(text, registry string) string {
	if registry != "" {
		text = strings.ReplaceAll(text, registry, recordedRegistry)
	}
	for _, change := range [][2]string{
		{`\x1b\[[0-9;]*m`, ""},
		{`_replaced_[0-9a-f]{16}`, "_replaced_RANDOM"},
		{`(-exec-[\w.-]+-)[0-9a-f]{6}\b`, "${1}RANDOM"},
		{`\b[0-9a-f]{40}\b`, "COMMIT"},
		{`\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b`, "ID"},
		{`\[?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\]?`, "[TIME]"},
		{`.*\bjob \d+ version=.*`, "[TIME] job N"},
		{`.*\bdatabase system is ready to accept connections`, "[TIME] database system is ready to accept connections"},
		{`.*"msg":"(Deploying|Deployed)","service":"([\w-]+)".*`, "[TIME] $1 $2"},
		{`.*"msg":"(Target health updated)".*"state":"healthy".*`, "[TIME] $1 healthy"},
	} {
		text = regexp.MustCompile(change[0]).ReplaceAllString(text, change[1])
	}
	return text
}

// Helpers

// hostLine matches what both programs print above what a host says.
func hostLine() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[\w-]+ )*Host: ([\w.-]+)$`)
}
