package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// command runs a kamal-proxy command line inside the proxy's container and returns its exit code. What it
// starts goes on in the host even when the caller's ctx ends.
func (p *proxy) command(ctx context.Context, argv []string, out, errOut io.Writer) int {
	if len(argv) == 0 || argv[0] == "--help" || argv[0] == "help" {
		_, _ = fmt.Fprintln(out, "HTTP proxy for zero downtime deployments\n\nUsage:\n  kamal-proxy [command]\n\nAvailable Commands:\n  deploy, list, pause, remove, resume, rollout, run, stop, version")
		return 0
	}
	fail := func(err error) int {
		_, _ = fmt.Fprintln(errOut, "Error: "+err.Error())
		return 1
	}
	result := make(chan error, 1)
	var work func(context.Context) error
	flags, words, err := proxyFlags(argv[1:])
	if err != nil {
		return fail(err)
	}
	switch argv[0] {
	case "list", "ls":
		_, _ = io.WriteString(out, p.list())
		return 0
	case "version":
		_, _ = fmt.Fprintln(out, "v0.9.2")
		return 0
	case "deploy", "remove", "rm", "pause", "stop", "resume":
		if len(words) != 1 {
			return fail(fmt.Errorf("accepts 1 arg(s), received %d", len(words)))
		}
		if work, err = p.work(argv[0], words[0], flags); err != nil {
			return fail(err)
		}
	default:
		_, _ = fmt.Fprintf(errOut, "Error: unknown command %q for \"kamal-proxy\"\nRun 'kamal-proxy --help' for usage.\n", argv[0])
		return 1
	}
	p.h.fleet.spawn(func() { result <- work(p.h.fleet.ctx) })
	select {
	case err := <-result:
		if err != nil {
			return fail(err)
		}
		return 0
	case <-ctx.Done():
		return 130
	}
}

// Private

// work is what a command that changes the proxy does.
func (p *proxy) work(verb, name string, flags map[string][]string) (func(context.Context) error, error) {
	drain, err := durationFlag(flags, "drain-timeout", 30*time.Second)
	if err != nil {
		return nil, err
	}
	switch verb {
	case "deploy":
		o, err := parseDeploy(flags)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error { return p.deploy(ctx, name, o) }, nil
	case "pause":
		return func(ctx context.Context) error { return p.pause(ctx, name, paused, drain, "") }, nil
	case "stop":
		message := lastFlag(flags, "message", "")
		return func(ctx context.Context) error { return p.pause(ctx, name, stopped, drain, message) }, nil
	case "resume":
		return func(context.Context) error { return p.resume(name) }, nil
	}
	return func(context.Context) error { return p.remove(name) }, nil
}

// stateFile is the proxy's state as it is written to disk.
func (p *proxy) stateFile() []byte {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	list := []any{}
	for _, r := range p.sorted() {
		o := r.options
		list = append(list, map[string]any{
			"name": r.name,
			"options": map[string]any{
				"hosts": orBlank(r.hosts), "path_prefixes": r.paths, "tls_enabled": r.tls, "tls_certificate_path": o.certificate, "tls_private_key_path": o.privateKey,
				"tls_redirect": o.tlsRedirect, "canonical_host": "", "acme_directory": "", "acme_cache_path": "/home/kamal-proxy/.config/kamal-proxy/certs", "writer_affinity_timeout": time.Second,
				"read_targets_accept_websockets": false, "error_page_path": o.errorPages, "strip_prefix": o.strip,
			},
			"target_options": map[string]any{
				"health_check_config": map[string]any{"path": o.path, "port": 0, "interval": o.interval, "timeout": o.timeout, "host": ""},
				"response_timeout":    o.response, "buffer_requests": o.bufferIn, "buffer_responses": o.bufferOut, "max_memory_buffer_size": o.memory,
				"max_request_body_size": o.maxIn, "max_response_body_size": o.maxOut, "log_request_headers": o.logIn, "log_response_headers": o.logOut, "forward_headers": o.forward, "scope_cookie_paths": false,
			},
			"active_targets": strings.Split(r.target, ","), "active_readers": []string{}, "rollout_targets": []string{}, "rollout_readers": []string{},
			"pause_controller":   map[string]any{"state": int(r.state), "stop_message": r.message, "fail_after": 0},
			"rollout_controller": nil,
		})
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil
	}
	return append(data, '\n')
}

// Helpers

// switches take no value; lists may come several times or with commas.
func isSwitch(name string) bool {
	switch name {
	case "tls", "tls-redirect", "tls-staging", "force", "buffer-requests", "buffer-responses", "strip-path-prefix", "forward-headers", "scope-cookie-paths", "read-target-websockets", "debug", "http3":
		return true
	}
	return false
}

func isProxyFlag(name string) bool {
	switch name {
	case "target", "read-target", "host", "path-prefix", "tls-certificate-path", "tls-private-key-path", "tls-acme-cache-path", "canonical-host", "deploy-timeout", "drain-timeout",
		"writer-affinity-timeout", "health-check-interval", "health-check-timeout", "health-check-path", "health-check-port", "health-check-host", "target-timeout", "buffer-memory",
		"max-request-body", "max-response-body", "error-pages", "log-request-header", "log-response-header", "message", "max-pause", "http-port", "https-port", "metrics-port":
		return true
	}
	return isSwitch(name)
}

func proxyFlags(argv []string) (flags map[string][]string, words []string, err error) {
	flags = map[string][]string{}
	for i := 0; i < len(argv); i++ {
		arg := argv[i]
		if !strings.HasPrefix(arg, "--") {
			words = append(words, arg)
			continue
		}
		name, value, valued := strings.Cut(arg[2:], "=")
		switch {
		case !isProxyFlag(name):
			return nil, nil, fmt.Errorf("unknown flag: --%s", name)
		case !valued && isSwitch(name):
			value = "true"
		case !valued && i+1 < len(argv):
			i++
			value = argv[i]
		case !valued:
			return nil, nil, fmt.Errorf("flag needs an argument: --%s", name)
		}
		flags[name] = append(flags[name], value)
	}
	return flags, words, nil
}

func parseDeploy(flags map[string][]string) (deployOptions, error) {
	o := deployOptions{
		targets: listFlag(flags, "target"), hosts: listFlag(flags, "host"), paths: listFlag(flags, "path-prefix"),
		tls: boolFlag(flags, "tls", false), tlsRedirect: boolFlag(flags, "tls-redirect", true), force: boolFlag(flags, "force", false),
		certificate: lastFlag(flags, "tls-certificate-path", ""), privateKey: lastFlag(flags, "tls-private-key-path", ""),
		path: lastFlag(flags, "health-check-path", "/up"), bufferIn: boolFlag(flags, "buffer-requests", false), bufferOut: boolFlag(flags, "buffer-responses", false),
		strip: boolFlag(flags, "strip-path-prefix", true), errorPages: lastFlag(flags, "error-pages", ""), logIn: listFlag(flags, "log-request-header"), logOut: listFlag(flags, "log-response-header"),
	}
	o.forward = boolFlag(flags, "forward-headers", !o.tls)
	if len(o.targets) == 0 {
		return o, fmt.Errorf("required flag(s) \"target\" not set")
	}
	if len(o.paths) == 0 {
		o.paths = []string{"/"}
	}
	for _, d := range []struct {
		name string
		to   *time.Duration
		std  time.Duration
	}{
		{"deploy-timeout", &o.deployTimeout, 30 * time.Second}, {"drain-timeout", &o.drainTimeout, 30 * time.Second}, {"target-timeout", &o.response, 30 * time.Second},
		{"health-check-interval", &o.interval, time.Second}, {"health-check-timeout", &o.timeout, 5 * time.Second},
	} {
		v, err := durationFlag(flags, d.name, d.std)
		if err != nil {
			return o, err
		}
		*d.to = v
	}
	for _, n := range []struct {
		name string
		to   *int64
		std  string
	}{{"buffer-memory", &o.memory, "1048576"}, {"max-request-body", &o.maxIn, "0"}, {"max-response-body", &o.maxOut, "0"}} {
		text := lastFlag(flags, n.name, n.std)
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return o, fmt.Errorf("invalid argument %q for \"--%s\" flag: strconv.ParseInt: parsing %q: invalid syntax", text, n.name, text)
		}
		*n.to = v
	}
	return o, nil
}

// checkDeploy refuses what the proxy refuses before it looks at the target.
func checkDeploy(o deployOptions) error {
	valid := regexp.MustCompile(`^(\w[-_.\w+]+)(:\d+)?$`)
	for _, t := range o.targets {
		if !valid.MatchString(t) {
			return fmt.Errorf("%s :invalid host pattern", t)
		}
	}
	if (o.certificate == "") != (o.privateKey == "") {
		return fmt.Errorf("unable to load certificate")
	}
	for _, h := range o.hosts {
		if o.tls && strings.HasPrefix(h, "*") && o.certificate == "" {
			return fmt.Errorf("automatic TLS does not support wildcards")
		}
	}
	return nil
}

func lastFlag(flags map[string][]string, name, std string) string {
	if v := flags[name]; len(v) > 0 {
		return v[len(v)-1]
	}
	return std
}

func boolFlag(flags map[string][]string, name string, std bool) bool {
	v, err := strconv.ParseBool(lastFlag(flags, name, strconv.FormatBool(std)))
	return err == nil && v
}

func durationFlag(flags map[string][]string, name string, std time.Duration) (time.Duration, error) {
	text := lastFlag(flags, name, std.String())
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("invalid argument %q for \"--%s\" flag: %w", text, name, err)
	}
	return d, nil
}

func listFlag(flags map[string][]string, name string) []string {
	var out []string
	for _, v := range flags[name] {
		for _, part := range strings.Split(v, ",") {
			if part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// colouredTable draws a table as kamal-proxy does, colours included even when nobody can see them.
func colouredTable(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			style := "\x1b[m"
			if i == 0 {
				style = "\x1b[1;34m"
			}
			if n == 0 {
				style = "\x1b[3;94m"
			}
			fmt.Fprintf(&b, "%s%s\x1b[0m%*s", style, cell, widths[i]-len(cell)+2, "")
		}
		b.WriteString("\n")
	}
	return b.String()
}
