package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/events"
)

func (d dockerCommand) findNetwork() func() int {
	switch d.name {
	case "ls", "list":
		return d.networkLs
	case "create":
		return d.networkCreate
	case "rm", "remove":
		return func() int { return d.eachName(d.e.removeNetwork) }
	case "inspect":
		return d.inspectAny
	}
	return nil
}

func (d dockerCommand) findVolume() func() int {
	switch d.name {
	case "ls", "list":
		return d.volumeLs
	case "create":
		return d.volumeCreate
	case "rm", "remove":
		return func() int { return d.eachName(d.e.removeVolume) }
	case "inspect":
		return d.inspectAny
	}
	return nil
}

func (d dockerCommand) findSystem() func() int {
	switch d.name {
	case "df":
		return d.systemDf
	case "info":
		return d.info
	case "events":
		return d.events
	case "dial-stdio":
		return d.dialStdio
	}
	return nil
}

func (d dockerCommand) findBuild() func() int {
	switch d.group + " " + d.name {
	case "buildx version":
		return func() int {
			d.print("github.com/docker/buildx v0.17.1 257815a6fbaee88976808020bf04274388275ae8\n")
			return 0
		}
	case "buildx ls", "context ls":
		return func() int {
			d.table([]string{"NAME", "DRIVER/ENDPOINT", "STATUS", "PLATFORMS"}, [][]string{{"default*", "docker", "running", "linux/amd64"}})
			return 0
		}
	case "builder prune":
		return func() int { d.print("Total:\t0B\n"); return 0 }
	}
	return nil
}

func (d dockerCommand) networkLs() int {
	f, err := d.flags(flagSpec{short: "q=quiet f=filter", valued: "filter format", plain: "quiet no-trunc"})
	if err != nil {
		return d.flagError(err)
	}
	want := filters{}
	for _, pair := range f.values["filter"] {
		if err := want.add(pair); err != nil {
			return d.complain(125, "%v", err)
		}
	}
	var rows []any
	var lines [][]string
	d.h.mu.Lock()
	for _, n := range d.e.networksLocked() {
		if !want.any("name", func(v string) bool { return strings.Contains(n.name, strings.Trim(v, "^$")) }) {
			continue
		}
		r := rowOfNetwork(d.e.networkView(n))
		rows = append(rows, r)
		lines = append(lines, []string{r.ID, r.Name, r.Driver, r.Scope})
	}
	d.h.mu.Unlock()
	return d.show(f, rows, lines, 0, []string{"NETWORK ID", "NAME", "DRIVER", "SCOPE"})
}

func (d dockerCommand) networkCreate() int {
	f, err := d.flags(flagSpec{short: "d=driver o=opt", valued: "driver opt label subnet gateway ip-range", plain: "attachable internal ipv6"})
	if err != nil {
		return d.flagError(err)
	}
	if len(f.words) != 1 {
		return d.complain(1, "\"docker network create\" requires exactly 1 argument.\nSee 'docker network create --help'.")
	}
	n, err := d.e.createNetwork(f.words[0], f.last("driver"), labelsFrom(f.values["label"]))
	if err != nil {
		return d.refuse(err)
	}
	d.print(n.id + "\n")
	return 0
}

// volumeRow is a line of `docker volume ls`.
type volumeRow struct{ Availability, Driver, Group, Labels, Links, Mountpoint, Name, Scope, Size, Status string }

func (d dockerCommand) volumeLs() int {
	f, err := d.flags(flagSpec{short: "q=quiet f=filter", valued: "filter format", plain: "quiet"})
	if err != nil {
		return d.flagError(err)
	}
	var rows []any
	var lines [][]string
	d.h.mu.Lock()
	for _, v := range d.e.volumesLocked() {
		rows = append(rows, volumeRow{Availability: "N/A", Driver: "local", Group: "N/A", Labels: joinLabels(v.labels), Links: "N/A", Mountpoint: volumeView(v).Mountpoint, Name: v.name, Scope: "local", Size: "N/A", Status: "N/A"})
		lines = append(lines, []string{"local", v.name})
	}
	d.h.mu.Unlock()
	return d.show(f, rows, lines, 1, []string{"DRIVER", "VOLUME NAME"})
}

func (d dockerCommand) volumeCreate() int {
	f, err := d.flags(flagSpec{short: "d=driver o=opt", valued: "driver opt label"})
	if err != nil {
		return d.flagError(err)
	}
	d.h.mu.Lock()
	name := hash("volume", d.h.name, fmt.Sprint(d.e.serial))
	if len(f.words) > 0 {
		name = f.words[0]
	}
	d.e.serial++
	d.e.addVolume(name, labelsFrom(f.values["label"]))
	d.h.mu.Unlock()
	d.print(name + "\n")
	return 0
}

func (d dockerCommand) login() int {
	f, err := d.flags(flagSpec{short: "u=username p=password", valued: "username password", plain: "password-stdin"})
	if err != nil {
		return d.flagError(err)
	}
	server := ""
	if len(f.words) > 0 {
		server = f.words[0]
	}
	password := f.last("password")
	switch {
	case f.has("password-stdin"):
		if !f.has("username") {
			return d.complain(1, "Must provide --username with --password-stdin")
		}
		data, err := io.ReadAll(d.in)
		if err != nil {
			return 1
		}
		password = strings.TrimRight(string(data), "\r\n")
	case len(f.values["password"]) > 0:
		_, _ = fmt.Fprintln(d.errOut, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
	default:
		return d.complain(1, "Error: Cannot perform an interactive login from a non TTY device")
	}
	if err := d.h.fleet.registry.login(server, f.last("username"), password); err != nil {
		return d.refuse(err)
	}
	d.h.mu.Lock()
	d.e.logins[server] = login{f.last("username"), password}
	d.h.mu.Unlock()
	if err := d.saveLogins(); err != nil {
		return d.complain(1, "Error saving credentials: %v", err)
	}
	_, _ = fmt.Fprint(d.errOut, "WARNING! Your password will be stored unencrypted in /root/.docker/config.json.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/engine/reference/commandline/login/#credential-stores\n\n")
	d.print("Login Succeeded\n")
	return 0
}

func (d dockerCommand) logout() int {
	server := ""
	if len(d.args) > 0 {
		server = d.args[0]
	}
	d.h.mu.Lock()
	_, known := d.e.logins[server]
	delete(d.e.logins, server)
	d.h.mu.Unlock()
	d.print("Removing login credentials for " + server + "\n")
	if !known {
		_, _ = fmt.Fprintf(d.errOut, "Not logged in to %s\n", server)
	}
	if err := d.saveLogins(); err != nil {
		return d.complain(1, "WARNING: could not erase credentials: %v", err)
	}
	return 0
}

func (d dockerCommand) info() int {
	f, err := d.flags(flagSpec{short: "f=format", valued: "format"})
	if err != nil {
		return d.flagError(err)
	}
	info := d.e.info()
	if text := f.last("format"); text != "" {
		// Docker prints what it has, then an empty line, and fails, when the template does.
		return d.format(text, nil, []any{info})
	}
	d.print(fmt.Sprintf("Client: Docker Engine - Community\n Version:    %s\n\nServer:\n Containers: %d\n  Running: %d\n  Stopped: %d\n Images: %d\n Server Version: %s\n Storage Driver: %s\n Operating System: %s\n Kernel Version: %s\n Architecture: %s\n CPUs: %d\n Total Memory: %s\n Name: %s\n ID: %s\n Docker Root Dir: %s\n",
		engineVersion, info.Containers, info.ContainersRunning, info.ContainersStopped, info.Images, info.ServerVersion, info.Driver, info.OperatingSystem, info.KernelVersion, info.Architecture, info.NCPU, units.BytesSize(float64(info.MemTotal)), info.Name, info.ID, info.DockerRootDir))
	return 0
}

func (d dockerCommand) version() int {
	f, err := d.flags(flagSpec{short: "f=format", valued: "format"})
	if err != nil {
		return d.flagError(err)
	}
	type side struct{ Version, APIVersion, MinAPIVersion, GitCommit, GoVersion, Os, Arch, KernelVersion string }
	v := struct{ Client, Server side }{
		side{engineVersion, apiVersion, "", "ce12230", "go1.22.7", "linux", "amd64", ""},
		side{engineVersion, apiVersion, minAPIVersion, "41ca978", "go1.22.7", "linux", "amd64", kernelVersion},
	}
	if text := f.last("format"); text != "" {
		return d.format(text, nil, []any{v})
	}
	d.print(fmt.Sprintf("Client: Docker Engine - Community\n Version:           %s\n API version:       %s\n OS/Arch:           linux/amd64\n\nServer: Docker Engine - Community\n Engine:\n  Version:          %s\n  API version:      %s (minimum version %s)\n  OS/Arch:          linux/amd64\n",
		engineVersion, apiVersion, engineVersion, apiVersion, minAPIVersion))
	return 0
}

func (d dockerCommand) systemDf() int {
	f, err := d.flags(flagSpec{short: "v=verbose", valued: "format", plain: "verbose"})
	if err != nil {
		return d.flagError(err)
	}
	type row struct{ Active, Reclaimable, Size, TotalCount, Type string }
	use := d.e.diskUse()
	size := func(n int64) string { return units.HumanSizeWithPrecision(float64(n), 4) }
	rows := []row{
		{fmt.Sprint(use.imagesActive), size(use.imageFree), size(use.imageBytes), fmt.Sprint(use.images), "Images"},
		{fmt.Sprint(use.running), size(use.containerFree), size(use.containerBytes), fmt.Sprint(use.containers), "Containers"},
		{fmt.Sprint(use.volumes), "0B", size(use.volumeBytes), fmt.Sprint(use.volumes), "Local Volumes"},
		{"0", "0B", "0B", "0", "Build Cache"},
	}
	var list []any
	var lines [][]string
	for _, r := range rows {
		list = append(list, r)
		lines = append(lines, []string{r.Type, r.TotalCount, r.Active, r.Size, r.Reclaimable})
	}
	return d.show(f, list, lines, 0, []string{"TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"})
}

func (d dockerCommand) events() int {
	f, err := d.flags(flagSpec{short: "f=filter", valued: "filter format since until"})
	if err != nil {
		return d.flagError(err)
	}
	want := filters{}
	for _, pair := range f.values["filter"] {
		if err := want.add(pair); err != nil {
			return d.complain(125, "%v", err)
		}
	}
	since, err := timeFrom(f.last("since"), d.h.now())
	if err != nil {
		return d.complain(1, "%v", err)
	}
	until, err := timeFrom(f.last("until"), d.h.now())
	if err != nil {
		return d.complain(1, "%v", err)
	}
	err = d.e.watchEvents(d.ctx, since, until, eventMatcher(want), func(m events.Message) error {
		if text := f.last("format"); text != "" {
			if d.format(text, nil, []any{m}) != 0 {
				return io.ErrClosedPipe
			}
			return nil
		}
		_, err := fmt.Fprintf(d.out, "%s %s %s %s (%s)\n", time.Unix(0, m.TimeNano).UTC().Format("2006-01-02T15:04:05.000000000Z07:00"), m.Type, m.Action, m.Actor.ID, joinLabels(m.Actor.Attributes))
		return err
	})
	if err != nil {
		return 130
	}
	return 0
}

// dialStdio joins the command's own streams to the engine's socket.
func (d dockerCommand) dialStdio() int {
	conn := newStreamConn(d.ctx, d.in, d.out, nil, d.h.fleet)
	if !d.h.fleet.api.take(d.ctx, d.h, conn) {
		return 1
	}
	select {
	case <-conn.closed:
		return 0
	case <-d.ctx.Done():
		_ = conn.Close()
		return 130
	}
}

// Private

// show prints a list as -q, as a format or as a table; quiet names the column that -q prints.
func (d dockerCommand) show(f flagSet, rows []any, lines [][]string, quiet int, header []string) int {
	switch text := f.last("format"); {
	case f.has("quiet"):
		for _, l := range lines {
			d.print(l[quiet] + "\n")
		}
	case text != "" && text != "table":
		return d.format(text, nil, rows)
	default:
		d.table(header, lines)
	}
	return 0
}

func (d dockerCommand) eachName(act func(string) error) int {
	code := 0
	for _, name := range d.args {
		if strings.HasPrefix(name, "-") {
			continue
		}
		if err := act(name); err != nil {
			_, _ = fmt.Fprintln(d.errOut, daemonText(err))
			code = 1
			continue
		}
		d.print(name + "\n")
	}
	return code
}

// saveLogins writes the client's configuration file.
func (d dockerCommand) saveLogins() error {
	type auth struct {
		Auth string `json:"auth"`
	}
	file := struct {
		Auths map[string]auth `json:"auths"`
	}{map[string]auth{}}
	d.h.mu.Lock()
	for server, who := range d.e.logins {
		file.Auths[server] = auth{base64.StdEncoding.EncodeToString([]byte(who.user + ":" + who.password))}
	}
	d.h.mu.Unlock()
	data, err := json.MarshalIndent(file, "", "\t")
	if err != nil {
		return err
	}
	if err := d.files.mkdirAll(homeDir+"/.docker", 0o700); err != nil {
		return err
	}
	return d.files.writeFile(homeDir+"/.docker/config.json", data, 0o600)
}
