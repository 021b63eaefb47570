package watch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"lastnight"
)

// lookAgain is how often it is asked whether the Flink operator's CRD has come.
const lookAgain = 5 * time.Minute

func flinkDeployments() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "flink.apache.org", Version: "v1beta1", Resource: "flinkdeployments"}
}

// flink watches FlinkDeployments where the Flink operator's CRD exists.
func (w *Watcher) flink(ctx context.Context) {
	client := w.dynamic.Resource(flinkDeployments())
	for said := false; ; {
		_, err := client.List(ctx, metav1.ListOptions{Limit: 1})
		if err == nil {
			break
		}
		if !said && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			said = true
			w.log.Warn("FlinkDeployments cannot be watched for now", "err", err)
		}
		if !wait(ctx, lookAgain) {
			return
		}
	}
	states := map[string]string{}
	f := &feed[*unstructured.Unstructured]{log: w.log, what: "FlinkDeployments", take: func(u *unstructured.Unstructured, deleted bool) {
		uid := string(u.GetUID())
		e, state := flinkEvent(u)
		if deleted {
			delete(states, uid)
			return
		}
		if state == "" || states[uid] == state {
			return
		}
		states[uid] = state
		w.sender.told(ctx, e)
	}}
	f.run(ctx, lister{
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return client.List(ctx, o) },
		watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) { return client.Watch(ctx, o) },
	}, &unstructured.Unstructured{})
}

// flinkEvent tells what the status of a FlinkDeployment says, and a key that changes with it.
func flinkEvent(u *unstructured.Unstructured) (lastnight.Event, string) {
	field := func(path ...string) string {
		s, _, _ := unstructured.NestedString(u.Object, append([]string{"status"}, path...)...) // of another type: as if it were not there
		return s
	}
	job, lifecycle, trouble := field("jobStatus", "state"), field("lifecycleState"), field("error")
	manager := field("jobManagerDeploymentStatus")
	if job == "" && lifecycle == "" && trouble == "" && manager == "" {
		return lastnight.Event{}, ""
	}
	state := strings.Join([]string{job, lifecycle, manager, trouble}, "\x00")
	at := flinkTime(u, field("jobStatus", "updateTime"))
	e := lastnight.Event{
		Time: at, Kind: lastnight.EventKubernetes, Type: corev1.EventTypeNormal, Reason: "FlinkDeploymentStatus",
		Object:    lastnight.ObjectRef{Kind: "FlinkDeployment", Namespace: u.GetNamespace(), Name: u.GetName(), UID: string(u.GetUID())},
		Component: "flink-kubernetes-operator", Workload: u.GetName(),
	}
	var said []string
	for _, part := range [][2]string{{"job", job}, {"lifecycle", lifecycle}, {"JobManager", manager}, {"error", trouble}} {
		if part[1] != "" {
			said = append(said, part[0]+" "+part[1])
		}
	}
	e.Message = strings.Join(said, ", ")
	if trouble != "" || job == "FAILED" || lifecycle == "FAILED" || manager == "ERROR" || manager == "MISSING" {
		e.Type = corev1.EventTypeWarning
	}
	sum := sha256.Sum256([]byte("flink\x00" + string(u.GetUID()) + "\x00" + strconv.FormatInt(at.Unix(), 10) + "\x00" + state))
	e.ID = "e" + hex.EncodeToString(sum[:10])
	return e, state
}

// flinkTime gives when the status was written: the newest time that the object has.
func flinkTime(u *unstructured.Unstructured, updated string) time.Time {
	at := u.GetCreationTimestamp().Time
	for _, m := range u.GetManagedFields() {
		if m.Time != nil && m.Time.After(at) {
			at = m.Time.Time
		}
	}
	if ms, err := strconv.ParseInt(updated, 10, 64); err == nil && ms > at.UnixMilli() && ms < at.Add(time.Hour).UnixMilli() {
		at = time.UnixMilli(ms)
	}
	return at.UTC()
}
