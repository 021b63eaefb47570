package watch

import (
	"context"
	"fmt"

	"k8s.io/client-go/rest"

	"lastnight/collector/kube/apiserver"
)

// Right is something that a watcher asks of the API server.
type Right struct {
	Verb, Group, Resource string
	Namespace, Name       string // "": all
	For                   string // what is missing without it
}

// String gives "watch pods", "get leases.coordination.k8s.io/lastnight-watch in logging".
func (r Right) String() string {
	s := r.Verb + " " + r.Resource
	if r.Group != "" {
		s += "." + r.Group
	}
	if r.Name != "" {
		s += "/" + r.Name
	}
	if r.Namespace != "" {
		s += " in " + r.Namespace
	}
	return s
}

// Rights lists all that a watcher asks for; the shipped RBAC grants these and no others.
// leaseNamespace "": without an election.
func Rights(leaseNamespace, leaseName string) []Right {
	var all []Right
	add := func(r Right, verbs ...string) {
		for _, v := range verbs {
			r.Verb = v
			all = append(all, r)
		}
	}
	add(Right{Resource: "pods", For: "deaths of containers, labels, owners"}, "list", "watch", "get")
	add(Right{Resource: "events", For: "what Kubernetes says of pods and nodes"}, "list", "watch")
	add(Right{Resource: "nodes", For: "nodes that are not ready, cordoned, tainted"}, "list", "watch")
	add(Right{Resource: "namespaces", Name: kubeSystem, For: "the cluster's name"}, "get")
	add(Right{Group: "apps", Resource: "replicasets", For: "the Deployment of a pod"}, "get")
	fd := flinkDeployments()
	add(Right{Group: fd.Group, Resource: fd.Name, For: "what the Flink operator says of jobs"}, "list", "watch")
	if leaseNamespace != "" {
		lease := Right{Group: "coordination.k8s.io", Resource: "leases", Namespace: leaseNamespace, For: "one leader who watches cluster-wide"}
		add(lease, "create")
		lease.Name = leaseName
		add(lease, "get", "update")
	}
	return all
}

// review is a SelfSubjectAccessReview of authorization.k8s.io/v1.
type review struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Attributes struct {
			Verb      string `json:"verb"`
			Group     string `json:"group,omitempty"`
			Resource  string `json:"resource"`
			Namespace string `json:"namespace,omitempty"`
			Name      string `json:"name,omitempty"`
		} `json:"resourceAttributes"`
	} `json:"spec"`
	Status struct {
		Allowed bool `json:"allowed"`
	} `json:"status"`
}

// Lacking asks the API server which of the rights the caller lacks.
func Lacking(ctx context.Context, cfg *rest.Config, rights []Right) ([]Right, error) {
	client, err := apiserver.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("ask for rights: %w", err)
	}
	reviews := apiserver.Resource{Group: "authorization.k8s.io", Version: "v1", Name: "selfsubjectaccessreviews"}
	var lacking []Right
	for _, r := range rights {
		q := review{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}
		a := &q.Spec.Attributes
		a.Verb, a.Group, a.Resource, a.Namespace, a.Name = r.Verb, r.Group, r.Resource, r.Namespace, r.Name
		if err := client.Create(ctx, reviews, &q, &q); err != nil {
			return nil, fmt.Errorf("ask for rights: %w", err)
		}
		if !q.Status.Allowed {
			lacking = append(lacking, r)
		}
	}
	return lacking, nil
}
