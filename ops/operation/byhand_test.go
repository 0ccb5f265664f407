package operation_test

import (
	"path/filepath"
	"strings"
	"testing"

	"binnacle/config"
)

// What a person is told to type reaches the destination and the file that the
// failure was about.
func TestHintsNameTheDestinationAndTheFile(t *testing.T) {
	for _, test := range []struct{ file, destination, want string }{
		{"", "", "binnacle "},
		{"", "staging", "binnacle -d staging "},
		{"ops/my shop.yml", "", "binnacle -c 'ops/my shop.yml' "},
		{"other.yml", "staging", "binnacle -d staging -c other.yml "},
	} {
		dir := t.TempDir()
		file := test.file
		if file == "" {
			file = "config/deploy.yml"
		}
		write(t, filepath.Join(dir, file), demoConfig)
		write(t, filepath.Join(dir, ".kamal", "secrets-common"), "TOKEN=secret-token\nPASS=secret-password\n")
		if test.destination != "" {
			write(t, filepath.Join(dir, strings.TrimSuffix(file, ".yml")+"."+test.destination+".yml"), "retain_containers: 3\n")
		}
		cfg, _, err := config.Load(t.Context(), config.Options{
			Dir: dir, File: test.file, Destination: test.destination, Version: "v3", Arch: "amd64", Env: func(string) (string, bool) { return "", false },
		})
		if err != nil {
			t.Fatal(err)
		}
		b := newBenchOf(t, cfg)
		b.rails("20260101 Create users")
		b.locks["vm1"] = details("Automatic deploy lock")
		says := []string{b.plan("app maintenance").Effects[2].Text}
		says = append(says, texts(b.start(b.plan("deploy", "skip-push", "true"), nil).Errors)...)
		delete(b.locks, "vm1")
		b.in.Holder.Task = "02TASK"
		says = append(says, b.result("migrate status"))
		text := strings.Join(says, "\n")
		for _, words := range []string{"page until %app live, deploys", "if nobody is deploying: %lock release", "1 migration pending: %migrate"} {
			if want := strings.ReplaceAll(words, "%", test.want); !strings.Contains(text, want) {
				t.Errorf("%s %s: does not say %q:\n%s", test.file, test.destination, want, text)
			}
		}
	}
}
