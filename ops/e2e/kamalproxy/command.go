package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newCommand() *cobra.Command {
	root := &cobra.Command{Use: "kamal-proxy", Short: "HTTP proxy for zero downtime deployments", SilenceUsage: true}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newRun(), newDeploy(), newRemove(), newPause(), newStop(), newResume(), newList())
	return root
}

// Private

func newRun() *cobra.Command {
	var settings serverSettings
	cmd := &cobra.Command{Use: "run", Short: "Run the server", Args: cobra.NoArgs}
	flags := cmd.Flags()
	flags.BoolVar(&settings.debug, "debug", fromEnv("DEBUG", "") != "", "Include debugging logs")
	flags.StringVar(&settings.httpPort, "http-port", fromEnv("HTTP_PORT", "80"), "Port to serve HTTP traffic on")
	flags.StringVar(&settings.httpsPort, "https-port", fromEnv("HTTPS_PORT", "443"), "Port to serve HTTPS traffic on")
	flags.StringVar(&settings.metricsPort, "metrics-port", fromEnv("METRICS_PORT", "0"), "Port to publish metrics on")
	flags.Bool("http3", false, "Serve HTTP/3")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return runServer(cmd.Context(), settings) }
	return cmd
}

func newDeploy() *cobra.Command {
	var request DeployRequest
	cmd := &cobra.Command{Use: "deploy <service>", Short: "Deploy a target host", Args: cobra.ExactArgs(1)}
	flags := cmd.Flags()
	flags.StringSliceVar(&request.Targets, "target", nil, "Target host to deploy")
	flags.DurationVar(&request.DeployTimeout, "deploy-timeout", 30*time.Second, "How long to wait until a target is healthy")
	flags.DurationVar(&request.DrainTimeout, "drain-timeout", 30*time.Second, "How long in-flight requests may take")
	flags.BoolVar(&request.Force, "force", false, "Do not wait until the target is healthy")
	serviceFlags(flags, &request.Options)
	targetFlags(flags, &request.TargetOptions)
	ignoredFlags(flags)
	staging := flags.Bool("tls-staging", false, "Use the ACME staging directory")
	_ = cmd.MarkFlagRequired("target")
	cmd.MarkFlagsRequiredTogether("tls-certificate-path", "tls-private-key-path")

	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		request.Service = args[0]
		if *staging {
			request.Options.ACMEDirectory = "https://acme-staging-v02.api.letsencrypt.org/directory"
		}
		if !flags.Changed("forward-headers") {
			request.TargetOptions.ForwardHeaders = !request.Options.TLSEnabled
		}
		if flags.Changed("max-request-body") && !request.TargetOptions.BufferRequests {
			return errors.New("max-request-body can only be set when request buffering is enabled")
		}
		if flags.Changed("max-response-body") && !request.TargetOptions.BufferResponses {
			return errors.New("max-response-body can only be set when response buffering is enabled")
		}
		return call("Deploy", request, new(bool))
	}
	return cmd
}

func newRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove <service>", Aliases: []string{"rm"}, Short: "Remove a service", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return call("Remove", args[0], new(bool)) },
	}
}

func newPause() *cobra.Command {
	var request GateRequest
	cmd := &cobra.Command{Use: "pause <service>", Short: "Pause a service", Args: cobra.ExactArgs(1)}
	cmd.Flags().DurationVar(&request.DrainTimeout, "drain-timeout", 30*time.Second, "How long in-flight requests may take")
	cmd.Flags().DurationVar(&request.FailAfter, "max-pause", 30*time.Second, "How long requests wait before they fail")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		request.Service = args[0]
		return call("Pause", request, new(bool))
	}
	return cmd
}

func newStop() *cobra.Command {
	var request GateRequest
	cmd := &cobra.Command{Use: "stop <service>", Short: "Stop a service", Args: cobra.ExactArgs(1)}
	cmd.Flags().DurationVar(&request.DrainTimeout, "drain-timeout", 30*time.Second, "How long in-flight requests may take")
	cmd.Flags().StringVar(&request.Message, "message", "", "Message to show while stopped")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		request.Service = args[0]
		return call("Stop", request, new(bool))
	}
	return cmd
}

func newResume() *cobra.Command {
	return &cobra.Command{
		Use: "resume <service>", Short: "Resume a service", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return call("Resume", args[0], new(bool)) },
	}
}

func newList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the services", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var rows []listRow
			if err := call("List", true, &rows); err != nil {
				return err
			}
			_, err := cmd.OutOrStdout().Write([]byte(listTable(rows)))
			return err
		},
	}
}

func serviceFlags(flags *pflag.FlagSet, o *serviceOptions) {
	flags.StringSliceVar(&o.Hosts, "host", nil, "Host to serve")
	flags.StringSliceVar(&o.PathPrefixes, "path-prefix", nil, "Path prefix to serve")
	flags.BoolVar(&o.StripPrefix, "strip-path-prefix", true, "Remove the prefix before the target sees the path")
	flags.BoolVar(&o.TLSEnabled, "tls", false, "Serve by TLS")
	flags.BoolVar(&o.TLSRedirect, "tls-redirect", true, "Redirect http to https")
	flags.StringVar(&o.TLSCertificatePath, "tls-certificate-path", "", "Certificate, PEM")
	flags.StringVar(&o.TLSPrivateKeyPath, "tls-private-key-path", "", "Private key, PEM")
	flags.StringVar(&o.ACMECachePath, "tls-acme-cache-path", filepath.Join(stateFolder(), "certs"), "Where certificates are kept")
	flags.StringVar(&o.CanonicalHost, "canonical-host", "", "Host that others are redirected to")
	flags.StringVar(&o.ErrorPagePath, "error-pages", "", "Folder with error pages")
	flags.DurationVar(&o.WriterAffinityTimeout, "writer-affinity-timeout", time.Second, "How long a writer's reads go to the writer")
	flags.BoolVar(&o.ReadTargetsAcceptWebsockets, "read-target-websockets", false, "Send websockets to read targets")
}

func targetFlags(flags *pflag.FlagSet, o *targetOptions) {
	flags.DurationVar(&o.Health.Interval, "health-check-interval", time.Second, "Time between health checks")
	flags.DurationVar(&o.Health.Timeout, "health-check-timeout", 5*time.Second, "How long a health check may take")
	flags.StringVar(&o.Health.Path, "health-check-path", "/up", "Path of the health check")
	flags.IntVar(&o.Health.Port, "health-check-port", 0, "Port of the health check")
	flags.StringVar(&o.Health.Host, "health-check-host", "", "Host header of the health check")
	flags.DurationVar(&o.ResponseTimeout, "target-timeout", 30*time.Second, "How long the target may take to answer")
	flags.BoolVar(&o.BufferRequests, "buffer-requests", false, "Buffer requests")
	flags.BoolVar(&o.BufferResponses, "buffer-responses", false, "Buffer responses")
	flags.Int64Var(&o.MaxMemoryBufferSize, "buffer-memory", 1<<20, "Bytes buffered in memory")
	flags.Int64Var(&o.MaxRequestBodySize, "max-request-body", 0, "Most bytes of a request body")
	flags.Int64Var(&o.MaxResponseBodySize, "max-response-body", 0, "Most bytes of a response body")
	flags.StringSliceVar(&o.LogRequestHeaders, "log-request-header", nil, "Request header to log")
	flags.StringSliceVar(&o.LogResponseHeaders, "log-response-header", nil, "Response header to log")
	flags.BoolVar(&o.ForwardHeaders, "forward-headers", false, "Keep X-Forwarded headers of the client")
	flags.BoolVar(&o.ScopeCookiePaths, "scope-cookie-paths", false, "Scope cookies to the path prefix")
}

// ignoredFlags are taken so that a command line with them is not refused.
func ignoredFlags(flags *pflag.FlagSet) {
	flags.StringSlice("read-target", nil, "Not supported by the stand-in")
	_ = flags.MarkHidden("read-target")
}

// Helpers

func fromEnv(name, fallback string) string {
	for _, key := range []string{"KAMAL_PROXY_" + name, name} {
		if value := os.Getenv(key); value != "" && !strings.EqualFold(value, "false") {
			return value
		}
	}
	return fallback
}

func stateFolder() string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = os.TempDir()
	}
	return filepath.Join(home, ".config", "kamal-proxy")
}
