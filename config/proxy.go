package config

import (
	"fmt"
	"path"
	"strings"
)

// Proxy is how kamal-proxy serves a role or an accessory.
type Proxy struct {
	// Hosts are the names that are routed here; empty routes everything.
	Hosts []string
	// AppPort is the port of the app in its container.
	AppPort int
	// SSL tells whether the proxy terminates TLS.
	SSL bool
	// Certificate and PrivateKey name secrets with a certificate of one's own.
	Certificate string
	PrivateKey  string
	// SSLRedirect, ForwardHeaders and StripPathPrefix are nil when not set.
	SSLRedirect     *bool
	ForwardHeaders  *bool
	StripPathPrefix *bool
	// ResponseTimeout is in seconds, nil when not set.
	ResponseTimeout    *int
	PathPrefixes       []string
	Healthcheck        Healthcheck
	Buffering          Buffering
	LogRequestHeaders  []string
	LogResponseHeaders []string
	// Run is how the proxy itself is started; nil when the file does not say.
	Run *ProxyRun

	config  *Config
	role    string
	section Value
}

// Healthcheck is the proxy's question to a new container.
type Healthcheck struct {
	// Path is "" when not set; the proxy then asks /up.
	Path string
	// Interval and Timeout are in seconds, nil when not set.
	Interval *int
	Timeout  *int
}

// Buffering is what the proxy holds back. Sizes are in bytes, nil when not set.
type Buffering struct {
	Requests        bool
	Responses       bool
	Memory          *int
	MaxRequestBody  *int
	MaxResponseBody *int
}

// ProxyRun is how the kamal-proxy container of a host is started.
type ProxyRun struct {
	HTTPPort  int
	HTTPSPort int
	// MetricsPort is 0 when metrics are off.
	MetricsPort int
	Debug       bool
	// LogMaxSize is 10m by default; "" gives no log option.
	LogMaxSize string
	// Publish is true unless the file says publish: false.
	Publish bool
	// BindIPs are the addresses to publish on; empty means all.
	BindIPs    []string
	Registry   string
	Repository string
	Version    string
	// Options are extra `docker run` flags.
	Options Pairs

	section Value
}

// The proxy's image and ports when the file does not say.
const (
	ProxyVersion      = "v0.9.2"
	ProxyRepository   = "basecamp/kamal-proxy"
	ProxyHTTPPort     = 80
	ProxyHTTPSPort    = 443
	ProxyLogMaxSize   = "10m"
	ProxyContainer    = "kamal-proxy"
	defaultTargetPort = 80
)

// CustomCertificate tells whether certificate and key come from secrets.
func (p *Proxy) CustomCertificate() bool { return p.Certificate != "" && p.PrivateKey != "" }

// HostCertificate and the three below are the paths of the certificate and key on
// the host and in the proxy's container; "" without a certificate of one's own.
func (p *Proxy) HostCertificate() string { return p.tls(p.config.ProxyAppDirectory(), "cert.pem") }

// HostKey is the path of the private key on the host.
func (p *Proxy) HostKey() string { return p.tls(p.config.ProxyAppDirectory(), "key.pem") }

// ContainerCertificate is the path of the certificate in the proxy's container.
func (p *Proxy) ContainerCertificate() string {
	return p.tls(p.config.ProxyAppContainerDirectory(), "cert.pem")
}

// ContainerKey is the path of the private key in the proxy's container.
func (p *Proxy) ContainerKey() string {
	return p.tls(p.config.ProxyAppContainerDirectory(), "key.pem")
}

// ErrorPagesDirectory is the host folder of a version's error pages.
func (p *Proxy) ErrorPagesDirectory(version string) string {
	return path.Join(p.config.ProxyAppDirectory(), "error_pages", version)
}

// DeployOptions are the flags of `kamal-proxy deploy` after --target, in Kamal's
// order; what is not set is left out.
func (p *Proxy) DeployOptions(version string) Pairs {
	var options Pairs
	add := func(name string, value Value) {
		if !value.IsNil() {
			options = append(options, Pair{Name: name, Value: value})
		}
	}
	s := p.section
	add("host", listOr(s.sub("hosts"), p.Hosts))
	if p.SSL {
		add("tls", BoolValue(true))
	}
	add("tls-certificate-path", textOrNil(p.ContainerCertificate()))
	add("tls-private-key-path", textOrNil(p.ContainerKey()))
	add("deploy-timeout", seconds(intValue(int64(p.config.DeployTimeout()))))
	add("drain-timeout", seconds(intValue(int64(p.config.DrainTimeout()))))
	add("health-check-interval", seconds(s.sub("healthcheck", "interval")))
	add("health-check-timeout", seconds(s.sub("healthcheck", "timeout")))
	add("health-check-path", s.sub("healthcheck", "path"))
	add("target-timeout", seconds(s.sub("response_timeout")))
	add("buffer-requests", BoolValue(p.Buffering.Requests))
	add("buffer-responses", BoolValue(p.Buffering.Responses))
	add("buffer-memory", s.sub("buffering", "memory"))
	add("max-request-body", s.sub("buffering", "max_request_body"))
	add("max-response-body", s.sub("buffering", "max_response_body"))
	add("path-prefix", listOr(s.sub("path_prefixes"), p.PathPrefixes))
	add("strip-path-prefix", s.sub("strip_path_prefix"))
	add("forward-headers", s.sub("forward_headers"))
	add("tls-redirect", s.sub("ssl_redirect"))
	add("log-request-header", listOr(s.sub("logging", "request_headers"), p.LogRequestHeaders))
	add("log-response-header", s.sub("logging", "response_headers"))
	if p.config.root.sub("error_pages_path").truthy() {
		add("error-pages", StringValue(path.Join(p.config.ProxyAppContainerDirectory(), "error_pages", version)))
	}
	return options
}

// Image is the proxy's image with tag.
func (r *ProxyRun) Image() string {
	if r.Registry == "" {
		return r.Repository + ":" + r.Version
	}
	return r.Registry + "/" + r.Repository + ":" + r.Version
}

// Equal tells whether two definitions say the same.
func (r *ProxyRun) Equal(other *ProxyRun) bool { return r.section.equal(other.section) }

// Private

func newProxy(c *Config, role string, s Value) *Proxy {
	p := &Proxy{
		AppPort:         integerOr(s.sub("app_port"), defaultTargetPort),
		SSL:             s.sub("ssl").truthy(),
		SSLRedirect:     s.sub("ssl_redirect").boolPointer(),
		ForwardHeaders:  s.sub("forward_headers").boolPointer(),
		StripPathPrefix: s.sub("strip_path_prefix").boolPointer(),
		ResponseTimeout: s.sub("response_timeout").intPointer(),
		Hosts:           hostNames(s, "hosts", "host"),
		PathPrefixes:    hostNames(s, "path_prefixes", "path_prefix"),
		Healthcheck: Healthcheck{
			Path:     s.sub("healthcheck", "path").String(),
			Interval: s.sub("healthcheck", "interval").intPointer(),
			Timeout:  s.sub("healthcheck", "timeout").intPointer(),
		},
		Buffering:          newBuffering(s.sub("buffering")),
		LogRequestHeaders:  []string{"Cache-Control", "Last-Modified", "User-Agent"},
		LogResponseHeaders: s.sub("logging", "response_headers").texts(),
		config:             c,
		role:               role,
		section:            s,
	}
	if headers := s.sub("logging", "request_headers"); headers.truthy() {
		p.LogRequestHeaders = headers.texts()
	}
	certificate, key := s.sub("ssl", "certificate_pem"), s.sub("ssl", "private_key_pem")
	if certificate.Present() && key.Present() {
		p.Certificate, p.PrivateKey = certificate.String(), key.String()
	}
	if run := s.sub("run"); run.Present() {
		p.Run = newProxyRun(run)
	}
	return p
}

func newBuffering(s Value) Buffering {
	return Buffering{
		Requests:        !s.sub("requests").IsFalse(),
		Responses:       !s.sub("responses").IsFalse(),
		Memory:          s.sub("memory").intPointer(),
		MaxRequestBody:  s.sub("max_request_body").intPointer(),
		MaxResponseBody: s.sub("max_response_body").intPointer(),
	}
}

func newProxyRun(s Value) *ProxyRun {
	text := func(key, fallback string) string {
		if value, ok := s.get(key); ok {
			return value.String()
		}
		return fallback
	}
	return &ProxyRun{
		HTTPPort:    integerOr(s.sub("http_port"), ProxyHTTPPort),
		HTTPSPort:   integerOr(s.sub("https_port"), ProxyHTTPSPort),
		MetricsPort: integerOr(s.sub("metrics_port"), 0),
		Debug:       s.sub("debug").truthy(),
		LogMaxSize:  strings.TrimSpace(text("log_max_size", ProxyLogMaxSize)),
		Publish:     !s.sub("publish").IsFalse(),
		BindIPs:     s.sub("bind_ips").texts(),
		Registry:    text("registry", ""),
		Repository:  text("repository", ProxyRepository),
		Version:     text("version", ProxyVersion),
		Options:     s.sub("options").Pairs(),
		section:     s,
	}
}

func (p *Proxy) boundTo(c *Config) *Proxy {
	if p == nil {
		return nil
	}
	copied := *p
	copied.config = c
	return &copied
}

func (p *Proxy) tls(directory, file string) string {
	if !p.CustomCertificate() {
		return ""
	}
	return path.Join(directory, "tls", p.role, file)
}

// Helpers

// hostNames reads the list of a plural key, else the comma-separated singular.
func hostNames(s Value, plural, singular string) []string {
	if list := s.sub(plural); list.truthy() {
		return list.texts()
	}
	if one := s.sub(singular); one.truthy() {
		parts := strings.Split(one.String(), ",")
		for len(parts) > 0 && parts[len(parts)-1] == "" {
			parts = parts[:len(parts)-1]
		}
		return parts
	}
	return nil
}

func integerOr(v Value, fallback int) int {
	if n, ok := v.Int(); ok {
		return n
	}
	return fallback
}

func (v Value) intPointer() *int {
	if n, ok := v.Int(); ok {
		return &n
	}
	return nil
}

func (v Value) boolPointer() *bool {
	if v.kind != Bool {
		return nil
	}
	truth := v.IsTrue()
	return &truth
}

func seconds(v Value) Value {
	if !v.truthy() {
		return Value{}
	}
	return StringValue(fmt.Sprintf("%ss", v))
}

func textOrNil(s string) Value {
	if s == "" {
		return Value{}
	}
	return StringValue(s)
}

// listOr is a list as written, where true is a flag without a value, else the
// texts that stand for it.
func listOr(written Value, texts []string) Value {
	if written.kind == List {
		return written
	}
	return textList(texts)
}

func textList(items []string) Value {
	list := Value{kind: List}
	for _, item := range items {
		list.list = append(list.list, StringValue(item))
	}
	return list
}
