package labels

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"lastnight"
)

// Bounds of a file. An item is parsed by itself, so that memory is bounded by the largest item
// whatever the file is.
const (
	maxFile  = 64 << 20
	maxLine  = 128 << 10
	maxItem  = 512 << 10
	maxItems = maxLabels
	maxDepth = 6
)

// file is what a file of labels says, checked, with the line of each item.
type file struct {
	labels     []labelYAML
	labelLines []int
	merges     []mergeYAML
	mergeLines []int
}

// reader takes a file apart into items. A file is a subset of YAML: version, labels and merges at
// the beginning of a line, and below the latter two list items.
type reader struct {
	name    string
	line    int
	section string
	indent  int      // of the section's items; -1: not known yet
	item    []string // lines of the item being read
	at      int      // line where it begins
	size    int
	seen    map[string]int // lines of sections
	ids     map[string]int // lines of labels
	out     file
}

func (r *reader) fail(line int, formatted string, args ...any) error {
	return lastnight.Errorf(lastnight.CodeInvalid, "docs/formats/labels-yaml.md says what a file has; nothing was changed",
		"%s:%d: %s", r.name, line, fmt.Sprintf(formatted, args...))
}

// readFile reads a file of labels. Errors are of CodeInvalid or CodeTooLarge and name file and line;
// those of the reader itself are passed on.
func readFile(in io.Reader, name string) (*file, error) {
	if name == "" {
		name = "labels.yaml"
	}
	r := &reader{name: cut(name, maxName), indent: -1, seen: map[string]int{}, ids: map[string]int{}}
	b := bufio.NewReaderSize(io.LimitReader(in, maxFile+1), maxLine)
	for total := 0; ; {
		raw, err := b.ReadSlice('\n')
		r.line++
		if total += len(raw); total > maxFile {
			return nil, lastnight.Errorf(lastnight.CodeTooLarge, "import it in parts", "%s:%d: the file has more than %d bytes", r.name, r.line, maxFile)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, r.fail(r.line, "the line has more than %d bytes", maxLine)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read %s: %w", r.name, err)
		}
		end := err != nil
		if len(raw) > 0 {
			if err := r.take(string(raw)); err != nil {
				return nil, err
			}
		}
		if end {
			break
		}
	}
	if err := r.flush(); err != nil {
		return nil, err
	}
	if r.seen["version"] == 0 {
		return nil, r.fail(1, "there is no version: 1 before the labels")
	}
	return &r.out, nil
}

// take reads one line.
func (r *reader) take(line string) error {
	line = strings.TrimRight(line, "\r\n")
	if r.line == 1 {
		line = strings.TrimPrefix(line, "\ufeff")
	}
	if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
		return r.fail(r.line, "the line has bytes that are no text")
	}
	body := strings.TrimLeft(line, " ")
	indent := len(line) - len(body)
	switch {
	case body == "" || body[0] == '#':
		return r.more(line)
	case line == "---" && len(r.seen) == 0:
		return nil
	case indent == 0 && line[0] != '-', line == "---":
		if err := r.flush(); err != nil {
			return err
		}
		return r.key(line)
	case (body == "-" || strings.HasPrefix(body, "- ")) && r.section != "" && (r.indent < 0 || indent == r.indent):
		if err := r.flush(); err != nil {
			return err
		}
		r.indent, r.at = indent, r.line
		r.item, r.size = append(r.item[:0], line), len(line)
		return nil
	case len(r.item) == 0 || indent <= r.indent:
		return r.fail(r.line, "expected a list item (- …) or one of version, labels, merges: %.60q", body)
	}
	return r.more(line)
}

// more adds a line to the item being read, if there is one.
func (r *reader) more(line string) error {
	if len(r.item) == 0 {
		return nil
	}
	if r.size += len(line) + 1; r.size > maxItem {
		return r.fail(r.at, "the item that begins here has more than %d bytes", maxItem)
	}
	r.item = append(r.item, line)
	return nil
}

// key reads a line at the left edge.
func (r *reader) key(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if value, _, _ = strings.Cut(value, " #"); !ok || !slices.Contains([]string{"version", "labels", "merges"}, name) {
		return r.fail(r.line, "expected version, labels or merges: %.60q", line)
	}
	value = strings.TrimSpace(value)
	if at := r.seen[name]; at > 0 {
		return r.fail(r.line, "%s is there already, in line %d", name, at)
	}
	r.seen[name] = r.line
	r.section, r.indent = "", -1
	if name == "version" {
		if value != "1" {
			return r.fail(r.line, "found version %.20q; known is 1", value)
		}
		return nil
	}
	if r.seen["version"] == 0 {
		return r.fail(r.line, "there is no version: 1 before the %s", name)
	}
	switch value {
	case "":
		r.section = name
	case "[]":
	default:
		return r.fail(r.line, "write each of the %s as a list item (- …) on lines of its own", name)
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): (.*)`)

// flush parses the item that was read.
func (r *reader) flush() error {
	if len(r.item) == 0 {
		return nil
	}
	text := strings.Join(r.item, "\n") + "\n"
	r.item = r.item[:0]
	if len(r.out.labels)+len(r.out.merges) >= maxItems {
		return r.fail(r.at, "there are more than %d items", maxItems)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			n, _ := strconv.Atoi(m[1])
			return r.fail(r.at+max(n, 1)-1, "%.200s", m[2])
		}
		return r.fail(r.at, "%.200s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.SequenceNode || len(doc.Content[0].Content) != 1 {
		return r.fail(r.at, "this is no list item")
	}
	d := &decoder{r: r}
	n := doc.Content[0].Content[0]
	d.plain(doc.Content[0], 0)
	if r.section == "labels" {
		d.labelItem(n)
	} else {
		d.mergeItem(n)
	}
	return d.err
}

// decoder reads nodes; the first thing that is wrong is kept.
type decoder struct {
	r   *reader
	err error
}

func (d *decoder) fail(n *yaml.Node, formatted string, args ...any) {
	if d.err == nil {
		d.err = d.r.fail(d.r.at+max(n.Line, 1)-1, formatted, args...)
	}
}

// plain refuses what no file of ours has and what makes small files large: anchors and aliases, tags, depth.
func (d *decoder) plain(n *yaml.Node, depth int) {
	switch {
	case d.err != nil:
		return
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		d.fail(n, "anchors (&) and aliases (*) are not allowed; quote a text that begins so")
	case n.Style&yaml.TaggedStyle != 0:
		d.fail(n, "tags (!) are not allowed; quote a text that begins so")
	case depth > maxDepth:
		d.fail(n, "this is nested too deeply")
	}
	for _, c := range n.Content {
		d.plain(c, depth+1)
	}
}

// fields hands the values of a mapping to those who know their names.
func (d *decoder) fields(n *yaml.Node, known map[string]func(*yaml.Node)) {
	if d.err != nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, "expected fields (name: value)")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		read := known[k.Value]
		switch at, twice := seen[k.Value]; {
		case k.Kind != yaml.ScalarNode || read == nil:
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			slices.Sort(names)
			hint := ""
			if near := lastnight.Nearest(k.Value, names, 1); len(near) > 0 {
				hint = "; did you mean " + near[0] + "?"
			}
			d.fail(k, "unknown field %.60q%s", k.Value, hint)
			return
		case twice:
			d.fail(k, "field %s is there already, in line %d", k.Value, d.r.at+at-1)
			return
		}
		seen[k.Value] = k.Line
		read(v)
	}
}

// text reads a scalar as it is written, whatever YAML takes it for: ids may look like numbers.
func (d *decoder) text(to *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			d.fail(n, "expected a text")
			return
		}
		if n.ShortTag() != "!!null" {
			*to = n.Value
		}
	}
}

func list[T any](d *decoder, to *[]T, read func(*yaml.Node, *T)) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			d.fail(n, "expected a list")
			return
		}
		if len(n.Content) > maxMerged {
			d.fail(n, "the list has more than %d items", maxMerged)
			return
		}
		for _, c := range n.Content {
			var v T
			read(c, &v)
			*to = append(*to, v)
		}
	}
}

func (d *decoder) texts(to *[]string) func(*yaml.Node) {
	return list(d, to, func(n *yaml.Node, s *string) { d.text(s)(n) })
}
