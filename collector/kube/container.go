package kube

import (
	"strconv"
	"time"

	"lastnight"
)

// statusesOf gives the statuses of all containers of a pod.
func statusesOf(p *Pod) [3][]ContainerStatus {
	return [3][]ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses}
}

// containers tells what the containers' states say.
func (v *podVersion) containers() {
	for _, statuses := range statusesOf(v.p) {
		for i := range statuses {
			v.container(&statuses[i])
		}
	}
}

// container tells of one container: how its last instance ended, which a quick
// restart shows only there, then its present state.
func (v *podVersion) container(s *ContainerStatus) {
	now := int(s.RestartCount)
	if t := s.LastTerminationState.Terminated; t != nil {
		v.terminated(s, t, v.instance(s, t.ContainerID, max(now-1, 0)))
	}
	switch {
	case s.State.Terminated != nil:
		v.terminated(s, s.State.Terminated, v.instance(s, s.State.Terminated.ContainerID, now))
	case s.State.Running != nil:
		v.remember(s.ContainerID, now)
		v.running(s, s.ContainerID, now, s.State.Running.StartedAt)
	case s.State.Waiting != nil:
		v.waiting(s, s.State.Waiting, now)
	}
}

// instance tells the restart count of a container instance that has ended. While
// a container waits to be restarted, its status still names the instance that ended.
func (v *podVersion) instance(s *ContainerStatus, containerID string, guess int) int {
	if n, ok := v.d.restart[containerID]; ok && containerID != "" {
		return n
	}
	if containerID != "" && containerID == s.ContainerID {
		guess = int(s.RestartCount)
	}
	v.remember(containerID, guess)
	return guess
}

func (v *podVersion) remember(containerID string, restart int) {
	if _, ok := v.d.restart[containerID]; !ok && containerID != "" {
		v.d.restart[containerID] = restart
	}
}

// terminated tells of an instance's end, and of its beginning if that was not seen.
func (v *podVersion) terminated(s *ContainerStatus, t *StateTerminated, restart int) {
	v.running(s, t.ContainerID, restart, t.StartedAt)
	exit := int(t.ExitCode)
	e := lastnight.Event{
		Time:      firstTime(t.FinishedAt, v.last),
		Kind:      lastnight.EventContainer,
		Type:      typeNormal,
		Reason:    t.Reason,
		Message:   t.Message,
		Container: s.Name,
		Restart:   restart,
		State:     "terminated",
		ExitCode:  &exit,
		Signal:    int(t.Signal),
	}
	if exit != 0 || t.Signal != 0 {
		e.Type = typeWarning
	}
	if e.Reason == "" {
		e.Reason = "Completed"
		if exit != 0 {
			e.Reason = "Error"
		}
	}
	id := t.ContainerID
	if id == "" {
		id = strconv.Itoa(restart) + "@" + t.FinishedAt.UTC().Format(time.RFC3339)
	}
	v.add(e, s.Name, id, "terminated")
}

// running tells that an instance started.
func (v *podVersion) running(s *ContainerStatus, containerID string, restart int, started time.Time) {
	if started.IsZero() || started.Unix() <= 0 {
		return
	}
	if containerID == "" {
		containerID = strconv.Itoa(restart) + "@" + started.UTC().Format(time.RFC3339)
	}
	v.add(lastnight.Event{
		Time:      started,
		Kind:      lastnight.EventContainer,
		Type:      typeNormal,
		Reason:    "Running",
		Container: s.Name,
		Restart:   restart,
		State:     "running",
	}, s.Name, containerID, "running")
}

// waiting tells why a container does not run, if it is for another reason than being on its way.
func (v *podVersion) waiting(s *ContainerStatus, w *StateWaiting, restart int) {
	switch w.Reason {
	case "", "ContainerCreating", "PodInitializing":
		return
	}
	v.add(lastnight.Event{
		Time:      v.last,
		Kind:      lastnight.EventContainer,
		Type:      typeWarning,
		Reason:    w.Reason,
		Message:   w.Message,
		Container: s.Name,
		Restart:   restart,
		State:     "waiting",
	}, s.Name, strconv.Itoa(restart), "waiting", w.Reason)
}
