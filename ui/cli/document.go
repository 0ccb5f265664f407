package cli

import (
	"time"

	"binnacle/ops"
)

// The status document: the whole State with snake_case keys, bytes as integers,
// durations in milliseconds. Its shape is held by a test.
type statusJSON struct {
	V     int        `json:"v"`
	Time  time.Time  `json:"time"`
	Apps  []appJSON  `json:"apps"`
	Hosts []hostJSON `json:"hosts"`
	Tasks []taskJSON `json:"tasks"`
}

type appJSON struct {
	App         ops.AppID       `json:"app"`
	Service     string          `json:"service"`
	Destination string          `json:"destination,omitempty"`
	PrimaryHost string          `json:"primary_host,omitempty"`
	Repository  string          `json:"repository"`
	Roles       []roleJSON      `json:"roles"`
	Accessories []accessoryJSON `json:"accessories"`
	Backups     []ops.Backed    `json:"backups,omitempty"`
	Versions    map[string]int  `json:"versions"`
	Rollback    []targetJSON    `json:"rollback"`
	Lock        lockJSON        `json:"lock"`
}

type roleJSON struct {
	Name    string   `json:"name"`
	Hosts   []string `json:"hosts"`
	Proxied bool     `json:"proxied"`
	Primary bool     `json:"primary"`
}

type accessoryJSON struct {
	Name    string   `json:"name"`
	Service string   `json:"service"`
	Image   string   `json:"image"`
	Hosts   []string `json:"hosts"`
}

type targetJSON struct {
	Version string    `json:"version"`
	Created time.Time `json:"created"`
	Image   string    `json:"image"`
	Digest  string    `json:"digest,omitempty"`
	Serving bool      `json:"serving"`
	Mixed   bool      `json:"mixed,omitempty"`
}

type lockJSON struct {
	Held    bool         `json:"held"`
	Host    string       `json:"host,omitempty"`
	By      string       `json:"by,omitempty"`
	At      *time.Time   `json:"at,omitempty"`
	Version string       `json:"version,omitempty"`
	Message string       `json:"message,omitempty"`
	Holder  ops.Liveness `json:"holder,omitempty"`
	Task    ops.TaskID   `json:"task,omitempty"`
	Bare    bool         `json:"bare,omitempty"`
	SeenAt  *time.Time   `json:"seen_at,omitempty"`
}

type hostJSON struct {
	Host       string          `json:"host"`
	Link       ops.LinkState   `json:"link"`
	Reason     string          `json:"reason,omitempty"`
	SeenAt     *time.Time      `json:"seen_at,omitempty"`
	Docker     dockerJSON      `json:"docker"`
	System     *systemJSON     `json:"system,omitempty"`
	Containers []containerJSON `json:"containers"`
	Images     []imageJSON     `json:"images"`
	Routes     []routeJSON     `json:"routes,omitempty"`
}

type dockerJSON struct {
	Version      string `json:"version,omitempty"`
	APIVersion   string `json:"api_version,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	OS           string `json:"os,omitempty"`
}

type systemJSON struct {
	UptimeMS  int64   `json:"uptime_ms"`
	Load      float64 `json:"load"`
	CPUs      int     `json:"cpus"`
	MemTotal  int64   `json:"mem_total"`
	MemUsed   int64   `json:"mem_used"`
	DiskTotal int64   `json:"disk_total"`
	DiskUsed  int64   `json:"disk_used"`
}

type containerJSON struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Kind      ops.Kind          `json:"kind"`
	App       ops.AppID         `json:"app,omitempty"`
	Role      string            `json:"role,omitempty"`
	Accessory string            `json:"accessory,omitempty"`
	Version   string            `json:"version,omitempty"`
	Image     string            `json:"image"`
	ImageID   string            `json:"image_id"`
	State     string            `json:"state"`
	Health    string            `json:"health,omitempty"`
	ExitCode  int               `json:"exit_code"`
	OOMKilled bool              `json:"oom_killed,omitempty"`
	Restarts  int               `json:"restarts,omitempty"`
	Created   time.Time         `json:"created"`
	Started   *time.Time        `json:"started,omitempty"`
	Finished  *time.Time        `json:"finished,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Ports     []string          `json:"ports,omitempty"`
	CPU       float64           `json:"cpu_percent,omitempty"`
	Memory    int64             `json:"memory,omitempty"`
}

type imageJSON struct {
	ID      string    `json:"id"`
	Tags    []string  `json:"tags"`
	Digests []string  `json:"digests,omitempty"`
	Created time.Time `json:"created"`
	Size    int64     `json:"size"`
}

type routeJSON struct {
	Service string   `json:"service"`
	Hosts   []string `json:"hosts,omitempty"`
	Paths   []string `json:"paths,omitempty"`
	Targets []string `json:"targets"`
	State   string   `json:"state"`
	TLS     bool     `json:"tls"`
}

type taskJSON struct {
	Task      ops.TaskID     `json:"task"`
	App       ops.AppID      `json:"app"`
	Operation string         `json:"operation"`
	Title     string         `json:"title"`
	Status    ops.Status     `json:"status"`
	User      string         `json:"user,omitempty"`
	Machine   string         `json:"machine,omitempty"`
	PID       int            `json:"pid,omitempty"`
	Started   time.Time      `json:"started"`
	Finished  *time.Time     `json:"finished,omitempty"`
	Serving   []ops.Serving  `json:"serving,omitempty"`
	Lock      string         `json:"lock,omitempty"`
	Steps     []ops.StepInfo `json:"steps,omitempty"`
}

func stateDocument(state *ops.State, now time.Time) statusJSON {
	doc := statusJSON{V: 1, Time: now, Apps: []appJSON{}, Hosts: []hostJSON{}, Tasks: []taskJSON{}}
	for _, a := range state.Fleet.Apps {
		doc.Apps = append(doc.Apps, appDocument(state.Fleet, a))
	}
	for _, h := range state.Fleet.Hosts {
		doc.Hosts = append(doc.Hosts, hostDocument(h))
	}
	for _, t := range state.Tasks {
		doc.Tasks = append(doc.Tasks, taskDocument(t))
	}
	return doc
}

// Helpers

func appDocument(fleet ops.Fleet, a ops.App) appJSON {
	doc := appJSON{
		App: a.ID, Service: a.Service, Destination: a.Destination, PrimaryHost: a.PrimaryHost, Repository: a.Repository,
		Versions: fleet.Versions(a.ID), Roles: []roleJSON{}, Accessories: []accessoryJSON{}, Rollback: []targetJSON{}, Backups: a.Backups,
		Lock: lockJSON{
			Held: a.Lock.Held, Host: a.Lock.Host, By: a.Lock.By, At: given(a.Lock.At), Version: a.Lock.Version,
			Message: a.Lock.Message, Task: a.Lock.HolderTask, Bare: a.Lock.Bare, SeenAt: given(a.Lock.SeenAt),
		},
	}
	if a.Lock.Held {
		doc.Lock.Holder = a.Lock.Liveness
	}
	for _, r := range a.Roles {
		doc.Roles = append(doc.Roles, roleJSON(r))
	}
	for _, acc := range a.Accessories {
		doc.Accessories = append(doc.Accessories, accessoryJSON(acc))
	}
	for _, t := range fleet.RollbackTargets(a.ID) {
		doc.Rollback = append(doc.Rollback, targetJSON(t))
	}
	return doc
}

func hostDocument(h ops.Host) hostJSON {
	doc := hostJSON{
		Host: h.Name, Link: h.Link, Reason: h.LinkReason, SeenAt: given(h.SeenAt), Docker: dockerJSON(h.Docker),
		Containers: []containerJSON{}, Images: []imageJSON{},
	}
	if s := h.System; !s.At.IsZero() {
		doc.System = &systemJSON{
			UptimeMS: s.Uptime.Milliseconds(), Load: s.Load, CPUs: s.CPUs, MemTotal: s.MemTotal, MemUsed: s.MemUsed,
			DiskTotal: s.DiskTotal, DiskUsed: s.DiskUsed,
		}
	}
	for _, c := range h.Containers {
		doc.Containers = append(doc.Containers, containerDocument(c))
	}
	for _, i := range h.Images {
		doc.Images = append(doc.Images, imageJSON{ID: i.ID, Tags: i.Tags, Digests: i.Digests, Created: i.Created, Size: i.Size})
	}
	for _, r := range h.Routes {
		doc.Routes = append(doc.Routes, routeJSON(r))
	}
	return doc
}

func containerDocument(c ops.Container) containerJSON {
	return containerJSON{
		ID: c.ID, Name: c.Name, Kind: c.Kind, App: c.App, Role: c.Role, Accessory: c.Accessory, Version: c.Version,
		Image: c.Image, ImageID: c.ImageID, State: c.State, Health: c.Health, ExitCode: c.ExitCode, OOMKilled: c.OOMKilled,
		Restarts: c.Restarts, Created: c.Created, Started: given(c.Started), Finished: given(c.Finished), Labels: c.Labels,
		Ports: c.Ports, CPU: c.CPU, Memory: c.Memory,
	}
}

func taskDocument(t ops.Task) taskJSON {
	doc := taskJSON{
		Task: t.ID, App: t.App, Operation: t.Operation, Title: t.Title, Status: t.Status, User: t.User, Machine: t.Host,
		PID: t.PID, Started: t.Started, Finished: given(t.Finished), Serving: t.Serving, Lock: t.Lock,
	}
	for _, s := range t.Steps {
		doc.Steps = append(doc.Steps, s.StepInfo)
	}
	return doc
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
