package ui_test

import (
	"strings"
	"time"

	"binnacle/ops"
)

// kept is a backup of that age.
func kept(id string, age time.Duration, size int64, rung ops.Rung) ops.Kept {
	return ops.Kept{
		ID: id, At: noon().Add(-age), Took: 52 * time.Second, Size: size, Plain: 4 * size, EngineVersion: "16.4", Schema: "20261119081500",
		Tables: 31, Rows: size / 210, Encrypted: true, By: "ana", Rung: rung, CheckedAt: noon().Add(-age + 4*time.Minute),
	}
}

// backed is what the store holds of an accessory on web-1, the newest first.
func backed(name, engine string, backups ...ops.Kept) ops.Backed {
	b := ops.Backed{
		Name: name, App: app, Engine: engine, Accessory: name, Host: "web-1", Store: "s3://shop-backups/production", SeenAt: noon().Add(-40 * time.Second),
		Kept: backups, MaxAge: 26 * time.Hour,
	}
	if len(backups) > 0 {
		b.Rung = backups[0].Rung
	}
	return b
}

// guarded is the shop with its backups: one that is well, one that there never was.
func guarded() []ops.Event {
	safety := kept("20261122T210000Z-77aa", 15*time.Hour, 1180<<20, ops.Stored)
	safety.Safety, safety.By = true, "bo"
	damaged := kept("20261121T080000Z-0c3d", 52*time.Hour, 1170<<20, ops.Sized)
	damaged.Problem = "data.zst: the checksum differs from the manifest's"
	redis := backed("redis", "redis")
	redis.Alarm = "never backed up"
	return []ops.Event{
		ops.BackupsSeen{Backed: backed("db", "postgres",
			kept("20261123T090000Z-5f1c", 3*time.Hour, 1200<<20, ops.Restored), safety, kept("20261122T090000Z-9b2e", 27*time.Hour, 1190<<20, ops.Readable), damaged)},
		ops.BackupsSeen{Backed: redis},
	}
}

// neglected is the shop with backups that need a look: too old, damaged, and in a
// store that does not answer any more.
func neglected() []ops.Event {
	old := backed("db", "postgres", kept("20261120T090000Z-5f1c", 75*time.Hour, 1200<<20, ops.Checked), kept("20261119T090000Z-11ab", 99*time.Hour, 1100<<20, ops.Matched))
	old.Alarm = "75 h old, at most 26 h"
	broken := kept("20261123T070000Z-aa01", 5*time.Hour, 12<<20, ops.Sized)
	broken.Problem = "data.zst: the checksum differs from the manifest's"
	redis := backed("redis", "redis", broken)
	redis.Alarm = "damaged: " + broken.Problem
	uploads := backed("uploads", "volume", kept("20261123T060000Z-c0de", 6*time.Hour, 800<<20, ops.Matched))
	uploads.Accessory, uploads.Role, uploads.SeenAt = "", "web", noon().Add(-9*time.Minute)
	gone := uploads
	gone.Problem = "dial tcp 10.0.0.9:9000: connection refused"
	return []ops.Event{ops.BackupsSeen{Backed: old}, ops.BackupsSeen{Backed: redis}, ops.BackupsSeen{Backed: uploads}, ops.BackupsSeen{Backed: gone}}
}

// unreachable is a store that does not answer any more, nor ever did for redis.
func unreachable() []ops.Event {
	db, redis := backed("db", "postgres"), backed("redis", "redis")
	db.Problem, redis.Problem, redis.SeenAt = "403 Forbidden: the credentials have expired", "403 Forbidden: the credentials have expired", time.Time{}
	never := shop()
	never.App.Backups = []ops.Backed{redis}
	return append([]ops.Event{never}, append(guarded()[:1:1], ops.BackupsSeen{Backed: db})...)
}

// hostileBackups try to break a screen.
func hostileBackups() []ops.Event {
	k := kept(strings.Repeat("9", 200), -time.Hour, 1<<62, ops.Rung(99))
	k.By, k.Schema, k.EngineVersion = "ana\x1b[2J", strings.Repeat("漢", 90), "\x1b]0;title\a"
	bad := kept("x\r\ny", 99999*time.Hour, -1, ops.NoRung)
	bad.Problem = strings.Repeat("reason ", 60) + "\x1b[2J"
	b := backed("데이터\x1b[31m베이스", "postgres", k, bad)
	b.Accessory, b.Host, b.Alarm, b.Store = "데이터베이스", "web\x1b[31m-2\r\n\t👩‍👩‍👧", strings.Repeat("alarm\t", 30), "s3://"+strings.Repeat("bucket", 40)
	never := backed("never\never", "redis")
	never.Problem = strings.Repeat("no route ", 50)
	return []ops.Event{ops.BackupsSeen{Backed: b}, ops.BackupsSeen{Backed: never}}
}
