package operation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"binnacle/config"
	"binnacle/ops"
	"binnacle/ops/backup"
)

// protected is one thing that is backed up, while an operation works with it:
// what the configuration says, and what is found of it at run time.
type protected struct {
	*story
	config.Backup
	from     ops.AppID // whose backups: another destination's in a restore from there
	objects  ops.Objects
	shelf    *backup.Shelf
	engine   backup.Engine
	decrypts bool         // an identity is at hand
	made     backup.Entry // what this run wrote
	chosen   *choice      // what it is about, where that is a backup that is there
}

// errEncrypted is why a backup cannot be read.
var errEncrypted = errors.New("the backup is encrypted, and no identity is given")

// identityHint is what to do about it.
const identityHint = "--identity FILE, or encrypt: identity in x-binnacle"

// longest bounds a dump, a read-back or a restore: a big database over a slow
// link takes hours, and a hung one must end some day.
const longest = 24 * time.Hour

// whatParam is the name of what is backed up.
func whatParam(usage string, required bool) ops.Param {
	return ops.Param{Name: nameParam, Kind: ops.Text, Positional: true, Required: required, Usage: usage}
}

// idParam picks one backup.
func idParam() ops.Param {
	return ops.Param{Name: "ID", Kind: ops.Text, Positional: true, Usage: "which backup: the beginning of its id; the newest good one when not given"}
}

// identityParam says what decrypts.
func identityParam() ops.Param {
	return ops.Param{Name: "identity", Kind: ops.Text, Usage: "file with the age identity or SSH key that decrypts; the configured one when not given"}
}

// protectedBy lists what a name stands for: everything that is backed up for "".
func (s *story) protectedBy(name string) ([]*protected, error) {
	all := s.cfg.Backups()
	if len(all) == 0 {
		return nil, &ops.Error{
			Summary: s.typed(), Cause: errors.New("nothing to back up was found in the configuration"),
			Hint: "name it under backups: of x-binnacle, see binnacle docs x-binnacle",
		}
	}
	var out []*protected
	var names []string
	for _, b := range all {
		names = append(names, b.Name)
		if name == "" || name == "all" || b.Name == name {
			out = append(out, &protected{story: s, Backup: b, from: s.App})
		}
	}
	if len(out) == 0 {
		return nil, &ops.Error{Summary: s.typed(), Cause: fmt.Errorf("no backup by the name of '%s' (options: %s)", name, joined(names))}
	}
	return out, nil
}

// theOne is protectedBy for what is about one thing only.
func (s *story) theOne(name string) (*protected, error) {
	all, err := s.protectedBy(name)
	if err == nil && len(all) > 1 {
		err = &ops.Error{Summary: s.typed(), Cause: errors.New("one thing at a time: name it"), Hint: "one of " + protectedNames(all)}
	}
	if err != nil {
		return nil, err
	}
	s.takenFrom(all, s.Params.Text("from"))
	return all[0], nil
}

// open gets at the store, to write and to list. What is encrypted is not read yet:
// a secret store may have to ask somebody for the identity.
func (p *protected) open(ctx context.Context, r *ops.Run) error {
	keys, err := backup.ParseKeys(p.Encrypt.Recipients, nil)
	if err != nil {
		return err
	}
	if p.objects, err = r.World.Store(ctx, p.Store); err != nil {
		return err
	}
	p.shelf, p.decrypts = backup.NewShelf(p.objects, p.from, p.Name, keys), false
	return nil
}

// unlock looks up the identity, where it takes one to read a backup.
func (p *protected) unlock(ctx context.Context, r *ops.Run, entry backup.Entry) error {
	if !entry.Encrypted || p.decrypts {
		return nil
	}
	keys, err := p.keys(ctx, r)
	if err != nil {
		return err
	}
	p.shelf, p.decrypts = backup.NewShelf(p.objects, p.from, p.Name, keys), len(keys.Identities) > 0
	return nil
}

// restorable says why a backup cannot be restored as what this is, if that is so.
func (p *protected) restorable(entry backup.Entry) error {
	err := &ops.Error{Summary: "restoring " + p.Name + " from backup " + entry.ID}
	switch {
	case len(entry.Parts) == 0:
		err.Cause, err.Hint = errors.New(entry.Problem), p.byHand("backup list")+" shows the others"
	case entry.Engine != p.Engine:
		err.Cause = fmt.Errorf("it is of %s, not of %s", entry.Engine, p.Engine)
	case entry.Encrypted && !p.decrypts:
		err.Cause, err.Hint = errEncrypted, identityHint
	default:
		return nil
	}
	return err
}

// storeHost is the host of the fleet that the store is on, for the hook that comes
// before connecting to one; "" for other stores.
func (p *protected) storeHost() string {
	if p.Store.Type == config.SSHStore && slices.Contains(p.cfg.AllHosts(), p.Store.Host) {
		return p.Store.Host
	}
	return ""
}

// place finds the container that the data is in, or is reached from.
func (p *protected) place(ctx context.Context, r *ops.Run) (backup.Place, error) {
	engine, err := backup.NewEngine(p.Engine)
	if err != nil {
		return backup.Place{}, err
	}
	p.engine = engine
	remote := r.World.Remote(p.Host)
	at := backup.Place{Backup: p.Backup, Remote: remote, Tell: r.Line, Label: p.scratchLabel()}
	c, err := p.container(ctx, remote.Docker())
	if err != nil {
		return backup.Place{}, err
	}
	at.Container, at.Image = c.Name, c.Image
	return at, nil
}

// What is made beside the data, by name.
const (
	loadedFor  = "restore" // on its way into the place
	keptFrom   = "before"  // data that a restore has replaced
	triedIn    = "drill"
	scratchFor = "scratch" // on its way to be a copy
	copyOf     = "copy"    // left for the person
)

// scratchName is a name for something that is made beside the data.
func (p *protected) scratchName(what string) string {
	return p.scratchPrefix(what) + strings.ToLower(string(p.Holder.Task))
}

func (p *protected) scratchPrefix(what string) string { return "binnacle_" + what + "_" }

// tell reads the store again and tells what it holds.
func (p *protected) tell(ctx context.Context, r *ops.Run) (ops.Backed, error) {
	entries, err := p.shelf.List(ctx)
	if err != nil {
		return ops.Backed{}, err
	}
	backed := backup.Describe(p.App, p.Backup, p.Store.Location(), entries, r.Now())
	if p.from == p.App {
		r.Fact(ops.BackupsSeen{Backed: backed})
	}
	return backed, nil
}

// clean removes incomplete backups that runs which were killed have left.
func (p *protected) clean(ctx context.Context, r *ops.Run) error {
	here := func(c backup.Claim) bool { return p.here(c.Host, c.Task) }
	abandoned := backup.Abandoned(here, p.alive, r.Now())
	removed, err := p.shelf.Clean(ctx, func(c backup.Claim) bool {
		return abandoned(c) || p.ownPast(c.Host, c.PID, c.Task)
	})
	for _, id := range removed {
		r.Say("Removed the incomplete backup %s of %s", id, p.Name)
	}
	if err != nil {
		return &ops.Error{Summary: "removing incomplete backups of " + p.Name, Cause: err}
	}
	return nil
}

// tidy is clean and cleanScratch for what has other work to do: what cannot be
// removed stays, and is told. Another destination's store is only read.
func (p *protected) tidy(ctx context.Context, r *ops.Run, at backup.Place) {
	failed := []error{p.cleanScratch(ctx, r, at)}
	if p.from == p.App {
		failed = append(failed, p.clean(ctx, r))
	}
	for _, err := range failed {
		if err != nil {
			r.Line(ops.Stderr, err.Error())
		}
	}
}

// Private

// scratchLabel marks throwaway containers with who made them.
const scratchLabel = "binnacle.scratch"

func (p *protected) scratchLabel() string {
	return fmt.Sprintf("%s=%s/%d/%s", scratchLabel, p.Holder.Host, p.Holder.PID, p.Holder.Task)
}

// cleanScratch removes throwaway containers of the place whose run has ended.
func (p *protected) cleanScratch(ctx context.Context, r *ops.Run, at backup.Place) error {
	all, err := at.Remote.Docker().ListContainers(ctx)
	if err != nil {
		return &ops.Error{Host: p.Host, Command: "docker container ls", Cause: err}
	}
	for _, c := range all {
		owner, marked := c.Labels[scratchLabel]
		of, ours := p.scratchPlace(at, c.Labels[backup.ScratchOf])
		if !marked || !ours || strings.HasPrefix(c.Name, p.scratchPrefix(copyOf)) || !p.abandoned(owner, c.Created, r.Now()) {
			continue
		}
		if err := p.engine.Discard(ctx, of, c.Name); err != nil {
			return err
		}
		r.Say("Removed the throwaway container %s, whose run has ended", c.Name)
	}
	return nil
}

// scratchPlace is the place that a throwaway container was made of: this one, or
// one in an earlier container of the same role.
func (p *protected) scratchPlace(at backup.Place, of string) (backup.Place, bool) {
	container, name, _ := strings.Cut(of, "/")
	if name != p.Name {
		return at, false
	}
	if container != at.Container && p.Role != "" && strings.HasPrefix(container, p.app(p.cfg.Role(p.Role), p.Host).ContainerPrefix()+"-") {
		at.Container = container
	}
	return at, container == at.Container
}

// abandoned judges a throwaway container by its label: made here by a process
// that is gone, or elsewhere long ago.
func (p *protected) abandoned(owner string, created, now time.Time) bool {
	parts := strings.Split(owner, "/")
	if len(parts) == 3 && p.here(parts[0], parts[2]) {
		pid, err := strconv.Atoi(parts[1])
		return err == nil && (!p.alive(pid) || p.ownPast(parts[0], pid, parts[2]))
	}
	return now.Sub(created) > 2*longest
}

// here tells whether a task was started on this machine; its name alone is not
// enough, another one may have it as well.
func (p *protected) here(host, task string) bool {
	return host == p.Holder.Host && (p.Own == nil || p.Own(ops.TaskID(task)))
}

// alive takes a process for alive where nobody can tell.
func (p *protected) alive(pid int) bool { return p.Alive == nil || p.Alive(pid) }

// ownPast reports another task of this very process. It has ended: an app has one
// change at a time. Or the process has the number of one that died, as in
// containers.
func (p *protected) ownPast(host string, pid int, task string) bool {
	return p.here(host, task) && pid == p.Holder.PID && task != string(p.Holder.Task)
}

func (p *protected) container(ctx context.Context, docker ops.Docker) (ops.Container, error) {
	if p.Accessory != "" {
		name := p.cfg.Accessory(p.Accessory).ServiceName()
		found, err := docker.InspectContainer(ctx, name)
		switch {
		case errors.Is(err, ops.ErrNotFound):
			return ops.Container{}, &ops.Error{Host: p.Host, Summary: p.Name, Cause: errors.New("there is no container " + name), Hint: p.byHand("accessory boot " + p.Accessory)}
		case err != nil:
			return ops.Container{}, &ops.Error{Host: p.Host, Command: "docker inspect " + name, Cause: err}
		case !found.Running():
			return ops.Container{}, &ops.Error{Host: p.Host, Summary: p.Name, Cause: fmt.Errorf("the container %s is %s", name, found.State), Hint: p.byHand("accessory start " + p.Accessory)}
		}
		return found.Container, nil
	}
	role := p.cfg.Role(p.Role)
	if role == nil {
		return ops.Container{}, &ops.Error{Summary: p.Name, Cause: fmt.Errorf("there is no role %q", p.Role)}
	}
	all, err := docker.ListContainers(ctx, p.app(role, p.Host).Labels()...)
	if err != nil {
		return ops.Container{}, &ops.Error{Host: p.Host, Command: "docker container ls", Cause: err}
	}
	all = slices.DeleteFunc(all, func(c ops.Container) bool { return !c.Running() })
	if len(all) == 0 {
		return ops.Container{}, &ops.Error{Host: p.Host, Summary: p.Name, Cause: fmt.Errorf("no container of role %s runs", p.Role), Hint: p.byHand("app start")}
	}
	return slices.MaxFunc(all, func(a, b ops.Container) int { return a.Created.Compare(b.Created) }), nil
}

// keys are the recipients of the configuration and the identity, where one is
// given.
func (p *protected) keys(ctx context.Context, r *ops.Run) (backup.Keys, error) {
	identity, err := p.identity(ctx, r)
	if err != nil {
		return backup.Keys{}, &ops.Error{Summary: "the identity that decrypts backups of " + p.Name, Cause: err, Hint: identityHint}
	}
	return backup.ParseKeys(p.Encrypt.Recipients, identity)
}

func (p *protected) identity(ctx context.Context, r *ops.Run) ([]byte, error) {
	file := p.Params.Text("identity")
	switch {
	case file != "":
		return r.World.Local().ReadFile(file)
	case p.Encrypt.IdentitySecret != "":
		value, err := p.cfg.Secrets().Get(ctx, p.Encrypt.IdentitySecret)
		return []byte(value.Reveal()), err
	case p.Encrypt.Identity != "" && r.World.Local().Exists(p.Encrypt.Identity):
		return r.World.Local().ReadFile(p.Encrypt.Identity)
	}
	return nil, nil // who only writes backups needs none
}

// progress tells bytes as they pass, at most ten times a second.
func progress(r *ops.Run, p ops.Progress) func(done int64) {
	const pace = 100 * time.Millisecond
	var told time.Time
	p.Unit = "bytes"
	return func(done int64) {
		if now := r.Now(); now.Sub(told) >= pace {
			told, p.Done = now, done
			r.Progress(p)
		}
	}
}

// eachProtected makes one group per backup, one after another, so that memory
// and links stay free; one that fails does not keep the others from running.
func eachProtected(id, title string, all []*protected, steps func(*protected) []ops.Node) ops.Node {
	g := &ops.Group{ID: id, Title: title, Mode: ops.Parallel, Limit: 1}
	for _, p := range all {
		one := ops.InSequence(p.Name, p.Name, steps(p)...)
		one.Host = p.Host
		g.Nodes = append(g.Nodes, one)
	}
	return g
}

// protectedEffects say what is concerned, and where the backups are.
func protectedEffects(s *story, all []*protected) []ops.Effect {
	effects := []ops.Effect{{Label: "of", Text: s.destinationText(), Warn: s.production()}}
	for _, p := range all {
		text := fmt.Sprintf("%s (%s) on %s, kept in %s", p.Name, p.Engine, p.Host, p.Store.Location())
		if len(p.Encrypt.Recipients) > 0 {
			text += ", encrypted"
		}
		effects = append(effects, ops.Effect{Label: "backup", Text: text})
	}
	return effects
}
