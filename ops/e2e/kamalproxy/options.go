package main

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// The shapes below are those of the state file; durations are nanoseconds.

type serviceOptions struct {
	Hosts                       []string      `json:"hosts"`
	PathPrefixes                []string      `json:"path_prefixes"`
	TLSEnabled                  bool          `json:"tls_enabled"`
	TLSCertificatePath          string        `json:"tls_certificate_path"`
	TLSPrivateKeyPath           string        `json:"tls_private_key_path"`
	TLSRedirect                 bool          `json:"tls_redirect"`
	CanonicalHost               string        `json:"canonical_host"`
	ACMEDirectory               string        `json:"acme_directory"`
	ACMECachePath               string        `json:"acme_cache_path"`
	ErrorPagePath               string        `json:"error_page_path"`
	StripPrefix                 bool          `json:"strip_prefix"`
	WriterAffinityTimeout       time.Duration `json:"writer_affinity_timeout"`
	ReadTargetsAcceptWebsockets bool          `json:"read_targets_accept_websockets"`
}

type healthOptions struct {
	Path     string        `json:"path"`
	Port     int           `json:"port"`
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout"`
	Host     string        `json:"host"`
}

type targetOptions struct {
	Health              healthOptions `json:"health_check_config"`
	ResponseTimeout     time.Duration `json:"response_timeout"`
	BufferRequests      bool          `json:"buffer_requests"`
	BufferResponses     bool          `json:"buffer_responses"`
	MaxMemoryBufferSize int64         `json:"max_memory_buffer_size"`
	MaxRequestBodySize  int64         `json:"max_request_body_size"`
	MaxResponseBodySize int64         `json:"max_response_body_size"`
	LogRequestHeaders   []string      `json:"log_request_headers"`
	LogResponseHeaders  []string      `json:"log_response_headers"`
	ForwardHeaders      bool          `json:"forward_headers"`
	ScopeCookiePaths    bool          `json:"scope_cookie_paths"`
}

var errWildcardTLS = errors.New("automatic TLS does not support wildcards")

// completed returns the options as they are kept: a host for any host, a
// leading slash and none at the end for every prefix.
func (o serviceOptions) completed() (serviceOptions, error) {
	if len(o.Hosts) == 0 {
		o.Hosts = []string{""}
	}
	var prefixes []string
	for _, prefix := range o.PathPrefixes {
		prefixes = append(prefixes, "/"+strings.Trim(prefix, "/"))
	}
	if len(prefixes) == 0 {
		prefixes = []string{"/"}
	}
	o.PathPrefixes = prefixes
	if o.TLSEnabled && !slices.Contains(o.PathPrefixes, "/") {
		return o, errors.New("TLS settings must be specified on the root path service")
	}
	if o.TLSEnabled && o.TLSCertificatePath == "" {
		for _, host := range o.Hosts {
			if strings.Contains(host, "*") {
				return o, errWildcardTLS
			}
		}
	}
	return o, nil
}
