package lastnight

import (
	"regexp"
	"strings"
	"time"
)

// JobKind is what sort of workload a job is.
type JobKind string

// The kinds of jobs.
const (
	JobFlink       JobKind = "FlinkJob" // a Flink cluster, or one job of a session cluster
	JobDeployment  JobKind = "Deployment"
	JobStatefulSet JobKind = "StatefulSet"
	JobDaemonSet   JobKind = "DaemonSet"
	JobBatch       JobKind = "Job"
	JobPod         JobKind = "Pod"
)

// Workload is what owns streams: a Flink cluster, a Deployment … The streams of one
// workload are kept side by side. A Flink session cluster is one workload with several jobs.
type Workload struct {
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"`
	Kind      JobKind `json:"kind"`
	Component string  `json:"component,omitempty"` // of the pod asked about: jobmanager or taskmanager of a Flink cluster
}

// Job is what people ask about. Its name is unique in a namespace.
type Job struct {
	Cluster   string    `json:"cluster,omitempty"`
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Kind      JobKind   `json:"kind"`
	Workload  string    `json:"workload"`            // name of the workload whose streams it has
	FlinkIDs  []string  `json:"flink_ids,omitempty"` // Flink job ids seen under that name
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
	Incidents int       `json:"incidents"` // unplanned ones, in the interval asked about
}

var (
	flinkTaskManagerPod = regexp.MustCompile(`^(.+)-taskmanager-\d+-\d+$`)
	flinkJobManagerPod  = regexp.MustCompile(`^(.+)-jobmanager(?:-[a-z0-9]+)*$`)
	deploymentPod       = regexp.MustCompile(`^(.+)-[a-f0-9]{6,10}-[a-z0-9]{5}$`)
	statefulSetPod      = regexp.MustCompile(`^(.+)-\d+$`)
	daemonSetPod        = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	replicaSetHash      = regexp.MustCompile(`^(.+)-[a-z0-9]{6,10}$`)
)

// WorkloadOf tells which workload a pod belongs to, from its labels and owner, and
// from its name where those are not known. It always names one: at least the pod itself.
func WorkloadOf(p *Pod) Workload {
	w := Workload{Namespace: p.Namespace}
	l := p.Labels
	if app := l["app"]; app != "" && (l["type"] == "flink-native-kubernetes" || l["component"] == "jobmanager" || l["component"] == "taskmanager") {
		return Workload{p.Namespace, app, JobFlink, l["component"]}
	}
	switch p.Owner.Kind {
	case "ReplicaSet":
		if m := replicaSetHash.FindStringSubmatch(p.Owner.Name); m != nil {
			w.Name, w.Kind = m[1], JobDeployment
			return w
		}
	case "Deployment":
		w.Name, w.Kind = p.Owner.Name, JobDeployment
		return w
	case "StatefulSet":
		w.Name, w.Kind = p.Owner.Name, JobStatefulSet
		return w
	case "DaemonSet":
		w.Name, w.Kind = p.Owner.Name, JobDaemonSet
		return w
	case "Job":
		w.Name, w.Kind = p.Owner.Name, JobBatch
		return w
	}
	for _, key := range []string{"app.kubernetes.io/name", "app", "k8s-app"} {
		if v := l[key]; v != "" {
			w.Name, w.Kind = v, JobPod
			return w
		}
	}
	if len(l) > 0 || p.Owner.Kind != "" {
		w.Name, w.Kind = p.Name, JobPod
		return w
	}
	return workloadOfName(p.Namespace, p.Name)
}

// workloadOfName guesses from the names that Kubernetes and Flink make.
func workloadOfName(namespace, pod string) Workload {
	for _, g := range []struct {
		re        *regexp.Regexp
		kind      JobKind
		component string
	}{
		{flinkTaskManagerPod, JobFlink, "taskmanager"},
		{flinkJobManagerPod, JobFlink, "jobmanager"},
		{deploymentPod, JobDeployment, ""},
		{statefulSetPod, JobStatefulSet, ""},
		{daemonSetPod, JobDaemonSet, ""},
	} {
		if m := g.re.FindStringSubmatch(pod); m != nil {
			return Workload{namespace, strings.TrimSuffix(m[1], "-"), g.kind, g.component}
		}
	}
	return Workload{namespace, pod, JobPod, ""}
}
