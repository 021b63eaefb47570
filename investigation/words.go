package investigation

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"lastnight"
)

// cut shortens s to n characters, at most.
func cut(s string, n int) string {
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return strings.TrimSpace(string(r[:n-1])) + "…"
}

// what says an item in one line for people.
func what(it *item) string {
	f, d := it.f, it.f.doc
	if d.Event != nil {
		return whatEvent(f, d.Event)
	}
	msg := message(d)
	first, _, _ := strings.Cut(msg, "\n")
	switch f.kind {
	case factTransition:
		return whatTransition(f)
	case factTaskFailed:
		ts, _ := parseTaskSwitch(first)
		task := ts.task
		if i := strings.LastIndex(task, " ("); i > 0 {
			task = task[:i]
		}
		return cut(fmt.Sprintf("task %s failed: %s", cut(task, 60), rootCause(msg)), 220)
	case factSigterm:
		return "the process was told to stop (SIGTERM)"
	case factWorkerTerminated:
		if f.exit >= 0 {
			return fmt.Sprintf("Flink saw worker %s end: exit code %d, %s", f.pod, f.exit, f.reason)
		}
		return cut("Flink saw worker "+f.pod+" end: "+first, 200)
	case factJobManagerStart:
		return "a JobManager starts"
	case factTaskManagerStart:
		return "a TaskManager starts"
	case factLeaderGranted:
		return "the JobManager leads (again)"
	case factRestore:
		return cut(first, 160)
	case factShutdown:
		return "the application failed, and the JobManager shuts its cluster down"
	case factCheckpointDone:
		return "a checkpoint completed: " + cut(strings.TrimPrefix(first, "Completed "), 120)
	case factStopRequested:
		return "somebody asked to stop the job with a savepoint"
	default: // the others tell nothing here
	}
	if len(d.Exception) > 0 {
		if root := rootCause(msg); root != "" && !strings.Contains(first, root) {
			return cut(strings.TrimRight(cut(first, 110), ":. ")+": "+root, 240)
		}
	}
	return cut(first, 200)
}

// rootCause gives the last "Caused by" of a record, or its first exception line.
func rootCause(msg string) string {
	root := ""
	lines := strings.Split(msg, "\n")
	for i, line := range lines {
		if i == 0 || isFrame(line) || strings.TrimSpace(line) == "" {
			continue
		}
		if c, ok := strings.CutPrefix(strings.TrimSpace(line), "Caused by: "); ok {
			root = c
		} else if root == "" {
			root = strings.TrimSpace(line)
		}
	}
	return cut(root, 180)
}

func whatTransition(f *fact) string {
	switch tr := f.tr; tr.to {
	case stateRunning:
		if tr.from == stateCreated {
			return "the job starts"
		}
		return "the job is scheduled again (RUNNING)"
	case stateRestarting:
		return "the job leaves RUNNING and restarts"
	case stateFailing:
		return "the job fails: no restart is left or allowed"
	case stateFailed:
		return "the job has FAILED for good"
	case stateSuspended:
		return "the job is suspended: its JobManager gave it up"
	case stateFinished:
		return "the job finished"
	case stateCancelling:
		return "somebody cancelled the job"
	case stateCanceled:
		return "the job is cancelled"
	}
	return fmt.Sprintf("the job changes from %s to %s", f.tr.from, f.tr.to)
}

func whatEvent(f *fact, e *lastnight.Event) string {
	name := e.Object.Name
	switch {
	case f.kind == factContainerEnd:
		code := ""
		if e.ExitCode != nil {
			code = fmt.Sprintf(", exit code %d", *e.ExitCode)
		}
		return fmt.Sprintf("container %s of %s ended: %s%s", e.Container, name, e.Reason, code)
	case f.kind == factContainerStart:
		return fmt.Sprintf("a container of %s started", name)
	case f.kind == factPodDeleted:
		return fmt.Sprintf("pod %s was deleted", name)
	case f.kind == factKilling:
		return cut(fmt.Sprintf("Kubernetes stops %s: %s", name, e.Message), 160)
	case e.Object.Kind == "Node":
		return cut(fmt.Sprintf("node %s: %s", name, e.Reason), 120)
	case e.Message == "":
		return fmt.Sprintf("%s: %s", name, e.Reason)
	}
	return cut(fmt.Sprintf("%s: %s: %s", name, e.Reason, e.Message), 220)
}

// verdict says an incident in one sentence.
func verdict(in *lastnight.Incident, c *chain) string {
	if in.Planned {
		return "Planned: somebody stopped, redeployed or deleted " + in.Job + ". Nothing has to be done."
	}
	d := &in.Diagnosis
	var b strings.Builder
	switch {
	case !d.Explained:
		b.WriteString(in.Job + " failed over, and nothing that was recorded explains why")
	default:
		b.WriteString(sure(d.Confidence) + d.Title)
		if e := firstOfCause(d.Chain); e != "" {
			b.WriteString(" (" + e + ")")
		}
	}
	times := "once"
	if in.Failovers > 1 {
		times = fmt.Sprintf("%d times", in.Failovers)
	}
	switch {
	case in.Recovered:
		fmt.Fprintf(&b, "; %s failed over %s and recovered", in.Job, times)
	case in.Open:
		fmt.Fprintf(&b, "; %s failed over %s and has not recovered", in.Job, times)
	default:
		fmt.Fprintf(&b, "; %s failed over %s and was given up", in.Job, times)
	}
	if d.ActionNeeded {
		b.WriteString(": somebody has to act.")
	} else {
		b.WriteString(": nothing has to be done.")
	}
	_ = c
	return b.String()
}

// sure words a confidence.
func sure(c float64) string {
	switch {
	case c >= 0.7:
		return ""
	case c >= 0.45:
		return "Probably: "
	}
	return "Perhaps: "
}

func firstOfCause(chain []lastnight.Evidence) string {
	for i := range chain {
		if chain[i].Role == lastnight.RoleCause {
			return cut(chain[i].What, 160)
		}
	}
	return ""
}
