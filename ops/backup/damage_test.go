package backup_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"binnacle/ops"
	"binnacle/ops/backup"
)

// sound tells whether neither the list nor a verification knows anything against
// the only backup.
func (d *desk) sound(t *testing.T) bool {
	t.Helper()
	entries := d.list(t)
	return len(entries) == 1 && entries[0].Problem == "" && d.Verify(t.Context(), entries[0], nil) == nil
}

// TestOneFlippedBitIsFound flips, one at a time, a bit of every byte of every
// object of a backup that has been checked.
func TestOneFlippedBitIsFound(t *testing.T) {
	eachWay(t, func(t *testing.T, d *desk) {
		e := d.write(t, small())
		if _, err := d.Record(t.Context(), e, backup.Check{Rung: ops.Matched, At: d.now, Took: time.Second, By: "Ana"}); err != nil {
			t.Fatal(err)
		}
		if !d.sound(t) {
			t.Fatal("the backup is not sound to begin with")
		}
		flips := 0
		for _, key := range d.keys(t) {
			whole := d.objects.Content(key)
			for i := range whole {
				broken := slices.Clone(whole)
				broken[i] ^= 1 << (i % 8)
				d.objects.Change(key, broken)
				if d.sound(t) {
					t.Errorf("byte %d of %s: a flipped bit is not found", i, key)
				}
				flips++
			}
			d.objects.Change(key, whole)
		}
		if !d.sound(t) || flips < 1000 {
			t.Errorf("not sound after %d flips that were put right", flips)
		}
	})
}

// TestDamageIsNotRestored holds that what is read of a damaged part ends with an
// error that names the backup and the part, wherever the damage is.
func TestDamageIsNotRestored(t *testing.T) {
	eachWay(t, func(t *testing.T, d *desk) {
		e := d.write(t, small())
		for _, p := range e.Parts {
			key := string(app) + "/" + name + "/" + e.ID + "/" + p.Key
			whole := d.objects.Content(key)
			for i := range whole {
				flipped := slices.Clone(whole)
				flipped[i] ^= 1 << (i % 8)
				for what, broken := range map[string][]byte{"flipped": flipped, "cut": whole[:i]} {
					d.objects.Change(key, broken)
					_, err := read(t.Context(), d.Read(e, nil), p.Name)
					one := new(ops.Error)
					if !errors.As(err, &one) || !strings.Contains(one.Summary, e.ID) || one.Hint == "" {
						t.Fatalf("%s at byte %d of part %s: %v", what, i, p.Name, err)
					}
					if d.Verify(t.Context(), e, nil) == nil {
						t.Errorf("%s at byte %d of part %s is not found", what, i, p.Name)
					}
				}
			}
			d.objects.Change(key, append(slices.Clone(whole), 0))
			if _, err := read(t.Context(), d.Read(e, nil), p.Name); err == nil {
				t.Errorf("a byte too many in part %s is not found", p.Name)
			}
			d.objects.Change(key, whole)
		}
	})
}

// TestWhatIsUnpackedIsCompared has a part that is stored as it was written, and
// yet is not what the manifest says was dumped.
func TestWhatIsUnpackedIsCompared(t *testing.T) {
	for problem, change := range map[string]func(p *backup.Part){
		"not what was dumped":  func(p *backup.Part) { p.PlainSHA256 = strings.Repeat("0", 64) },
		"more than was dumped": func(p *backup.Part) { p.Plain = 10 },
	} {
		d := newDesk(t, backup.Keys{})
		e := d.write(t, map[string][]byte{"dump": content(1 << 20)})
		change(&e.Parts[0])
		if _, err := read(t.Context(), d.Read(e, nil), "dump"); !errors.Is(err, backup.ErrDamaged) || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v", problem, err)
		}
	}
}

func TestDamageIsListed(t *testing.T) {
	for _, tt := range []struct {
		name, problem string
		rung          ops.Rung
		do            func(d *desk, folder string, parts []backup.Part)
	}{
		{"part missing", "part dump is missing", ops.Sized, func(d *desk, folder string, parts []backup.Part) {
			_ = d.objects.Delete(context.Background(), folder+parts[0].Key)
		}},
		{"part cut", "part dump has 10 bytes", ops.Sized, func(d *desk, folder string, parts []backup.Part) {
			d.objects.Change(folder+parts[0].Key, d.objects.Content(folder + parts[0].Key)[:10])
		}},
		{"manifest cut", "manifest damaged", ops.NoRung, func(d *desk, folder string, _ []backup.Part) {
			d.objects.Change(folder+"manifest.json", d.objects.Content(folder + "manifest.json")[:100])
		}},
		{"manifest of another", "manifest damaged", ops.NoRung, func(d *desk, folder string, _ []backup.Part) {
			other := strings.Replace(folder, "/2026", "/2025", 1)
			d.objects.Change(other+"manifest.json", d.objects.Content(folder+"manifest.json"))
			_ = d.objects.Delete(context.Background(), folder+"manifest.json")
		}},
		{"check cut", "check-20261123T090000.000Z-matched.json is damaged", ops.Stored, func(d *desk, folder string, _ []backup.Part) {
			d.objects.Change(folder+"check-20261123T090000.000Z-matched.json", []byte("{"))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, backup.Keys{})
			e := d.write(t, small())
			tt.do(d, string(app)+"/"+name+"/"+e.ID+"/", e.Parts)
			entries := d.list(t)
			if len(entries) != 1 || entries[0].Rung != tt.rung || !strings.Contains(entries[0].Problem, tt.problem) {
				t.Fatalf("listed: %+v", entries)
			}
			if _, err := d.Find(t.Context(), ""); err == nil {
				t.Error("it is taken for a good one")
			}
			if d.Verify(t.Context(), entries[0], nil) == nil {
				t.Error("verify finds nothing")
			}
			if err := d.Delete(t.Context(), entries[0]); err != nil || len(d.list(t)) != 0 {
				t.Errorf("it cannot be deleted: %v", err)
			}
		})
	}
}

func TestWithoutManifestThereIsNoBackup(t *testing.T) {
	d := newDesk(t, backup.Keys{})
	e := d.write(t, small())
	if err := d.objects.Delete(t.Context(), string(app)+"/"+name+"/"+e.ID+"/manifest.json"); err != nil {
		t.Fatal(err)
	}
	if len(d.list(t)) != 0 {
		t.Error("it is listed")
	}
	if _, err := d.Find(t.Context(), e.ID); err == nil || !strings.Contains(err.Error(), "has no manifest") {
		t.Errorf("find: %v", err)
	}
}

func TestNothingReadableIsStored(t *testing.T) {
	recipient, keys := pair(t)
	d := newDesk(t, keys, recipient)
	e := d.write(t, map[string][]byte{"dump": content(1 << 20), "globals": []byte(marker)})
	for _, key := range d.keys(t) {
		if bytes.Contains(d.objects.Content(key), []byte(marker)) {
			t.Errorf("%s holds what was dumped", key)
		}
	}
	_, others := pair(t)
	for _, tt := range []struct {
		name, problem string
		keys          backup.Keys
	}{
		{"no identity", "is encrypted, and there is no identity", backup.Keys{Recipients: keys.Recipients}},
		{"another's identity", "encrypted to others than the identity given", others},
	} {
		t.Run(tt.name, func(t *testing.T) {
			shelf := backup.NewShelf(d.objects, app, name, tt.keys)
			for _, part := range []string{"dump", "globals"} {
				got, err := read(t.Context(), shelf.Read(e, nil), part)
				one := new(ops.Error)
				if len(got) > 0 || !errors.As(err, &one) || !strings.Contains(one.Summary, tt.problem) || !strings.Contains(one.Hint, "--identity") {
					t.Errorf("part %s: %d bytes, %v", part, len(got), err)
				}
			}
			if err := shelf.Verify(t.Context(), e, nil); err != nil {
				t.Errorf("verify takes an identity: %v", err)
			}
		})
	}
}

// TestNeverInTheClear holds that a backup which has to be encrypted is not made
// when the keys are not those that were asked for.
func TestNeverInTheClear(t *testing.T) {
	recipient, keys := pair(t)
	for name, d := range map[string]*desk{
		"no keys":     newDesk(t, backup.Keys{}, recipient),
		"one of two":  newDesk(t, keys, recipient, "age1other"),
		"only an id":  newDesk(t, backup.Keys{Identities: keys.Identities}, recipient),
		"unannounced": newDesk(t, keys),
	} {
		if _, err := d.Write(t.Context(), d.draft, dump(small()), nil); err == nil || len(d.keys(t)) != 0 {
			t.Errorf("%s: %v, stored %v", name, err, d.keys(t))
		}
	}
}

func TestFailedDumpLeavesNothing(t *testing.T) {
	broken := errors.New("pg_dump: connection to server lost")
	for _, tt := range []struct {
		name, problem string
		dump          func(backup.Put) (backup.Facts, error)
	}{
		{"nothing put", "nothing was dumped", func(backup.Put) (backup.Facts, error) { return facts(), nil }},
		{"empty part", "is empty", dump(map[string][]byte{"dump": nil})},
		{"same part twice", "cannot be called dump", func(put backup.Put) (backup.Facts, error) {
			one := func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err }
			return facts(), errors.Join(put("dump", one), put("dump", one))
		}},
		{"part out of the folder", "cannot be called ../dump", func(put backup.Put) (backup.Facts, error) {
			return facts(), put("../dump", func(w io.Writer) error { _, err := io.WriteString(w, "x"); return err })
		}},
		{"dump breaks off", "server lost", func(put backup.Put) (backup.Facts, error) {
			return facts(), put("dump", func(w io.Writer) error {
				_, err := w.Write(content(1 << 20))
				return errors.Join(err, broken)
			})
		}},
		{"second part breaks off", "server lost", func(put backup.Put) (backup.Facts, error) {
			if _, err := dump(small())(put); err != nil {
				return facts(), err
			}
			return facts(), put("more", func(io.Writer) error { return broken })
		}},
		{"facts are not had", "server lost", func(put backup.Put) (backup.Facts, error) {
			_, err := dump(small())(put)
			return backup.Facts{}, errors.Join(err, broken)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, d *desk) {
				_, err := d.Write(t.Context(), d.draft, tt.dump, nil)
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Errorf("error: %v", err)
				}
				if keys := d.keys(t); len(keys) != 0 {
					t.Errorf("left: %v", keys)
				}
			})
		})
	}
}

// TestInterruptedAtEachCall has the store fail at each of its calls: once, from
// then on as when the process is killed, or by a cancel.
func TestInterruptedAtEachCall(t *testing.T) {
	away := errors.New("connection reset")
	everyone := func(backup.Claim) bool { return true }
	actions := map[string]func(ctx context.Context, d *desk) error{
		"write": func(ctx context.Context, d *desk) error {
			_, err := d.Write(ctx, d.draft, dump(small()), nil)
			return err
		},
		"delete": func(ctx context.Context, d *desk) error {
			entries, err := d.List(ctx)
			if err != nil {
				return err
			}
			return d.Delete(ctx, entries[0])
		},
		"clean": func(ctx context.Context, d *desk) error {
			_, err := d.Clean(ctx, everyone)
			return err
		},
	}
	for action, do := range actions {
		for _, way := range []string{"once", "killed", "cancelled"} {
			t.Run(action+" "+way, func(t *testing.T) {
				for n := 1; ; n++ {
					recipient, keys := pair(t)
					d := newDesk(t, keys, recipient)
					d.write(t, small())
					if action == "clean" {
						second := d.write(t, small())
						_ = d.objects.Delete(t.Context(), string(app)+"/"+name+"/"+second.ID+"/manifest.json")
					}
					ctx, cancel := context.WithCancel(t.Context())
					calls := 0
					d.objects.Fail = func(ctx context.Context, _, _ string) error {
						calls++
						switch {
						case calls == n && way == "cancelled":
							cancel()
							return ctx.Err()
						case calls == n, calls > n && way == "killed":
							return away
						}
						return nil
					}
					err := do(ctx, d)
					cancel()
					d.objects.Fail = nil
					if calls < n {
						if err != nil || n < 3 {
							t.Fatalf("undisturbed after %d calls: %v", calls, err)
						}
						return
					}
					entries := d.list(t)
					for _, e := range entries {
						if e.Problem != "" {
							t.Errorf("call %d: %s is listed: %s", n, e.ID, e.Problem)
						}
						if err := d.Verify(t.Context(), e, nil); err != nil {
							t.Errorf("call %d: %v", n, err)
						}
					}
					// A deletion that failed may have come as far as the manifest.
					most, least := 1, 1
					switch {
					case action == "write" && err == nil:
						most, least = 2, 2
					case action == "delete" && err == nil:
						most, least = 0, 0
					case action == "delete":
						least = 0
					}
					if len(entries) > most || len(entries) < least {
						t.Errorf("call %d: %v, and %d backups are listed", n, err, len(entries))
					}
					if _, err := d.Clean(t.Context(), everyone); err != nil {
						t.Errorf("call %d: clean: %v", n, err)
					}
					for _, key := range d.keys(t) {
						if !slices.ContainsFunc(entries, func(e backup.Entry) bool { return strings.Contains(key, e.ID) }) || strings.HasSuffix(key, "claim.json") {
							t.Errorf("call %d: %s is left after cleaning", n, key)
						}
					}
				}
			})
		}
	}
}

// TestCleanLeavesWhatWasCompletedMeanwhile has the last object of a backup come
// while it is judged.
func TestCleanLeavesWhatWasCompletedMeanwhile(t *testing.T) {
	d := newDesk(t, backup.Keys{})
	e := d.write(t, small())
	folder := string(app) + "/" + name + "/" + e.ID + "/"
	manifest := d.objects.Content(folder + "manifest.json")
	_ = d.objects.Delete(t.Context(), folder+"manifest.json")
	d.objects.Change(folder+"claim.json", []byte("torn"))
	removed, err := d.Clean(t.Context(), func(backup.Claim) bool {
		d.objects.Change(folder+"manifest.json", manifest)
		return true
	})
	if err != nil || len(removed) != 0 || !d.sound(t) {
		t.Errorf("removed %v, %v", removed, err)
	}
	if d.objects.Content(folder+"claim.json") != nil {
		t.Error("the claim is left")
	}
}

func TestCleanLeavesWhatIsNotAbandoned(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		claim backup.Claim
		gone  bool
	}{
		{"here, alive, for days", backup.Claim{Host: "laptop", PID: 1, At: now.Add(-99 * time.Hour)}, false},
		{"here, dead", backup.Claim{Host: "laptop", PID: 2, At: now.Add(-time.Second)}, true},
		{"elsewhere, young", backup.Claim{Host: "ci", PID: 2, At: now.Add(-47 * time.Hour)}, false},
		{"elsewhere, old", backup.Claim{Host: "ci", PID: 1, At: now.Add(-49 * time.Hour)}, true},
		{"nobody's, young", backup.Claim{At: now.Add(-23 * time.Hour)}, false},
		{"nobody's, old", backup.Claim{At: now.Add(-25 * time.Hour)}, true},
	} {
		if got := backup.Abandoned(func(c backup.Claim) bool { return c.Host == "laptop" }, func(pid int) bool { return pid == 1 }, now)(tt.claim); got != tt.gone {
			t.Errorf("%s: abandoned %v", tt.name, got)
		}
	}

	d := newDesk(t, backup.Keys{})
	d.objects.Change("shop@production/db/notes/readme.txt", []byte("not ours"))
	d.objects.Change("shop@production/db2/20261101T000000Z-abcd/claim.json", []byte("another's"))
	d.objects.Change("shop@production/db/20261101T000000Z-abcd/claim.json", []byte("{torn"))
	d.objects.Change("shop@production/db/20261101T000000Z-abcd/dump.zst", []byte("x"))
	var inside []string
	_, err := d.Write(t.Context(), d.draft, func(put backup.Put) (backup.Facts, error) {
		asked := []backup.Claim{}
		var err error
		inside, err = d.Clean(t.Context(), func(c backup.Claim) bool { asked = append(asked, c); return c.Host == "" })
		if len(asked) != 2 || asked[0].At.Year() != 2026 || asked[1].Host != "laptop" || asked[1].PID != 42 || asked[1].Task != "01A" {
			t.Errorf("asked about %+v", asked)
		}
		_, dumped := dump(small())(put)
		return facts(), errors.Join(err, dumped)
	}, nil)
	if err != nil || !slices.Equal(inside, []string{"20261101T000000Z-abcd"}) {
		t.Errorf("cleaned %v, %v", inside, err)
	}
	if keys := d.keys(t); len(keys) != 6 || len(d.list(t)) != 1 {
		t.Errorf("left: %v", keys)
	}
}
