package snapshot

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// script prints everything in sections, so that one command per host will do.
const script = `
section() { echo "=== $1"; }
section containers; ids=$(docker ps --all --quiet); [ -z "$ids" ] || docker inspect $ids
section networks; docker network ls --format '{{.Name}}'
section volumes; docker volume ls --format '{{.Name}}'
section images; docker images --format '{{.Repository}}:{{.Tag}}'
section proxy; docker exec kamal-proxy kamal-proxy list 2>/dev/null | base64 -w0; echo
section files
find . -path ./.ssh -prune -o -path ./.docker -prune -o -type f -printf '%m %p\n' -o -type d -printf 'd%m %p\n' |
  grep -v data/ | sort -k2 | while read -r mode path; do
    case "$mode" in
      d*) echo "$mode $path";;
      *) echo "$mode $path|$(base64 -w0 "$path")";;
    esac
  done
section end
`

// inspected is the part of docker's JSON that a Container is made from.
type inspected struct {
	Name  string
	State struct{ Status string }

	Config struct {
		Image, User, Hostname string
		Cmd, Entrypoint, Env  []string
		Labels                map[string]string
		Healthcheck           *Health
		StopTimeout           *int
	}
	HostConfig struct {
		RestartPolicy    struct{ Name string }
		Binds, CapAdd    []string
		PortBindings     map[string][]PortBinding
		LogConfig        LogConfig
		Memory, NanoCpus int64
	}
	NetworkSettings struct {
		Networks map[string]struct{ Aliases []string }
	}
}

func takeHost(ctx context.Context, host Executor, registry string) (Host, error) {
	text, err := host.Exec(ctx, script)
	if err != nil {
		return Host{}, err
	}
	sections := split(text)
	if _, complete := sections["end"]; !complete {
		return Host{}, fmt.Errorf("the listing ends early: %q", text)
	}
	var found []inspected
	if list := strings.TrimSpace(sections["containers"]); list != "" {
		if err := json.Unmarshal([]byte(list), &found); err != nil {
			return Host{}, err
		}
	}
	proxy, err := base64.StdEncoding.DecodeString(strings.TrimSpace(sections["proxy"]))
	if err != nil {
		return Host{}, err
	}
	files, err := readFiles(sections["files"])
	if err != nil {
		return Host{}, err
	}
	state := Host{
		Networks: strings.Fields(sections["networks"]), Volumes: strings.Fields(sections["volumes"]),
		Images: strings.Fields(sections["images"]), Proxy: string(proxy), Files: files,
	}
	for _, one := range found {
		state.Containers = append(state.Containers, one.container())
	}
	return state.normalised(registry), nil
}

// Private

func (i inspected) container() Container {
	c := Container{
		Name: strings.TrimPrefix(i.Name, "/"), State: i.State.Status, Image: i.Config.Image, Cmd: i.Config.Cmd,
		Entrypoint: i.Config.Entrypoint, User: i.Config.User, Hostname: i.Config.Hostname, Env: i.Config.Env,
		Labels: i.Config.Labels, Restart: i.HostConfig.RestartPolicy.Name, Binds: i.HostConfig.Binds,
		Networks: map[string][]string{}, Ports: i.HostConfig.PortBindings, Log: i.HostConfig.LogConfig,
		Memory: i.HostConfig.Memory, CPUs: i.HostConfig.NanoCpus, Health: i.Config.Healthcheck,
		StopTimeout: i.Config.StopTimeout, CapAdd: i.HostConfig.CapAdd,
	}
	for name, network := range i.NetworkSettings.Networks {
		c.Networks[name] = network.Aliases
	}
	return c
}

func readFiles(text string) (map[string]File, error) {
	files := map[string]File{}
	for line := range strings.Lines(text) {
		mode, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		path, encoded, isFile := strings.Cut(rest, "|")
		if path == "." || path == "./.bashrc" || path == "./.profile" {
			continue
		}
		content, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		file := File{Mode: mode}
		if isFile {
			file.Content = string(content)
		}
		files[path] = file
	}
	return files, nil
}

// Helpers

func split(text string) map[string]string {
	sections := map[string]string{}
	header := regexp.MustCompile(`(?m)^=== (\w+)$`)
	places := header.FindAllStringSubmatchIndex(text, -1)
	for i, place := range places {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		sections[text[place[2]:place[3]]] = strings.TrimPrefix(text[place[1]:end], "\n")
	}
	return sections
}

func sorted(list []string) []string {
	return slices.Sorted(slices.Values(list))
}
