package remote

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSSHConfigIsReadAsSSHReadsIt asks ssh itself (ssh -G) what it makes of a
// file and compares.
func TestSSHConfigIsReadAsSSHReadsIt(t *testing.T) {
	t.Parallel()
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("no ssh")
	}
	dir := t.TempDir()
	writeFile(t, dir+"/inc/a.conf", "Host web-*\n  Port 2201\nMatch all\n  HostKeyAlias included\n")
	writeFile(t, dir+"/inc/b.conf", "User from-b\n")
	hosts := []string{"web-1", "db.example.com", "WEB-2", "10.0.0.7", "deploy@web-1"}
	for i, text := range []string{
		"Host web-1\n Port 2222\nHost web-*\n Port 3333\n User deploy\nHost *\n User other\n HostName %h.internal\n",
		"Host * !web-1\n Port 2222\nHost web-? !web-2\n User someone\n",
		"Host=web-1\n\tPort = 44 # a comment\n\tUser=\"quoted user\"\n\tIdentityFile \"/keys/with blank\"\n",
		"Port 5\nHost web-1\nPort 6\nMatch host web-1\nHostName 192.0.2.1\nMatch host 192.0.2.1\nUser by-address\n",
		"Match host \"web-*,!web-2\" user deploy\n Port 77\nMatch originalhost db.*\n HostName db.internal\nMatch !host web-1\n User not-web-1\n",
		"Match user deploy\n Port 99\nMatch all\n User late\nMatch user late\n Port 98\n",
		"Host web-1\n Include " + dir + "/inc/*.conf\nHost db.*\n Port 9\n",
		"Include " + dir + "/inc/*.conf\nHost web-1\n Port 9\n User me\n",
		"Match localuser nobody-here\n Port 1\nMatch !localuser nobody-here\n Port 2\n",
		"IdentityFile /a\nHost web-1\n IdentityFile /b\n IdentityFile /a\n IdentityFile none\nIdentitiesOnly yes\nIdentityAgent none\n",
		"Host web-1\n ProxyJump none\nHost *\n ProxyJump jump@bastion:2222,inner\n ProxyCommand never\n",
		"Host web-1\n ProxyCommand nc -x proxy %h %p # not a comment\nHost *\n ProxyJump bastion\n",
		"Host web-1\n ProxyCommand none\nHost *\n ProxyCommand second\n",
		"Host web-1\n ProxyCommand none\nHost *\n ProxyJump bastion # or not\n",
		"Host web-1\n ProxyJump none\nHost *\n ProxyJump bastion\n",
		"Host WEB-*\n Port 7\nMatch host web-*\n User lower\nMatch originalhost WEB-2\n Port 8\n",
		"Match final host *.internal\n User final\nHost web-1\n HostName w.internal\n",
		"Match exec false\n Port 1\nHost *\n Port 2\n UserKnownHostsFile /one \"/two three\"\n StrictHostKeyChecking accept-new\n",
	} {
		path := filepath.Join(dir, fmt.Sprintf("config%d", i))
		writeFile(t, path, text)
		file, err := configReader{home: dir, getenv: os.Getenv}.read(path, dir, 0)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for _, host := range hosts {
			out, err := exec.Command(ssh, "-G", "-F", path, host).CombinedOutput()
			if err != nil {
				t.Fatalf("ssh -G %s with %q: %v: %s", host, text, err, out)
			}
			d, err := parseDestination(host)
			if err != nil {
				t.Fatal(err)
			}
			found := lookUp([]*configFile{file}, lookup{original: d.host, userSet: d.user, localUser: currentUser(t)})
			compare(t, text, host, parseG(string(out)), found)
		}
	}
}

func TestABrokenSSHConfigNamesTheLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Host a\n  Port \"22\n":                ":2: a quote is not closed",
		"\nUser\n":                             ":2: User has no value",
		"Include \"${NO_SUCH_VARIABLE_}/x\"\n": "NO_SUCH_VARIABLE_ is not set",
	} {
		path := t.TempDir() + "/config"
		writeFile(t, path, text)
		_, err := configReader{getenv: func(string) string { return "" }}.read(path, "/", 0)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	loop := t.TempDir() + "/loop"
	writeFile(t, loop, "Include "+loop+"\n")
	if _, err := (configReader{getenv: os.Getenv}).read(loop, "/", 0); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("a file that includes itself: %v", err)
	}
}

func TestDestinations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]destination{
		"vm1":                 {host: "vm1"},
		"ops@vm1":             {host: "vm1", user: "ops"},
		"vm1:2222":            {host: "vm1", port: 2222},
		"a@b@vm1:2222":        {host: "vm1", user: "a@b", port: 2222},
		"2001:db8::1":         {host: "2001:db8::1"},
		"[2001:db8::1]:2222":  {host: "2001:db8::1", port: 2222},
		"ops@[2001:db8::1]":   {host: "2001:db8::1", user: "ops"},
		"ssh://ops@vm1:2222/": {host: "vm1", user: "ops", port: 2222},
	} {
		got, err := parseDestination(text)
		if err != nil || got.key() != want.key() {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "ops@", "vm1:0", "vm1:99999", "vm1:ssh"} {
		if got, err := parseDestination(text); err == nil {
			t.Errorf("%q became %+v", text, got)
		}
	}
}

func FuzzSSHConfig(f *testing.F) {
	for _, seed := range []string{"Host a\n Port 22", "Match host a,b !user c\nInclude x", "ProxyCommand=a 'b", "Host \"a", "=", "IdentityFile %%%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := &configFile{}
		for line := range strings.Lines(text) {
			if d, err := parseDirective(line); err == nil && d.key != "" && d.key != "include" {
				file.directives = append(file.directives, d)
			}
		}
		lookUp([]*configFile{file}, lookup{original: "a"})
	})
}

// compare looks at the keywords that decide how a host is reached.
func compare(t *testing.T, text, host string, want map[string][]string, found *lookup) {
	t.Helper()
	got := map[string]string{
		"hostname": found.hostName(), "user": found.user(), "port": found.first("port"),
		"proxyjump": found.first("proxyjump"), "proxycommand": found.first("proxycommand"), "hostkeyalias": found.first("hostkeyalias"),
		"identityfile": strings.Join(found.values["identityfile"], "|"),
	}
	if got["port"] == "" {
		got["port"] = "22"
	}
	for _, key := range []string{"proxyjump", "proxycommand"} {
		if got[key] == "none" {
			got[key] = ""
		}
	}
	for key, value := range got {
		expected := strings.Join(want[key], "|")
		if key == "identityfile" && value == "" {
			continue // ssh names its defaults, which are added elsewhere
		}
		if value != expected {
			t.Errorf("%s of %s in %q is %q, ssh says %q", key, host, text, value, expected)
		}
	}
}

func parseG(text string) map[string][]string {
	values := map[string][]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if value != "none" || key == "identityfile" {
			values[key] = append(values[key], value)
		}
	}
	return values
}
