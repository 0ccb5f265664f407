package snapshot

import (
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
)

// normal knows what varies from run to run.
type normal struct {
	registry                                                        string
	replaced, execution, hostname, target, moment, color, id, sha40 *regexp.Regexp
}

const recordedRegistry = "registry:5000"

func newNormal(registry string) normal {
	return normal{
		registry:  registry,
		replaced:  regexp.MustCompile(`_replaced_[0-9a-f]{16}`),
		execution: regexp.MustCompile(`(-exec-[\w.-]+-)[0-9a-f]{6}\b`),
		hostname:  regexp.MustCompile(`(vm\d+)-[0-9a-f]{12}`),
		target:    regexp.MustCompile(`\b[0-9a-f]{12}:(\d+)`),
		moment:    regexp.MustCompile(`\[?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\]?`),
		color:     regexp.MustCompile(`\x1b\[[0-9;]*m`),
		id:        regexp.MustCompile(`^[0-9a-f]{12}$|^[0-9a-f]{64}$`),
		sha40:     regexp.MustCompile(`\b[0-9a-f]{40}\b`),
	}
}

// normalised returns the host with what varies made equal. It changes nothing
// in a state that is normalised already.
func (h Host) normalised(registry string) Host {
	n := newNormal(registry)
	// Docker's own networks, and one that somebody made on a recorded host.
	strangers := []string{"bridge", "host", "none", "other"}
	out := Host{
		Networks: slices.DeleteFunc(sorted(h.Networks), func(s string) bool { return slices.Contains(strangers, s) }),
		Volumes:  slices.DeleteFunc(sorted(h.Volumes), n.id.MatchString),
		Proxy:    n.text(n.color.ReplaceAllString(h.Proxy, "")),
		Files:    map[string]File{},
	}
	for _, image := range h.Images {
		image = n.text(image)
		if !strings.Contains(image, "<none>") && !strings.HasPrefix(image, "postgres") && !strings.HasPrefix(image, "basecamp") {
			out.Images = append(out.Images, image)
		}
	}
	out.Images = sorted(out.Images)
	for path, file := range h.Files {
		out.Files[path] = n.file(path, file)
	}
	for _, c := range h.Containers {
		out.Containers = append(out.Containers, n.container(c))
	}
	slices.SortFunc(out.Containers, func(a, b Container) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Private

func (n normal) text(s string) string {
	if n.registry != "" {
		s = strings.ReplaceAll(s, n.registry, recordedRegistry)
	}
	s = n.replaced.ReplaceAllString(s, "_replaced_RANDOM")
	s = n.execution.ReplaceAllString(s, "${1}RANDOM")
	s = n.hostname.ReplaceAllString(s, "$1-RANDOM")
	s = n.target.ReplaceAllString(s, "CONTAINER:$1")
	return n.moment.ReplaceAllString(s, "[TIME]")
}

func (n normal) all(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, n.text(s))
	}
	return sorted(out)
}

func (n normal) container(c Container) Container {
	c.Name, c.Image = n.text(c.Name), n.text(c.Image)
	c.Hostname = n.text(c.Hostname)
	if n.id.MatchString(c.Hostname) {
		c.Hostname = "DEFAULT"
	}
	c.Env = slices.DeleteFunc(n.all(c.Env), func(s string) bool { return strings.HasPrefix(s, "PATH=") })
	c.Binds = sorted(c.Binds)
	labels := map[string]string{}
	for key, value := range c.Labels {
		labels[key] = n.text(value)
	}
	c.Labels = labels
	networks := map[string][]string{}
	for name, aliases := range c.Networks {
		networks[name] = n.all(slices.DeleteFunc(slices.Clone(aliases), n.id.MatchString))
	}
	c.Networks = networks
	return c
}

// file normalises a file's content. The details of a lock are base64 of a
// text that holds a moment and, in automatic deploys, a commit.
func (n normal) file(path string, file File) File {
	if strings.HasSuffix(path, "/details") && strings.Contains(path, ".kamal/lock-") {
		packed := strings.Join(strings.Fields(file.Content), "")
		if plain, err := base64.StdEncoding.DecodeString(packed); err == nil {
			file.Content = n.sha40.ReplaceAllString(string(plain), "[COMMIT]")
		}
	}
	file.Content = clip(n.text(file.Content))
	return file
}

// Helpers

// clip cuts as the recording did.
func clip(s string) string {
	const most = 4000
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most])
	}
	return s
}
