package lastnight

// Signals mark records and events that say trouble or that an investigation needs
// as landmarks. They are kept with the document, so that it can be found by them.
const (
	SignalTransition = "transition" // a job changed its state
	SignalTask       = "task"       // a task failed, or every task runs again
	SignalCheckpoint = "checkpoint" // a checkpoint completed (the first after a restore), failed or expired
	SignalRestore    = "restore"    // a job was restored from a checkpoint or savepoint
	SignalLifecycle  = "lifecycle"  // a process started, ended, was told to end, got or lost leadership; a worker came or went
	SignalPlanned    = "planned"    // a person asked for it: cancel, stop with savepoint, redeploy
	SignalException  = "exception"  // the record has an exception
	SignalCause      = "cause"      // the record matches an entry of the catalogue of causes
	SignalNew        = "new"        // the template was not known for this workload before
)

// Recognition is what is seen in a record as it passes.
type Recognition struct {
	Signals []string // none: nothing special
	JobName string   // Flink job that the record names, "" if none
	JobID   string   // 32 hex digits, "" if none
}

// Recognizer tells what a record says. Recognize is called for every record that
// passes, from several goroutines at once: it must be cheap and must not keep r. It sets what it finds in to, which is
// zero before and stays so for most records: to hand a Recognition back costs more than to find out that there is nothing.
type Recognizer interface {
	Recognize(s *Stream, r *Record, to *Recognition)
}
