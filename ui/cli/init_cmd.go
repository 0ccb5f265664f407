package cli

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// project is what a new project starts with.
//
//go:embed project
var project embed.FS

func (p Program) initCommand() *cobra.Command {
	var bundle bool
	cmd := &cobra.Command{
		Use: "init", Short: "Begin a project: config/deploy.yml, .kamal/secrets and sample hooks", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return p.begin(bundle) },
	}
	cmd.Flags().BoolVar(&bundle, "bundle", false, "accepted for Kamal's sake: there is no gem to bundle")
	return cmd
}

// Private

// begin writes what is not there yet, and touches nothing else.
func (p Program) begin(bundle bool) error {
	deploy := filepath.Join("config", "deploy.yml")
	made, err := p.stub(deploy, "deploy.yml", 0o644)
	if err != nil {
		return err
	}
	if made {
		p.tell("Created %s; edit it, then: binnacle config", deploy)
	} else {
		p.tell("%s is there already; it stays as it is", deploy)
	}
	secrets := filepath.Join(".kamal", "secrets")
	if made, err = p.stub(secrets, "secrets", 0o600); err != nil {
		return err
	}
	if made {
		p.tell("Created %s", secrets)
	}
	if err := p.sampleHooks(filepath.Join(".kamal", "hooks")); err != nil {
		return err
	}
	if bundle {
		p.tell("Nothing to bundle: binnacle is one file that needs no Ruby. Where bin/kamal is wanted, link it to binnacle.")
	}
	return nil
}

// sampleHooks fills the folder of hooks, unless there is one.
func (p Program) sampleHooks(dir string) error {
	if _, err := os.Stat(filepath.Join(p.Dir, dir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	samples, err := project.ReadDir("project/hooks")
	if err != nil {
		return err
	}
	for _, s := range samples {
		if _, err := p.stub(filepath.Join(dir, s.Name()), "hooks/"+s.Name(), 0o755); err != nil {
			return err
		}
	}
	p.tell("Created sample hooks in %s; without .sample they run", dir)
	return nil
}

// stub writes one file unless it exists.
func (p Program) stub(name, from string, mode os.FileMode) (made bool, err error) {
	text, err := project.ReadFile("project/" + from)
	if err != nil {
		return false, err
	}
	path := filepath.Join(p.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = file.Write(text)
	return true, errors.Join(err, file.Close())
}

func (p Program) tell(format string, args ...any) {
	_, _ = fmt.Fprintf(p.Stdout, format+"\n", args...)
}
