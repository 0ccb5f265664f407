package operation

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"binnacle/config/secret"
	"binnacle/ops"
	"binnacle/ops/command"
)

// bootApp boots the version on every selected role and host: files first, then
// groups of hosts one after another, then the latest tag. Within a group hosts
// go side by side; roles on one host follow each other unless boot.parallel_roles
// says otherwise.
func (s *story) bootApp() ops.Node {
	hosts := s.sel.AppHosts()
	gate := s.gateFor(hosts)
	groups := slices.Collect(slices.Chunk(hosts, max(1, s.groupSize(len(hosts)))))
	nodes := []ops.Node{s.bootFiles(hosts)}
	for i, group := range groups {
		id, title := "boot", "boot"
		if len(groups) > 1 {
			id, title = fmt.Sprintf("boot-%d", i+1), fmt.Sprintf("boot group %d of %d", i+1, len(groups))
		}
		before, after := s.hook("pre-app-boot", group), s.hook("post-app-boot", group)
		if len(groups) > 1 && before != nil {
			before.ID = fmt.Sprintf("%s-%d", before.ID, i+1)
		}
		if len(groups) > 1 && after != nil {
			after.ID = fmt.Sprintf("%s-%d", after.ID, i+1)
		}
		nodes = append(nodes, before, s.bootGroup(id, title, group, gate), after, s.bootWait(i))
	}
	return ops.InSequence("", "", present(append(nodes, s.tagLatest(hosts)))...)
}

// Private

func (s *story) groupSize(hosts int) int {
	if limit := s.cfg.Boot().Limit(); limit > 0 {
		return limit
	}
	return hosts
}

// gateFor makes the gate that other roles wait at: the primary role's first
// healthy container opens it. Without one among the hosts, or with nobody to
// wait, there is no gate.
func (s *story) gateFor(hosts []string) *barrier {
	keeper := s.sel.PrimaryRole()
	if keeper == nil {
		return nil
	}
	keeps, waits := false, false
	for _, h := range hosts {
		for _, role := range s.rolesOn(h) {
			if role.Name() == keeper.Name() {
				keeps = true
			} else {
				waits = true
			}
		}
	}
	if !keeps || !waits {
		return nil
	}
	return newBarrier()
}

func (s *story) bootGroup(id, title string, hosts []string, gate *barrier) *ops.Group {
	g := ops.SideBySide(id, title)
	for _, h := range hosts {
		perHost := ops.InSequence("", "")
		if s.cfg.Boot().ParallelRoles {
			perHost = ops.SideBySide("", "")
		}
		for _, role := range s.rolesOn(h) {
			p := &place{story: s, role: role, host: h, app: s.app(role, h), gate: gate}
			p.keeper = gate != nil && role.Name() == s.sel.PrimaryRole().Name()
			perHost.Nodes = append(perHost.Nodes, p.boot())
		}
		g.Nodes = append(g.Nodes, perHost)
	}
	return g
}

func (s *story) bootWait(group int) ops.Node {
	wait := s.cfg.Boot().Wait
	if wait <= 0 {
		return nil
	}
	return &ops.Step{
		ID: fmt.Sprintf("wait-%d", group+1), Title: fmt.Sprintf("wait %d s", wait), Timeout: seconds(wait) + time.Minute,
		Run: func(ctx context.Context, r *ops.Run) error { return r.World.Sleep(ctx, seconds(wait)) },
	}
}

// bootFiles puts what new containers mount or the proxy reads in place.
func (s *story) bootFiles(hosts []string) ops.Node {
	if !s.needsFiles() {
		return nil
	}
	return eachHost("files", "assets, error pages, certificates", hosts, func(host string) *ops.Step {
		return &ops.Step{Title: "files", Run: func(ctx context.Context, r *ops.Run) error { return s.putFiles(ctx, r, host) }}
	})
}

func (s *story) needsFiles() bool {
	if s.cfg.ErrorPagesPath() != "" {
		return true
	}
	for _, role := range s.sel.Roles() {
		if role.Assets() || role.Proxied() && role.Proxy().CustomCertificate() {
			return true
		}
	}
	return false
}

func (s *story) putFiles(ctx context.Context, r *ops.Run, host string) error {
	if err := s.putErrorPages(ctx, r, host); err != nil {
		return err
	}
	for _, role := range s.rolesOn(host) {
		app := s.app(role, host)
		if role.Assets() {
			old, err := capture(ctx, r.Remote(), app.CurrentRunningVersion())
			if err != nil {
				return &ops.Error{Host: host, Command: app.CurrentRunningVersion().String(), Cause: err}
			}
			if err := r.Exec(ctx, app.ExtractAssets(s.version), app.SyncAssetVolumes(s.version, firstLine(old))); err != nil {
				return err
			}
		}
		if role.Proxied() && role.Proxy().CustomCertificate() {
			if err := s.putCertificate(ctx, r, app, role.Proxy().Certificate, role.Proxy().PrivateKey, role.Proxy().HostCertificate(), role.Proxy().HostKey()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *story) putErrorPages(ctx context.Context, r *ops.Run, host string) error {
	if s.cfg.ErrorPagesPath() == "" || !s.proxiedOn(host) {
		return nil
	}
	var pages []string
	for _, pattern := range []string{"4??.html", "5??.html"} {
		found, err := r.World.Local().Glob(path.Join(s.cfg.ErrorPagesPath(), pattern))
		if err != nil {
			return fmt.Errorf("error_pages_path: %w", err)
		}
		pages = append(pages, found...)
	}
	if len(pages) == 0 {
		return nil
	}
	app := s.app(s.rolesOn(host)[0], host)
	dir := app.ErrorPagesDir() + "/" + s.version
	if err := r.Exec(ctx, command.MakeDirectory(dir)); err != nil {
		return err
	}
	for _, page := range pages {
		content, err := r.World.Local().ReadFile(page)
		if err != nil {
			return fmt.Errorf("error page: %w", err)
		}
		file := ops.File{Path: dir + "/" + path.Base(filepath.ToSlash(page)), Mode: 0o644, Content: secret.New(string(content))}
		if err := r.Upload(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// putCertificate writes a certificate of one's own; 0644, since the proxy does
// not run as root.
func (s *story) putCertificate(ctx context.Context, r *ops.Run, app command.App, cert, key, certPath, keyPath string) error {
	r.Say("Writing SSL certificates on %s", r.Host)
	if err := r.Exec(ctx, app.EnsureTLSDirectory()); err != nil {
		return err
	}
	for file, name := range map[string]string{certPath: cert, keyPath: key} {
		value, err := s.cfg.Secrets().Get(ctx, name)
		if err != nil {
			return &ops.Error{Summary: "certificate", Cause: err}
		}
		if err := r.Upload(ctx, ops.File{Path: file, Mode: 0o644, Content: value}); err != nil {
			return err
		}
	}
	return nil
}

// tagLatest moves the latest tag once every host has booted: Kamal tells the
// current version by it.
func (s *story) tagLatest(hosts []string) ops.Node {
	image := s.cfg.AbsoluteImage(s.version)
	return eachHost("tag", "tag "+s.cfg.LatestTag(), hosts, func(host string) *ops.Step {
		app := command.New("docker", "tag", image, s.cfg.LatestImage())
		return &ops.Step{Title: "tag", Lines: []command.Line{app}, Run: func(ctx context.Context, r *ops.Run) error {
			if err := r.Exec(ctx, s.audit(r.Now(), "", "Tagging %s as the latest image", image)); err != nil {
				return err
			}
			r.Ran(app)
			if err := r.Docker().Tag(ctx, image, s.cfg.LatestImage()); err != nil {
				return &ops.Error{Host: host, Command: app.String(), Cause: err}
			}
			return nil
		}}
	})
}

// servingStep reads what every place is left running, after success and
// failure alike.
func (s *story) servingStep() ops.Node {
	hosts := s.sel.AppHosts()
	if len(hosts) == 0 {
		return nil
	}
	return &ops.Step{ID: "serving", Title: "read what is serving", Always: true, Soft: true, Timeout: 20 * time.Second,
		Run: func(ctx context.Context, r *ops.Run) error {
			for _, place := range s.readServing(ctx, r.World, hosts) {
				r.Serving(place)
			}
			return nil
		}}
}

func (s *story) readServing(ctx context.Context, w ops.World, hosts []string) []ops.Serving {
	found := make([][]ops.Serving, len(hosts))
	var wg sync.WaitGroup
	for i, host := range hosts {
		wg.Go(func() {
			for _, role := range s.rolesOn(host) {
				found[i] = append(found[i], s.servingOn(ctx, w, s.app(role, host), role.Name(), host))
			}
		})
	}
	wg.Wait()
	return slices.Concat(found...)
}

func (s *story) servingOn(ctx context.Context, w ops.World, app command.App, role, host string) ops.Serving {
	place := ops.Serving{Role: role, Host: host}
	containers, err := w.Remote(host).Docker().ListContainers(ctx, app.Labels()...)
	if err != nil {
		place.Version = "unknown"
		return place
	}
	var newest ops.Container
	for _, c := range containers {
		if c.Running() && c.Created.After(newest.Created) {
			newest = c
		}
	}
	if newest.Name != "" {
		place.Version = versionOf(newest, app)
	}
	return place
}
