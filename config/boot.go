package config

import (
	"strconv"
	"strings"
)

// Boot says in which groups of hosts a new version boots.
type Boot struct {
	// Wait is slept after each group, in seconds.
	Wait int
	// ParallelRoles boots the roles of one host side by side.
	ParallelRoles bool

	limit Value
	hosts int
}

// Limit is the size of a group of hosts; 0 means all at once. A percentage counts
// all hosts of the configuration, accessories' included, and is at least 1.
func (b Boot) Limit() int { return b.LimitOf(b.hosts) }

// LimitOf is Limit with a percentage of the given number of hosts.
func (b Boot) LimitOf(hosts int) int {
	if b.limit.kind == Int {
		return int(b.limit.integer)
	}
	text := b.limit.String()
	number, percent := strings.CutSuffix(text, "%")
	n := leadingInt(number)
	if percent {
		return max(hosts*n/100, 1)
	}
	return n
}

// Private

func newBoot(section Value, hosts int) Boot {
	wait, _ := section.sub("wait").Int()
	return Boot{Wait: wait, ParallelRoles: section.sub("parallel_roles").truthy(), limit: section.sub("limit"), hosts: hosts}
}

// Helpers

// leadingInt reads the digits at the start of s, as Ruby's to_i does.
func leadingInt(s string) int {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[end] == '-' || s[end] == '+')) {
		end++
	}
	n, err := strconv.Atoi(s[:end])
	if err != nil {
		return 0
	}
	return n
}
