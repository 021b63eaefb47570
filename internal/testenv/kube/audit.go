package kube

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
)

// Request is what somebody asked of the API server.
type Request struct {
	User, Verb, Group, Resource, Subresource, Namespace, Name string
	Code                                                      int // HTTP status
}

// Requests gives what was asked so far, in order; of one who impersonates in the name of the other.
func (c *Cluster) Requests() []Request {
	c.t.Helper()
	f, err := os.Open(filepath.Join(c.dir, "audit.log"))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var requests []Request
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var e struct {
			Verb         string `json:"verb"`
			Impersonated *struct {
				Username string `json:"username"`
			} `json:"impersonatedUser"`
			User struct {
				Username string `json:"username"`
			} `json:"user"`
			Object *struct {
				Resource    string `json:"resource"`
				Subresource string `json:"subresource"`
				Namespace   string `json:"namespace"`
				Name        string `json:"name"`
				Group       string `json:"apiGroup"`
			} `json:"objectRef"`
			Status struct {
				Code int `json:"code"`
			} `json:"responseStatus"`
		}
		if json.Unmarshal(in.Bytes(), &e) != nil || e.Object == nil {
			continue
		}
		r := Request{
			User: e.User.Username, Verb: e.Verb, Group: e.Object.Group, Resource: e.Object.Resource,
			Subresource: e.Object.Subresource, Namespace: e.Object.Namespace, Name: e.Object.Name, Code: e.Status.Code,
		}
		if e.Impersonated != nil {
			r.User = e.Impersonated.Username
		}
		requests = append(requests, r)
	}
	return requests
}
