package remote

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// configFile is one parsed ssh_config file. The format is ssh_config(5).
type configFile struct {
	path       string
	directives []directive
}

// directive is one line: a lower-case keyword with its arguments.
type directive struct {
	key      string
	args     []string
	rest     string        // everything after the keyword, for commands
	included []*configFile // for Include
	line     int
}

// maxIncludeDepth is ssh's own limit on nested Include.
const maxIncludeDepth = 16

// Private

type configReader struct {
	home   string
	getenv func(string) string
}

// read parses path and what it includes. base is the folder that relative
// includes start from.
func (r configReader) read(path, base string, depth int) (*configFile, error) {
	if depth > maxIncludeDepth {
		return nil, fmt.Errorf("%s: Include is nested more than %d deep", path, maxIncludeDepth)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	file := &configFile{path: path}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		d, err := parseDirective(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		if d.key == "" {
			continue
		}
		d.line = number
		if d.key == "include" {
			if d.included, err = r.include(d.args, base, depth); err != nil {
				return nil, err
			}
		}
		file.directives = append(file.directives, d)
	}
	return file, lines.Err()
}

// include reads every file the globs name; like ssh it passes over those that
// are not there.
func (r configReader) include(globs []string, base string, depth int) ([]*configFile, error) {
	var files []*configFile
	for _, glob := range globs {
		glob, err := expandEnv(glob, r.getenv)
		if err != nil {
			return nil, err
		}
		glob = expandHome(glob, r.home)
		if !filepath.IsAbs(glob) {
			glob = filepath.Join(base, glob)
		}
		paths, err := filepath.Glob(glob)
		if err != nil {
			return nil, fmt.Errorf("include %s: %w", glob, err)
		}
		for _, path := range paths {
			file, err := r.read(path, base, depth+1)
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			case err != nil:
				return nil, err
			default:
				files = append(files, file)
			}
		}
	}
	return files, nil
}

// Helpers

// parseDirective splits "Key value", "Key=value" and "Key = value".
func parseDirective(line string) (directive, error) {
	line = strings.Trim(line, " \t\r\f")
	if line == "" || line[0] == '#' {
		return directive{}, nil
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return directive{}, fmt.Errorf("%s has no value", line)
	}
	rest := strings.TrimLeft(line[end:], " \t")
	rest = strings.TrimLeft(strings.TrimPrefix(rest, "="), " \t")
	d := directive{key: strings.ToLower(strings.Trim(line[:end], `"`)), rest: rest}
	if d.key == "proxycommand" {
		return d, nil
	}
	args, err := splitArgs(rest)
	if err != nil {
		return directive{}, err
	}
	if len(args) == 0 {
		return directive{}, fmt.Errorf("%s has no value", line[:end])
	}
	d.args = args
	return d, nil
}

// splitArgs splits at blanks, honours quotes and ends at a comment.
func splitArgs(text string) ([]string, error) {
	var args []string
	var word strings.Builder
	var quote byte
	started := false
	for i := 0; i < len(text); i++ {
		ch := text[i]
		switch {
		case quote != 0 && ch == quote:
			quote = 0
		case ch == '\\' && i+1 < len(text) && (text[i+1] == '\\' || text[i+1] == '"' || text[i+1] == '\'' || quote == 0 && text[i+1] == ' '):
			i++
			word.WriteByte(text[i])
			started = true
		case quote != 0:
			word.WriteByte(ch)
		case ch == '"' || ch == '\'':
			quote, started = ch, true
		case ch == ' ' || ch == '\t':
			if started {
				args = append(args, word.String())
				word.Reset()
				started = false
			}
		case ch == '#' && !started:
			return args, nil
		default:
			word.WriteByte(ch)
			started = true
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if started {
		args = append(args, word.String())
	}
	return args, nil
}

// expandHome replaces a leading ~ by home.
func expandHome(path, home string) string {
	if path == "~" {
		return home
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return path
}

// expandEnv replaces ${NAME}; ssh refuses a name that is not set.
func expandEnv(text string, getenv func(string) string) (string, error) {
	var out strings.Builder
	for {
		before, after, ok := strings.Cut(text, "${")
		out.WriteString(before)
		if !ok {
			return out.String(), nil
		}
		name, rest, ok := strings.Cut(after, "}")
		if !ok {
			return "", fmt.Errorf("%q: ${ is not closed", text)
		}
		value := getenv(name)
		if value == "" {
			return "", fmt.Errorf("environment variable %s is not set", name)
		}
		out.WriteString(value)
		text = rest
	}
}

// expandTokens replaces ssh's %-tokens by the given values.
func expandTokens(text string, tokens map[byte]string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out.WriteByte(text[i])
			continue
		}
		i++
		if i == len(text) {
			return "", fmt.Errorf("%q ends in a single %%", text)
		}
		if text[i] == '%' {
			out.WriteByte('%')
			continue
		}
		value, ok := tokens[text[i]]
		if !ok {
			return "", fmt.Errorf("%q: token %%%c is not known here", text, text[i])
		}
		out.WriteString(value)
	}
	return out.String(), nil
}
