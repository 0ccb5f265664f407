package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// schemaStep is a migration of the demo's app.
type schemaStep struct{ version, name string }

// schemaSteps are those that the image of a version brings: each version one more
// than the one before.
func schemaSteps(image string) []schemaStep {
	names := []string{"Create patients", "Create observations", "Create claims", "Add currency to claims", "Index observations by code", "Create audit events"}
	var out []schemaStep
	for i, name := range names {
		out = append(out, schemaStep{version: fmt.Sprintf("2026%02d01120000", 7+i), name: name})
	}
	tag := image[strings.LastIndexByte(image, ':')+1:]
	n, err := strconv.Atoi(strings.TrimPrefix(tag, "v"))
	if err != nil {
		n = 2 // what runs when the demo begins
	}
	return out[:min(max(n+1, 1), len(out))]
}

// railsTask is one of the app's commands for its database; false for every other.
func railsTask(args []string) (run func(*process, sqlServer) int, ok bool) {
	if len(args) > 2 && strings.HasSuffix(args[0], "bundle") && args[1] == "exec" {
		args = args[2:]
	}
	if len(args) < 2 || !strings.HasSuffix(args[0], "rails") {
		return nil, false
	}
	switch args[1] {
	case "db:migrate", "db:prepare":
		return (*process).migrate, true
	case "db:migrate:status":
		return (*process).schemaStatus, true
	case "db:version":
		return (*process).schemaVersion, true
	case "db:rollback":
		steps := 1
		for _, word := range args[2:] {
			if n, err := strconv.Atoi(strings.TrimPrefix(word, "STEP=")); err == nil {
				steps = n
			}
		}
		return func(p *process, s sqlServer) int { return p.rollBack(s, steps) }, true
	}
	return nil, false
}

// Private

// rails runs a command on the database that DB_HOST names.
func (p *process) rails(run func(*process, sqlServer) int) int {
	name := p.env.Get("DB_HOST").Str
	for _, h := range p.h.fleet.hosts {
		h.mu.Lock()
		c, err := h.engine.findLocked(name)
		if err != nil || name == "" || !c.alive() {
			h.mu.Unlock()
			continue
		}
		own := "postgres"
		for _, pair := range c.config.Env {
			if value, found := strings.CutPrefix(pair, "POSTGRES_DB="); found {
				own = value
			}
		}
		s := sqlServer{files: h.engine.rootOf(c), dir: sqlDataDir + "/base", own: own}
		h.mu.Unlock()
		return run(p, s)
	}
	_, _ = fmt.Fprintf(p.errOut, "bin/rails aborted!\nActiveRecord::ConnectionNotEstablished: could not translate host name %q to address: Name or service not known\n", name)
	return 1
}

func (p *process) migrate(s sqlServer) int {
	have := s.schemaVersions()
	for _, step := range schemaSteps(p.c.config.Image) {
		if slices.Contains(have, step.version) {
			continue
		}
		p.say(step, "migrating", "migrated")
		have = append(have, step.version)
	}
	return p.keep(s, have)
}

func (p *process) rollBack(s sqlServer, steps int) int {
	have := s.schemaVersions()
	known := schemaSteps(p.c.config.Image)
	for range min(steps, len(have)) {
		last := have[len(have)-1]
		i := slices.IndexFunc(known, func(step schemaStep) bool { return step.version == last })
		if i < 0 {
			_, _ = fmt.Fprintf(p.errOut, "bin/rails aborted!\nActiveRecord::UnknownMigrationVersionError: No migration with version number %s.\n", last)
			return 1
		}
		p.say(known[i], "reverting", "reverted")
		have = have[:len(have)-1]
	}
	return p.keep(s, have)
}

func (p *process) schemaStatus(s sqlServer) int {
	have, known := s.schemaVersions(), schemaSteps(p.c.config.Image)
	for _, version := range have {
		if !slices.ContainsFunc(known, func(step schemaStep) bool { return step.version == version }) {
			known = append(known, schemaStep{version: version, name: "********** NO FILE **********"})
		}
	}
	p.print("\ndatabase: " + s.own + "\n\n Status   Migration ID    Migration Name\n--------------------------------------------------\n")
	for _, step := range known {
		status := "down"
		if slices.Contains(have, step.version) {
			status = "up"
		}
		p.print(fmt.Sprintf("%6s     %s  %s\n", status, step.version, step.name))
	}
	p.print("\n")
	return 0
}

func (p *process) schemaVersion(s sqlServer) int {
	have := append([]string{"0"}, s.schemaVersions()...)
	p.print("Current version: " + have[len(have)-1] + "\n")
	return 0
}

// say tells of one migration as Rails does.
func (p *process) say(step schemaStep, doing, done string) {
	class := strings.ReplaceAll(title(step.name), " ", "")
	p.print(fmt.Sprintf("== %s %s: %s %s\n", step.version, class, doing, strings.Repeat("=", 24)))
	p.print(fmt.Sprintf("== %s %s: %s (0.0184s) %s\n\n", step.version, class, done, strings.Repeat("=", 15)))
}

func (p *process) keep(s sqlServer, versions []string) int {
	t := sqlTable{columns: []string{"version"}}
	for _, v := range versions {
		t.rows = append(t.rows, []string{v})
	}
	if err := s.put(s.own, schemaTable, t); err != nil {
		_, _ = fmt.Fprintf(p.errOut, "bin/rails aborted!\nPG::DiskFull: %v\n", err)
		return 1
	}
	return 0
}

// schemaVersions are the migrations that a database has run, oldest first.
func (s sqlServer) schemaVersions() []string {
	t, _ := s.table(s.own, schemaTable)
	var out []string
	for _, row := range t.rows {
		out = append(out, row[0])
	}
	slices.Sort(out)
	return out
}

// Helpers

// title begins each word with a capital.
func title(text string) string {
	words := strings.Fields(text)
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, " ")
}
