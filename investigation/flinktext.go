package investigation

import (
	"bytes"
	"strings"
)

// What Flink's lines look like. Plain string work, no regular expressions: these run for
// every record that passes.

// transition is a change of a job's state: "Job NAME (ID) switched from state A to B".
type transition struct {
	name, id, from, to string
}

const jobIDLength = 32

func isJobID(s string) bool {
	if len(s) != jobIDLength {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// parseTransition reads a change of a job's state. The name may hold anything, so the
// line is taken apart from its end.
func parseTransition(msg string) (transition, bool) {
	rest, ok := strings.CutPrefix(msg, "Job ")
	if !ok {
		return transition{}, false
	}
	head, tail, ok := strings.Cut(rest, " switched from state ")
	if !ok {
		return transition{}, false
	}
	from, to, ok := strings.Cut(tail, " to ")
	if !ok {
		return transition{}, false
	}
	to, _, _ = strings.Cut(to, ".")
	t := transition{from: from, to: strings.TrimSpace(to)}
	if open := strings.LastIndex(head, " ("); open >= 0 && strings.HasSuffix(head, ")") {
		if id := head[open+2 : len(head)-1]; isJobID(id) {
			t.name, t.id = head[:open], id
			return t, true
		}
	}
	return transition{}, false
}

// terminalFailure gives the id of "Job ID reached terminal state FAILED.", which is all that is said
// of a job that failed before it had a state.
func terminalFailure(msg string) string {
	if !strings.Contains(msg, " reached terminal state "+stateFailed) {
		return ""
	}
	return idAfter(msg, "Job ")
}

// taskSwitch is "TASK (1/2) (ATTEMPT) switched from A to B …".
type taskSwitch struct {
	task, from, to string
}

func parseTaskSwitch(msg string) (taskSwitch, bool) {
	head, tail, ok := strings.Cut(msg, " switched from ")
	if !ok || strings.HasPrefix(tail, "state ") {
		return taskSwitch{}, false
	}
	from, rest, ok := strings.Cut(tail, " to ")
	if !ok || len(from) > 20 {
		return taskSwitch{}, false
	}
	to := rest
	if i := strings.IndexAny(to, " .\n"); i >= 0 {
		to = to[:i]
	}
	task := head
	if i := strings.LastIndex(head, " ("); i > 0 {
		task = head[:i]
	}
	return taskSwitch{task: task, from: from, to: to}, true
}

// idAfter gives the job id that follows word in msg, or "".
func idAfter(msg, word string) string {
	_, rest, ok := strings.Cut(msg, word)
	if !ok || len(rest) < jobIDLength || !isJobID(rest[:jobIDLength]) {
		return ""
	}
	return rest[:jobIDLength]
}

func hasAny(b []byte, words ...string) bool {
	for _, w := range words {
		if bytes.Contains(b, []byte(w)) {
			return true
		}
	}
	return false
}
