package lastnight

import "time"

// Level is the severity of a record (OpenTelemetry's short names).
type Level uint8

// The levels. LevelUnknown is "the line did not say".
const (
	LevelUnknown Level = iota
	LevelTrace
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
	LevelFatal
)

var levelNames = [...]string{"", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}

// String gives TRACE … FATAL, or "" for LevelUnknown.
func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return ""
}

// Line is one line as the container wrote it, its P parts joined. It is the unit
// of identity: never dropped, never cut.
type Line struct {
	Time    int64  // container runtime's time of its first part, ns since 1970 UTC
	Offset  int64  // where its first part begins in the file generation, bytes
	Text    []byte // what the container wrote, without the newline; any bytes
	Stderr  bool   // log.iostream is stderr, else stdout
	Partial bool   // the file ended before the line did; a later read may give the same line, longer
	Parts   []Part // how the runtime cut it; nil if it was in one F part
}

// Part is one P or F part of a line that the container runtime cut.
type Part struct {
	Time   int64 // ns since 1970 UTC
	Offset int64 // where the part's own line begins in the file generation
	Size   int   // bytes of the line's Text that it gave
}

// Record is one logical log entry: a line, or a line with its stack trace and
// other continuation lines. It only groups lines. Strings may be shared.
type Record struct {
	Lines     []Line // at least one, in file order; all of the same iostream
	Level     Level
	Logger    string            // log.logger
	Thread    string            // thread.name
	AppTime   int64             // the time the application wrote, read as UTC, ns; 0 if none. An attribute, never the order
	MessageAt int               // where the message begins in Lines[0].Text, after time, level, logger …
	Exception []string          // exception types, outermost first ("Caused by" next), at most 16
	Attrs     map[string]string // fields of a JSON line that have no name of their own, at most 64; nil if none
	Template  string            // template.id; "" until the clusterer has seen it
}

// Var is where a variable stands in a message.
type Var struct {
	From, To int32
	Kind     VarKind
}

// Time is the record's @timestamp: the container runtime's time of its first line, UTC.
func (r *Record) Time() time.Time { return time.Unix(0, r.Lines[0].Time).UTC() }

// Message is the first line without its header. It shares the line's memory.
func (r *Record) Message() []byte { return r.Lines[0].Text[r.MessageAt:] }

// Text joins the lines with newlines.
func (r *Record) Text() string {
	if len(r.Lines) == 1 {
		return string(r.Lines[0].Text)
	}
	n := len(r.Lines) - 1
	for i := range r.Lines {
		n += len(r.Lines[i].Text)
	}
	b := make([]byte, 0, n)
	for i := range r.Lines {
		if i > 0 {
			b = append(b, '\n')
		}
		b = append(b, r.Lines[i].Text...)
	}
	return string(b)
}

// Span is what a collector hands on of one file: every line that begins in
// [From, To) of the generation, in file order, and no other. So a reader that
// resumes at To loses nothing and doubles nothing. Records whose lines are
// Partial are the exception: they begin at or after To and do not move it.
type Span struct {
	Stream     *Stream
	Generation Generation
	From, To   int64
	Records    []Record
	RawBytes   int64 // bytes of the file that it stands for, for counting
}

// Batch is what arrives at once: durable as a whole when Ingest has returned.
type Batch struct {
	Pods   []Pod   // metadata, before the spans that need it
	Events []Event // in any order
	Spans  []Span
	// Elsewhere says that another server may have taken some of the spans, or what came before them, since this one
	// did last: it looks first what others have.
	Elsewhere bool
}
