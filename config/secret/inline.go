package secret

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Inline answers `kamal secrets …` and `binnacle secrets …` inside $(…) of a
// secrets file: what Options.Inline wants. It gets the words after "secrets".
func (v Vaults) Inline(ctx context.Context, words []string) (string, error) {
	call, err := parseInline(words)
	if err != nil {
		return "", err
	}
	switch {
	case call.command == "fetch" && call.adapter == "":
		return "", errors.New("No value provided for required options '--adapter'") //nolint:staticcheck // Kamal's words
	case call.command == "fetch":
		entries, err := v.Fetch(ctx, call.adapter, Request{Names: call.words, Account: call.account, From: call.from})
		if err != nil {
			return "", err
		}
		object, err := FetchedJSON(entries)
		return ShellEscape(object.Reveal()), err
	case call.command == "extract" && len(call.words) == 2:
		value, err := Extract(call.words[0], call.words[1])
		return value.Reveal(), err
	case call.command == "extract":
		return "", fmt.Errorf("`secrets extract` wants NAME and the fetched JSON, and got %d words: quote the JSON, or fetch into a variable first", len(call.words))
	}
	return "", errors.New("only `secrets fetch --adapter A NAMES…` and `secrets extract NAME JSON` can stand inside $(…)")
}

// Private

// inlineCall is a secrets command taken apart.
type inlineCall struct {
	command                string
	adapter, account, from string
	words                  []string
}

func parseInline(words []string) (inlineCall, error) {
	var call inlineCall
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" {
			call.words = append(call.words, words[i+1:]...)
			break
		}
		if len(word) < 2 || word[0] != '-' {
			call.words = append(call.words, word)
			continue
		}
		name, value, given := strings.Cut(word, "=")
		if !strings.HasPrefix(word, "--") && len(word) > 2 { // -aNAME
			name, value, given = word[:2], strings.TrimPrefix(word[2:], "="), true
		}
		name = strings.ReplaceAll(name, "_", "-")
		if slices.Contains(inlineSwitches(), name) {
			continue
		}
		if !slices.Contains(inlineOptions(), name) {
			return call, fmt.Errorf("`secrets` inside $(…): unknown option %s", name)
		}
		if !given {
			if i++; i >= len(words) {
				return call, fmt.Errorf("No value provided for option '%s'", name) //nolint:staticcheck // Kamal's words
			}
			value = words[i]
		}
		switch name {
		case "-a", "--adapter":
			call.adapter = value
		case "--account":
			call.account = value
		case "--from":
			call.from = value
		}
	}
	if len(call.words) > 0 {
		call.command, call.words = call.words[0], call.words[1:]
	}
	return call, nil
}

// Helpers

// inlineOptions are the options with a value. Those that every command of Kamal's
// takes change nothing here.
func inlineOptions() []string {
	return []string{
		"-a", "--adapter", "--account", "--from", "--version", "-h", "--hosts", "-r", "--roles", "-c", "--config-file",
		"-d", "--destination", "--lock-wait-timeout", "--lock-wait-interval",
	}
}

func inlineSwitches() []string {
	return []string{
		"--inline", "-v", "--verbose", "--no-verbose", "-q", "--quiet", "--no-quiet", "-p", "--primary", "--no-primary",
		"-H", "--skip-hooks", "--no-skip-hooks", "--lock-wait", "--no-lock-wait",
	}
}
