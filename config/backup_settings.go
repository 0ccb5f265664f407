package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Private

// settings are what an entry says of when, how long and to whom; its store aside.
func (r *extensionReader) settings(section Value, path string) Backup {
	check := section.sub("check")
	if section.has("check") {
		r.typed(check, join(path, "check"), Map)
	}
	at := join(path, "check")
	return Backup{Schedule: r.schedule(section, path), Retain: r.retain(section, path), Encrypt: r.encryption(section, path),
		Check: BackupCheck{
			MaxAge: r.duration(check, "max_age", at, 26*time.Hour),
			Drill:  r.duration(check, "drill", at, 30*24*time.Hour),
			SQL:    r.text(check, "sql", at),
		}}
}

// schedule is five fields; false takes back what is said elsewhere.
func (r *extensionReader) schedule(section Value, path string) string {
	value := section.sub("schedule")
	if value.IsFalse() {
		return ""
	}
	text := r.text(section, "schedule", path)
	if text == "" {
		return ""
	}
	cron, err := ParseCron(text)
	if err != nil {
		r.fail(value.at, join(path, "schedule"), err.Error(), "write such as 0 2 * * *, which is at two every night")
		return ""
	}
	return cron.String()
}

func (r *extensionReader) retain(section Value, path string) Retain {
	value, ok := section.get("retain")
	path = join(path, "retain")
	if !ok || value.IsFalse() || !r.typed(value, path, Map) {
		return Retain{}
	}
	r.unknownKeys(value, r.schema.section(extensionKey).sub("backups", everyBackup, "retain"), path)
	const most = 10_000
	kept := Retain{Last: r.number(value, "last", path, 0, most), Daily: r.number(value, "daily", path, 0, most),
		Weekly: r.number(value, "weekly", path, 0, most), Monthly: r.number(value, "monthly", path, 0, most)}
	if kept == (Retain{}) {
		r.fail(value.at, path, "keeps nothing", "write last:, daily:, weekly: or monthly: with a number, or remove retain: to keep everything")
	}
	return kept
}

// encryption reads recipients alone, as a text or a list, or with what reads them
// again. Nothing that may be a private key is repeated in a problem.
func (r *extensionReader) encryption(section Value, path string) Encryption {
	value, ok := section.get("encrypt")
	path = join(path, "encrypt")
	if !ok || value.IsFalse() || !r.typed(value, path, String, List, Map) {
		return Encryption{}
	}
	if value.kind != Map {
		return Encryption{Recipients: r.recipients(value, path)}
	}
	r.unknownKeys(value, r.schema.section(extensionKey).sub("backups", everyBackup, "encrypt"), path)
	recipients, written := value.get("recipients")
	if !written || !recipients.Present() {
		r.fail(value.at, join(path, "recipients"), "is required", "write to whom it is encrypted: age1… or an SSH public key")
		return Encryption{}
	}
	e := Encryption{Identity: r.text(value, "identity", path), IdentitySecret: r.secret(value, "identity_secret", path)}
	if r.typed(recipients, join(path, "recipients"), List, String) {
		e.Recipients = r.recipients(recipients, join(path, "recipients"))
	}
	switch {
	case e.Identity != "" && value.has("identity_secret"):
		r.fail(value.at, path, "has two identities", "remove identity: or identity_secret:")
	case privateKey(e.Identity):
		r.fail(value.sub("identity").at, join(path, "identity"), "should be the path of a file",
			"put the key into a file or a secret, and exchange it: whoever read this file knows it")
		e.Identity = ""
	}
	if e.Identity != "" {
		e.Identity = r.config.localPath(e.Identity)
	}
	return e
}

func (r *extensionReader) recipients(value Value, path string) []string {
	items := value.list
	if value.kind != List {
		items = []Value{value}
	}
	if len(items) == 0 {
		r.fail(value.at, path, "should name somebody", "write age1… or an SSH public key; encrypt: false is for none")
	}
	var recipients []string
	for i, item := range items {
		at := path
		if value.kind == List {
			at = join(path, strconv.Itoa(i))
		}
		text := strings.TrimSpace(item.String())
		switch {
		case item.scalar() && publicKey(text):
			recipients = append(recipients, text)
		case privateKey(text):
			r.fail(item.at, at, "should be a public key", "write the recipient, and exchange the key: whoever read this file knows it")
		default:
			r.fail(item.at, at, "should be a recipient", "write age1…, ssh-ed25519 … or ssh-rsa …")
		}
	}
	return recipients
}

// Helpers

func publicKey(text string) bool {
	return slices.ContainsFunc([]string{"age1", "ssh-ed25519 ", "ssh-rsa "}, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

func privateKey(text string) bool {
	return strings.Contains(strings.ToUpper(text), "AGE-SECRET-KEY-") || strings.Contains(text, "PRIVATE KEY")
}
