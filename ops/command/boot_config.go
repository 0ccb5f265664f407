package command

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"binnacle/config"
)

// BootConfig prints what the boot config files on the host amount to.
func (p Proxy) BootConfig() Line {
	options := "--publish 80:80 --publish 443:443 --log-opt max-size=" + config.ProxyLogMaxSize
	return New("echo").WithArgs(
		Substitute(readFile(p.BootFile(BootOptions), options)),
		p.bootImage(),
		Substitute(readFile(p.BootFile(BootRunCommand), "")))
}

// BootImageName prints the image that the boot config files on the host name.
func (p Proxy) BootImageName() Line { return New("echo").WithArgs(p.bootImage()) }

// The boot config files.
const (
	BootOptions      = "options"
	BootImage        = "image"
	BootImageVersion = "image_version"
	BootRunCommand   = "run_command"
)

// BootFile is the path of a boot config file on the host, mode 0640.
func (p Proxy) BootFile(name string) string { return path.Join(p.directory(), name) }

// ResetBootFile removes a boot config file; it may be absent.
func (p Proxy) ResetBootFile(name string) Line { return RemoveFile(p.BootFile(name)) }

// BootSettings are what Kamal's deprecated `proxy boot_config set` is told. Its
// defaults are DefaultBootSettings.
type BootSettings struct {
	Publish       bool
	HostIPs       []string
	HTTPPort      int
	HTTPSPort     int
	LogMaxSize    string
	Registry      string
	Repository    string
	ImageVersion  string
	MetricsPort   int
	Debug         bool
	DockerOptions []string
}

// DefaultBootSettings are the settings that need no files.
func DefaultBootSettings() BootSettings {
	return BootSettings{Publish: true, HTTPPort: config.ProxyHTTPPort, HTTPSPort: config.ProxyHTTPSPort, LogMaxSize: config.ProxyLogMaxSize}
}

// BootContent is the text of one boot config file, without a line break at the
// end; no text means that the file is to be removed.
type BootContent struct {
	Name string
	Text string
}

// Files are the boot config files for the settings.
func (s BootSettings) Files() []BootContent {
	options := s.options()
	if slices.Equal(options, DefaultBootSettings().options()) {
		options = nil
	}
	image := strings.Join(slices.DeleteFunc([]string{s.Registry, s.Repository, "kamal-proxy"}, func(part string) bool { return part == "" }), "/")
	if s.Repository == "" {
		image = strings.TrimPrefix(s.Registry+"/"+config.ProxyRepository, "/")
	}
	if image == config.ProxyRepository {
		image = ""
	}
	command := ""
	if flags := (Line{}).WithArgs(runFlags(s.Debug, s.MetricsPort)...); !flags.Empty() {
		command = "kamal-proxy run " + flags.String()
	}
	return []BootContent{
		{BootOptions, strings.Join(options, " ")},
		{BootImage, image},
		{BootImageVersion, s.ImageVersion},
		{BootRunCommand, command},
	}
}

// Private

func (p Proxy) bootImage() Arg {
	return Join(
		Substitute(readFile(p.BootFile(BootImage), config.ProxyRepository)), Raw(":"),
		Substitute(readFile(p.BootFile(BootImageVersion), MinimumVersion)))
}

func (s BootSettings) options() []string {
	var options []string
	if s.Publish {
		options = publishArgs(s.HTTPPort, s.HTTPSPort, s.HostIPs)
	}
	if s.LogMaxSize != "" {
		options = append(options, "--log-opt", "max-size="+s.LogMaxSize)
	}
	if s.MetricsPort != 0 {
		options = append(options, "--expose="+strconv.Itoa(s.MetricsPort))
	}
	for _, option := range s.DockerOptions {
		options = append(options, "--"+option)
	}
	return options
}

// Helpers

func readFile(file, fallback string) Line {
	return Or(New("cat", file, "2>", "/dev/null"), New("echo", `"`+fallback+`"`))
}
