package command

import (
	"cmp"
	"strconv"
	"strings"
)

// MinimumVersion is the oldest kamal-proxy that understands what is sent here.
const MinimumVersion = "v0.9.2"

// CompareVersions orders two versions of the proxy with or without a leading v:
// -1, 0 or 1 as a is older than, as old as or newer than b. ok is false when
// either is no number, such as latest, and cannot be ordered.
func CompareVersions(a, b string) (order int, ok bool) {
	left, ok := versionParts(a)
	if !ok {
		return 0, false
	}
	right, ok := versionParts(b)
	if !ok {
		return 0, false
	}
	for i := range max(len(left.numbers), len(right.numbers)) {
		if l, r := numberAt(left.numbers, i), numberAt(right.numbers, i); l != r {
			return cmp.Compare(l, r), true
		}
	}
	switch {
	case left.pre == right.pre:
		return 0, true
	case left.pre == "":
		return 1, true
	case right.pre == "":
		return -1, true
	default:
		return strings.Compare(left.pre, right.pre), true
	}
}

// Private

// version is a version number with what follows it.
type version struct {
	numbers []int
	pre     string
}

// Helpers

func versionParts(text string) (version, bool) {
	numbers, pre, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(text), "v"), "-")
	parsed := version{pre: pre}
	for part := range strings.SplitSeq(numbers, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return version{}, false
		}
		parsed.numbers = append(parsed.numbers, n)
	}
	return parsed, true
}

func numberAt(numbers []int, i int) int {
	if i < len(numbers) {
		return numbers[i]
	}
	return 0
}
