package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"lastnight"
	"lastnight/collector/kube"
	"lastnight/collector/kube/apiserver"
)

// lookAgain is how often it is asked whether the Flink operator's CRD has come.
const lookAgain = 5 * time.Minute

func flinkDeployments() apiserver.Resource {
	return apiserver.Resource{Group: "flink.apache.org", Version: "v1beta1", Name: "flinkdeployments"}
}

// flinkDeployment is a FlinkDeployment. Its status is whatever the operator writes: a field of
// another type than expected is as if it were not there.
type flinkDeployment struct {
	kube.Meta `json:"metadata"`
	Status    any `json:"status"`
}

// field gives a text in the status.
func (d *flinkDeployment) field(path ...string) string {
	v := d.Status
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

// flink watches FlinkDeployments where the Flink operator's CRD exists.
func (w *Watcher) flink(ctx context.Context) {
	states := map[string]string{}
	f := &feed[*flinkDeployment]{
		client: w.client, resource: flinkDeployments(), fresh: func() *flinkDeployment { return &flinkDeployment{} },
		log: w.log, what: "FlinkDeployments", counts: w.kinds[kindFlink], absent: lookAgain,
	}
	f.take = func(d *flinkDeployment, deleted bool) {
		e, state := flinkEvent(d)
		if deleted {
			delete(states, d.UID)
			return
		}
		if state == "" || states[d.UID] == state {
			return
		}
		states[d.UID] = state
		w.sender.told(ctx, e)
	}
	f.run(ctx)
}

// flinkEvent tells what the status of a FlinkDeployment says, and a key that changes with it.
func flinkEvent(u *flinkDeployment) (lastnight.Event, string) {
	job, lifecycle, trouble := u.field("jobStatus", "state"), u.field("lifecycleState"), u.field("error")
	manager := u.field("jobManagerDeploymentStatus")
	if job == "" && lifecycle == "" && trouble == "" && manager == "" {
		return lastnight.Event{}, ""
	}
	state := strings.Join([]string{job, lifecycle, manager, trouble}, "\x00")
	at := flinkTime(u, u.field("jobStatus", "updateTime"))
	e := lastnight.Event{
		Time: at, Kind: lastnight.EventKubernetes, Type: "Normal", Reason: "FlinkDeploymentStatus",
		Object:    lastnight.ObjectRef{Kind: "FlinkDeployment", Namespace: u.Namespace, Name: u.Name, UID: u.UID},
		Component: "flink-kubernetes-operator", Workload: u.Name,
	}
	var said []string
	for _, part := range [][2]string{{"job", job}, {"lifecycle", lifecycle}, {"JobManager", manager}, {"error", trouble}} {
		if part[1] != "" {
			said = append(said, part[0]+" "+part[1])
		}
	}
	e.Message = strings.Join(said, ", ")
	if trouble != "" || job == "FAILED" || lifecycle == "FAILED" || manager == "ERROR" || manager == "MISSING" {
		e.Type = "Warning"
	}
	sum := sha256.Sum256([]byte("flink\x00" + u.UID + "\x00" + strconv.FormatInt(at.Unix(), 10) + "\x00" + state))
	e.ID = "e" + hex.EncodeToString(sum[:10])
	return e, state
}

// flinkTime gives when the status was written: the newest time that the object has.
func flinkTime(u *flinkDeployment, updated string) time.Time {
	at := u.Written()
	if ms, err := strconv.ParseInt(updated, 10, 64); err == nil && ms > at.UnixMilli() && ms < at.Add(time.Hour).UnixMilli() {
		at = time.UnixMilli(ms)
	}
	return at.UTC()
}
