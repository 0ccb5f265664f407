// Package golden holds what the gem itself left on three real hosts: three
// stories, each with the project that was deployed, the state of every host
// after each step, and what the gem printed in steps that show something.
// Steps ran in order on hosts that started empty.
//
// States and prints are read through package snapshot. In them vm1 to vm3 are
// the hosts and registry:5000 is the registry.
//
// It may import the standard library only.
package golden

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

//go:embed all:simple all:rich all:commands
var files embed.FS

// Project returns the files of the story's project: config/deploy.yml,
// .kamal/secrets and what they refer to.
func Project(story string) (fs.FS, error) {
	sub, err := fs.Sub(files, path.Join(story, "project"))
	if err != nil {
		return nil, err
	}
	if _, err := fs.Stat(sub, "config/deploy.yml"); err != nil {
		return nil, fmt.Errorf("there is no story %q: %w", story, err)
	}
	return sub, nil
}

// State returns the recorded state after a step, as JSON. A step is its
// two-digit number, such as 02. Steps that changed nothing have no file of
// their own.
func State(story, step string) ([]byte, error) {
	names, err := fs.Glob(files, path.Join(story, "[0-9][0-9]-*.json"))
	if err != nil {
		return nil, err
	}
	newest := ""
	for _, name := range names {
		if path.Base(name)[:2] <= step {
			newest = name
		}
	}
	if newest == "" {
		return nil, fmt.Errorf("story %s has no step %s", story, step)
	}
	return files.ReadFile(newest)
}

// Revision is the commit that the story commands built and deployed.
const Revision = "40670a6b593964514389da954b132049b5d02d48"

// Printed returns what the gem printed for a person in a step, without its log,
// and its exit code. It is empty for steps that show nothing.
func Printed(story, step string) (text string, exit int, err error) {
	content, err := files.ReadFile(path.Join(story, step+".printed.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	const last = "exit "
	text = string(content)
	at := max(strings.LastIndex(text, last), 0)
	if exit, err = strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(text[at:], last))); err != nil {
		return "", 0, fmt.Errorf("the exit code of step %s of story %s: %w", step, story, err)
	}
	return text[:at], exit, nil
}

// Command is a shell command that ran on a host, in the login folder.
type Command struct{ Host, Shell string }

// Commands returns what the gem ran on the hosts in a step of the story
// simple, in the order of its log, without logins; uploads are commands that
// write the file. Run one after another they leave the recorded state.
func Commands(step string) ([]Command, error) {
	text, err := files.ReadFile("simple/" + step + ".replay.json")
	if err != nil {
		return nil, fmt.Errorf("there are no commands of step %s: %w", step, err)
	}
	var pairs [][2]string
	if err := json.Unmarshal(text, &pairs); err != nil {
		return nil, fmt.Errorf("reading the commands of step %s: %w", step, err)
	}
	var commands []Command
	for _, pair := range pairs {
		commands = append(commands, Command{Host: pair[0], Shell: pair[1]})
	}
	return commands, nil
}
