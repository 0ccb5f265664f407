package operation

import (
	"context"

	"binnacle/ops"
	"binnacle/ops/command"
)

// ServerExec runs a command on the hosts themselves.
func ServerExec() ops.Operation {
	return ops.Operation{
		Name: "server exec", Group: "server", Summary: "Run a command on the servers",
		Scope: ops.ScopeApp, Risk: ops.Change, Params: serverExecParams(),
		Plan: func(in ops.Input) (ops.Plan, error) {
			s := newStory(in, "server exec")
			if err := s.execConflicts(); err != nil {
				return ops.Plan{}, err
			}
			x, err := s.newExecution()
			if err != nil {
				return ops.Plan{}, err
			}
			for _, host := range s.primaryFirst(s.sel.Hosts()) {
				x.spots = append(x.spots, s.serverSpot(x, host))
			}
			title := "server exec " + quoted(x.words)
			if x.words == "" {
				title = "a login shell"
			}
			return x.planned(title)
		},
	}
}

// Private

// serverExecParams need no command: -i alone is a login shell.
func serverExecParams() []ops.Param {
	params := execParams()
	params[0].Required = false
	return params
}

func (s *story) serverSpot(x *execution, host string) spot {
	return spot{
		id: host, host: host,
		line: func(command.ExecOptions) command.Line { return command.New(x.words) },
		ready: func(ctx context.Context, r *ops.Run, attended bool) error {
			if attended { // connect before the terminal is given away: a question may have to be asked
				return r.Exec(ctx, command.New("true"))
			}
			return r.Exec(ctx, s.audit(r.Now(), "", "Executed cmd '%s' on %s", x.words, host))
		},
	}
}

// primaryFirst moves the primary host to the front.
func (s *story) primaryFirst(hosts []string) []string {
	primary := s.sel.PrimaryHost()
	var out []string
	for _, h := range hosts {
		if h == primary {
			out = append([]string{h}, out...)
			continue
		}
		out = append(out, h)
	}
	return out
}
