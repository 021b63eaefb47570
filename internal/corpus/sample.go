package corpus

import (
	"bytes"
	"context"
	"path"
	"regexp"
	"strconv"
	"strings"

	"lastnight/internal/recorded"
)

// The components that Flink's pods are of.
const (
	jobManager  = "jobmanager"
	taskManager = "taskmanager"
	container   = "flink-main-container"
)

// maxRecords is what is taken of one recorded file at most.
const maxRecords = 2000

// record is a log entry of a recording: its first line and continuation lines.
type record struct {
	lines [][]segment
}

type kind uint8

// What a segment is.
const (
	literal kind = iota
	stamp        // Flink's time at the beginning of a line
	millis       // milliseconds since 1970
	number
	hexes
	uuid
	address
	job // the name of the job
)

// segment is a piece of a line: literal text, or a value of a kind, as it was.
type segment struct {
	kind kind
	text string
}

var (
	values     = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b[0-9a-f]{16,40}\b|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b\d+\b`)
	podSuffix  = regexp.MustCompile(`(-taskmanager-\d+-\d+|-[0-9a-f]{8,10}-[a-z0-9]{5})$`)
	stampStart = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}`)
)

// sample is what was recorded of one component of Flink.
type sample struct {
	steady   []record // of the healthy job: what pods write most of the time
	episodes []record // of jobs that start, fail and recover
}

const healthy = "healthy-rotation"

// load cuts the recordings into records, by component.
func load(ctx context.Context) (map[string]*sample, error) {
	samples := map[string]*sample{jobManager: {}, taskManager: {}}
	for _, name := range recorded.Names() {
		err := recorded.Files(ctx, name, func(file string, data []byte) error {
			if path.Base(path.Dir(file)) != container || strings.HasSuffix(file, ".gz") {
				return nil
			}
			pod := strings.Split(path.Base(path.Dir(path.Dir(file))), "_")[1]
			component := jobManager
			if strings.Contains(pod, "-taskmanager-") {
				component = taskManager
			}
			recs := records(data, podSuffix.ReplaceAllString(pod, ""))
			if s := samples[component]; name == healthy {
				s.steady = append(s.steady, recs...)
			} else {
				s.episodes = append(s.episodes, recs...)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// records takes a CRI file apart.
func records(data []byte, jobName string) []record {
	var out []record
	for row := range bytes.Lines(data) {
		fields := bytes.SplitN(bytes.TrimSuffix(row, []byte("\n")), []byte(" "), 4)
		if len(fields) != 4 || string(fields[2]) != "F" {
			continue // parts of long lines: the corpus makes its own
		}
		line := string(fields[3])
		if !stampStart.MatchString(line) {
			if len(out) > 0 { // else what the start script says
				last := &out[len(out)-1]
				last.lines = append(last.lines, cut(line, jobName))
			}
			continue
		}
		if len(out) == maxRecords {
			break
		}
		out = append(out, record{lines: [][]segment{cut(line, jobName)}})
	}
	return out
}

// cut divides a line into literals and values. Frames of stack traces stay whole: real ones recur.
func cut(line, jobName string) []segment {
	if strings.HasPrefix(line, "\tat ") || strings.HasPrefix(line, "\t... ") {
		return []segment{{literal, line}}
	}
	var out []segment
	if s := stampStart.FindString(line); s != "" {
		out, line = append(out, segment{stamp, s}), line[len(s):]
	}
	for i, part := range strings.Split(line, jobName) {
		if i > 0 {
			out = append(out, segment{job, jobName})
		}
		out = cutValues(out, part)
	}
	return out
}

func cutValues(out []segment, text string) []segment {
	from := 0
	for _, at := range values.FindAllStringIndex(text, -1) {
		v := text[at[0]:at[1]]
		k := kindOf(v)
		if k == number && partOfName(text, at[0], at[1]) {
			continue
		}
		if at[0] > from {
			out = append(out, segment{literal, text[from:at[0]]})
		}
		out, from = append(out, segment{k, v}), at[1]
	}
	if from < len(text) {
		out = append(out, segment{literal, text[from:]})
	}
	return out
}

func kindOf(v string) kind {
	switch {
	case strings.Count(v, "-") == 4:
		return uuid
	case strings.Count(v, ".") == 3:
		return address
	case len(v) == 13 && strings.HasPrefix(v, "179"):
		return millis
	case len(v) >= 16:
		if _, err := strconv.ParseUint(v, 10, 64); err != nil {
			return hexes
		}
	}
	return number
}

// partOfName tells whether the number at text[from:to] is part of a version or name: 1.20.1, taskmanager-1-1.
func partOfName(text string, from, to int) bool {
	const glue = ".-_/$"
	return from > 0 && strings.IndexByte(glue, text[from-1]) >= 0 ||
		to+1 < len(text) && strings.IndexByte(glue, text[to]) >= 0 && text[to+1] != ' '
}
