package investigation

import (
	"bytes"
	"hash/maphash"
	"strings"
	"sync/atomic"

	"lastnight"
)

// checkpointSlots is how many jobs the recognizer can tell apart when it looks for the first
// checkpoint after a restart. A collision only marks a few checkpoints more.
const checkpointSlots = 1 << 14

// Recognizer marks the records that an investigation will need: changes of state, failures
// of tasks, checkpoints that failed or were the first after a restart, how processes begin
// and end, what a person asked for, and what the catalogue knows. It is safe for
// concurrent use and costs about 50 ns for an ordinary INFO record.
type Recognizer struct {
	catalogue *Catalogue
	seed      maphash.Seed
	completed [checkpointSlots]atomic.Uint64 // hash of the job whose checkpoint was marked last in the slot
	loggers   [loggerSlots]atomic.Pointer[loggerKind]
}

// loggerSlots is how many loggers are remembered, those that came first. Of others it is found out each time.
const loggerSlots = 1 << 9

// loggerKind is what is known of a logger. Immutable.
type loggerKind struct {
	name       string
	namesFirst bool
}

// NewRecognizer makes a recognizer that knows the causes of c.
func NewRecognizer(c *Catalogue) *Recognizer {
	return &Recognizer{catalogue: c, seed: maphash.MakeSeed()}
}

var (
	onlyTransition   = []string{lastnight.SignalTransition}
	onlyTask         = []string{lastnight.SignalTask}
	onlyCheckpoint   = []string{lastnight.SignalCheckpoint}
	firstCheckpoint  = []string{lastnight.SignalCheckpoint, lastnight.SignalRestore}
	onlyRestore      = []string{lastnight.SignalRestore}
	onlyLifecycle    = []string{lastnight.SignalLifecycle}
	plannedLifecycle = []string{lastnight.SignalPlanned, lastnight.SignalLifecycle}
	onlyPlanned      = []string{lastnight.SignalPlanned}
	plannedChange    = []string{lastnight.SignalTransition, lastnight.SignalPlanned}
)

// Recognize implements lastnight.Recognizer.
func (z *Recognizer) Recognize(_ *lastnight.Stream, r *lastnight.Record, to *lastnight.Recognition) {
	if len(r.Lines) == 0 || r.MessageAt > len(r.Lines[0].Text) {
		return
	}
	msg := r.Message()
	for len(msg) > 0 && msg[0] == ' ' {
		msg = msg[1:]
	}
	z.landmark(msg, r.Logger, to)
	if r.Level < lastnight.LevelWarn && len(r.Exception) == 0 && len(r.Lines) == 1 && !unusualFirstByte(msg) {
		return
	}
	var extra []string
	if len(r.Exception) > 0 {
		extra = append(extra, lastnight.SignalException)
	}
	if z.catalogue != nil && z.catalogue.matchesRecord(r) {
		extra = append(extra, lastnight.SignalCause)
	}
	if len(extra) > 0 {
		to.Signals = append(extra, to.Signals...)
	}
}

// unusualFirstByte tells lines of a dying JVM ("# A fatal error …", "[Full GC …", "OpenJDK …"),
// which have no level.
func unusualFirstByte(msg []byte) bool {
	return len(msg) > 2 && (msg[0] == '#' && msg[1] == ' ' || bytes.HasPrefix(msg, []byte("[Full GC")))
}

// landmark tells what a message says by itself, from its first word on.
func (z *Recognizer) landmark(msg []byte, logger string, to *lastnight.Recognition) {
	if len(msg) < 12 {
		return
	}
	switch msg[0] {
	case 'J':
		if bytes.HasPrefix(msg, []byte("Job ")) {
			*to = z.jobLine(msg)
			return
		}
	case 'C':
		switch {
		case bytes.HasPrefix(msg, []byte("Completed checkpoint ")):
			*to = z.completedCheckpoint(string(msg))
			return
		case bytes.HasPrefix(msg, []byte("Checkpoint ")) && hasAny(msg, "expired", "declined"):
			*to = lastnight.Recognition{Signals: onlyCheckpoint, JobID: idAfter(string(msg), " of job ")}
			return
		case bytes.HasPrefix(msg, []byte("Could not ")), bytes.HasPrefix(msg, []byte("Closing TaskExecutor connection ")):
			*to = lastnight.Recognition{Signals: onlyLifecycle}
			return
		case bytes.HasPrefix(msg, []byte("Cancel")) && hasAny(msg, "job"):
			*to = lastnight.Recognition{Signals: onlyPlanned}
			return
		}
	case 'D':
		if bytes.HasPrefix(msg, []byte("Decline checkpoint ")) {
			*to = lastnight.Recognition{Signals: onlyCheckpoint, JobID: idAfter(string(msg), " of job ")}
			return
		}
	case 'F':
		if bytes.HasPrefix(msg, []byte("Failed to trigger ")) {
			*to = lastnight.Recognition{Signals: onlyCheckpoint, JobID: idAfter(string(msg), " for job ")}
			return
		}
		if bytes.HasPrefix(msg, []byte("Fatal error ")) || bytes.HasPrefix(msg, []byte("FATAL: ")) {
			*to = lastnight.Recognition{Signals: onlyLifecycle}
			return
		}
	case 'R':
		if rec, ok := restartLine(msg); ok {
			*to = rec
			return
		}
	case 'S':
		if rec, ok := startLine(msg); ok {
			*to = rec
			return
		}
	case 'T':
		if rec, ok := stopLine(msg); ok {
			*to = rec
			return
		}
	case 'W':
		if bytes.HasPrefix(msg, []byte("Worker ")) && hasAny(msg, " is terminated") {
			*to = lastnight.Recognition{Signals: onlyLifecycle}
			return
		}
	}
	if z.namesFirst(logger) {
		to.Signals = tailLine(msg)
	}
}

// namesFirst is namesFirst of what was remembered.
func (z *Recognizer) namesFirst(logger string) bool {
	n := len(logger)
	if n == 0 || n > maxLogger {
		return namesFirst(logger)
	}
	h := uint(n)*31 + uint(logger[n-1]) + uint(logger[n-n/4-1])<<2 + uint(logger[n/2])<<4
	slot := &z.loggers[h%loggerSlots]
	k := slot.Load()
	if k == nil {
		k = &loggerKind{strings.Clone(logger), namesFirst(logger)}
		slot.CompareAndSwap(nil, k)
	}
	if k.name == logger {
		return k.namesFirst
	}
	return namesFirst(logger)
}

// maxLogger bounds the names that are remembered, in bytes.
const maxLogger = 200

// namesFirst tells whether a logger may write lines that begin with a name, which cost more to look
// at: those of tasks and of contenders for leadership. One that is not known may.
func namesFirst(logger string) bool {
	if logger == "" {
		return true
	}
	last := logger[strings.LastIndexByte(logger, '.')+1:]
	switch last {
	case "ExecutionGraph", "Execution", "Task", "JobMaster":
		return true
	}
	return strings.HasSuffix(last, "RestEndpoint") || strings.HasSuffix(last, "Runner") || strings.HasSuffix(last, "ServiceImpl") || strings.Contains(last, "Leader")
}

// jobLine is "Job NAME (ID) switched …", "… has been …".
func (z *Recognizer) jobLine(msg []byte) lastnight.Recognition {
	t, ok := transition{}, false
	if hasAny(msg, " switched from state ") {
		t, ok = parseTransition(string(msg))
	}
	if !ok {
		if id := terminalFailure(string(msg)); id != "" {
			return lastnight.Recognition{Signals: onlyTransition, JobID: id}
		}
		return lastnight.Recognition{}
	}
	z.slot(t.id).Store(0)
	signals := onlyTransition
	if t.to == stateCancelling {
		signals = plannedChange
	}
	return lastnight.Recognition{Signals: signals, JobName: t.name, JobID: t.id}
}

func restartLine(msg []byte) (lastnight.Recognition, bool) {
	switch {
	case bytes.HasPrefix(msg, []byte("RECEIVED SIGNAL ")):
		return lastnight.Recognition{Signals: onlyLifecycle}, true
	case bytes.HasPrefix(msg, []byte("Restoring job ")):
		return lastnight.Recognition{Signals: onlyRestore, JobID: idAfter(string(msg), "Restoring job ")}, true
	case bytes.HasPrefix(msg, []byte("Reaching max start worker failure rate")):
		return lastnight.Recognition{Signals: onlyLifecycle}, true
	}
	return lastnight.Recognition{}, false
}

func startLine(msg []byte) (lastnight.Recognition, bool) {
	switch {
	case bytes.HasPrefix(msg, []byte("Starting ")):
		switch {
		case hasAny(msg, "ClusterEntrypoint (Version", "TaskManager (Version", "TaskManagerRunner (Version", "TaskExecutor runner (Version"):
			return lastnight.Recognition{Signals: onlyLifecycle}, true
		case bytes.HasPrefix(msg, []byte("Starting job ")) && hasAny(msg, "savepoint"):
			return lastnight.Recognition{Signals: onlyRestore, JobID: idAfter(string(msg), "Starting job ")}, true
		}
	case bytes.HasPrefix(msg, []byte("Stopping worker ")), bytes.HasPrefix(msg, []byte("Shutting ")) && hasAny(msg, " down with application status "):
		return lastnight.Recognition{Signals: onlyLifecycle}, true
	case bytes.HasPrefix(msg, []byte("Submitting job ")), bytes.HasPrefix(msg, []byte("Received JobGraph submission ")):
		return lastnight.Recognition{Signals: onlyLifecycle}, true
	}
	return lastnight.Recognition{}, false
}

func stopLine(msg []byte) (lastnight.Recognition, bool) {
	switch {
	case bytes.HasPrefix(msg, []byte("Triggering stop-with-savepoint")), bytes.HasPrefix(msg, []byte("Triggering cancel-with-savepoint")):
		return lastnight.Recognition{Signals: plannedLifecycle, JobID: idAfter(string(msg), " for job ")}, true
	case bytes.HasPrefix(msg, []byte("Terminating ")):
		return lastnight.Recognition{Signals: onlyLifecycle}, true
	case bytes.HasPrefix(msg, []byte("The heartbeat of ")), bytes.HasPrefix(msg, []byte("TaskManager with id ")):
		return lastnight.Recognition{Signals: onlyLifecycle}, true
	}
	return lastnight.Recognition{}, false
}

// tailLine is for lines that begin with a name: tasks, contenders for leadership.
func tailLine(msg []byte) (signals []string) {
	if i := bytes.Index(msg, []byte(" switched from ")); i >= 0 {
		if bytes.Contains(msg[i:], []byte(" to FAILED")) {
			return onlyTask
		}
		return nil
	}
	if before, _, ok := bytes.Cut(msg, []byte(" leadership")); ok && (bytes.HasSuffix(before, []byte(" granted")) || bytes.HasSuffix(before, []byte(" revoked")) || bytes.HasSuffix(before, []byte("lost"))) {
		return onlyLifecycle
	}
	return nil
}

// completedCheckpoint marks the first checkpoint of a job after each change of its state.
func (z *Recognizer) completedCheckpoint(msg string) lastnight.Recognition {
	id := idAfter(msg, " for job ")
	if id == "" {
		return lastnight.Recognition{}
	}
	slot, h := z.slot(id), z.hash(id)
	if slot.Swap(h) == h {
		return lastnight.Recognition{}
	}
	return lastnight.Recognition{Signals: firstCheckpoint, JobID: strings.Clone(id)}
}

func (z *Recognizer) hash(id string) uint64 { return maphash.String(z.seed, id) | 1 }

func (z *Recognizer) slot(id string) *atomic.Uint64 {
	return &z.completed[z.hash(id)%checkpointSlots]
}
