package operation

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"binnacle/ops"
)

// effects are the blast radius.
func (t *restoration) effects() []ops.Effect {
	into := fmt.Sprintf("%s in %s on %s", cmp.Or(t.Database, t.Name), t.containerText(), t.Host)
	effects := append([]ops.Effect{{Label: "to", Text: t.destinationText(), Warn: t.production()}}, t.source()...)
	first := ops.Effect{Label: "first", Text: "it is loaded beside and compared; then the data that is there is saved as a backup"}
	if t.Params.On("without-safety") {
		first.Text, first.Warn = "it is loaded beside and compared; the data that is there is not saved", true
	}
	effects = append(effects, ops.Effect{Label: "into", Text: into})
	effects = append(effects, t.sharedEffect(t.Accessory != "")...)
	effects = append(effects, first)
	switch {
	case t.Params.On("maintenance"):
		effects = append(effects, ops.Effect{Label: "then", Text: "maintenance page on " + joined(t.sel.ProxyHosts()) + ", other roles stopped, until it is swapped", Warn: true})
	case t.Params.On("live"):
		effects = append(effects, ops.Effect{Label: "then", Text: "it is swapped under the clients, who have to connect again", Warn: true})
	}
	if t.Params.Text("sql") != "" {
		effects = append(effects, ops.Effect{Label: "runs", Text: t.Params.Text("sql") + " on it before the swap"})
	}
	loses := "what was written since the backup was taken"
	if k, ok := t.known(); ok {
		loses = fmt.Sprintf("what was written after %s, in %s", k.At.UTC().Format(time.DateTime), ageText(t.Now.Sub(k.At)))
	}
	effects = append(effects, ops.Effect{Label: "loses", Text: loses, Warn: true})
	if l := t.lockEffect(); l.Text != "" {
		effects = append(effects, l)
	}
	return effects
}

// source names the backup in full, as far as it was seen.
func (t *restoration) source() []ops.Effect {
	text := fmt.Sprintf("%s of %s in %s", cmp.Or(t.chosen.id, "the newest good backup"), t.Name, t.Store.Location())
	if k, ok := t.known(); ok {
		text = fmt.Sprintf("%s, %s, %s, trusted %d/8 %s, in %s", k.ID, k.At.UTC().Format(time.DateTime), sizeText(k.Plain), k.Rung, k.Rung, t.Store.Location())
	}
	if t.from != t.App {
		text += ", of " + string(t.from)
	}
	return []ops.Effect{{Label: "from", Text: text, Warn: t.from != t.App}}
}

// known is the backup as the store was last seen.
func (t *restoration) known() (ops.Kept, bool) {
	app, _ := t.Fleet.App(t.App)
	if t.from != t.App {
		return ops.Kept{}, false
	}
	for _, b := range app.Backups {
		if b.Name != t.Name {
			continue
		}
		if t.chosen.id == "" || t.chosen.id == "latest" {
			return b.Newest()
		}
		var found []ops.Kept
		for _, k := range b.Kept {
			if strings.HasPrefix(k.ID, t.chosen.id) {
				found = append(found, k)
			}
		}
		if len(found) == 1 {
			return found[0], true
		}
	}
	return ops.Kept{}, false
}

// containerText names the container that the data is in.
func (t *restoration) containerText() string {
	if t.Accessory != "" {
		return t.cfg.Accessory(t.Accessory).ServiceName()
	}
	return "role " + t.Role
}

// restoreDocument is what a restore did, as JSON.
type restoreDocument struct {
	Name   string `json:"name"`
	ID     string `json:"id"`
	Host   string `json:"host"`
	Tables int    `json:"tables"`
	Rows   int64  `json:"rows"`
	TookMS int64  `json:"took_ms"`
	Safety string `json:"safety,omitempty"` // the backup of the data from before
	Kept   string `json:"kept,omitempty"`   // its name beside the data
}
