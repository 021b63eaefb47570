package watch

import (
	"context"
	"fmt"

	authv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
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
	add(Right{Resource: "namespaces", Name: metav1.NamespaceSystem, For: "the cluster's name"}, "get")
	add(Right{Group: "apps", Resource: "replicasets", For: "the Deployment of a pod"}, "get")
	fd := flinkDeployments()
	add(Right{Group: fd.Group, Resource: fd.Resource, For: "what the Flink operator says of jobs"}, "list", "watch")
	if leaseNamespace != "" {
		lease := Right{Group: "coordination.k8s.io", Resource: "leases", Namespace: leaseNamespace, For: "one leader who watches cluster-wide"}
		add(lease, "create")
		lease.Name = leaseName
		add(lease, "get", "update")
	}
	return all
}

// Lacking asks the API server which of the rights the caller lacks.
func Lacking(ctx context.Context, cfg *rest.Config, rights []Right) ([]Right, error) {
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("ask for rights: %w", err)
	}
	var lacking []Right
	for _, r := range rights {
		review, err := client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authv1.SelfSubjectAccessReview{
			Spec: authv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authv1.ResourceAttributes{
				Verb: r.Verb, Group: r.Group, Resource: r.Resource, Namespace: r.Namespace, Name: r.Name,
			}},
		}, metav1.CreateOptions{})
		if err != nil {
			return nil, fmt.Errorf("ask for rights: %w", err)
		}
		if !review.Status.Allowed {
			lacking = append(lacking, r)
		}
	}
	return lacking, nil
}
