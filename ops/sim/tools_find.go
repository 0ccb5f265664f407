package sim

import (
	"path"
	"strconv"
	"strings"
)

// findExpr is what `find` was asked: tests joined by "and", then actions.
type findExpr struct {
	minDepth, maxDepth int
	tests              []func(name string, info nodeInfo) bool
	exec               []string
	execAll            bool
	remove             bool
	print0             bool
}

// runFind is a subset of GNU find: -maxdepth, -mindepth, -name, -path, -type, !, -print, -delete, -exec.
func runFind(p *process) int {
	args := p.args[1:]
	var roots []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") && args[0] != "!" {
		roots, args = append(roots, args[0]), args[1:]
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	expr, bad := parseFind(args)
	if bad != "" {
		return p.fail(1, "unknown predicate `%s'", bad)
	}
	code := 0
	var hits []string
	for _, root := range roots {
		info, err := p.files.stat(p.path(root))
		if err != nil {
			code = p.fail(1, "'%s': %v", root, err)
			continue
		}
		info.name = path.Base(root)
		p.walk(root, info, 0, expr, &hits)
	}
	if status := p.findAct(expr, hits); status != 0 {
		return status
	}
	return code
}

// Private

func parseFind(args []string) (findExpr, string) {
	e := findExpr{maxDepth: 1 << 20}
	negate := false
	add := func(test func(string, nodeInfo) bool) {
		if negate {
			plain := test
			test = func(n string, i nodeInfo) bool { return !plain(n, i) }
			negate = false
		}
		e.tests = append(e.tests, test)
	}
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		value := ""
		switch word {
		case "-maxdepth", "-mindepth", "-name", "-path", "-type", "-mtime", "-newer":
			if len(args) == 0 {
				return e, word
			}
			value, args = args[0], args[1:]
		}
		switch word {
		case "!", "-not":
			negate = true
		case "-maxdepth":
			e.maxDepth, _ = strconv.Atoi(value)
		case "-mindepth":
			e.minDepth, _ = strconv.Atoi(value)
		case "-name":
			add(func(_ string, i nodeInfo) bool { ok, _ := path.Match(value, i.name); return ok })
		case "-path":
			add(func(n string, _ nodeInfo) bool { ok, _ := path.Match(value, n); return ok })
		case "-type":
			add(func(_ string, i nodeInfo) bool { return i.dir == (value == "d") })
		case "-print", "-a", "-and":
		case "-print0":
			e.print0 = true
		case "-delete":
			e.remove = true
		case "-exec":
			end := 0
			for end < len(args) && args[end] != ";" && args[end] != "+" {
				end++
			}
			if end == len(args) {
				return e, word
			}
			e.exec, e.execAll = args[:end], args[end] == "+"
			args = args[end+1:]
		default:
			return e, word
		}
	}
	return e, ""
}

func (p *process) walk(name string, info nodeInfo, depth int, e findExpr, hits *[]string) {
	if depth >= e.minDepth && e.matches(name, info) {
		*hits = append(*hits, name)
	}
	if !info.dir || depth >= e.maxDepth {
		return
	}
	list, err := p.files.readDir(p.path(name))
	if err != nil {
		return
	}
	for _, child := range list {
		p.walk(strings.TrimSuffix(name, "/")+"/"+child.name, child, depth+1, e, hits)
	}
}

func (e findExpr) matches(name string, info nodeInfo) bool {
	for _, test := range e.tests {
		if !test(name, info) {
			return false
		}
	}
	return true
}

func (p *process) findAct(e findExpr, hits []string) int {
	switch {
	case e.remove:
		for i := len(hits) - 1; i >= 0; i-- {
			_ = p.files.remove(p.path(hits[i]), false)
		}
	case e.exec != nil && e.execAll:
		if len(hits) == 0 {
			return 0
		}
		var argv []string
		for _, w := range e.exec {
			if w == "{}" {
				argv = append(argv, hits...)
			} else {
				argv = append(argv, w)
			}
		}
		return p.exec(argv)
	case e.exec != nil:
		for _, hit := range hits {
			argv := make([]string, len(e.exec))
			for i, w := range e.exec {
				argv[i] = strings.ReplaceAll(w, "{}", hit)
			}
			p.exec(argv)
		}
	default:
		end := "\n"
		if e.print0 {
			end = "\x00"
		}
		for _, hit := range hits {
			p.print(hit + end)
		}
	}
	return 0
}
