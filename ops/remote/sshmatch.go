package remote

import (
	"slices"
	"strings"
)

// lookup collects what ssh_config says about one host: the first value wins,
// apart from the few keywords that add up.
type lookup struct {
	original    string // the name asked for
	userSet     string // a user named outside ssh_config, like ssh -l
	defaultUser string // when neither that nor ssh_config names one
	localUser   string
	final       bool // the second pass, for Match final
	wantsFinal  bool
	values      map[string][]string
}

// Private

func lookUp(files []*configFile, l lookup) *lookup {
	l.values = map[string][]string{}
	for _, file := range files {
		l.apply(file, true)
	}
	if l.wantsFinal {
		l.final = true
		for _, file := range files {
			l.apply(file, true)
		}
	}
	return &l
}

// apply reads a file in order; with live false nothing in it takes effect.
func (l *lookup) apply(file *configFile, live bool) {
	active := live
	for _, d := range file.directives {
		switch d.key {
		case "host":
			active = live && matchHostLine(d.args, l.original)
		case "match":
			active = live && l.matches(d.args)
		case "include":
			for _, included := range d.included {
				l.apply(included, active)
			}
		default:
			if active {
				l.set(d)
			}
		}
	}
}

func (l *lookup) set(d directive) {
	switch d.key {
	case "identityfile", "certificatefile":
		for _, arg := range d.args {
			if !slices.Contains(l.values[d.key], arg) {
				l.values[d.key] = append(l.values[d.key], arg)
			}
		}
	case "proxycommand", "proxyjump":
		// Whichever comes first; but "ProxyJump none" leaves room for a command.
		jump := l.first("proxyjump")
		if l.values["proxycommand"] != nil || jump != "" && (d.key == "proxyjump" || !strings.EqualFold(jump, "none")) {
			return
		}
		l.values[d.key] = []string{d.rest}
		if d.key == "proxyjump" {
			l.values[d.key] = d.args[:1]
		}
	default:
		if l.values[d.key] == nil {
			l.values[d.key] = d.args
		}
	}
}

func (l *lookup) first(key string) string {
	if values := l.values[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func (l *lookup) hostName() string {
	name, err := expandTokens(l.first("hostname"), map[byte]string{'h': l.original})
	if err != nil || name == "" {
		name = l.original
	}
	return strings.ToLower(name)
}

func (l *lookup) user() string {
	for _, name := range []string{l.userSet, l.first("user"), l.defaultUser} {
		if name != "" {
			return name
		}
	}
	return l.localUser
}

// matches evaluates the criteria of a Match line; all must hold. A criterion
// that would run a command or needs facts ssh alone has (exec, canonical,
// localnetwork, tagged, version) does not hold.
func (l *lookup) matches(args []string) bool {
	for i := 0; i < len(args); i++ {
		word, value, joined := strings.Cut(args[i], "=")
		name, negated := strings.CutPrefix(strings.ToLower(word), "!")
		holds := false
		switch name {
		case "all":
			holds = true
		case "final":
			l.wantsFinal = true
			holds = l.final
		case "canonical":
		default:
			if !joined {
				if i++; i == len(args) {
					return false
				}
				value = args[i]
			}
			matches, known := l.matchValue(name, value)
			if !known {
				return false
			}
			holds = matches
		}
		if holds == negated {
			return false
		}
	}
	return true
}

func (l *lookup) matchValue(name, list string) (holds, known bool) {
	switch name {
	case "host":
		return matchList(strings.ToLower(list), strings.ToLower(l.hostName())), true
	case "originalhost":
		return matchList(strings.ToLower(list), strings.ToLower(l.original)), true
	case "user":
		return matchList(list, l.user()), true
	case "localuser":
		return matchList(list, l.localUser), true
	}
	return false, false
}

// Helpers

// matchHostLine applies the patterns of a Host line: one that is negated and
// matches rules the line out. Case counts, unlike in Match.
func matchHostLine(patterns []string, host string) bool {
	found := false
	for _, pattern := range patterns {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !matchPattern(pattern, host) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

// matchList is matchHostLine for a comma-separated list.
func matchList(list, text string) bool { return matchHostLine(strings.Split(list, ","), text) }

// matchPattern knows * and ?.
func matchPattern(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
