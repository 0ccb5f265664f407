package sim

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// fileTool knows the commands that work on files.
func fileTool(name string) tool {
	switch name {
	case "mkdir":
		return runMkdir
	case "mkfifo":
		return runMkfifo
	case "rm":
		return runRm
	case "rmdir":
		return runRmdir
	case "mv":
		return runMv
	case "cp":
		return runCp
	case "cat":
		return runCat
	case "tee":
		return runTee
	case "touch":
		return runTouch
	case "chmod":
		return runChmod
	case "chown", "chgrp":
		return runChown
	case "stat":
		return runStat
	case "ls":
		return runLs
	case "find":
		return runFind
	case "readlink", "realpath":
		return func(p *process) int {
			_, words := cutFlags(p.args[1:])
			for _, w := range words {
				p.print(path.Clean(p.path(w)) + "\n")
			}
			return 0
		}
	case "basename":
		return func(p *process) int { p.print(path.Base(p.args[len(p.args)-1]) + "\n"); return 0 }
	case "dirname":
		return func(p *process) int { p.print(path.Dir(p.args[len(p.args)-1]) + "\n"); return 0 }
	case "sync":
		return func(*process) int { return 0 }
	}
	return nil
}

// Private

// dirMode is the mode of new directories and fileMode that of new files, after the umask.
func (p *process) dirMode() fs.FileMode {
	mask, ok := p.umask(p.env)
	if !ok {
		mask = 0o022
	}
	return 0o777 &^ mask
}

func (p *process) fileMode() fs.FileMode { return p.dirMode() & 0o666 }

func runMkdir(p *process) int {
	flags, words := cutFlags(p.args[1:], "m")
	mode := p.dirMode()
	if m, ok := flags["m"]; ok {
		if n, err := strconv.ParseUint(m, 8, 32); err == nil {
			mode = fs.FileMode(n)
		}
	}
	_, parents := flags["p"]
	if len(words) == 0 {
		return p.fail(1, "missing operand")
	}
	code := 0
	for _, w := range words {
		make := p.files.mkdir
		if parents {
			make = p.files.mkdirAll
		}
		if err := make(p.path(w), mode); err != nil {
			code = p.fail(1, "cannot create directory '%s': %v", w, err)
		}
	}
	return code
}

func runRm(p *process) int {
	flags, words := cutFlags(p.args[1:])
	_, force := flags["f"]
	_, all := flags["r"]
	if _, ok := flags["R"]; ok {
		all = true
	}
	code := 0
	for _, w := range words {
		info, err := p.files.stat(p.path(w))
		switch {
		case err != nil && force:
			continue
		case err == nil && info.dir && !all:
			err = errIsDir
		case err == nil:
			err = p.files.remove(p.path(w), true)
		}
		if err != nil {
			code = p.fail(1, "cannot remove '%s': %v", w, err)
		}
	}
	return code
}

func runRmdir(p *process) int {
	_, words := cutFlags(p.args[1:])
	code := 0
	for _, w := range words {
		info, err := p.files.stat(p.path(w))
		if err == nil && !info.dir {
			err = errNotDir
		}
		if err == nil {
			err = p.files.remove(p.path(w), false)
		}
		if err != nil {
			code = p.fail(1, "failed to remove '%s': %v", w, err)
		}
	}
	return code
}

func runMv(p *process) int {
	_, words := cutFlags(p.args[1:])
	if len(words) < 2 {
		return p.fail(1, "missing file operand")
	}
	target := words[len(words)-1]
	for _, w := range words[:len(words)-1] {
		if err := p.files.rename(p.path(w), p.path(target)); err != nil {
			return p.fail(1, "cannot stat '%s': %v", w, err)
		}
	}
	return 0
}

// runCp copies files and trees; -n keeps what is there, -T takes the target for the place itself.
func runCp(p *process) int {
	flags, words := cutFlags(p.args[1:])
	_, keep := flags["n"]
	_, exact := flags["T"]
	_, all := flags["r"]
	for _, other := range []string{"a", "R"} {
		if _, ok := flags[other]; ok {
			all = true
		}
	}
	if len(words) < 2 {
		return p.fail(1, "missing file operand")
	}
	target := words[len(words)-1]
	code := 0
	for _, w := range words[:len(words)-1] {
		to := p.path(target)
		if info, err := p.files.stat(to); err == nil && info.dir && !exact {
			to = path.Join(to, path.Base(w))
		}
		info, err := p.files.stat(p.path(w))
		if err == nil && info.dir && !all {
			code = p.fail(1, "-r not specified; omitting directory '%s'", w)
			continue
		}
		if err != nil {
			code = p.fail(1, "cannot stat '%s': %v", w, err)
			continue
		}
		if err := copyTree(p.files, p.path(w), p.files, to, keep); err != nil {
			code = p.fail(1, "cannot create '%s': %v", target, err)
		}
	}
	return code
}

func runCat(p *process) int {
	_, words := cutFlags(p.args[1:])
	if len(words) == 0 {
		if _, err := io.Copy(p.out, p.in); err != nil {
			return p.fail(1, "write error: %v", plainError(err))
		}
		return 0
	}
	code := 0
	for _, w := range words {
		data, err := p.files.readFile(p.path(w))
		if err != nil {
			code = p.fail(1, "%s: %v", w, err)
			continue
		}
		if _, err := p.out.Write(data); err != nil {
			return p.fail(1, "write error: %v", plainError(err))
		}
	}
	return code
}

func runTee(p *process) int {
	flags, words := cutFlags(p.args[1:])
	data, err := io.ReadAll(p.in)
	if err != nil {
		return 1
	}
	p.print(string(data))
	for _, w := range words {
		write := p.files.writeFile
		if _, ok := flags["a"]; ok {
			write = p.files.appendFile
		}
		if err := write(p.path(w), data, p.fileMode()); err != nil {
			return p.fail(1, "%s: %v", w, err)
		}
	}
	return 0
}

func runTouch(p *process) int {
	_, words := cutFlags(p.args[1:])
	for _, w := range words {
		if err := p.files.appendFile(p.path(w), nil, p.fileMode()); err != nil {
			return p.fail(1, "cannot touch '%s': %v", w, err)
		}
	}
	return 0
}

func runChmod(p *process) int {
	flags, words := cutFlags(p.args[1:])
	if len(words) < 2 {
		return p.fail(1, "missing operand")
	}
	_, all := flags["R"]
	for _, w := range words[1:] {
		err := p.eachNode(p.path(w), all, func(n *node) { n.mode = newMode(n.mode, words[0]) })
		if err != nil {
			return p.fail(1, "cannot access '%s': %v", w, err)
		}
	}
	return 0
}

func runChown(p *process) int {
	flags, words := cutFlags(p.args[1:])
	if len(words) < 2 {
		return p.fail(1, "missing operand")
	}
	_, all := flags["R"]
	owner, _, _ := strings.Cut(words[0], ":")
	for _, w := range words[1:] {
		if err := p.eachNode(p.path(w), all, func(n *node) { n.owner = owner }); err != nil {
			return p.fail(1, "cannot access '%s': %v", w, err)
		}
	}
	return 0
}

func runStat(p *process) int {
	flags, words := cutFlags(p.args[1:], "c", "format", "printf")
	code := 0
	for _, w := range words {
		info, err := p.files.stat(p.path(w))
		if err != nil {
			code = p.fail(1, "cannot statx '%s': %v", w, err)
			continue
		}
		format := flags["c"] + flags["format"]
		if format == "" {
			kind := "regular file"
			if info.dir {
				kind = "directory"
			}
			p.print(fmt.Sprintf("  File: %s\n  Size: %d\tBlocks: 8\tIO Block: 4096   %s\nAccess: (%04o/%s)  Uid: (    0/%8s)   Gid: (    0/    root)\nModify: %s\n",
				w, info.size, kind, info.mode, info.Mode(), info.owner, info.mtime.Format("2006-01-02 15:04:05.000000000 -0700")))
			continue
		}
		p.print(strings.NewReplacer("%n", w, "%s", fmt.Sprint(info.size), "%a", fmt.Sprintf("%o", info.mode), "%A", info.Mode().String(), "%U", info.owner, "%G", info.owner, "%u", "0", "%g", "0",
			"%Y", fmt.Sprint(info.mtime.Unix()), "%y", info.mtime.Format("2006-01-02 15:04:05.000000000 -0700"), "%F", map[bool]string{true: "directory", false: "regular file"}[info.dir]).Replace(format) + "\n")
	}
	return code
}

func runLs(p *process) int {
	flags, words := cutFlags(p.args[1:])
	_, long := flags["l"]
	_, hidden := flags["a"]
	if _, ok := flags["A"]; ok {
		hidden = true
	}
	_, asItself := flags["d"]
	if len(words) == 0 {
		words = []string{"."}
	}
	code := 0
	for i, w := range words {
		info, err := p.files.stat(p.path(w))
		if err != nil {
			code = p.fail(2, "cannot access '%s': %v", w, err)
			continue
		}
		info.name = w
		list := []nodeInfo{info}
		if info.dir && !asItself {
			if list, err = p.files.readDir(p.path(w)); err != nil {
				code = p.fail(2, "cannot open directory '%s': %v", w, err)
				continue
			}
			if len(words) > 1 {
				if i > 0 {
					p.print("\n")
				}
				p.print(w + ":\n")
			}
		}
		p.printList(list, long, hidden)
	}
	return code
}

func (p *process) printList(list []nodeInfo, long, hidden bool) {
	if long {
		p.print(fmt.Sprintf("total %d\n", 4*len(list)))
	}
	for _, e := range list {
		if strings.HasPrefix(e.name, ".") && !hidden && !strings.Contains(e.name, "/") && e.name != "." {
			continue
		}
		if !long {
			p.print(e.name + "\n")
			continue
		}
		p.print(fmt.Sprintf("%s 1 %s root %7d %s %s\n", lsMode(e), e.owner, e.size, e.mtime.Format("Jan _2 15:04"), e.name))
	}
}

// eachNode applies edit to a path, and with all to everything below it.
func (p *process) eachNode(name string, all bool, edit func(*node)) error {
	return p.files.change(name, func(n *node) {
		var walk func(*node)
		walk = func(n *node) {
			edit(n)
			for _, child := range n.entries {
				walk(child)
			}
		}
		if all {
			walk(n)
		} else {
			edit(n)
		}
	})
}

// Helpers

// copyTree copies a file or a tree between file systems; keep leaves files that are there.
func copyTree(from *fileSystem, src string, to *fileSystem, dst string, keep bool) error {
	info, err := from.stat(src)
	if err != nil {
		return err
	}
	if !info.dir {
		if _, err := to.stat(dst); err == nil && keep {
			return nil
		}
		data, err := from.readFile(src)
		if err != nil {
			return err
		}
		return to.writeFile(dst, data, info.mode)
	}
	if err := to.mkdirAll(dst, info.mode); err != nil {
		return err
	}
	list, err := from.readDir(src)
	if err != nil {
		return err
	}
	for _, e := range list {
		if err := copyTree(from, path.Join(src, e.name), to, path.Join(dst, e.name), keep); err != nil {
			return err
		}
	}
	return nil
}

// newMode reads octal modes and the common symbolic ones.
func newMode(old fs.FileMode, text string) fs.FileMode {
	if n, err := strconv.ParseUint(text, 8, 32); err == nil {
		return fs.FileMode(n)
	}
	for _, part := range strings.Split(text, ",") {
		at := strings.IndexAny(part, "+-=")
		if at < 0 {
			continue
		}
		who, bits := part[:at], fs.FileMode(0)
		for _, ch := range part[at+1:] {
			bits |= map[rune]fs.FileMode{'r': 4, 'w': 2, 'x': 1}[ch]
		}
		mask := fs.FileMode(0)
		if who == "" || strings.Contains(who, "a") {
			who = "ugo"
		}
		for _, ch := range who {
			mask |= bits << map[rune]uint{'u': 6, 'g': 3, 'o': 0}[ch]
		}
		switch part[at] {
		case '+':
			old |= mask
		case '-':
			old &^= mask
		default:
			old = mask
		}
	}
	return old
}

func lsMode(i nodeInfo) string {
	text := i.mode.String()
	if i.dir {
		return "d" + text[1:]
	}
	return text
}

// cutFlags separates short and long flags from words. The names in valued take a value. The letters of -rf are
// flags of their own.
func cutFlags(args []string, valued ...string) (map[string]string, []string) {
	flags := map[string]string{}
	var words []string
	takes := func(name string) bool {
		for _, v := range valued {
			if v == name {
				return true
			}
		}
		return false
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			return flags, append(words, args[i+1:]...)
		case strings.HasPrefix(arg, "--"):
			name, value, ok := strings.Cut(arg[2:], "=")
			if !ok && takes(name) && i+1 < len(args) {
				i++
				value = args[i]
			}
			flags[name] = value
		case len(arg) > 1 && arg[0] == '-':
			for j := 1; j < len(arg); j++ {
				name := arg[j : j+1]
				flags[name] = ""
				if !takes(name) {
					continue
				}
				if j+1 < len(arg) {
					flags[name] = arg[j+1:]
				} else if i+1 < len(args) {
					i++
					flags[name] = args[i]
				}
				break
			}
		default:
			words = append(words, arg)
		}
	}
	return flags, words
}

// plainError is the innermost text of an error, as a tool prints it.
func plainError(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return text[i+2:]
	}
	return text
}
