package sim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// filters are the engine's list filters: name to values.
type filters map[string][]string

// parseFilters reads the JSON of a query, in both shapes that clients send.
func parseFilters(text string) (filters, error) {
	if text == "" {
		return filters{}, nil
	}
	var modern map[string]map[string]bool
	if err := json.Unmarshal([]byte(text), &modern); err == nil {
		f := filters{}
		for name, values := range modern {
			for v, on := range values {
				if on {
					f[name] = append(f[name], v)
				}
			}
		}
		return f, nil
	}
	var old map[string][]string
	if err := json.Unmarshal([]byte(text), &old); err != nil {
		return nil, &engineError{400, "invalid filter"}
	}
	return old, nil
}

// add takes a name=value pair as the command line writes it.
func (f filters) add(pair string) error {
	name, value, ok := strings.Cut(pair, "=")
	if !ok {
		return fmt.Errorf("invalid argument %q for \"-f, --filter\" flag: invalid filter '%s'", pair, pair)
	}
	f[name] = append(f[name], value)
	return nil
}

// only refuses filters that a list does not know.
func (f filters) only(known ...string) error {
	for name := range f {
		ok := false
		for _, k := range known {
			ok = ok || k == name
		}
		if !ok {
			return &engineError{400, fmt.Sprintf("invalid filter '%s'", name)}
		}
	}
	return nil
}

// any is true without values, or when one of them matches.
func (f filters) any(name string, match func(string) bool) bool {
	values := f[name]
	for _, v := range values {
		if match(v) {
			return true
		}
	}
	return len(values) == 0
}

// all is true when every value matches.
func (f filters) all(name string, match func(string) bool) bool {
	for _, v := range f[name] {
		if !match(v) {
			return false
		}
	}
	return true
}

// containerMatcher understands the filters of the container list; the host's lock is held when it is used.
func (e *engine) containerMatcher(f filters) (func(*container) bool, error) {
	if err := f.only("ancestor", "before", "expose", "exited", "health", "id", "label", "label!", "is-task", "name", "network", "publish", "since", "status", "volume", "until"); err != nil {
		return nil, err
	}
	var names []*regexp.Regexp
	for _, v := range f["name"] {
		re, err := regexp.Compile(v)
		if err != nil {
			return nil, &engineError{400, err.Error()}
		}
		names = append(names, re)
	}
	for _, v := range f["status"] {
		if !strings.Contains(" created restarting running removing paused exited dead ", " "+v+" ") {
			return nil, &engineError{400, fmt.Sprintf("invalid value for state (%s): must be one of created, running, paused, restarting, removing, exited, dead", v)}
		}
	}
	return func(c *container) bool {
		if len(names) > 0 && !matchesName(names, c.name) {
			return false
		}
		return f.any("status", func(v string) bool { return string(c.status) == v }) &&
			f.any("id", func(v string) bool { return strings.HasPrefix(c.id, v) }) &&
			f.all("label", func(v string) bool { return hasLabel(c.config.Labels, v) }) &&
			f.all("label!", func(v string) bool { return !hasLabel(c.config.Labels, v) }) &&
			f.any("ancestor", func(v string) bool { return e.isAncestor(c, v) }) &&
			f.any("exited", func(v string) bool { return c.status == "exited" && fmt.Sprint(c.exitCode) == v }) &&
			f.any("health", func(v string) bool { return healthOf(c) == v }) &&
			f.any("network", func(v string) bool { return c.endpoints[v] != nil }) &&
			f.any("volume", func(v string) bool { return mountsVolume(c, v) })
	}, nil
}

// Helpers

func matchesName(names []*regexp.Regexp, name string) bool {
	for _, re := range names {
		if re.MatchString("/"+name) || re.MatchString(name) {
			return true
		}
	}
	return false
}

// hasLabel takes KEY and KEY=VALUE.
func hasLabel(labels map[string]string, want string) bool {
	key, value, valued := strings.Cut(want, "=")
	have, ok := labels[key]
	return ok && (!valued || have == value)
}

// isAncestor tells whether a container was made from an image given by reference or id. An empty value, which
// is what an empty command substitution leaves, matches nothing.
func (e *engine) isAncestor(c *container, ref string) bool {
	if ref == "" {
		return false
	}
	if img := e.imageLocked(ref); img != nil {
		return img.id == c.image.id
	}
	return false
}

func mountsVolume(c *container, v string) bool {
	for _, m := range mountsOf(c) {
		if m.Name == v || m.Destination == v || m.Source == v {
			return true
		}
	}
	return false
}

func healthOf(c *container) string {
	if c.health == nil {
		return "none"
	}
	return string(c.health.Status)
}
