package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// systemTool knows the commands that tell about the machine.
func systemTool(name string) tool {
	switch name {
	case "date":
		return runDate
	case "whoami":
		return func(p *process) int { p.print("root\n"); return 0 }
	case "id":
		return runID
	case "groups":
		return func(p *process) int { p.print("root docker\n"); return 0 }
	case "hostname":
		return func(p *process) int { p.print(p.name + "\n"); return 0 }
	case "uname":
		return runUname
	case "nproc":
		return func(p *process) int { p.print("2\n"); return 0 }
	case "arch":
		return func(p *process) int { p.print("x86_64\n"); return 0 }
	case "uptime":
		return runUptime
	case "free":
		return runFree
	case "df":
		return runDf
	case "du":
		return runDu
	case "ps":
		return runPs
	case "usermod", "systemctl", "service":
		return func(*process) int { return 0 }
	}
	return nil
}

// Private

func runDate(p *process) int {
	now := p.h.now()
	format := "+%a %b %e %H:%M:%S UTC %Y"
	for i := 1; i < len(p.args); i++ {
		switch a := p.args[i]; {
		case strings.HasPrefix(a, "+"):
			format = a
		case strings.HasPrefix(a, "-I") || strings.HasPrefix(a, "--iso-8601"):
			format = "+%Y-%m-%dT%H:%M:%S+00:00"
		case a == "-d" && i+1 < len(p.args):
			i++
			if sec, err := strconv.ParseInt(strings.TrimPrefix(p.args[i], "@"), 10, 64); err == nil {
				now = time.Unix(sec, 0).UTC()
			}
		}
	}
	p.print(strftime(now, format[1:]) + "\n")
	return 0
}

// strftime knows the letters that scripts use.
func strftime(t time.Time, format string) string {
	return strings.NewReplacer(
		"%%", "%", "%Y", t.Format("2006"), "%m", t.Format("01"), "%d", t.Format("02"), "%e", t.Format("_2"), "%H", t.Format("15"), "%M", t.Format("04"), "%S", t.Format("05"),
		"%y", t.Format("06"), "%b", t.Format("Jan"), "%B", t.Format("January"), "%a", t.Format("Mon"), "%A", t.Format("Monday"), "%j", fmt.Sprintf("%03d", t.YearDay()), "%p", t.Format("PM"),
		"%s", fmt.Sprint(t.Unix()), "%N", fmt.Sprintf("%09d", t.Nanosecond()), "%3N", fmt.Sprintf("%03d", t.Nanosecond()/1e6), "%F", t.Format("2006-01-02"), "%T", t.Format("15:04:05"),
		"%D", t.Format("01/02/06"), "%R", t.Format("15:04"), "%Z", "UTC", "%z", "+0000", "%:z", "+00:00", "%n", "\n", "%t", "\t",
	).Replace(format)
}

func runID(p *process) int {
	flags, _ := cutFlags(p.args[1:])
	_, name := flags["n"]
	_, group := flags["g"]
	_, groups := flags["G"]
	_, user := flags["u"]
	switch {
	case groups && name:
		p.print("root docker\n")
	case groups:
		p.print("0 999\n")
	case (user || group) && name:
		p.print("root\n")
	case user || group:
		p.print("0\n")
	default:
		p.print("uid=0(root) gid=0(root) groups=0(root),999(docker)\n")
	}
	return 0
}

func runUname(p *process) int {
	parts := []struct{ flag, text string }{
		{"s", "Linux"}, {"n", p.name}, {"r", kernelVersion}, {"v", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)"}, {"m", "x86_64"}, {"o", "GNU/Linux"},
	}
	flags, _ := cutFlags(p.args[1:])
	_, all := flags["a"]
	if len(flags) == 0 {
		flags["s"] = ""
	}
	var out []string
	for _, part := range parts {
		if _, ok := flags[part.flag]; ok || all {
			out = append(out, part.text)
		}
	}
	p.print(strings.Join(out, " ") + "\n")
	return 0
}

const kernelVersion = "6.1.0-37-amd64"

func runUptime(p *process) int {
	up := p.h.now().Sub(p.h.booted)
	if len(p.args) > 1 && p.args[1] == "-p" {
		p.print(fmt.Sprintf("up %d days, %d hours\n", int(up.Hours())/24, int(up.Hours())%24))
		return 0
	}
	one, five, fifteen := p.h.loads()
	p.print(fmt.Sprintf(" %s up %d days, %2d:%02d,  1 user,  load average: %.2f, %.2f, %.2f\n",
		p.h.now().Format("15:04:05"), int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60, one, five, fifteen))
	return 0
}

func runFree(p *process) int {
	flags, _ := cutFlags(p.args[1:])
	unit := uint64(1024)
	if _, ok := flags["m"]; ok {
		unit = 1 << 20
	}
	if _, ok := flags["b"]; ok {
		unit = 1
	}
	used := p.h.memUsed()
	total := uint64(memTotal)
	cached := min(uint64(900<<20), (total-used)/2)
	p.print(fmt.Sprintf("%15s %11s %11s %11s %11s %11s\n", "total", "used", "free", "shared", "buff/cache", "available"))
	p.print(fmt.Sprintf("Mem: %11d %11d %11d %11d %11d %11d\n", total/unit, used/unit, (total-used-cached)/unit, (2<<20)/unit, cached/unit, (total-used)/unit))
	p.print(fmt.Sprintf("Swap:%11d %11d %11d\n", 0, 0, 0))
	return 0
}

func runDf(p *process) int {
	flags, _ := cutFlags(p.args[1:], "output", "B", "block-size")
	size, used := p.h.diskUsage()
	percent := int((used*100 + size - 1) / size)
	unit, title := uint64(1024), "1K-blocks"
	if _, ok := flags["P"]; ok {
		title = "1024-blocks"
	}
	if b := flags["B"] + flags["block-size"]; b == "1" {
		unit, title = 1, "1B-blocks"
	}
	num := func(n uint64) string { return fmt.Sprint(n / unit) }
	if _, ok := flags["h"]; ok {
		title = "Size"
		num = func(n uint64) string { return fmt.Sprintf("%dG", (n+1<<29)>>30) }
	}
	if out := flags["output"]; out != "" {
		titles, values := []string{}, []string{}
		for _, col := range strings.Split(out, ",") {
			name := map[string]string{"pcent": "Use%", "size": title, "used": "Used", "avail": "Avail", "target": "Mounted on", "source": "Filesystem"}[col]
			value := map[string]string{"pcent": fmt.Sprintf("%3d%%", percent), "size": num(size), "used": num(used), "avail": num(size - used), "target": "/", "source": "/dev/vda1"}[col]
			titles, values = append(titles, name), append(values, value)
		}
		p.print(strings.Join(titles, " ") + "\n" + strings.Join(values, " ") + "\n")
		return 0
	}
	p.print(fmt.Sprintf("%-14s %10s %10s %10s %4s %s\n", "Filesystem", title, "Used", "Available", "Use%", "Mounted on"))
	p.print(fmt.Sprintf("%-14s %10s %10s %10s %3d%% %s\n", "/dev/vda1", num(size), num(used), num(size-used), percent, "/"))
	return 0
}

func runDu(p *process) int {
	_, words := cutFlags(p.args[1:])
	if len(words) == 0 {
		words = []string{"."}
	}
	for _, w := range words {
		var total int64
		err := p.eachNode(p.path(w), true, func(n *node) { total += infoOf(n).size })
		if err != nil {
			return p.fail(1, "cannot access '%s': %v", w, err)
		}
		p.print(fmt.Sprintf("%d\t%s\n", (total+1023)/1024, w))
	}
	return 0
}

// runPs lists the processes of the containers, since the host runs nothing else worth naming.
func runPs(p *process) int {
	p.print("    PID TTY          TIME CMD\n")
	p.print("      1 ?        00:00:04 " + map[bool]string{true: "init", false: "systemd"}[p.c != nil] + "\n")
	if p.c != nil {
		return 0
	}
	p.print("    612 ?        00:01:12 sshd\n    734 ?        00:09:41 dockerd\n")
	var text strings.Builder
	p.h.mu.Lock()
	for _, c := range p.h.engine.listLocked() {
		if c.alive() && c.pid > 0 && len(c.config.Cmd) > 0 {
			fmt.Fprintf(&text, "%7d ?        00:00:%02d %s\n", c.pid, c.pid%60, c.config.Cmd[0])
		}
	}
	p.h.mu.Unlock()
	p.print(text.String())
	return 0
}
