// Package golden holds what the gem itself left on three real hosts: two
// stories, each with the project that was deployed and the state of every host
// after each step. Steps ran in order on hosts that started empty.
//
// The states are read through package snapshot. In them vm1 to vm3 are the
// hosts and registry:5000 is the registry.
//
// It may import the standard library only.
package golden

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
)

//go:embed all:simple all:rich
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
// two-digit number, such as 02.
func State(story, step string) ([]byte, error) {
	names, err := fs.Glob(files, path.Join(story, step+"-*.json"))
	if err != nil {
		return nil, err
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("story %s has no step %s", story, step)
	}
	return files.ReadFile(names[0])
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
