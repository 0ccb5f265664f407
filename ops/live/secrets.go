package live

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/term"

	"binnacle/config/secret"
)

// Vaults fetches secrets with the password managers' own command line tools on
// this machine.
func Vaults(o Options, redactor *secret.Redactor) secret.Vaults {
	return vaults(o, redactor, &templateEnv{destination: o.Destination})
}

// TrackedByGit reports whether git keeps the file: what is written there would be
// committed.
func TrackedByGit(ctx context.Context, dir, path string) bool {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "--error-unmatch", "--", path)
	cmd.Dir = dir
	return cmd.Run() == nil
}

// Private

func vaults(o Options, redactor *secret.Redactor, env *templateEnv) secret.Vaults {
	return secret.Vaults{
		Run: vendorTool{options: o, env: env}.run, Env: os.LookupEnv, Redactor: redactor,
	}
}

// vendorTool runs a password manager's tool. It may talk with the person at the
// terminal, unless a console has it: then what the tool complains of is part of
// the error.
type vendorTool struct {
	options Options
	env     *templateEnv
}

// complaintBytes is how much of a tool's complaints an error carries.
const complaintBytes = 1000

func (v vendorTool) run(ctx context.Context, c secret.Command) (string, error) {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = v.options.Dir, append(os.Environ(), v.env.list()...), time.Second
	for _, e := range c.Env {
		cmd.Env = append(cmd.Env, e.Name+"="+e.Value.Reveal())
	}
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if !v.options.OnScreen {
		if !c.Quiet {
			cmd.Stderr = io.MultiWriter(os.Stderr, &complaints)
		}
		if c.Login || term.IsTerminal(int(os.Stdin.Fd())) {
			cmd.Stdin = os.Stdin
		}
	}
	err := cmd.Run()
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case v.options.OnScreen && c.Login:
		return out.String(), fmt.Errorf("%w: %s; it may want to ask you: log in once in another window", err, tidy(complaints.String()))
	case v.options.OnScreen:
		return out.String(), fmt.Errorf("%w: %s", err, tidy(complaints.String()))
	}
	return out.String(), err
}

// Helpers

// tidy is the end of what a tool complained of, on one line.
func tidy(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.ToValidUTF8(text[max(0, len(text)-complaintBytes):], "")
}
