package ops

import (
	"encoding/json"
	"time"
)

// MarshalJSON writes what is known of one thing that is backed up: durations in
// milliseconds, sizes in bytes.
func (b Backed) MarshalJSON() ([]byte, error) {
	kept := b.Kept
	if kept == nil {
		kept = []Kept{}
	}
	doc := backedJSON{
		Name: b.Name, Engine: b.Engine, Accessory: b.Accessory, Role: b.Role, Host: b.Host, Store: b.Store, SeenAt: moment(b.SeenAt), Problem: b.Problem,
		Rung: b.Rung.String(), Level: int(b.Rung), Alarm: b.Alarm, MaxAgeMS: b.MaxAge.Milliseconds(), Backups: kept,
	}
	if newest, ok := b.Newest(); ok && !b.SeenAt.IsZero() {
		age := b.SeenAt.Sub(newest.At).Milliseconds()
		doc.AgeMS = &age
	}
	return json.Marshal(doc)
}

// MarshalJSON writes one backup in the same manner.
func (k Kept) MarshalJSON() ([]byte, error) {
	return json.Marshal(keptJSON{
		ID: k.ID, At: k.At, TookMS: k.Took.Milliseconds(), Size: k.Size, Plain: k.Plain, EngineVersion: k.EngineVersion, Schema: k.Schema,
		Tables: k.Tables, Rows: k.Rows, Encrypted: k.Encrypted, Safety: k.Safety, By: k.By,
		Rung: k.Rung.String(), Level: int(k.Rung), CheckedAt: moment(k.CheckedAt), Problem: k.Problem,
	})
}

// Private

type backedJSON struct {
	Name      string     `json:"name"`
	Engine    string     `json:"engine"`
	Accessory string     `json:"accessory,omitempty"`
	Role      string     `json:"role,omitempty"`
	Host      string     `json:"host"`
	Store     string     `json:"store"`
	SeenAt    *time.Time `json:"seen_at,omitempty"`
	Problem   string     `json:"problem,omitempty"`
	Rung      string     `json:"rung"`
	Level     int        `json:"level"`
	AgeMS     *int64     `json:"age_ms,omitempty"`
	Alarm     string     `json:"alarm,omitempty"`
	MaxAgeMS  int64      `json:"max_age_ms,omitempty"`
	Backups   []Kept     `json:"backups"`
}

type keptJSON struct {
	ID            string     `json:"id"`
	At            time.Time  `json:"at"`
	TookMS        int64      `json:"took_ms"`
	Size          int64      `json:"size"`
	Plain         int64      `json:"plain"`
	EngineVersion string     `json:"engine_version,omitempty"`
	Schema        string     `json:"schema,omitempty"`
	Tables        int        `json:"tables"`
	Rows          int64      `json:"rows"`
	Encrypted     bool       `json:"encrypted,omitempty"`
	Safety        bool       `json:"safety,omitempty"`
	By            string     `json:"by,omitempty"`
	Rung          string     `json:"rung"`
	Level         int        `json:"level"`
	CheckedAt     *time.Time `json:"checked_at,omitempty"`
	Problem       string     `json:"problem,omitempty"`
}

// Helpers

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
