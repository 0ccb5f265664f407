package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/docker/go-units"
	capi "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// psRow is a line of `docker ps`; its fields are the names that formats use.
type psRow struct {
	Command, CreatedAt, ID, Image, Labels, LocalVolumes, Mounts, Names, Networks, Ports, RunningFor, Size, State, Status string

	labels map[string]string
}

// Label is the value of one label, for formats.
func (r psRow) Label(name string) string { return r.labels[name] }

// ps is `docker ps` and its long forms.
func (d dockerCommand) ps() int {
	f, err := d.flags(flagSpec{short: "a=all q=quiet f=filter n=last l=latest s=size", valued: "filter format last", plain: "all quiet latest no-trunc size"})
	if err != nil {
		return d.flagError(err)
	}
	want := filters{}
	for _, pair := range f.values["filter"] {
		if err := want.add(pair); err != nil {
			return d.complain(125, "%v", err)
		}
	}
	all := f.has("all") || f.has("latest") || f.has("last") || len(want["status"]) > 0 || len(want["exited"]) > 0
	d.h.mu.Lock()
	rows, ids, err := d.psRows(want, all, f.has("no-trunc"))
	d.h.mu.Unlock()
	if err != nil {
		return d.refuse(err)
	}
	if f.has("latest") {
		rows, ids = rows[:min(1, len(rows))], ids[:min(1, len(ids))]
	}
	switch {
	case f.has("quiet"):
		for _, id := range ids {
			d.print(id + "\n")
		}
		return 0
	case f.last("format") != "" && f.last("format") != "table":
		list := make([]any, len(rows))
		for i, r := range rows {
			list[i] = r
		}
		header := psRow{ID: "CONTAINER ID", Image: "IMAGE", Command: "COMMAND", RunningFor: "CREATED", CreatedAt: "CREATED AT", Status: "STATUS", State: "STATE", Ports: "PORTS", Names: "NAMES", Labels: "LABELS", Networks: "NETWORKS", Mounts: "MOUNTS", Size: "SIZE"}
		return d.format(f.last("format"), header, list)
	}
	var lines [][]string
	for _, r := range rows {
		lines = append(lines, []string{r.ID, r.Image, r.Command, r.RunningFor, r.Status, r.Ports, r.Names})
	}
	d.table([]string{"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"}, lines)
	return 0
}

// inspectAny is `docker inspect` for whatever the name means, or for one kind when the group says so.
func (d dockerCommand) inspectAny() int {
	f, err := d.flags(flagSpec{short: "f=format s=size", valued: "format type", plain: "size"})
	if err != nil {
		return d.flagError(err)
	}
	if len(f.words) == 0 {
		return d.usage(1)
	}
	kind := f.last("type")
	if d.group != "" {
		kind = d.group
	}
	var found []any
	code := 0
	var missing []string
	for _, name := range f.words {
		v := d.inspectOne(kind, name)
		if v == nil {
			code = 1
			noun := map[string]string{"container": "container", "image": "image", "network": "network", "volume": "volume"}[kind]
			if noun == "" {
				noun = "object"
			}
			missing = append(missing, fmt.Sprintf("Error: No such %s: %s", noun, name))
			continue
		}
		found = append(found, v)
	}
	if text := f.last("format"); text != "" && text != "json" {
		if status := d.inspectFormat(text, found); status != 0 {
			return status
		}
	} else {
		d.print(indentJSON(found) + "\n")
	}
	for _, m := range missing {
		_, _ = fmt.Fprintln(d.errOut, m)
	}
	return code
}

// Private

func (d dockerCommand) psRows(want filters, all, long bool) (rows []psRow, ids []string, err error) {
	match, err := d.e.containerMatcher(want)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range d.e.listLocked() {
		if !match(c) || !all && !c.alive() {
			continue
		}
		s := d.e.summary(c)
		id, img := s.ID[:12], s.Image
		if long {
			id = s.ID
		}
		if strings.HasPrefix(img, "sha256:") {
			img = shortID(img)
		}
		ids = append(ids, id)
		rows = append(rows, psRow{
			Command: fmt.Sprintf("%q", cutText(s.Command, 19, long)), CreatedAt: c.created.Format("2006-01-02 15:04:05 -0700 MST"), ID: id, Image: img, Labels: joinLabels(s.Labels),
			LocalVolumes: "0", Mounts: mountNames(c), Names: c.name, Networks: strings.Join(sortedKeys(c.endpoints), ","), Ports: portText(s.Ports), RunningFor: units.HumanDuration(d.h.now().Sub(c.created)) + " ago",
			Size: "0B", State: string(s.State), Status: s.Status, labels: s.Labels,
		})
	}
	return rows, ids, nil
}

func (d dockerCommand) inspectOne(kind, name string) any {
	d.h.mu.Lock()
	defer d.h.mu.Unlock()
	if kind == "" || kind == "container" {
		if c, err := d.e.findLocked(name); err == nil {
			return copyOf(d.e.inspect(c))
		}
	}
	if kind == "" || kind == "image" {
		if img := d.e.imageLocked(name); img != nil {
			return d.e.imageInspect(img)
		}
	}
	if kind == "" || kind == "network" {
		if n := d.e.findNetworkLocked(name); n != nil {
			return d.e.networkView(n)
		}
	}
	if kind == "" || kind == "volume" {
		if v := d.e.volumes[name]; v != nil {
			return volumeView(v)
		}
	}
	return nil
}

// inspectFormat runs the template over the typed value, and over its JSON form where that has other names.
func (d dockerCommand) inspectFormat(text string, found []any) int {
	t, err := newTemplate(text)
	if err != nil {
		return d.complain(64, "template parsing error: %v", err)
	}
	var b bytes.Buffer
	for _, v := range found {
		var one bytes.Buffer
		if err := t.Execute(&one, v); err != nil {
			one.Reset()
			var plain map[string]any
			data, jerr := json.Marshal(v)
			if jerr == nil {
				jerr = json.Unmarshal(data, &plain)
			}
			if jerr != nil || t.Option("missingkey=error").Execute(&one, plain) != nil {
				return d.complain(1, "template parsing error: %v", err)
			}
		}
		b.Write(one.Bytes())
		b.WriteByte('\n')
	}
	if len(found) == 0 {
		b.WriteByte('\n')
	}
	d.print(b.String())
	return 0
}

// Helpers

// copyOf detaches what a container's state may still change.
func copyOf(r capi.InspectResponse) capi.InspectResponse {
	state := *r.State
	r.State = &state
	return r
}

func indentJSON(v []any) string {
	if v == nil {
		v = []any{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "    ")
	if err := enc.Encode(v); err != nil {
		return "[]"
	}
	return strings.TrimRight(b.String(), "\n")
}

func cutText(s string, n int, long bool) string {
	if long || len([]rune(s)) <= n+1 {
		return s
	}
	return string([]rune(s)[:n]) + "…"
}

func joinLabels(labels map[string]string) string {
	var out []string
	for k, v := range labels {
		out = append(out, k+"="+v)
	}
	sort.Strings(out)
	return strings.Join(out, ",")
}

func mountNames(c *container) string {
	var out []string
	for _, m := range mountsOf(c) {
		name := m.Name
		if name == "" {
			name = m.Source
		}
		out = append(out, cutText(name, 14, false))
	}
	return strings.Join(out, ",")
}

func portText(ports []capi.PortSummary) string {
	sort.SliceStable(ports, func(i, j int) bool { return ports[i].PrivatePort < ports[j].PrivatePort })
	var out []string
	for _, p := range ports {
		text := fmt.Sprintf("%d/%s", p.PrivatePort, p.Type)
		if p.IP.IsValid() {
			ip := p.IP.String()
			if p.IP.Is6() {
				ip = "[" + ip + "]"
			}
			text = fmt.Sprintf("%s:%d->%s", ip, p.PublicPort, text)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// networkRow is a line of `docker network ls`.
type networkRow struct{ CreatedAt, Driver, ID, IPv6, Internal, Labels, Name, Scope string }

func rowOfNetwork(n network.Inspect) networkRow {
	return networkRow{CreatedAt: n.Created.String(), Driver: n.Driver, ID: n.ID[:12], IPv6: "false", Internal: "false", Labels: joinLabels(n.Labels), Name: n.Name, Scope: n.Scope}
}
