package operation

import (
	"context"

	"binnacle/ops"
	"binnacle/ops/command"
)

// ProxyStart starts the stopped proxy.
func ProxyStart() ops.Operation {
	return proxyVerb{
		verb: "start", summary: "Start the stopped kamal-proxy", risk: ops.Change,
		lines: func(proxy command.Proxy) []command.Line { return []command.Line{proxy.Start()} },
		run:   (*story).startProxy,
	}.operation()
}

// ProxyStop stops the proxy.
func ProxyStop() ops.Operation {
	return proxyVerb{
		verb: "stop", summary: "Stop kamal-proxy", risk: ops.Disrupt, outage: "nobody is served until it is started again",
		lines: func(proxy command.Proxy) []command.Line { return []command.Line{proxy.Stop()} },
		run:   (*story).stopProxyAudited,
	}.operation()
}

// ProxyRestart stops and starts the proxy.
func ProxyRestart() ops.Operation {
	return proxyVerb{
		verb: "restart", summary: "Restart kamal-proxy", risk: ops.Disrupt, outage: "nobody is served for a moment",
		lines: func(proxy command.Proxy) []command.Line { return []command.Line{proxy.Stop(), proxy.Start()} },
		run: func(s *story, ctx context.Context, r *ops.Run, proxy command.Proxy) error {
			if err := s.stopProxyAudited(ctx, r, proxy); err != nil {
				return err
			}
			return s.startProxy(ctx, r, proxy)
		},
	}.operation()
}

// Private

func (s *story) stopProxyAudited(ctx context.Context, r *ops.Run, proxy command.Proxy) error {
	if err := r.Exec(ctx, s.audit(r.Now(), "", "Stopped proxy")); err != nil {
		return err
	}
	return s.stopProxy(ctx, r, proxy)
}
