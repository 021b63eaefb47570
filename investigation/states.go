package investigation

// States of a Flink job, as its log lines name them.
const (
	stateRunning    = "RUNNING"
	stateRestarting = "RESTARTING"
	stateFailing    = "FAILING"
	stateFailed     = "FAILED"
	stateSuspended  = "SUSPENDED"
	stateFinished   = "FINISHED"
	stateCancelling = "CANCELLING"
	stateCanceled   = "CANCELED"
	stateCreated    = "CREATED"

	stateInitializing = "INITIALIZING"
)
