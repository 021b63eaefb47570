// Package investigation says why a job failed: signals become failovers, failovers
// incidents, and an incident gets a causal chain, ranked causes, advice and its likes.
//
//	records, events ─▶ Recognizer (on the ingest path: marks what will be needed)
//	                        │ stored as Document.Signals
//	Detector.Mark ─▶ Detect ─▶ may anything have opened a failover (outlook.go)? if not, that is all
//	                        ─▶ read the workload's documents ─▶ facts ─▶ openers ─▶ failovers
//	                        ─▶ evidence that is linked to the failover ─▶ causes of the catalogue, ranked
//	                        ─▶ incidents (same cause, less than ten minutes apart) ─▶ Keeper
//
// A cause is named only by evidence that is linked to the failover: what Flink itself gives as
// the failure's cause, how a process ended, what the lost pod said last, why a pod did not come.
// That a job logs warnings and errors all day says nothing. A symptom is named only where no cause
// of it has evidence; weak evidence never names a cause alone. No rule knows a job, a pod or a class.
//
// Everything is recomputed from the documents of the affected time, so the incidents do not
// depend on the order in which records and events arrived. Healthy jobs log errors all day, so a workload's documents
// are read only where a landmark among them may have opened a failover: the store is asked for those, for all workloads
// of a round at once, and again only when a mark tells of one (Pending.Evidence). Limits: at most maxDocuments documents
// of a workload are read at once, and maxEvidence items make a chain; more errors of a job that fails may wait for
// maxRest. A source that fails makes Detect return its error; the workload stays marked and is tried again.
package investigation
