package lastnight

// Cause is an entry of the catalogue of failure causes, as people see it.
type Cause struct {
	ID           string `json:"id"`
	Title        string `json:"title"`
	Layer        string `json:"layer"`    // flink-platform, job-config, kubernetes, network, node-hardware, resource-scheduling, storage, upstream-downstream, user-code
	Severity     string `json:"severity"` // critical, high, medium, low, info
	Symptom      bool   `json:"symptom"`  // named only where no cause of it has evidence
	Advice       string `json:"advice"`
	ActionNeeded bool   `json:"action_needed"`
	Owner        string `json:"owner,omitempty"` // job-owner, platform-sre, cluster-admin, data-owner
}
