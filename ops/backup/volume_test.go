package backup

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"binnacle/ops/command"
)

// TestVolumeNamesAreThoseOfTheManifest holds that names which JSON cannot keep are
// counted under the name that it gives back.
func TestVolumeNamesAreThoseOfTheManifest(t *testing.T) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, header := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir}, {Name: "./M\xfcller/", Typeflag: tar.TypeDir}, {Name: "./M\xf6ller/", Typeflag: tar.TypeDir},
		{Name: "./M\xfcller/a"}, {Name: "./M\xf6ller/b"}, {Name: "./\xff\xfe/c"}, {Name: "./top"},
	} {
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dumped, err := walkTar(&archive, io.Discard, "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(dumped)
	if err != nil {
		t.Fatal(err)
	}
	var kept Facts
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	seen, err := readVolume("M\xfcller\x001\x00M\xf6ller\x001\x00\xff\xfe\x001\x00.\x001\x00\x0012\x00overlay 9 1 8 1% /\x00")
	if err != nil {
		t.Fatal(err)
	}
	for name, is := range map[string]Facts{"dumped": dumped, "seen": seen} {
		for _, difference := range Compare(kept, is) {
			t.Errorf("%s: %s", name, difference)
		}
	}
	if kept.Rows() != 4 || len(kept.Tables) != 3 {
		t.Errorf("kept: %v", kept.Tables)
	}
}

func TestBeatsComeUntilTheyAreOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &beats{tick: time.NewTicker(beatEvery), over: make(chan struct{})}
		defer b.tick.Stop()
		began := time.Now()
		if n, err := io.ReadFull(b, make([]byte, 8)); n != 8 || err != nil || time.Since(began) != 8*beatEvery {
			t.Errorf("%d beats in %s: %v", n, time.Since(began), err)
		}
		close(b.over)
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("it ends with %v", err)
		}
	})
}

// TestVolumeCopyEndsWithItsCaller runs the script with a docker whose copy takes
// for ever.
func TestVolumeCopyEndsWithItsCaller(t *testing.T) {
	if _, err := os.Stat("/proc/self/io"); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct{ name, sleep string }{
		{"its stdin ends", ""},
		{"nothing comes in", "#!/bin/sh\n"}, // time flies
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			docker := "#!/bin/sh\necho \"$*\" >> " + dir + "/log\ncase $1 in cp) echo copied; exec tail -f /dev/null ;; esac\n"
			for name, content := range map[string]string{"docker": docker, "sleep": c.sleep} {
				if content == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", volumeCopy, "sh", "app", "app:/data/.", "pause")
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(out, make([]byte, len("copied\n"))); err != nil {
				t.Fatal(err)
			}
			if c.name == "its stdin ends" {
				_ = in.Close()
			}
			_, _ = io.Copy(io.Discard, out)
			if err := cmd.Wait(); err == nil {
				t.Error("it ends well")
			}
			log, err := os.ReadFile(filepath.Join(dir, "log"))
			if want := "pause app\ncp app:/data/. -\nunpause app\n"; err != nil || string(log) != want {
				t.Errorf("docker was told %q, %v", log, err)
			}
		})
	}
}

// An error names what ran and on what, not a script of a page.
func TestBriefLines(t *testing.T) {
	for line, want := range map[string]string{
		"docker exec db sh -c 'one\ntwo\nthree' sh app": "docker exec db sh -c '… three' sh app",
		"sh -c 'one\ntwo' sh shop-db /srv":              "sh -c '… two' sh shop-db /srv",
		"docker cp db:/srv -":                           "docker cp db:/srv -",
		"sh -c 'one' sh":                                "sh -c 'one' sh",
	} {
		if got := brief(command.New(line)); got != want {
			t.Errorf("%q is shown as %q, want %q", line, got, want)
		}
	}
}
