package snapshot

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// Difference is one place where two states are not equal.
type Difference struct {
	Host string
	Path string // such as containers/app-web-v1/restart or files/./.kamal
	Want string // empty when there should be nothing
	Got  string // empty when there is nothing
}

// Diff returns where got is not want, in the order of hosts and paths.
func Diff(want, got Fleet) []Difference {
	var out []Difference
	for _, host := range unionKeys(want, got) {
		expected, found := flatten(want[host]), flatten(got[host])
		for _, path := range unionKeys(expected, found) {
			if expected[path] != found[path] {
				out = append(out, Difference{Host: host, Path: path, Want: expected[path], Got: found[path]})
			}
		}
	}
	return out
}

// Report prints differences for people; it is empty when there are none.
func Report(differences []Difference) string {
	var out strings.Builder
	for _, d := range differences {
		switch {
		case d.Want == "":
			fmt.Fprintf(&out, "%s: %s is there and should not be: %s\n", d.Host, d.Path, d.Got)
		case d.Got == "":
			fmt.Fprintf(&out, "%s: %s is missing: %s\n", d.Host, d.Path, d.Want)
		case strings.Contains(d.Want, `\n`):
			fmt.Fprintf(&out, "%s: %s (- wanted, + found):\n%s\n", d.Host, d.Path, cmp.Diff(lines(d.Want), lines(d.Got)))
		default:
			fmt.Fprintf(&out, "%s: %s is %s and should be %s\n", d.Host, d.Path, d.Got, d.Want)
		}
	}
	return out.String()
}

// Private

// flatten names every value of a host by a path. Lists whose order means
// nothing were sorted before; they are compared as a whole.
func flatten(h Host) map[string]string {
	out := map[string]string{}
	for _, network := range h.Networks {
		out["networks/"+network] = "present"
	}
	for _, volume := range h.Volumes {
		out["volumes/"+volume] = "present"
	}
	for _, image := range h.Images {
		out["images/"+image] = "present"
	}
	if h.Proxy != "" {
		out["proxy"] = quoted(h.Proxy)
	}
	for path, file := range h.Files {
		out["files/"+path+" mode"] = file.Mode
		if !strings.HasPrefix(file.Mode, "d") {
			out["files/"+path] = quoted(file.Content)
		}
	}
	for _, container := range h.Containers {
		flattenContainer(out, container)
	}
	return out
}

func flattenContainer(out map[string]string, c Container) {
	text, err := json.Marshal(c)
	var fields map[string]json.RawMessage
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		out["containers/"+c.Name] = err.Error()
		return
	}
	for name, value := range fields {
		text := string(value)
		if text == "null" || text == "[]" || text == "{}" {
			text = "none"
		}
		out["containers/"+c.Name+"/"+name] = text
	}
}

// Helpers

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return string(text)
}

func lines(text string) []string {
	var s string
	if json.Unmarshal([]byte(text), &s) != nil {
		s = text
	}
	return strings.Split(s, "\n")
}

func unionKeys[V any](a, b map[string]V) []string {
	all := slices.Collect(maps.Keys(a))
	all = slices.AppendSeq(all, maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}
