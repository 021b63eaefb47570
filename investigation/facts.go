package investigation

import (
	"regexp"
	"slices"
	"strings"

	"lastnight"
)

var (
	diagnosedExit = regexp.MustCompile(`exitCode=(-?\d+), reason=(\w+)`)
	workerName    = regexp.MustCompile(`^Worker (\S+) is terminated`)
	goodbyeName   = regexp.MustCompile(`^Closing TaskExecutor connection (\S+) because: The TaskExecutor is shutting down`)
	stoppedName   = regexp.MustCompile(`^Stopping worker (\S+?)\.?$`)
	heartbeatOf   = regexp.MustCompile(`[Hh]eartbeat of TaskManager with id ([^\s(]+)(?:\([^)]*\))? timed out`)
	unreachable   = regexp.MustCompile(`TaskManager with id ([^\s(]+)(?:\([^)]*\))? is no longer reachable`)
	remoteManager = regexp.MustCompile(`remote task manager '[^']*\[ (\S+) \]`)
)

// recordFact reads a record.
func recordFact(f *fact, msg string) {
	first, _, _ := strings.Cut(msg, "\n")
	switch {
	case strings.HasPrefix(first, "Job "):
		if tr, ok := parseTransition(first); ok {
			f.kind, f.tr = factTransition, tr
		} else if id := terminalFailure(first); id != "" {
			f.kind, f.tr = factTransition, transition{id: id, from: stateInitializing, to: stateFailed}
		}
	case strings.HasPrefix(first, "Completed checkpoint "):
		f.kind = factCheckpointDone
	case strings.HasPrefix(first, "Restoring job "), strings.HasPrefix(first, "Starting job ") && strings.Contains(first, "savepoint"):
		f.kind = factRestore
	case strings.HasPrefix(first, "RECEIVED SIGNAL 15"):
		f.kind = factSigterm
	case strings.HasPrefix(first, "Starting ") && strings.Contains(first, "ClusterEntrypoint (Version"):
		f.kind = factJobManagerStart
	case strings.HasPrefix(first, "Starting ") && (strings.Contains(first, "TaskExecutor runner (Version") || strings.Contains(first, "TaskManager (Version") || strings.Contains(first, "TaskManagerRunner (Version")):
		f.kind = factTaskManagerStart
	case strings.HasPrefix(first, "Worker "):
		workerFact(f, first)
	case strings.HasPrefix(first, "Stopping worker "):
		if m := stoppedName.FindStringSubmatch(first); m != nil {
			f.kind, f.pod = factWorkerStopped, m[1]
		}
	case strings.HasPrefix(first, "Closing TaskExecutor connection ") && goodbyeName.MatchString(first):
		f.kind, f.pod = factGoodbye, goodbyeName.FindStringSubmatch(first)[1]
	case strings.HasPrefix(first, "Triggering stop-with-savepoint"), strings.HasPrefix(first, "Triggering cancel-with-savepoint"):
		f.kind = factStopRequested
	case strings.HasPrefix(first, "Shutting ") && strings.Contains(first, " down with application status FAILED"):
		f.kind = factShutdown
	case strings.Contains(first, " revoked leadership"):
		f.kind = factLeaderLost
	case strings.Contains(first, " granted leadership"):
		f.kind = factLeaderGranted
	default:
		if ts, ok := parseTaskSwitch(first); ok && ts.to == stateFailed {
			f.kind = factTaskFailed
		} else if heartbeatOf.MatchString(first) || unreachable.MatchString(first) {
			f.kind = factHeartbeatLost
		}
	}
}

func workerFact(f *fact, first string) {
	m := workerName.FindStringSubmatch(first)
	if m == nil {
		return
	}
	f.kind, f.pod = factWorkerTerminated, m[1]
	if e := diagnosedExit.FindStringSubmatch(first); e != nil {
		f.exit, f.reason = atoi(e[1]), e[2]
	}
}

func atoi(s string) int {
	n, neg := 0, strings.HasPrefix(s, "-")
	for _, c := range strings.TrimPrefix(s, "-") {
		if n > 1<<20 {
			break
		}
		n = n*10 + int(c-'0')
	}
	if neg {
		return -n
	}
	return n
}

// podTroubles are the reasons for which a pod does not come, or not in time.
var podTroubles = []string{
	"Failed", "BackOff", "FailedScheduling", "FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "FailedCreate", "FailedMapVolume",
	"InspectFailed", "ErrImageNeverPull", "NetworkNotReady", "FailedPostStartHook", "ProvisioningFailed",
	"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "Unschedulable",
}

// eventFact reads an event.
func eventFact(f *fact, e *lastnight.Event) {
	f.reason = e.Reason
	if e.Object.Kind == "Pod" {
		f.pod = e.Object.Name
	}
	switch e.Kind {
	case lastnight.EventContainer:
		switch e.State {
		case "terminated":
			f.kind = factContainerEnd
			if e.ExitCode != nil {
				f.exit = *e.ExitCode
			}
			return
		case "running":
			f.kind = factContainerStart
			return
		}
	case lastnight.EventPod:
		if e.Reason == "Deleted" {
			f.kind = factPodDeleted
			return
		}
	case lastnight.EventKubernetes:
		switch e.Reason {
		case "Killing":
			f.kind = factKilling
			return
		case "Started":
			f.kind = factContainerStart
			return
		}
	default: // the others tell nothing here
	}
	if slices.Contains(podTroubles, e.Reason) && (e.Kind != lastnight.EventPod || e.Reason == "Unschedulable") {
		f.kind = factPodTrouble
	}
}
